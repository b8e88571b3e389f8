"""`aos operator` as it ships, as a process with a watcher at the crossings of its ports: it records or dies.

Why from here: nothing of the way it dies ships. SIGKILL is what a node's failure looks like: nothing is
flushed, closed or told. Why forked from a process that has imported everything: a hundred of them are
wanted within a minute, and most of a start is importing.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from unittest import mock

from AgentOperatingSystem.model.crossing import Moment, Watcher, watch_crossings

# Kubernetes' clients read this when they are imported, which is before a child knows where its file is.
KUBECONFIG = "kubeconfig"
_IMPORTED = (
    "AgentOperatingSystem.cli",
    "AgentOperatingSystem.kube.process",
    "AgentOperatingSystem.runtime.foundry",
    "AgentOperatingSystem.runtime.foundry_classic",
    "AgentOperatingSystem.telemetry.logs",
    "anyio._backends._asyncio",
    "azure.ai.projects.aio",
    "httpcore2",
    "kopf",
    "kubernetes.aio.client.api.core_v1_api",
    "kubernetes.aio.client.api.custom_objects_api",
    "openai",
)


@dataclass(frozen=True)
class CrashPoint:
    """The `occurrence`-th time (from 1) that a process passes `crossing`, before or after it took effect."""

    crossing: str
    occurrence: int
    moment: Moment

    def __str__(self) -> str:
        return f"{self.moment} {self.crossing} #{self.occurrence}"

    def watcher(self) -> Watcher:
        """Ends the process when it comes to the point."""
        left = self.occurrence

        def watch(name: str, moment: Moment) -> None:
            nonlocal left
            if (name, moment) == (self.crossing, self.moment):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        return watch


@dataclass(frozen=True)
class Recording:
    """Every crossing goes to a file as one line, at once: what is written survives a SIGKILL."""

    path: Path

    def watcher(self) -> Watcher:
        """Writes the lines."""
        target = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

        def watch(name: str, moment: Moment) -> None:
            os.write(target, f"{name} {moment}\n".encode())

        return watch

    def points(self) -> list[CrashPoint]:
        """Every point that the recorded process passed, in order."""
        return points_in(self.path.read_text(encoding="utf-8").splitlines())


class At:
    """A watcher that does something, once, when it comes to the point."""

    def __init__(self, point: CrashPoint, error: BaseException) -> None:
        self._point = point
        self._left = point.occurrence
        self._error = error
        self.came = False

    def __call__(self, name: str, moment: Moment) -> None:
        if (name, moment) != (self._point.crossing, self._point.moment):
            return
        self._left -= 1
        if self._left == 0:
            self.came = True
            raise self._error


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """With a watcher at every crossing of this process."""
    end = watch_crossings(watcher)
    try:
        yield
    finally:
        end()


Script = CrashPoint | Recording | None


def points_in(lines: Iterable[str]) -> list[CrashPoint]:
    """Every point in a record, in order: a line is a crossing's name and a moment."""
    seen: Counter[tuple[str, str]] = Counter()
    points = []
    for line in lines:
        name, moment = line.split()
        seen[name, moment] += 1
        points.append(CrashPoint(name, seen[name, moment], Moment(moment)))
    return points


# Whoever starts a process looks how every other one is, and an end can be read once: two threads that read it
# at the same time take a process that was killed for one that ended with 255.
_REAPING = threading.Lock()


@dataclass(frozen=True)
class Launch:
    """A start of the command line: in `folder`, where its kubeconfig is, with all output going to `log`."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    script: Script = None


def launched(launch: Launch) -> ForkServerProcess:
    """The process, started. It ends with the one that started it, even when that one is killed."""
    process = _context().Process(target=_become, args=(launch,), daemon=True)
    with _REAPING:
        process.start()
    return process


def exit_code(process: ForkServerProcess, within: float | None = 0.0) -> int | None:
    """How the process ended; None when it has not within so many seconds, which None has no end of."""
    connection.wait([process.sentinel], within)
    with _REAPING:
        return process.exitcode


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_IMPORTED))
    with mock.patch.dict(os.environ, {"KUBECONFIG": KUBECONFIG}):
        forkserver.ensure_running()
    return context


def _become(launch: Launch) -> None:
    """Become the operator; this is the child."""
    target = os.open(launch.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(target, sys.stdout.fileno())
    os.dup2(target, sys.stderr.fileno())
    os.chdir(launch.folder)
    os.environ.clear()
    os.environ.update(launch.environment, KUBECONFIG=KUBECONFIG)
    threading.Thread(target=_end_with_parent, name="leash", daemon=True).start()
    if launch.script is not None:
        watch_crossings(launch.script.watcher())
    sys.argv = ["aos", *launch.arguments]
    from AgentOperatingSystem.cli import main  # noqa: PLC0415 - a test that only reads points needs none of it

    main()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)
