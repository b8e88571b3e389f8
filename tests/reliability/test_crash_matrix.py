"""Whatever dies whenever: one agent for one resource, as asked for, and nothing left behind.

By default one point of each action, chosen by lot and the same in every run; with `--all-crash-points` all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest
from tests.reliability.actions import ACTIONS, CLASSIC_ACTIONS, MOVES, Action
from tests.reliability.matrix import Choose, CrashMatrix, every, every_nth, one_by_lot
from tests.reliability.playground import Playground

STEP_ON_REAL = 5


# Not a test for each point or action: they are played together, and what they are is seen in a recording.
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "actions",
    [
        pytest.param(ACTIONS, id="Foundry"),
        pytest.param(CLASSIC_ACTIONS, id="FoundryClassic"),
        pytest.param(MOVES, id="from FoundryClassic to Foundry"),
    ],
)
def test_a_crash_at_any_point_ends_in_exactly_one_agent_as_asked_for(
    playground: Playground,
    pytestconfig: pytest.Config,
    report: Callable[[str], None],
    actions: Sequence[Action],
) -> None:
    choose: Choose = one_by_lot
    if pytestconfig.getoption("--all-crash-points", default=False):
        choose = every if playground.plane.name == "embedded" else every_nth(STEP_ON_REAL)
    began = time.monotonic()
    verdicts = CrashMatrix(playground, actions).play(choose)
    lost = sum(verdict.lost_conversations for verdict in verdicts)
    kinds = dict.fromkeys((actions[0].generation, actions[0].ends_on))
    report(
        f"crash matrix on the {playground.plane.name} API, {' to '.join(kinds)}: {len(verdicts)} points of "
        f"{len(actions)} actions in {time.monotonic() - began:.0f} s; {lost} conversations whose create "
        "answer was lost"
    )
    assert {verdict.action for verdict in verdicts} == {action.name for action in actions}
    assert [str(verdict) for verdict in verdicts if verdict.broken] == []
