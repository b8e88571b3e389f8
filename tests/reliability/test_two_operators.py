"""Two operators on the same resources by mistake, neither of which knows of the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pytest
from tests.harness.polling import eventually
from tests.reliability.actions import ACTIONS, CLASSIC_ACTIONS, Action
from tests.reliability.playground import LOOK_EVERY, WITHIN, Playground
from tests.reliability.subjects import Project, broken_promises, problems_now

CALM_INTERVALS = 3


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "stories", [pytest.param(ACTIONS, id="Foundry"), pytest.param(CLASSIC_ACTIONS, id="FoundryClassic")]
)
def test_two_operators_never_make_two_agents_and_never_fight_for_ever(
    playground: Playground, report: Callable[[str], None], stories: Sequence[Action]
) -> None:
    # An agent that is let go twice may keep a version too many: it is nobody's to prune.
    actions = [action for action in stories if action.expected.ours]
    subjects = [playground.subject(action) for action in actions for _ in range(2)]
    namespaces = [subject.namespace for subject in subjects]
    playground.bring_about(subjects)
    operators = [
        playground.operator(namespaces, name, interval=1, generation=stories[0].generation)
        for name in ("one", "other")
    ]
    try:
        for operator in operators:
            operator.start()
        for subject in subjects:
            subject.ask()
        for subject in subjects:
            eventually(
                partial(problems_now, subject, tellers=2),
                lambda broken: not broken,
                what=str(subject),
                within=WITHIN,
                every=LOOK_EVERY,
            )
        playground.passes_go_by(2 * CALM_INTERVALS)
        before = Project.of(playground.foundry), [subject.read() for subject in subjects]
        playground.passes_go_by(2 * CALM_INTERVALS)
        assert (Project.of(playground.foundry), [subject.read() for subject in subjects]) == before
        for operator in operators:
            operator.check_running()
    finally:
        for operator in operators:
            operator.kill()
    project = Project.of(playground.foundry)
    made = sum(agent.next_number - 1 - len(agent.versions) for agent in project.agents.values())
    story = f"two operators on {len(subjects)} resources of {stories[0].generation}"
    report(f"{story}: {made} versions were made and pruned again")
    assert {str(one): broken_promises(one, one.see(project), tellers=2) for one in subjects} == {
        str(one): [] for one in subjects
    }
