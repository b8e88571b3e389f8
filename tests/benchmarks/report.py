"""The results on the terminal, as tables."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from tests.benchmarks.measure import Creation, Rest, Restart, Results

EVENT = "create events"
# The note of the thread on the resource, one for each.
THREAD_WRITES = 1


def print_report(results: Results) -> None:
    """All tables."""
    console = Console(width=120)
    console.print(_creations(results.creations))
    console.print(_ratios(results))
    console.print(_restarts(results.restarts))
    console.print(_rests(results.rests))
    for name in ("by_cause", "by_package", "below_ours", "ours"):
        if name in results.profile:
            console.print(_profile(name, results.profile[name]))


def _creations(found: Iterable[Creation]) -> Table:
    heads = (
        "resources",
        "who",
        "first s",
        "all s",
        "CPU s",
        "peak MB",
        "writes each",
        "reads each",
        "calls each",
    )
    table = _table("From the operator's start to the last status", *heads)
    for one in found:
        calls = sum(one.calls.values()) / one.count
        cells = one.first, one.all, one.cpu, one.peak
        reads = sum(one.reads.values()) / one.count
        table.add_row(
            str(one.count),
            one.who,
            *(f"{cell:.1f}" for cell in cells),
            f"{one.each():.2f}",
            f"{reads:.2f}",
            f"{calls:.2f}",
        )
    return table


def _ratios(results: Results) -> Table:
    """With one resource a run is its start-up: the last columns are without it."""
    heads = (
        "resources",
        "time",
        "CPU",
        "time, less start-up",
        "CPU, less start-up",
        "writes but Event and thread",
    )
    table = _table("Times the bare handler", *heads)
    starts = results.of("ours", 1), results.of("bare", 1)
    for ours in (one for one in results.creations if one.who == "ours" and one.count > 1):
        bare = results.of("bare", ours.count)
        if bare is None:
            continue
        cells = [ours.all / bare.all, ours.cpu / bare.cpu]
        if starts[0] is not None and starts[1] is not None:
            cells += [
                (ours.all - starts[0].all) / (bare.all - starts[1].all),
                (ours.cpu - starts[0].cpu) / (bare.cpu - starts[1].cpu),
            ]
        cells.append(ours.each(EVENT) - THREAD_WRITES)
        table.add_row(str(ours.count), *(f"{cell:.2f}" for cell in cells))
    return table


def _restarts(found: Iterable[Restart]) -> Table:
    table = _table(
        "A restart", "resources", "writes", "runtime calls", "reads", "CPU s", "seconds", "peak MB"
    )
    for one in found:
        table.add_row(
            str(one.count),
            str(sum(one.writes.values())),
            _told(one.calls),
            _told(one.reads),
            f"{one.cpu:.1f}",
            f"{one.seconds:.1f}",
            f"{one.peak:.0f}",
        )
    return table


def _rests(found: Iterable[Rest]) -> Table:
    table = _table("A drift interval at rest", "resources", "writes", "runtime calls", "reads", "CPU s", "MB")
    for one in found:
        table.add_row(
            str(one.count),
            f"{one.writes:g}",
            _told(one.calls),
            f"{one.reads:.0f}",
            f"{one.cpu:.2f}",
            f"{one.resident:.0f}",
        )
    return table


def _profile(name: str, counts: dict[str, int]) -> Table:
    table = _table(f"CPU samples: {name}", "where", "samples", "%")
    total = sum(counts.values())
    for where, count in list(counts.items())[:25]:
        table.add_row(where, str(count), f"{100 * count / total:.1f}")
    return table


def _table(title: str, *heads: str) -> Table:
    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(head, justify="right")
    return table


def _told(counts: dict[str, int] | dict[str, float]) -> str:
    return ", ".join(f"{name} {count:g}" for name, count in sorted(counts.items())) or "0"
