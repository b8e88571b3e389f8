"""One pass: make the agent in the runtime be what its resource asks for, and say what is true.

Every trigger calls this, one pass at a time for an object. A pass starts from nothing but the object
as the API server has it now, so that any pass may be the first after a crash. The order of writes is
what makes a crash harmless: our finalizer before anything else, then the note of where the agent will be,
then the agent, then the status.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from AgentOperatingSystem.api.conditions import READY
from AgentOperatingSystem.api.v1alpha1 import (
    ConditionStatus,
    PurposeDrivenAgentStatus,
)
from AgentOperatingSystem.model.definition import ObservedAgent
from AgentOperatingSystem.model.errors import (
    AOSError,
    Held,
    Migrating,
    PassAbandoned,
    RuntimeFailure,
    RuntimeUnavailable,
)
from AgentOperatingSystem.model.facts import RuntimeFacts
from AgentOperatingSystem.model.plan import Plan, Step, make_plan
from AgentOperatingSystem.model.signals import drift_found
from AgentOperatingSystem.reconcile.access import in_runtime
from AgentOperatingSystem.reconcile.brake import DeletionBrake
from AgentOperatingSystem.reconcile.checks import check_model, check_references
from AgentOperatingSystem.reconcile.desired import DesiredState, desired_state
from AgentOperatingSystem.reconcile.home import (
    belongs_to,
    check_home,
    home_notes,
    is_moving,
    look,
)
from AgentOperatingSystem.reconcile.intents import Intents
from AgentOperatingSystem.reconcile.moves import Moves
from AgentOperatingSystem.reconcile.parting import Parting
from AgentOperatingSystem.reconcile.ports import (
    Cluster,
    ClusterFailure,
    Notice,
    Runtime,
    Runtimes,
)
from AgentOperatingSystem.reconcile.resource import (
    ADOPT_FROM_ANNOTATION,
    ADOPTED_FROM_ANNOTATION,
    INTENT_ANNOTATION,
    SUCCESSOR_ANNOTATION,
    THREAD_ANNOTATION,
    ObjectKey,
    Resource,
)
from AgentOperatingSystem.reconcile.status import (
    Findings,
    make_bug_status,
    make_deleting_status,
    make_status,
)
from AgentOperatingSystem.reconcile.telling import announce
from AgentOperatingSystem.reconcile.verdict import Reason, Retry, verdict_on

logger = logging.getLogger(__name__)

R = TypeVar("R")

# An agent's first version has none before it, so there is nothing to prune.
FIRST_VERSION = "1"
# After these nothing may or can be written: the pass ends without a word, and another one begins anew.
_UNTOLD = (ClusterFailure, PassAbandoned)


@dataclass(frozen=True, slots=True)
class Result:
    """How a pass ended: when to look again, and the runtime's own wish in seconds, if it has one.

    `interval` is the runtime's drift interval in seconds, None while it is not known.
    """

    retry: Retry = Retry.INTERVAL
    retry_after: float | None = None
    interval: float | None = None


@dataclass(slots=True)
class _Course:
    """How far a pass came, for what is told when it ends in an error."""

    facts: RuntimeFacts | None = None
    desired: DesiredState | None = None


class Reconciler:
    """Runs passes over the ports. `clock` gives the time, with a time zone."""

    def __init__(
        self, cluster: Cluster, runtimes: Runtimes, clock: Callable[[], datetime], brake: DeletionBrake
    ) -> None:
        self._cluster = cluster
        self._runtimes = runtimes
        self._clock = clock
        self._intents = Intents(clock)
        self._moves = Moves(cluster, runtimes, clock, self._intents)
        self._parting = Parting(cluster, runtimes, clock, brake, self._intents)

    async def reconcile(self, key: ObjectKey, *, due: bool = True) -> Result:
        """Make it so and write the status. Raises ClusterFailure or PassAbandoned: then nothing was said.

        With `due` False only a resource that asks for something new gets a pass: a trigger that comes
        from an old event, such as one that our own writes made, costs no look at the runtime.
        """
        resource = await self._cluster.get(key)
        if resource is not None and not (due or resource.changed or resource.requested):
            return Result(Retry.AS_PLANNED)
        if resource is None or resource.deleting or not resource.protected:
            return Result()
        if resource.paused or _refused_for_good(resource):
            return Result()
        return await self._guarded(resource, self._pass(resource))

    async def finalize(self, key: ObjectKey) -> Result | None:
        """End the resource's hold on its agent; None once the finalizer may go, else when to try again."""
        resource = await self._cluster.get(key)
        if resource is None or not resource.deleting:
            return None
        return await self._guarded(resource, self._farewell(resource))

    async def _guarded(self, resource: Resource, work: Awaitable[R]) -> R | Result:
        """What nobody foresaw is told on the resource too, and is tried again: a bug must not be silent."""
        try:
            return await work
        except _UNTOLD:
            raise
        except Exception as error:
            logger.exception("a pass ended in an error that nobody foresaw")
            await self._write(resource, make_bug_status(resource, type(error).__name__, self._clock()))
            return Result(Retry.SOON)

    async def _pass(self, resource: Resource) -> Result:
        course = _Course()
        try:
            findings, plan, resource = await in_runtime(
                self._runtimes, resource, lambda runtime: self._make_it_so(resource, runtime, course)
            )
        except _UNTOLD:
            raise
        except AOSError as error:
            return await self._tell_failure(resource, course, error)
        status = make_status(resource, findings, self._clock())
        await self._write(resource, status)
        await announce(self._cluster, resource, plan, findings.observed)
        soon = _reason(status) == Reason.PROVISIONING or resource.moved_from is not None
        return _timed(Result(Retry.SOON if soon else Retry.INTERVAL), course)

    async def _farewell(self, resource: Resource) -> Result | None:
        try:
            gone = await self._parting.let_go(resource)
        except _UNTOLD:
            raise
        except AOSError as error:
            return await self._tell_stuck(resource, error)
        if gone:
            return None
        await self._write(resource, make_deleting_status(resource, None, self._clock()))
        return Result(Retry.SOON)

    async def _make_it_so(
        self, resource: Resource, runtime: Runtime, course: _Course
    ) -> tuple[Findings, Plan, Resource]:
        facts = course.facts = runtime.facts()
        desired = course.desired = desired_state(resource, facts)
        check_home(resource, facts, desired.agent.name)
        plan = await self._plan(resource, runtime, desired)
        model = await check_model(resource, runtime, desired, plan)
        await check_references(resource, runtime, desired, plan)
        await runtime.admit(plan)
        if facts.ids_are_given and SUCCESSOR_ANNOTATION in resource.annotations:
            resource = await self._moves.give_up(resource)
        if is_moving(resource, facts):
            return await self._move(resource, runtime, Findings(facts, desired, model=model), plan)
        resource, thread_id = await self._prepare(resource, runtime, desired, plan)
        observed = await self._apply(resource, runtime, plan)
        if Step.ADOPT in plan.steps and desired.claim.owner is not None:
            notes = {ADOPTED_FROM_ANNOTATION: str(desired.claim.owner)}
            resource = await self._cluster.annotate(resource, notes)
        await self._tidy(resource, runtime, desired, plan, observed)
        if resource.moved_from is not None:
            resource = await self._clean_up(resource, runtime)
        _tell_new_drift(resource, plan)
        drift = plan.drift if Step.UPDATE not in plan.steps else ()
        return Findings(facts, desired, observed, thread_id, drift, model), plan, resource

    async def _move(
        self, resource: Resource, runtime: Runtime, findings: Findings, plan: Plan
    ) -> tuple[Findings, Plan, Resource]:
        """Make the new agent, carry the thread over, and switch; the old ones go in a later pass."""
        desired = findings.desired
        if desired is None:
            raise AssertionError("a move needs a desired state")
        resource, filled = await self._moves.carry_over(resource, runtime, desired)
        if Step.CREATE in plan.steps:
            resource = await self._moves.note_creation(resource)
        observed = await self._apply(resource, runtime, plan)
        if observed is not None and observed.failed:
            raise RuntimeFailure(
                "The runtime could not prepare the new agent, and the classic one goes on; see it in the "
                "Foundry portal, or change the spec."
            )
        if desired.agent.enabled and (observed is None or not observed.ready):
            raise Migrating("The runtime prepares the new agent; the classic one goes on until it is ready.")
        await self._tidy(resource, runtime, desired, plan, observed)
        resource = await self._moves.switch(resource, runtime, filled)
        return replace(findings, observed=observed, thread_id=filled.thread_id), plan, resource

    async def _clean_up(self, resource: Resource, runtime: Runtime) -> Resource:
        """Remove what a move left behind. That it cannot be reached says nothing about the agent itself."""
        try:
            return await self._moves.clean_up(resource, runtime)
        except RuntimeFailure as error:
            logger.warning("what the move left on FoundryClassic is still there: %s", error)
            return resource

    async def _plan(self, resource: Resource, runtime: Runtime, desired: DesiredState) -> Plan:
        """The plan, made from a fresh look whenever something is to be written."""
        fresh, looked = resource.changed or resource.requested, self._intents.now()
        plan = await self._look(resource, runtime, desired, fresh=fresh)
        if plan.steps and not fresh:
            plan = await self._look(resource, runtime, desired, fresh=True)
        if plan.observed is not None:
            self._intents.seen(resource)
        elif Step.CREATE in plan.steps and runtime.facts().ids_are_given:
            self._intents.check(resource, runtime.facts(), looked=looked)
        return plan

    async def _look(
        self, resource: Resource, runtime: Runtime, desired: DesiredState, *, fresh: bool
    ) -> Plan:
        observed = await look(resource, runtime, desired.agent.identity, fresh=fresh)
        return make_plan(desired.agent, observed, desired.claim, correct_drift=desired.correct_drift)

    async def _apply(self, resource: Resource, runtime: Runtime, plan: Plan) -> ObservedAgent | None:
        if not plan.steps:
            return plan.observed
        if Step.CREATE not in plan.steps:
            return await runtime.apply(plan)
        with self._intents.judged(resource):
            return await runtime.apply(plan)

    async def _tidy(
        self,
        resource: Resource,
        runtime: Runtime,
        desired: DesiredState,
        plan: Plan,
        observed: ObservedAgent | None,
    ) -> None:
        """Prune versions whenever one appeared that the status does not know, whoever made it.

        Before the status is written: if this fails, the status still does not know it, and the next
        pass tries again. Twins, where names are no keys, are pruned whenever they are seen.
        """
        known = resource.status.runtime.version if resource.status.runtime else None
        if observed is None:
            return
        twins = plan.observed.twins if plan.observed else ()
        if not twins and observed.version in ("", FIRST_VERSION, known):
            return
        limit = desired.version_history_limit
        pruned = await runtime.prune(replace(observed, twins=twins), desired.agent.identity, limit=limit)
        if pruned:
            logger.info("pruned %d surplus of agent %s", pruned, observed.name)

    async def _prepare(
        self, resource: Resource, runtime: Runtime, desired: DesiredState, plan: Plan
    ) -> tuple[Resource, str | None]:
        """The agent's thread, and the notes that outlive a wiped status, before the agent itself."""
        if plan.observed is None and not plan.steps and resource.recorded_endpoint is None:
            return resource, None  # nothing is there and nothing is made: a disabled agent's first pass
        thread_id = None
        if desired.keeps_thread:
            thread_id = await self._thread(resource, runtime, desired)
        notes = home_notes(runtime.facts(), desired.agent.identity)
        if thread_id is not None:
            notes[THREAD_ANNOTATION] = thread_id
        if Step.CREATE in plan.steps and runtime.facts().ids_are_given:
            notes[INTENT_ANNOTATION] = self._intents.begun()
        if adopted := _takeover_done(resource, desired, plan):
            notes[ADOPTED_FROM_ANNOTATION] = adopted
        if any(resource.annotations.get(key) != value for key, value in notes.items()):
            try:
                resource = await self._cluster.annotate(resource, notes)
            except ClusterFailure:
                await self._forget_new_thread(resource, runtime, thread_id)
                raise
        return resource, thread_id

    async def _forget_new_thread(self, resource: Resource, runtime: Runtime, thread_id: str | None) -> None:
        """Delete a conversation that could not be noted and that nobody would find again."""
        if thread_id is not None and thread_id not in resource.known_threads:
            await runtime.delete_thread(thread_id)

    async def _thread(self, resource: Resource, runtime: Runtime, desired: DesiredState) -> str | None:
        """The agent's conversation: the status's, or a noted one that is proved ours, or a new one."""
        noted = resource.annotations.get(THREAD_ANNOTATION)
        known = resource.status.runtime.thread_id if resource.status.runtime else None
        if known and not belongs_to(known, runtime.facts().type):
            known = None  # the status is from before the move
        if known and (noted == known or resource.made is None):
            return known
        if noted and await runtime.thread_owner(noted) == desired.agent.stamp.owner:
            return noted
        if known:
            return known
        if not desired.agent.enabled:
            return None
        return await runtime.create_thread(desired.agent.stamp)

    async def _tell_failure(self, resource: Resource, course: _Course, error: AOSError) -> Result:
        findings = Findings(course.facts, course.desired, error=error)
        status = make_status(resource, findings, self._clock())
        await self._write(resource, status)
        return _timed(_result(error), course)

    async def _tell_stuck(self, resource: Resource, error: AOSError) -> Result:
        await self._write(resource, make_deleting_status(resource, error, self._clock()))
        return _result(error)

    async def _write(self, resource: Resource, status: PurposeDrivenAgentStatus) -> None:
        """Write the status if it says anything new, with an Event when Ready took a new bad reason."""
        if status == resource.status:
            return
        await self._cluster.patch_status(resource, status)
        ready = next(condition for condition in status.conditions if condition.type == READY)
        quiet = (Reason.PROVISIONING, Reason.DELETING)
        new = ready.reason != _reason(resource.status) and ready.reason not in quiet
        if ready.status is not ConditionStatus.TRUE and new:
            logger.warning("%s: %s", ready.reason, ready.message)
            await self._cluster.emit(resource, Notice(ready.reason, ready.message, warning=True))


def _tell_new_drift(resource: Resource, plan: Plan) -> None:
    known = {drift.path for drift in resource.status.drift}
    if found := [path for path in plan.drift if path not in known]:
        drift_found(len(found))


def _refused_for_good(resource: Resource) -> bool:
    """True when the runtime refused this very spec: asking again is of no use until somebody changes it."""
    refused = _reason(resource.status) == Reason.DEFINITION_REJECTED
    return refused and not resource.changed and not resource.requested


def _takeover_done(resource: Resource, desired: DesiredState, plan: Plan) -> str | None:
    """The takeover that was asked for and is already done: the agent is ours and needs no adopting."""
    wanted = resource.annotations.get(ADOPT_FROM_ANNOTATION)
    ours = plan.observed is not None and desired.agent.identity.owns(plan.observed.stamp)
    return wanted if ours else None


def _reason(status: PurposeDrivenAgentStatus) -> str | None:
    return next((condition.reason for condition in status.conditions if condition.type == READY), None)


def _timed(result: Result, course: _Course) -> Result:
    return replace(result, interval=course.facts.interval) if course.facts else result


def _result(error: AOSError) -> Result:
    after = error.retry_after if isinstance(error, RuntimeUnavailable | Held) else None
    return Result(verdict_on(error).retry, after)
