"""Conditions as Kubernetes' tools read them: when a time moves, and which statuses must never be written."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from tests.unit.samples import NOW

from AgentOperatingSystem.api.conditions import Statement, broken_rules, stated, timestamp
from AgentOperatingSystem.api.v1alpha1 import Condition, ConditionStatus, PurposeDrivenAgentStatus

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
BEFORE = "2026-05-04T11:00:00Z"


def condition(
    kind: str,
    status: ConditionStatus,
    *,
    reason: str = "Because",
    message: str = "It is so.",
    generation: int | None = 2,
) -> Condition:
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=BEFORE,
        observed_generation=generation,
    )


@pytest.mark.parametrize(
    ("previous", "statement", "time", "reason"),
    [
        ([], Statement("Ready", TRUE, "Running", "x"), "2026-05-04T12:00:00Z", "said for the first time"),
        (
            [condition("Ready", FALSE)],
            Statement("Ready", TRUE, "Running", "x"),
            "2026-05-04T12:00:00Z",
            "the status flipped",
        ),
        (
            [condition("Ready", TRUE)],
            Statement("Ready", UNKNOWN, "InternalError", "x"),
            "2026-05-04T12:00:00Z",
            "to Unknown is a flip too",
        ),
        (
            [condition("Ready", FALSE, reason="Throttled", message="old")],
            Statement("Ready", FALSE, "NotAuthorized", "new"),
            BEFORE,
            "another reason and message is no flip",
        ),
        (
            [condition("InSync", TRUE)],
            Statement("Ready", TRUE, "Running", "x"),
            "2026-05-04T12:00:00Z",
            "another condition's time is not taken over",
        ),
    ],
)
def test_a_transition_time_moves_on_a_flip_only(
    previous: list[Condition], statement: Statement, time: str, reason: str
) -> None:
    (made,) = stated([statement], previous, generation=2, now=NOW)
    assert made.last_transition_time == time, reason
    assert (made.reason, made.message) == (statement.reason, statement.message)


def test_conditions_say_which_generation_they_speak_of() -> None:
    (made,) = stated(
        [Statement("Ready", TRUE, "Running", "x")], [condition("Ready", TRUE)], generation=7, now=NOW
    )
    assert made.observed_generation == 7


def test_conditions_keep_one_order_and_what_is_not_stated_goes() -> None:
    made = stated(
        [Statement(kind, TRUE, "Because", "x") for kind in ("InSync", "ToolsResolved", "Stalled", "Ready")],
        [condition("Reconciling", TRUE)],
        generation=1,
        now=NOW,
    )
    assert [item.type for item in made] == ["Ready", "Stalled", "ToolsResolved", "InSync"]


def test_a_time_is_written_in_utc_and_whole_seconds() -> None:
    moment = datetime(2026, 5, 4, 14, 30, 15, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert timestamp(moment) == "2026-05-04T12:30:15Z"


def status(*conditions: Condition, generation: int | None = 2) -> PurposeDrivenAgentStatus:
    return PurposeDrivenAgentStatus(observed_generation=generation, conditions=list(conditions))


READY, NOT_READY = condition("Ready", TRUE), condition("Ready", FALSE)
RECONCILING, STALLED = condition("Reconciling", TRUE), condition("Stalled", TRUE)


@pytest.mark.parametrize(
    ("fit", "reason"),
    [
        (status(READY), "it runs"),
        (status(READY, condition("InSync", UNKNOWN)), "in doubt, and still served"),
        (status(NOT_READY, RECONCILING), "on its way"),
        (status(NOT_READY, STALLED), "stuck"),
        (status(condition("Ready", UNKNOWN), RECONCILING), "a bug of ours"),
    ],
)
def test_a_fit_status_breaks_no_rule(fit: PurposeDrivenAgentStatus, reason: str) -> None:
    assert broken_rules(fit) == [], reason


@pytest.mark.parametrize(
    ("unfit", "rule"),
    [
        (status(READY, READY), "two conditions have one type"),
        (status(), "Ready is missing"),
        (status(RECONCILING), "Ready is missing"),
        (
            status(NOT_READY, STALLED, condition("Reconciling", FALSE)),
            "Reconciling is there without being True",
        ),
        (status(READY, condition("Stalled", FALSE)), "Stalled is there without being True"),
        (status(READY, condition("Reconciling", UNKNOWN)), "Reconciling is there without being True"),
        (status(NOT_READY, RECONCILING, STALLED), "Reconciling and Stalled are there together"),
        (status(READY, RECONCILING), "Ready is True beside Reconciling"),
        (status(READY, STALLED), "Ready is True beside Stalled"),
        (status(condition("Ready", UNKNOWN)), "Ready is Unknown without Reconciling"),
        (status(condition("Ready", UNKNOWN), STALLED), "Ready is Unknown without Reconciling"),
        (status(NOT_READY), "Ready is False without Reconciling or Stalled to say why"),
        (
            status(condition("Ready", TRUE, generation=None)),
            "Ready has no observedGeneration, or another than the status",
        ),
        (
            status(condition("Ready", TRUE, generation=1)),
            "Ready has no observedGeneration, or another than the status",
        ),
        (
            status(READY, condition("InSync", TRUE, generation=1)),
            "InSync has no observedGeneration, or another than the status",
        ),
        (status(READY, generation=None), "Ready has no observedGeneration, or another than the status"),
        (status(condition("Ready", TRUE, message="")), "Ready has no message"),
    ],
)
def test_a_status_that_breaks_a_rule_is_told_so(unfit: PurposeDrivenAgentStatus, rule: str) -> None:
    assert rule in broken_rules(unfit)
