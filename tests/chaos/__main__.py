"""`python -m tests.chaos --seed N [--control-plane real]`: one seed. Ends with 1 when a promise broke."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.plan import make_plan
from tests.chaos.play import PromisesBroken, chaos_stage, play
from tests.harness import planes


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="chaos", description="Play one seed of chaos and judge the outcome."
    )
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311 - any will do
    parser.add_argument("--control-plane", choices=("embedded", "real"), default="embedded")
    parser.add_argument("--resources", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=60.0, help="over which the acts are spread")
    parser.add_argument("--within", type=float, default=120.0, help="seconds for everything to converge")
    given = parser.parse_args()
    print(f"seed {given.seed} on the {given.control_plane} control plane", file=sys.stderr)  # noqa: T201
    began = time.monotonic()
    plan = make_plan(given.seed, resources=given.resources, seconds=given.seconds)
    opened = planes.embedded_plane() if given.control_plane == "embedded" else planes.real_plane()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    with opened as plane, chaos_stage(plane, folder) as stage:
        try:
            outcome = play(stage, plan, within=given.within)
        except PromisesBroken as broken:
            print(f"{broken}\nthe operator's log: {stage.operator._log}", file=sys.stderr)  # noqa: T201
            return 1
    print(*outcome.lines(), f"  all in all {time.monotonic() - began:.0f} s", sep="\n")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
