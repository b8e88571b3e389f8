"""`aos operator` with a clock that rings for every few milliseconds of CPU time and notes whose they were.

Run as `python tests/benchmarks/sampled.py FILE operator ...`; on a clean end FILE holds the counts as JSON.
Why not cProfile: it makes small functions look dear. A sample is CPU time that was really spent. It belongs
to the package nearest to it that is not the standard library: who called `json.loads` has paid for it.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from AgentOperatingSystem import cli

EVERY_SECONDS = 0.004
OURS = "AgentOperatingSystem"
_PACKAGES, _IMPORTING = "site-packages/", "<frozen importlib"
_CAUSES = {
    f"{OURS}/runtime/": "calls of the runtime",
    f"{OURS}/kube/client.py": "requests to the API server",
    f"{OURS}/kube/": "triggers and passes",
    f"{OURS}/telemetry/": "logs, metrics, traces",
    f"{OURS}/reconcile/": "decisions and status",
    f"{OURS}/model/": "decisions and status",
    "site-packages/kopf/": "kopf",
}


class Samples:
    """Counts of CPU samples: by what they were for, by package, and below our own functions."""

    def __init__(self) -> None:
        self.by_cause: Counter[str] = Counter()
        self.by_package: Counter[str] = Counter()
        self.ours: Counter[str] = Counter()
        self.below_ours: Counter[str] = Counter()
        self.hottest: Counter[str] = Counter()

    def take(self, frame: FrameType | None) -> None:
        """Note whose the present moment is."""
        frames = []
        while frame is not None:
            frames.append(
                (frame.f_code.co_filename, frame.f_code.co_qualname if sys.version_info >= (3, 11) else "")
            )
            frame = frame.f_back
        if any(file.startswith(_IMPORTING) for file, _ in frames):
            self.by_cause["imports"] += 1
            self.by_package["(imports)"] += 1
            return
        self.by_cause[
            next(filter(None, (_cause(file) for file, _ in frames)), "event loop, sockets, TLS")
        ] += 1
        owners = [_owner(file) for file, _ in frames]
        named = [owner for owner in owners if owner]
        self.by_package[named[0] if named and named[0] != "(start)" else "(event loop)"] += 1
        self.hottest[_place(*frames[0])] += 1
        for (file, function), owner in zip(frames, owners, strict=True):
            if owner == OURS and not file.endswith("cli.py"):
                self.below_ours[_place(file, function)] += 1
                if named[0] == OURS:
                    self.ours[_place(file, function)] += 1
                break

    def to_json(self) -> str:
        """Everything, the largest first."""
        return json.dumps(
            {name: dict(counts.most_common(60)) for name, counts in vars(self).items()}, indent=1
        )


def _cause(file: str) -> str:
    """What of the operator's doings a frame belongs to; the innermost that says anything counts."""
    return next((cause for part, cause in _CAUSES.items() if part in file), "")


def _owner(file: str) -> str:
    """The package that a file belongs to; empty for the standard library."""
    if f"/{OURS}/" in file:
        return "(start)" if file.endswith("/cli.py") else OURS
    if _PACKAGES in file:
        parts = file.rpartition(_PACKAGES)[2].split("/")
        name = parts[0].removesuffix(".py")
        return "(start)" if name in ("typer", "click") else name
    if file == __file__:
        return "(start)"
    return ""


def _place(file: str, function: str) -> str:
    folders = file.split("/")
    return f"{'/'.join(folders[-2:])}:{function}"


def main() -> None:
    target = Path(sys.argv.pop(1))
    samples = Samples()
    signal.signal(signal.SIGPROF, lambda _number, frame: samples.take(frame))
    signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)
    try:
        cli.main()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        target.write_text(samples.to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
