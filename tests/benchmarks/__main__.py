"""`python -m tests.benchmarks`: one run of all measurements, as tables; with `--docs` as files too."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.document import write_docs
from tests.benchmarks.field import field
from tests.benchmarks.measure import Results, measure
from tests.benchmarks.report import print_report


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bench", description="What the operator costs, on a real control plane."
    )
    parser.add_argument("--sizes", type=_numbers, default=[1, 100, 300, 1000, 3000])
    parser.add_argument("--restarts", type=_numbers, default=[1000, 3000])
    parser.add_argument(
        "--profile", type=int, default=1000, help="resources to take the profile at; 0 for none"
    )
    parser.add_argument("--docs", type=Path, help="the folder to write performance.md and .png into")
    parser.add_argument("--results", type=Path, help="do not measure: take these results of an earlier run")
    given = parser.parse_args()
    if given.results:
        results = Results.load(given.results)
    else:
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        print(f"logs in {folder}", file=sys.stderr)  # noqa: T201
        with field(folder) as ground:
            results = measure(
                ground,
                sizes=given.sizes,
                restarts=given.restarts,
                profiled=given.profile,
                say=lambda line: print(line, file=sys.stderr),  # noqa: T201
            )
        results.save(folder / "performance.json")
    print_report(results)
    if given.docs:
        write_docs(results, given.docs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
