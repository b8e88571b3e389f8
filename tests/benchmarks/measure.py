"""The measurements: creation beside the bare handler, a restart, rest, and whose the CPU time is."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.field import Field, Plot
from tests.benchmarks.measured import Measured, Usage

WITHIN_SECONDS = 600
# The audit log, and the Events, come a moment after the last status.
SETTLE_SECONDS = 3.0
REST_INTERVAL = 10
REST_INTERVALS = 3


@dataclass(frozen=True)
class Creation:
    """`count` resources that were there when the operator was started, until the last one had its status.

    `first` and `all`: seconds from the start of the process until the first one had it, and until all had.
    """

    who: str
    count: int
    first: float
    all: float
    cpu: float
    peak: float
    writes: dict[str, int]
    reads: dict[str, int]
    calls: dict[str, int]

    def each(self, *leaving_out: str) -> float:
        """Kubernetes writes for each resource."""
        return sum(count for what, count in self.writes.items() if what not in leaving_out) / self.count


@dataclass(frozen=True)
class Restart:
    """A restart with `count` resources that are as they should be."""

    count: int
    writes: dict[str, int]
    calls: dict[str, int]
    reads: dict[str, int]
    cpu: float
    seconds: float
    peak: float


@dataclass(frozen=True)
class Rest:
    """One drift interval with nothing to do, on average over some."""

    count: int
    interval: float
    calls: dict[str, float]
    writes: float
    reads: float
    cpu: float
    resident: float


@dataclass
class Results:
    """Everything of one run."""

    creations: list[Creation] = field(default_factory=list)
    restarts: list[Restart] = field(default_factory=list)
    rests: list[Rest] = field(default_factory=list)
    profile: dict[str, dict[str, int]] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)

    def of(self, who: str, count: int) -> Creation | None:
        """A creation of this run."""
        return next((one for one in self.creations if (one.who, one.count) == (who, count)), None)

    def save(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Results:
        """The inverse of `save`."""
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            [Creation(**one) for one in raw["creations"]],
            [Restart(**one) for one in raw["restarts"]],
            [Rest(**one) for one in raw["rests"]],
            raw["profile"],
            raw["conditions"],
        )


def measure(
    ground: Field, *, sizes: list[int], restarts: list[int], profiled: int, say: Callable[[str], None]
) -> Results:
    """Every measurement of one run, the small ones first."""
    results = Results(conditions=ground.conditions())
    for count in sizes:
        plot = ground.plot(f"bare-{count}", count)
        results.creations.append(_creation("bare", plot, plot.bare()))
        say(f"bare, {count}: {results.creations[-1].all:.1f} s")
        plot = ground.plot(f"ours-{count}", count)
        results.creations.append(_creation("ours", plot, plot.ours()))
        say(f"ours, {count}: {results.creations[-1].all:.1f} s")
        if count in restarts:
            results.restarts.append(_restart(plot))
            say(f"restart, {count}: {results.restarts[-1].seconds:.1f} s")
            results.rests.append(_rest(plot))
            say(f"at rest, {count}: {results.rests[-1].cpu:.2f} s CPU an interval")
    if profiled:
        results.profile = _profile(ground.plot(f"profiled-{profiled}", profiled), ground.folder)
        say(f"profiled, {profiled}")
    return results


def _creation(who: str, plot: Plot, process: Measured) -> Creation:
    with process as running:
        first: Usage | None = None
        last = running.usage()
        for number in plot.finished(WITHIN_SECONDS):
            if number == 1:
                first = running.usage()
            if number == plot.count:
                last = running.usage()
        assert first is not None
        time.sleep(SETTLE_SECONDS)
        settled = running.usage()
        return Creation(
            who,
            plot.count,
            first.at,
            last.at,
            settled.cpu,
            settled.peak,
            dict(plot.writes()),
            dict(plot.reads()),
            dict(plot.calls()),
        )


def _restart(plot: Plot) -> Restart:
    """Until every resource was read once and two seconds went by without a further request."""
    before = plot.writes(), plot.calls(), plot.reads()
    with plot.ours(AOS_DRIFT_INTERVAL="600") as running:
        quiet = _until_quiet(plot, running, before[2])
        return Restart(
            plot.count,
            dict(plot.writes() - before[0]),
            dict(plot.calls() - before[1]),
            dict(plot.reads() - before[2]),
            quiet.cpu,
            quiet.at,
            quiet.peak,
        )


def _until_quiet(plot: Plot, running: Measured, before: Counter[str]) -> Usage:
    """What was used when the last request was made."""
    seen, usage = -1, running.usage()
    while True:
        time.sleep(2.0)
        now = (plot.reads() - before).total() + plot.calls().total()
        if now == seen and (plot.reads() - before)["get purposedrivenagents"] >= plot.count:
            return usage
        if now != seen:
            seen, usage = now, running.usage()
        if running.usage().at > WITHIN_SECONDS:
            raise AssertionError(f"a restart with {plot.count} resources did not come to rest")


def _rest(plot: Plot) -> Rest:
    with plot.ours(AOS_DRIFT_INTERVAL=str(REST_INTERVAL)) as running:
        _until_listed(plot, 2)
        began, writes, calls, reads = running.usage(), plot.writes(), plot.calls(), plot.reads()
        time.sleep(REST_INTERVAL * REST_INTERVALS)
        ended = running.usage()
        time.sleep(1.0)
        return Rest(
            plot.count,
            REST_INTERVAL,
            {name: count / REST_INTERVALS for name, count in (plot.calls() - calls).items()},
            (plot.writes() - writes).total() / REST_INTERVALS,
            (plot.reads() - reads).total() / REST_INTERVALS,
            (ended.cpu - began.cpu) / REST_INTERVALS,
            ended.resident,
        )


def _until_listed(plot: Plot, times: int) -> None:
    pages = -(-plot.count // 100)
    before = plot.calls()["list_agents"]
    deadline = time.monotonic() + WITHIN_SECONDS
    while plot.calls()["list_agents"] - before < times * pages:
        assert time.monotonic() < deadline, "no listing came"
        time.sleep(1.0)


def _profile(plot: Plot, folder: Path) -> dict[str, dict[str, int]]:
    samples = folder / "samples.json"
    with plot.ours(sampled=samples) as running:
        for _ in plot.finished(WITHIN_SECONDS):
            pass
        time.sleep(SETTLE_SECONDS)
        running.usage()
    found: dict[str, dict[str, int]] = json.loads(samples.read_text(encoding="utf-8"))
    return found
