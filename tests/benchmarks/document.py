"""docs/performance.md and its plot, written from one run's results: no figure is copied by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from tests.benchmarks.measure import Creation, Results
from tests.benchmarks.report import EVENT, THREAD_WRITES

PAGE, PLOT = "performance.md", "performance.png"
NAMES = {"ours": "this operator", "bare": "bare kopf handler"}
_STYLES = {"ours": ("o-", "#b5541c"), "bare": ("s--", "#1f6f8b")}
_PANELS = (("seconds until all are done", "all"), ("operator CPU, s", "cpu"), ("peak memory, MB", "peak"))
_ENOUGH = 0.01

_BEGINNING = """\
# Performance

Written by `make bench`. What the operator costs, beside a bare kopf handler, which sleeps as long as one call
to the runtime takes and writes a status: the least that anything built on kopf does. The figures depend on
the machine; the ratios, from within one run, less so.
"""


def write_docs(results: Results, folder: Path) -> None:
    """The page, and the plot where matplotlib is installed, as `make bench` does."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = _draw(results, folder / PLOT)
    (folder / PAGE).write_text("\n".join(_page(results, drawn=drawn)), encoding="utf-8")


def _page(results: Results, *, drawn: bool) -> Iterable[str]:
    yield _BEGINNING
    yield from (f"* {what}: {value}" for what, value in results.conditions.items())
    yield "\n## New resources\n"
    yield "From the start of the process, with all resources there, until the last one has its status.\n"
    if drawn:
        yield f"![Time, CPU and memory by the number of resources]({PLOT})\n"
    yield from _creations(results)
    yield "\nTimes the bare handler:\n"
    yield from _ratios(results)
    if results.restarts:
        yield "\n## A restart\n"
        yield "Every resource is as it should be: nothing is written, and the runtime is listed once.\n"
        yield from _restarts(results)
    if results.rests:
        yield "\n## At rest\n"
        yield "What one drift interval costs; by default it is 60 s.\n"
        yield from _rests(results)
    if results.profile:
        yield "\n## Where the CPU time goes\n"
        yield "Samples of CPU time while resources are made, by what they were for.\n"
        yield from _profile(results.profile["by_cause"])
    yield ""


def _creations(results: Results) -> Iterable[str]:
    heads = ("resources", "who", "seconds", "CPU s", "peak MB", "writes each", "reads each", "calls each")
    return _table(
        heads,
        (
            (
                f"{one.count}",
                NAMES[one.who],
                f"{one.all:.1f}",
                f"{one.cpu:.1f}",
                f"{one.peak:.0f}",
                f"{one.each():.2f}",
                f"{sum(one.reads.values()) / one.count:.2f}",
                f"{sum(one.calls.values()) / one.count:.2f}",
            )
            for one in results.creations
        ),
    )


def _ratios(results: Results) -> Iterable[str]:
    heads = ("resources", "time", "CPU", "peak memory", "writes each but Event and thread")
    return _table(
        heads,
        (
            (
                f"{ours.count}",
                f"{ours.all / bare.all:.2f}",
                f"{ours.cpu / bare.cpu:.2f}",
                f"{ours.peak / bare.peak:.2f}",
                f"{ours.each(EVENT) - THREAD_WRITES:.2f}",
            )
            for ours, bare in _pairs(results)
        ),
    )


def _pairs(results: Results) -> Iterable[tuple[Creation, Creation]]:
    for ours in results.creations:
        bare = results.of("bare", ours.count)
        if ours.who == "ours" and bare is not None:
            yield ours, bare


def _restarts(results: Results) -> Iterable[str]:
    heads = ("resources", "Kubernetes writes", "runtime calls", "seconds", "CPU s", "peak MB")
    return _table(
        heads,
        (
            (
                f"{one.count}",
                f"{sum(one.writes.values())}",
                f"{sum(one.calls.values())}",
                f"{one.seconds:.1f}",
                f"{one.cpu:.1f}",
                f"{one.peak:.0f}",
            )
            for one in results.restarts
        ),
    )


def _rests(results: Results) -> Iterable[str]:
    heads = ("resources", "Kubernetes writes", "Kubernetes reads", "runtime calls", "CPU s", "memory MB")
    return _table(
        heads,
        (
            (
                f"{one.count}",
                f"{one.writes:g}",
                f"{one.reads:.0f}",
                f"{sum(one.calls.values()):.0f}",
                f"{one.cpu:.2f}",
                f"{one.resident:.0f}",
            )
            for one in results.rests
        ),
    )


def _profile(by_cause: dict[str, int]) -> Iterable[str]:
    total = sum(by_cause.values())
    rows = ((cause, f"{100 * count / total:.0f}") for cause, count in by_cause.items())
    return _table(("for", "%"), (row for row in rows if float(row[1]) / 100 >= _ENOUGH))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield _line(heads)
    yield _line(["---"] * len(heads))
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _draw(results: Results, target: Path) -> bool:
    """Three panels over the number of resources; False where nothing can draw them."""
    try:
        from matplotlib import use  # noqa: PLC0415 - only here, and not everywhere installed
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError:
        Console(stderr=True).print("no plot: install requirements/bench.txt, as `make bench` does")
        return False
    use("agg")
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    for axis, (title, attribute) in zip(figure.subplots(1, len(_PANELS)), _PANELS, strict=True):
        for who, (style, colour) in _STYLES.items():
            points = [one for one in results.creations if one.who == who]
            counts, values = [one.count for one in points], [getattr(one, attribute) for one in points]
            axis.plot(counts, values, style, color=colour, label=NAMES[who])
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("resources")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    figure.savefig(target, dpi=130)
    return True
