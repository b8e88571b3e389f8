"""What is carried from a thread to a conversation, and the notes of a move."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.samples import FACTS, NOW, resource

from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.model.message import Message
from AgentOperatingSystem.reconcile.home import belongs_to, generations_besides
from AgentOperatingSystem.reconcile.moves import carried, not_carried
from AgentOperatingSystem.reconcile.resource import (
    ENDPOINT_ANNOTATION,
    MOVED_FROM_ANNOTATION,
    NO_THREAD,
    SUCCESSOR_ANNOTATION,
    TYPE_ANNOTATION,
    MovedFrom,
)

FOUNDRY, CLASSIC = RuntimeType.FOUNDRY, RuntimeType.FOUNDRY_CLASSIC
YES, NO, EMPTY = Message("user", "Yes."), Message("assistant", "No."), Message("user", " \n")
IMAGE = Message("user", "", "an image")
MADE = {ENDPOINT_ANNOTATION: FACTS.endpoint}
MOVED = MovedFrom("asst_1", "thread_1", NOW, 50, 2)


@pytest.mark.parametrize(
    ("said", "there", "missing", "reason"),
    [
        ([], [], [], "nothing was said"),
        ([YES, NO], [], [YES, NO], "nothing is there yet"),
        ([YES, NO], [YES, NO], [], "all is there"),
        ([YES, NO, YES], [YES], [NO, YES], "the same words twice are two messages"),
        ([YES, YES, YES], [YES, YES], [YES], "however often"),
        ([YES], [replace(YES, role="assistant")], [YES], "who said it counts"),
        ([YES], [replace(YES, text="Yes.\n")], [], "outer white space does not"),
        ([EMPTY, YES], [], [YES], "in an empty one nothing was said"),
        ([IMAGE], [], [carried(IMAGE)], "an image alone is told in words"),
        ([IMAGE, IMAGE], [carried(IMAGE)], [carried(IMAGE)], "and is known by them"),
    ],
)
def test_what_is_not_there_yet_is_carried_in_its_order(
    said: list[Message], there: list[Message], missing: list[Message], reason: str
) -> None:
    assert not_carried(said, there) == missing, reason


def test_what_no_text_can_hold_is_told_in_words() -> None:
    message = carried(Message("user", "Look:", "an image (f1), an attached file (f2)"))
    assert message == Message("user", "Look:\n\n[Not carried over: an image (f1), an attached file (f2)]")


@pytest.mark.parametrize(
    "former",
    [MOVED, MovedFrom("", "", NOW), MovedFrom("", "thread_1", NOW, 3), MovedFrom("asst_-", "", NOW, 0, 1)],
)
def test_the_note_of_a_move_is_read_as_it_was_written(former: MovedFrom) -> None:
    assert MovedFrom.parse(str(former)) == former


@pytest.mark.parametrize(
    "text",
    ["", "asst_1", "asst_1 thread_1", "asst_1 thread_1 soon 1+0", "a b 2026-05-04T12:00:00Z 1", "a b c d e"],
)
def test_a_note_that_somebody_wrote_is_none(text: str) -> None:
    assert MovedFrom.parse(text) is None


def test_a_note_without_a_zone_is_in_utc() -> None:
    assert MovedFrom.parse("asst_1 thread_1 2026-05-04T12:00:00 50+2") == MOVED


@pytest.mark.parametrize(
    ("thread_id", "classic", "new"),
    [("thread_1", True, False), ("conv_1", False, True), ("other", True, True)],
)
def test_a_thread_tells_its_generation_by_its_id(thread_id: str, classic: bool, new: bool) -> None:
    assert (belongs_to(thread_id, CLASSIC), belongs_to(thread_id, FOUNDRY)) == (classic, new)


@pytest.mark.parametrize(
    ("annotations", "now", "besides", "reason"),
    [
        (MADE, FOUNDRY, (), "made on the new generation"),
        ({**MADE, TYPE_ANNOTATION: CLASSIC}, CLASSIC, (), "made on the classic one"),
        ({**MADE, TYPE_ANNOTATION: CLASSIC}, FOUNDRY, (CLASSIC,), "to be moved"),
        (
            {**MADE, TYPE_ANNOTATION: CLASSIC, SUCCESSOR_ANNOTATION: "conv_1"},
            CLASSIC,
            (FOUNDRY,),
            "taken back",
        ),
        ({**MADE, TYPE_ANNOTATION: CLASSIC, SUCCESSOR_ANNOTATION: NO_THREAD}, CLASSIC, (FOUNDRY,), "as well"),
        ({**MADE, MOVED_FROM_ANNOTATION: str(MOVED)}, FOUNDRY, (CLASSIC,), "just switched"),
        (MADE, CLASSIC, (FOUNDRY,), "the runtime was set back after the switch"),
        ({}, FOUNDRY, (), "nothing was made"),
    ],
)
def test_every_generation_that_may_hold_something_is_known(
    annotations: dict[str, str], now: RuntimeType, besides: tuple[RuntimeType, ...], reason: str
) -> None:
    found = generations_besides(resource(annotations=annotations), replace(FACTS, type=now))
    assert found == besides, reason


def test_the_classic_thread_of_a_moved_agent_is_known_until_it_is_removed() -> None:
    assert "thread_1" in resource(annotations={**MADE, MOVED_FROM_ANNOTATION: str(MOVED)}).known_threads
