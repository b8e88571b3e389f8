"""When a creation is in doubt, and when no longer."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.samples import FACTS, NOW, resource

from AgentOperatingSystem.model.errors import (
    DefinitionRejected,
    NotAuthorized,
    OutcomeUnknown,
    RuntimeUnavailable,
    Throttled,
)
from AgentOperatingSystem.reconcile.intents import KEPT, Intents, patience
from AgentOperatingSystem.reconcile.resource import INTENT_ANNOTATION, SUCCESSOR_ANNOTATION, Resource

WRITE_SECONDS = 20.0
SLOW = replace(FACTS, write_seconds=WRITE_SECONDS)


@dataclass
class Process:
    """An operator's memory of intents, and its clock."""

    time: datetime = NOW

    def __post_init__(self) -> None:
        self.intents = Intents(lambda: self.time)

    def noted(self, uid: str = "uid-1", **more: str) -> Resource:
        return resource(uid=uid, annotations={INTENT_ANNOTATION: self.intents.begun(), **more})

    def doubts(self, one: Resource, *, looked: datetime | None = None) -> bool:
        try:
            self.intents.check(one, SLOW, looked=looked or self.time)
        except OutcomeUnknown:
            return True
        return False


@pytest.fixture
def process() -> Process:
    return Process()


def test_without_a_note_nothing_is_in_doubt(process: Process) -> None:
    assert not process.doubts(resource())


def test_a_note_that_is_no_time_is_no_intent(process: Process) -> None:
    assert not process.doubts(resource(annotations={INTENT_ANNOTATION: "soon"}))


def test_a_note_without_a_zone_is_in_utc(process: Process) -> None:
    assert process.doubts(resource(annotations={INTENT_ANNOTATION: NOW.replace(tzinfo=None).isoformat()}))


def test_another_process_waits_as_long_as_a_write_may_take_effect_and_no_longer(process: Process) -> None:
    noted = process.noted()
    other = Process()
    other.time = NOW + patience(SLOW) - timedelta(seconds=0.1)
    assert other.doubts(noted)
    other.time = NOW + patience(SLOW)
    assert not other.doubts(noted)
    assert patience(SLOW) > timedelta(seconds=2 * WRITE_SECONDS)


def test_what_counts_is_when_the_look_began(process: Process) -> None:
    noted = process.noted()
    process.time += patience(SLOW) + timedelta(seconds=5)
    assert process.doubts(noted, looked=NOW + timedelta(seconds=30)), "it may have missed what came after it"
    assert not process.doubts(noted)


@pytest.mark.parametrize(
    ("error", "doubt"),
    [
        (Throttled("429"), False),
        (DefinitionRejected("400"), False),
        (NotAuthorized("403"), False),
        (RuntimeUnavailable("409"), False),
        (OutcomeUnknown("no answer"), True),
        (KeyError("a bug of ours"), True),
    ],
)
def test_a_refusal_leaves_nothing_in_doubt_and_no_answer_does(
    process: Process, error: Exception, doubt: bool
) -> None:
    noted = process.noted()
    with suppress(type(error)), process.intents.judged(noted):
        raise error
    assert process.doubts(noted) is doubt


def test_what_was_made_is_in_doubt_until_it_was_seen(process: Process) -> None:
    noted = process.noted()
    with process.intents.judged(noted):
        pass
    assert process.doubts(noted), "a listing may not show it yet"
    process.intents.seen(noted)
    assert not process.doubts(noted)


def test_two_creations_in_one_second_are_two(process: Process) -> None:
    noted = process.noted()
    with suppress(Throttled), process.intents.judged(noted):
        raise Throttled("429")
    again = process.noted()
    assert again.annotations == noted.annotations
    with suppress(OutcomeUnknown), process.intents.judged(again):
        raise OutcomeUnknown("no answer")
    assert process.doubts(again)


def test_a_later_creation_is_in_doubt_anew(process: Process) -> None:
    process.intents.seen(process.noted())
    process.time += timedelta(seconds=1)
    assert process.doubts(process.noted())


def test_during_a_move_the_former_agent_settles_nothing(process: Process) -> None:
    noted = process.noted(**{SUCCESSOR_ANNOTATION: "conv_1"})
    process.intents.seen(noted)
    assert process.doubts(noted)


def test_of_many_resources_the_oldest_are_forgotten_and_waited_for(process: Process) -> None:
    noted = [process.noted(f"uid-{number}") for number in range(KEPT + 1)]
    for one in noted:
        process.intents.seen(one)
    assert process.doubts(noted[0])
    assert not process.doubts(noted[-1])
    assert process.time.tzinfo is UTC
