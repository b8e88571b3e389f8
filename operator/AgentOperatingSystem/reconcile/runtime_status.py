"""What is written on a runtime's own resource after a look at its project. Pure: time is an argument."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from AgentOperatingSystem.api.conditions import READY, RECONCILING, STALLED, Statement, stated, timestamp
from AgentOperatingSystem.api.runtimes import LastError, RuntimeResourceStatus
from AgentOperatingSystem.api.v1alpha1 import ConditionStatus
from AgentOperatingSystem.model.errors import AOSError
from AgentOperatingSystem.model.facts import RETIREMENT, RuntimeFacts
from AgentOperatingSystem.reconcile.offer import RuntimeResource
from AgentOperatingSystem.reconcile.verdict import verdict_on

CONNECTED, IN_USE = "Connected", "InUse"
DEPLOYMENTS_TOLD = 256
MESSAGE_LIMIT = 2048


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen: the runtime's settings and deployments, or the error that kept them from being seen.

    `agents` are those that are made there, `naming` those that name it, whether it lets them or not.
    """

    agents: int
    naming: int
    facts: RuntimeFacts | None = None
    deployments: frozenset[str] = frozenset()
    error: AOSError | None = None


def make_runtime_status(runtime: RuntimeResource, sight: Sight, now: datetime) -> RuntimeResourceStatus:
    """The status that the sight justifies, given the one that the resource has."""
    before = runtime.status
    seen = sorted(sight.deployments)[:DEPLOYMENTS_TOLD]
    deployments = before.deployments if sight.error else seen
    return RuntimeResourceStatus(
        observed_generation=runtime.generation,
        conditions=stated(
            _statements(runtime, sight), before.conditions, generation=runtime.generation, now=now
        ),
        deployments=deployments,
        agents=sight.agents,
        last_error=_last_error(runtime, sight.error, now),
    )


def _statements(runtime: RuntimeResource, sight: Sight) -> Iterable[Statement]:
    leaving = _leaving(sight.naming) if runtime.deleting else ""
    if sight.error is not None:
        verdict = verdict_on(sight.error)
        message = f"{sight.error}{leaving}"
        yield Statement(READY, ConditionStatus.FALSE, verdict.reason, message)
        held = STALLED if verdict.stalled else RECONCILING
        yield Statement(held, ConditionStatus.TRUE, verdict.reason, message)
        return
    if runtime.deleting:
        yield Statement(READY, ConditionStatus.FALSE, IN_USE, leaving.strip())
        yield Statement(RECONCILING, ConditionStatus.TRUE, IN_USE, leaving.strip())
        return
    date = RETIREMENT.get(sight.facts.type) if sight.facts else None
    retires = f" FoundryClassic retires on {date}: move its agents to Foundry." if date else ""
    seen = f"The project answers and has {len(sight.deployments)} deployments.{retires}"
    yield Statement(READY, ConditionStatus.TRUE, CONNECTED, seen)


def _leaving(agents: int) -> str:
    waits = "an agent that names it" if agents == 1 else f"{agents} agents that name it"
    return f" It is being deleted and waits for {waits}: delete what is there, or move it away."


def _last_error(runtime: RuntimeResource, error: AOSError | None, now: datetime) -> LastError | None:
    """The error, with the time at which it was new; after a success the one before it."""
    before = runtime.status.last_error
    if error is None:
        return before
    reason, message = verdict_on(error).reason, str(error)[:MESSAGE_LIMIT]
    if before is not None and (before.reason, before.message) == (reason, message):
        return before
    return LastError(reason=reason, message=message, time=timestamp(now))
