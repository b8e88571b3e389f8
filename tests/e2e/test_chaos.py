"""Chaos on the real control plane: three fixed seeds, and every promise kept in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.chaos.plan import make_plan
from tests.chaos.play import chaos_stage, play
from tests.harness.planes import Plane
from tests.harness.stage import Stage

pytestmark = pytest.mark.timeout(900)

SEEDS = (1, 2, 3)
RESOURCES = 300
SECONDS = 60.0
WITHIN = 180.0


@pytest.fixture
def field_of_chaos(control_plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage whose operator is started again after each end."""
    with chaos_stage(control_plane, tmp_path_factory.mktemp("chaos")) as opened:
        yield opened


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_a_seed_brings_every_promise_is_kept_in_the_end(
    field_of_chaos: Stage, seed: int, report: Callable[[str], None]
) -> None:
    plan = make_plan(seed, resources=RESOURCES, seconds=SECONDS)
    outcome = play(field_of_chaos, plan, within=WITHIN)
    for line in outcome.lines():
        report(line)
