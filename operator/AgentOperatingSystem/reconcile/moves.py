"""The move of an agent from the classic generation to the new one, in the same project.

Nothing is taken away before everything is there: the conversation is filled and noted, the new agent made,
the notes switched, the status written. Only a while later, when a run that was under way has had its time,
are late messages carried over and the classic agent and thread removed. Each step looks what was done
already, so that any of them may be the first after a crash.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.model.message import Message
from AgentOperatingSystem.model.plan import plan_removal
from AgentOperatingSystem.reconcile.desired import DesiredState, identity_of
from AgentOperatingSystem.reconcile.home import belongs_to, home_notes
from AgentOperatingSystem.reconcile.ports import Cluster, ClusterFailure, Notice, Runtime, Runtimes
from AgentOperatingSystem.reconcile.resource import (
    INTENT_ANNOTATION,
    MOVED_FROM_ANNOTATION,
    NO_THREAD,
    SUCCESSOR_ANNOTATION,
    THREAD_ANNOTATION,
    MovedFrom,
    Resource,
)

logger = logging.getLogger(__name__)

FOUNDRY, CLASSIC = RuntimeType.FOUNDRY, RuntimeType.FOUNDRY_CLASSIC


class Moves:
    """The steps of a move; the reconciler says when. `clock` gives the time, with a time zone."""

    def __init__(self, cluster: Cluster, runtimes: Runtimes, clock: Callable[[], datetime]) -> None:
        self._cluster = cluster
        self._runtimes = runtimes
        self._clock = clock

    async def carry_over(
        self, resource: Resource, runtime: Runtime, desired: DesiredState
    ) -> tuple[Resource, str | None]:
        """The agent's new conversation with all that was said on its thread, noted on the resource."""
        owner = desired.agent.stamp.owner
        noted = resource.annotations.get(SUCCESSOR_ANNOTATION)
        if not desired.keeps_thread:
            if noted is None:
                resource = await self._cluster.annotate(resource, {SUCCESSOR_ANNOTATION: NO_THREAD})
            return resource, None
        if noted is None or await runtime.thread_owner(noted) != owner:
            noted = await runtime.create_thread(desired.agent.stamp)
            try:
                resource = await self._cluster.annotate(resource, {SUCCESSOR_ANNOTATION: noted})
            except ClusterFailure:
                await runtime.delete_thread(noted)
                raise
        if former := _classic_thread(resource):
            async with self._runtimes.open(resource, CLASSIC) as classic:
                if await classic.thread_owner(former) == owner:
                    await _copy(classic, former, runtime, noted)
        return resource, noted

    async def switch(self, resource: Resource, runtime: Runtime, thread_id: str | None) -> Resource:
        """From now on the resource's agent is the new one; what it was is noted, to be removed."""
        facts = runtime.facts()
        former = MovedFrom(resource.known_agent_id, _classic_thread(resource) or "", self._clock())
        notes = {
            **home_notes(facts, identity_of(resource, facts)),
            THREAD_ANNOTATION: thread_id,
            SUCCESSOR_ANNOTATION: None,
            INTENT_ANNOTATION: None,
            MOVED_FROM_ANNOTATION: str(former),
        }
        return await self._cluster.annotate(resource, notes)

    async def give_up(self, resource: Resource) -> Resource:
        """The resource is to stay on the classic generation after all: take back what was begun."""
        async with self._runtimes.open(resource, FOUNDRY) as runtime:
            identity = identity_of(resource, runtime.facts())
            observed = await runtime.observe(identity, fresh=True)
            await runtime.apply(plan_removal(identity, observed, keep=False))
            begun = resource.annotations[SUCCESSOR_ANNOTATION]
            if begun != NO_THREAD and await runtime.thread_owner(begun) == identity.owner:
                await runtime.delete_thread(begun)
        return await self._cluster.annotate(resource, {SUCCESSOR_ANNOTATION: None})

    async def clean_up(self, resource: Resource, runtime: Runtime, thread_id: str | None) -> Resource:
        """Carry late messages over and remove the classic agent and thread, once their time is over."""
        former = resource.moved_from
        patience = timedelta(seconds=runtime.facts().answer_seconds)
        if former is None or self._clock() - former.since < patience:
            return resource
        identity = identity_of(resource, runtime.facts())
        async with self._runtimes.open(resource, CLASSIC) as classic:
            await _remove_agent(classic, resource, former)
            if former.thread_id and await classic.thread_owner(former.thread_id) == identity.owner:
                if thread_id is not None:
                    await _copy(classic, former.thread_id, runtime, thread_id)
                await classic.delete_thread(former.thread_id)
        resource = await self._cluster.annotate(resource, {MOVED_FROM_ANNOTATION: None})
        text = f"Moved agent {identity.name} from FoundryClassic to Foundry; nothing classic is left of it."
        await self._cluster.emit(resource, Notice("Moved", text))
        logger.info("%s", text)
        return resource


def _classic_thread(resource: Resource) -> str | None:
    """The agent's thread on the classic generation, as far as the resource knows one."""
    begun = resource.annotations.get(SUCCESSOR_ANNOTATION)
    candidates = (thread for thread in resource.known_threads if thread != begun)
    return next((thread for thread in candidates if belongs_to(thread, CLASSIC)), None)


async def _copy(classic: Runtime, former: str, runtime: Runtime, thread_id: str) -> None:
    """Say on the conversation what was said on the thread and is not on it yet, in its order."""
    missing = not_carried(await classic.messages(former), await runtime.messages(thread_id))
    if missing:
        await runtime.add_messages(thread_id, missing)


def not_carried(said: Sequence[Message], there: Sequence[Message]) -> list[Message]:
    """What of `said` is not `there`, however often the same words were said.

    A conversation's items cannot bear a mark of ours, so that words are what they are known by.
    """
    counted = Counter((message.role, message.text.strip()) for message in there)
    missing = []
    for message in (carried(one) for one in said):
        key = (message.role, message.text.strip())
        if not key[1]:
            continue  # nothing was said
        if counted[key]:
            counted[key] -= 1
        else:
            missing.append(message)
    return missing


def carried(message: Message) -> Message:
    """The message as a conversation can hold it: what no text can hold is told in words."""
    parts = [message.text, f"[Not carried over: {message.lost}]" if message.lost else ""]
    return Message(message.role, "\n\n".join(part for part in parts if part))


async def _remove_agent(classic: Runtime, resource: Resource, former: MovedFrom) -> None:
    identity = identity_of(resource, classic.facts())
    observed = await classic.observe(identity, fresh=True, known_id=former.agent_id, doubtful=True)
    await classic.apply(plan_removal(identity, observed, keep=False))
