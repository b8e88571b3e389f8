"""`python -m tests.chaos.soak --minutes 20`: changes without end, and nothing that grows.

The number of resources stays the same, the runtime fails now and then, nobody is killed. Memory,
open files, threads and asyncio tasks of the operator are looked at every few seconds; in the last third of
the time they must be what they were in the second. Ends with 1 when they are not.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client
from rich.console import Console
from rich.table import Table
from tests.benchmarks.measured import Measured
from tests.chaos.faults import scattered_faults
from tests.chaos.play import SETTINGS, look
from tests.chaos.promises import breaches
from tests.harness.planes import embedded_plane, real_plane
from tests.harness.polling import eventually
from tests.harness.stage import GROUP, PLURAL, VERSION, Stage, open_stage

COUNTED = Path(__file__).resolve().parent / "counted.py"
LOOK_SECONDS = 5.0
# As much as the operator can do in its stride: a backlog would look like a leak.
CHANGES_A_SECOND = 3.0
FAULTS_SHARE = 0.1
# A log of requests would grow in the process that looks, not in the operator; still it need not.
FORGET_SECONDS = 30.0


@dataclass(frozen=True)
class Bound:
    """How much more there may be in the last third than in the second: a share of it and an amount."""

    share: float
    amount: float


BOUNDS = {
    "memory, MB": Bound(0.03, 3.0),
    "open files": Bound(0.1, 4.0),
    "asyncio tasks": Bound(0.05, 8.0),
    "threads": Bound(0.0, 2.0),
}
Sample = dict[str, float]


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description="Changes without end, and nothing that grows.")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--resources", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--control-plane", choices=("embedded", "real"), default="embedded")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    opened = embedded_plane() if given.control_plane == "embedded" else real_plane()
    with opened as plane, open_stage(plane, folder) as stage:
        samples = list(_soak(stage, folder, given.minutes * 60, given.resources, random.Random(given.seed)))  # noqa: S311
    return _judge(samples)


def _soak(
    stage: Stage, folder: Path, seconds: float, resources: int, dice: random.Random
) -> Iterator[Sample]:
    """A sample every few seconds, of an operator that always has something to do."""
    for fault in scattered_faults(0, share=FAULTS_SHARE):
        stage.foundry.faults.add(fault)
    garden = _Garden(stage, resources, dice)
    tasks = folder / "tasks"
    kubeconfig = stage.plane.admit_operator(stage.namespace, cluster_wide=False, identity=False)
    environment = {
        "PATH": os.environ["PATH"],
        **stage.operator._environment,
        **SETTINGS,
        "KUBECONFIG": str(kubeconfig),
    }
    arguments = ["operator", "--liveness-port=0", "--metrics-port=0", f"--namespace={stage.namespace}"]
    command = [sys.executable, str(COUNTED), str(tasks), *arguments]
    with Measured(command, environment, folder / "operator.log") as running:
        eventually(tasks.exists, what="the operator has begun")
        pid = int(tasks.read_text(encoding="ascii").split()[1])
        began = time.monotonic()
        looked = forgot = began
        while time.monotonic() - began < seconds:
            garden.change_something()
            time.sleep(1 / CHANGES_A_SECOND)
            if time.monotonic() - looked >= LOOK_SECONDS:
                looked = time.monotonic()
                yield {"memory, MB": running.usage().resident, **_counts(pid, tasks)}
            if time.monotonic() - forgot >= FORGET_SECONDS:
                forgot = time.monotonic()
                stage.foundry.clear_requests()
        stage.foundry.faults.clear()
        garden.kept()


class _Garden:
    """So many resources, of which one after the other is changed, toggled, or deleted and made anew."""

    def __init__(self, stage: Stage, resources: int, dice: random.Random) -> None:
        self._stage = stage
        self._dice = dice
        self._objects: Any = client.CustomObjectsApi(stage.plane.api)
        self._where = (GROUP, VERSION, stage.namespace, PLURAL)
        self._edition = 0
        self._born = 0
        self._specs: dict[str, dict[str, Any]] = {}
        for _ in range(resources):
            self._create()

    def change_something(self) -> None:
        """One act on one of them."""
        name = self._dice.choice(list(self._specs))
        chance = self._dice.random()
        if chance < 0.15:
            del self._specs[name]
            self._objects.delete_namespaced_custom_object(*self._where, name)
            self._create()
            return
        if chance < 0.35:
            self._specs[name]["enabled"] = not self._specs[name]["enabled"]
        else:
            self._specs[name]["purpose"] = self._purpose(name)
        self._objects.patch_namespaced_custom_object(*self._where, name, {"spec": self._specs[name]})

    def kept(self) -> None:
        """In the end all promises are kept, too."""
        eventually(self._broken, lambda broken: not broken, what="all promises are kept", within=120, every=1)

    def _broken(self) -> list[str]:
        return [str(one) for one in breaches(look(self._stage), self._specs, self._stage.namespace)][:5]

    def _create(self) -> None:
        self._born += 1
        name = f"agent-{self._born:05}"
        self._specs[name] = {
            "purpose": self._purpose(name),
            "enabled": True,
            "adapterName": "ceo",
            "thread": {"scope": "Agent"},
        }
        body = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "PurposeDrivenAgent",
            "metadata": {"name": name},
            "spec": self._specs[name],
        }
        self._objects.create_namespaced_custom_object(*self._where, body)

    def _purpose(self, name: str) -> str:
        self._edition += 1
        return f"Be {name}, edition {self._edition}."


def _counts(pid: int, tasks: Path) -> Sample:
    before = tasks.stat().st_size
    os.kill(pid, signal.SIGUSR1)
    eventually(lambda: tasks.stat().st_size > before, what="the operator counts its tasks")
    counted, threads = tasks.read_text(encoding="ascii").splitlines()[-1].split()
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return {"open files": files, "asyncio tasks": int(counted), "threads": int(threads)}


def _judge(samples: list[Sample]) -> int:
    """A table; 1 when something grew."""
    third = len(samples) // 3
    table = Table(title=f"{len(samples)} looks at the operator, medians of each third", title_justify="left")
    for head in ("", "first", "second", "last", "most", ""):
        table.add_column(head, justify="right")
    grew = False
    for what, bound in BOUNDS.items():
        series = [sample[what] for sample in samples]
        parts = [
            statistics.median(part)
            for part in (series[:third], series[third : 2 * third], series[2 * third :])
        ]
        grows = parts[2] > parts[1] * (1 + bound.share) + bound.amount
        grew = grew or grows
        table.add_row(
            what, *(f"{part:.0f}" for part in parts), f"{max(series):.0f}", "grows" if grows else "flat"
        )
    Console(width=100).print(table)
    return int(grew)


if __name__ == "__main__":
    sys.exit(main())
