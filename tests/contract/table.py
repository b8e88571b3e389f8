"""The contract table: every probe on the embedded API and on a real control plane, side by side.

    python tests/contract/table.py

Ends with 1 when a probe differs that differences.yaml does not list, when a listed one differs no longer,
when a probe fails on the real control plane, or when more than five are listed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

ROOT = Path(__file__).resolve().parents[2]
SUITES = ("tests/contract/kubernetes", "tests/contract/kubectl")
# What only the embedded API has is no contract.
OWN = "tests/contract/kubernetes/test_embedded.py"
MOST_DIFFERENCES = 5
PASSED, FAILED = "passed", "failed"
ABSENT = "absent"


@dataclass(frozen=True)
class Run:
    """The outcome of every probe on one control plane, and how long all took."""

    outcomes: dict[str, str]
    seconds: float
    log: str


def start(plane: str, report: Path) -> subprocess.Popen[str]:
    """Run the suites on a control plane in a process of its own."""
    command = [sys.executable, "-m", "pytest", *SUITES, f"--ignore={OWN}", f"--control-plane={plane}"]
    command += ["-q", "-p", "no:randomly", "--tb=short", f"--junitxml={report}", "-o", "junit_family=xunit1"]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(process: subprocess.Popen[str], report: Path, started: float) -> Run:
    """Wait for a run and read its report."""
    log, _ = process.communicate()
    seconds = time.monotonic() - started
    if not report.exists():
        return Run({}, seconds, log)
    cases = ET.parse(report).iter("testcase")  # noqa: S314 - written by our own pytest
    return Run({_probe(case): _outcome(case) for case in cases}, seconds, log)


def _probe(case: ET.Element) -> str:
    path = Path(case.get("file", "")).relative_to("tests/contract")
    return f"{path.as_posix()}::{case.get('name')}"


def _outcome(case: ET.Element) -> str:
    # A listed difference is an xfail: it failed, as it must. A skipped probe has shown nothing either.
    wrong = any(case.find(tag) is not None for tag in ("failure", "error", "skipped"))
    return FAILED if wrong else PASSED


def judge(embedded: Run, real: Run, reasons: dict[str, str]) -> list[str]:
    """What is wrong with the contract; empty when it holds."""
    problems = []
    if not embedded.outcomes or not real.outcomes:
        problems.append("a suite did not run to its end")
    if len(reasons) > MOST_DIFFERENCES:
        problems.append(f"{len(reasons)} differences are listed, at most {MOST_DIFFERENCES} may be")
    for probe in sorted({*embedded.outcomes, *real.outcomes, *reasons}):
        here, there = embedded.outcomes.get(probe, ABSENT), real.outcomes.get(probe, ABSENT)
        if there != PASSED:
            problems.append(f"{probe}: {there} on the real control plane")
        elif here != PASSED and probe not in reasons:
            problems.append(f"{probe}: {here} on the embedded API, and no listed difference")
        elif here == PASSED and probe in reasons:
            problems.append(f"{probe}: listed as a difference, and differs no longer")
    return problems


def show(console: Console, embedded: Run, real: Run, reasons: dict[str, str]) -> None:
    """Print the table and the explained differences."""
    table = Table("probe", "embedded", "real", title="The contract of the Kubernetes API")
    for probe in sorted({*embedded.outcomes, *real.outcomes}):
        outcomes = [run.outcomes.get(probe, ABSENT) for run in (embedded, real)]
        table.add_row(
            Text(probe, overflow="ellipsis", no_wrap=True),
            *(_cell(outcome, listed=probe in reasons) for outcome in outcomes),
        )
    console.print(table)
    times = f"{embedded.seconds:.0f} s embedded, {real.seconds:.0f} s real"
    console.print(f"{len(real.outcomes)} probes, {len(reasons)} explained differences; {times}")
    for probe, reason in reasons.items():
        console.print(Text(f"- {probe}\n  {reason}"))


def _cell(outcome: str, *, listed: bool) -> Text:
    if outcome == PASSED:
        return Text("yes", style="green")
    return Text("no, explained", style="yellow") if listed else Text(outcome, style="bold red")


def main() -> int:
    """Run both, print, and judge."""
    listed = yaml.safe_load((Path(__file__).parent / "differences.yaml").read_text(encoding="utf-8")) or []
    reasons = {item["probe"]: " ".join(item["reason"].split()) for item in listed}
    with tempfile.TemporaryDirectory() as folder:
        reports = {plane: Path(folder) / f"{plane}.xml" for plane in ("embedded", "real")}
        runs = {}
        for plane, report in reports.items():
            started = time.monotonic()
            runs[plane] = finish(start(plane, report), report, started)
    console = Console(width=None if sys.stdout.isatty() else 160)
    show(console, runs["embedded"], runs["real"], reasons)
    problems = judge(runs["embedded"], runs["real"], reasons)
    for problem in problems:
        console.print(Text(problem, style="bold red"))
    if problems:
        for plane, run in runs.items():
            console.rule(plane)
            console.print(Text(run.log))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
