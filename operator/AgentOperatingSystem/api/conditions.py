"""Conditions: how they are updated, and the rules that every status keeps.

The rules are those of the Kubernetes API conventions and of kstatus, which Argo CD, Flux and
`kubectl wait` read: a transition time moves on a flip only, Reconciling and Stalled are there only while
True and never together, and Ready is always there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from AgentOperatingSystem.api.v1alpha1 import Condition, ConditionedStatus, ConditionStatus

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"
MODEL_AVAILABLE = "ModelAvailable"
TOOLS_RESOLVED = "ToolsResolved"
IN_SYNC = "InSync"

MESSAGE_LIMIT = 2048

_ORDER = (READY, RECONCILING, STALLED, MODEL_AVAILABLE, TOOLS_RESOLVED, IN_SYNC)


@dataclass(frozen=True, slots=True)
class Statement:
    """What is to be said under one condition type now; the times are added by `stated`."""

    type: str
    status: ConditionStatus
    reason: str
    message: str


def stated(
    statements: Iterable[Statement], previous: Iterable[Condition], *, generation: int, now: datetime
) -> list[Condition]:
    """The statements as conditions, in a fixed order; a time of `previous` stays until the status flips."""
    before = {condition.type: condition for condition in previous}
    conditions = []
    for statement in sorted(statements, key=lambda item: _ORDER.index(item.type)):
        old = before.get(statement.type)
        unchanged = old is not None and old.status == statement.status
        conditions.append(
            Condition(
                type=statement.type,
                status=statement.status,
                reason=statement.reason,
                message=_bounded(statement.message),
                last_transition_time=old.last_transition_time if old and unchanged else timestamp(now),
                observed_generation=generation,
            )
        )
    return conditions


def _bounded(message: str) -> str:
    """A message of a length that people read and that every condition holds."""
    return message if len(message) <= MESSAGE_LIMIT else f"{message[: MESSAGE_LIMIT - 1]}…"


def timestamp(moment: datetime) -> str:
    """A moment as Kubernetes writes it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def broken_rules(status: ConditionedStatus) -> list[str]:
    """The rules that `status` breaks, as sentences; empty for a status fit to be written."""
    by_type = {condition.type: condition for condition in status.conditions}
    problems = []
    if len(by_type) != len(status.conditions):
        problems.append("two conditions have one type")
    ready = by_type.get(READY)
    if ready is None:
        return [*problems, "Ready is missing"]
    abnormal = [kind for kind in (RECONCILING, STALLED) if kind in by_type]
    problems += [
        f"{kind} is there without being True"
        for kind in abnormal
        if by_type[kind].status is not ConditionStatus.TRUE
    ]
    if len(abnormal) == 2:
        problems.append("Reconciling and Stalled are there together")
    if abnormal and ready.status is ConditionStatus.TRUE:
        problems.append(f"Ready is True beside {abnormal[0]}")
    if ready.status is ConditionStatus.UNKNOWN and RECONCILING not in by_type:
        problems.append("Ready is Unknown without Reconciling")
    if ready.status is ConditionStatus.FALSE and not abnormal:
        problems.append("Ready is False without Reconciling or Stalled to say why")
    problems += [
        f"{condition.type} has no observedGeneration, or another than the status"
        for condition in status.conditions
        if condition.observed_generation is None
        or condition.observed_generation != status.observed_generation
    ]
    problems += [
        f"{condition.type} has no message" for condition in status.conditions if not condition.message
    ]
    return problems
