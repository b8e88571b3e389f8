"""The move of an agent from the classic generation to the new one, in the same project.

Nothing is taken away before everything is there: the conversation is filled and noted, the new agent made,
the notes switched, the status written. Only a while later, when a run that was under way has had its time,
are late messages carried over and the classic agent and thread removed. Each step looks what was done
already, so that any of them may be the first after a crash.

Messages are sent to a conversation without a key of ours, so that a call whose answer was lost must not be
repeated on it. Until the switch nobody knows the conversation but we: one that is not as it should be is
thrown away and another one filled. After it, what was sent is noted first, and looked for later.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from AgentOperatingSystem.model.definition import Tool, tool_content
from AgentOperatingSystem.model.facts import RuntimeFacts, RuntimeType
from AgentOperatingSystem.model.message import Message
from AgentOperatingSystem.model.plan import plan_removal
from AgentOperatingSystem.model.stamp import Owner
from AgentOperatingSystem.reconcile.desired import DesiredState, identity_of
from AgentOperatingSystem.reconcile.home import belongs_to, home_notes
from AgentOperatingSystem.reconcile.intents import Intents, patience
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


@dataclass(frozen=True, slots=True)
class Filled:
    """The agent's new conversation, None when it keeps none, and how many messages were carried over."""

    thread_id: str | None = None
    messages: int = 0


class Moves:
    """The steps of a move; the reconciler says when. `clock` gives the time, with a time zone."""

    def __init__(
        self, cluster: Cluster, runtimes: Runtimes, clock: Callable[[], datetime], intents: Intents
    ) -> None:
        self._cluster = cluster
        self._runtimes = runtimes
        self._clock = clock
        self._intents = intents

    async def carry_over(
        self, resource: Resource, runtime: Runtime, desired: DesiredState
    ) -> tuple[Resource, Filled]:
        """The agent's new conversation with all that was said on its thread, noted on the resource."""
        owner = desired.agent.stamp.owner
        noted = resource.annotations.get(SUCCESSOR_ANNOTATION)
        if not desired.keeps_thread:
            if noted != NO_THREAD:
                await _discard(runtime, noted, owner)
                resource = await self._cluster.annotate(resource, {SUCCESSOR_ANNOTATION: NO_THREAD})
            return resource, Filled()
        said = await self._said(resource, owner)
        if noted is not None and await _owner_of(runtime, noted) == owner:
            if _words(await runtime.messages(noted)) == _words(said):
                return resource, Filled(noted, len(said))
            await runtime.delete_thread(noted)
        thread_id = await runtime.create_thread(desired.agent.stamp)
        try:
            resource = await self._cluster.annotate(resource, {SUCCESSOR_ANNOTATION: thread_id})
        except ClusterFailure:
            await runtime.delete_thread(thread_id)
            raise
        if said:
            await runtime.add_messages(thread_id, said)
        return resource, Filled(thread_id, len(said))

    async def note_creation(self, resource: Resource) -> Resource:
        """Note that the new agent is about to be made: whoever gives the move up then looks for it."""
        return await self._cluster.annotate(resource, {INTENT_ANNOTATION: self._intents.begun()})

    async def switch(self, resource: Resource, runtime: Runtime, filled: Filled) -> Resource:
        """From now on the resource's agent is the new one; what it was is noted, to be removed."""
        facts = runtime.facts()
        thread_id = _classic_thread(resource) or ""
        former = MovedFrom(resource.known_agent_id, thread_id, self._clock(), filled.messages)
        notes = {
            **home_notes(facts, identity_of(resource, facts)),
            THREAD_ANNOTATION: filled.thread_id,
            SUCCESSOR_ANNOTATION: None,
            INTENT_ANNOTATION: None,
            MOVED_FROM_ANNOTATION: str(former),
        }
        return await self._cluster.annotate(resource, notes)

    async def give_up(self, resource: Resource) -> Resource:
        """The resource is to stay on the classic generation after all: take back what was begun."""
        async with self._runtimes.open(resource, FOUNDRY) as runtime:
            identity = identity_of(resource, runtime.facts())
            looked = self._intents.now()
            observed = await runtime.observe(identity, fresh=True)
            await runtime.apply(plan_removal(identity, observed, keep=False))
            await _discard(runtime, resource.annotations.get(SUCCESSOR_ANNOTATION), identity.owner)
            if observed is None:
                self._intents.check(resource, runtime.facts(), looked=looked)
        return await self._cluster.annotate(resource, {SUCCESSOR_ANNOTATION: None})

    async def clean_up(self, resource: Resource, runtime: Runtime, *, at_once: bool = False) -> Resource:
        """Carry late messages over and remove the classic agent and thread, once their time is over."""
        former = resource.moved_from
        if former is None or not (at_once or self._clock() - former.since >= _settling(runtime.facts())):
            return resource
        identity, left = identity_of(resource, runtime.facts()), ""
        async with self._runtimes.open(resource, CLASSIC) as classic:
            await _remove_agent(classic, resource, former)
            if former.thread_id and await classic.thread_owner(former.thread_id) == identity.owner:
                left = _left_behind(await classic.thread_tools(former.thread_id))
                said = _speakable(await classic.messages(former.thread_id))
                resource = await self._carry_late(resource, runtime, former, said[former.carried :])
                await classic.delete_thread(former.thread_id)
        resource = await self._cluster.annotate(resource, {MOVED_FROM_ANNOTATION: None})
        moved = f"Moved agent {identity.name} from FoundryClassic to Foundry; nothing classic is left of it."
        text = f"{moved}{left}"
        await self._cluster.emit(resource, Notice("Moved", text))
        logger.info("%s", text)
        return resource

    async def _said(self, resource: Resource, owner: Owner) -> list[Message]:
        """What was said on the agent's classic thread and can be said again."""
        former = _classic_thread(resource)
        if former is None:
            return []
        async with self._runtimes.open(resource, CLASSIC) as classic:
            if await classic.thread_owner(former) != owner:
                return []
            return _speakable(await classic.messages(former))

    async def _carry_late(
        self, resource: Resource, runtime: Runtime, former: MovedFrom, late: list[Message]
    ) -> Resource:
        """Say on the conversation, which is in use by now, what was said on the thread after the copy."""
        thread_id = resource.annotations.get(THREAD_ANNOTATION)
        if not late or thread_id is None:
            return resource
        tried, new = late[: former.doubtful], late[former.doubtful :]
        if tried:
            tried = not_carried(tried, (await runtime.messages(thread_id))[former.carried :])
        if not (tried or new):
            return resource
        sent = replace(former, since=self._clock(), doubtful=len(late))
        resource = await self._cluster.annotate(resource, {MOVED_FROM_ANNOTATION: str(sent)})
        await runtime.add_messages(thread_id, [*tried, *new])
        return resource


def _settling(facts: RuntimeFacts) -> timedelta:
    """How long after the switch a run may still answer on the classic thread, or a write take effect."""
    return max(timedelta(seconds=facts.answer_seconds), patience(facts))


async def _owner_of(runtime: Runtime, thread_id: str | None) -> Owner | None:
    return None if thread_id in (None, NO_THREAD) else await runtime.thread_owner(str(thread_id))


async def _discard(runtime: Runtime, thread_id: str | None, owner: Owner) -> None:
    """Delete a conversation that was begun, once its stamp proved it ours."""
    if thread_id is not None and await _owner_of(runtime, thread_id) == owner:
        await runtime.delete_thread(thread_id)


def _classic_thread(resource: Resource) -> str | None:
    """The agent's thread on the classic generation, as far as the resource knows one."""
    begun = resource.annotations.get(SUCCESSOR_ANNOTATION)
    candidates = (thread for thread in resource.known_threads if thread != begun)
    return next((thread for thread in candidates if belongs_to(thread, CLASSIC)), None)


def _left_behind(tools: Sequence[Tool]) -> str:
    """A sentence on what the thread itself gave to tools, for which a conversation has no place."""
    ids = [
        one
        for tool in tools
        for key, value in tool_content(tool).items()
        if key in ("fileIds", "vectorStoreIds")
        for one in value
    ]
    return f" Not carried over, since only its thread had them: {', '.join(ids)}." if ids else ""


def _speakable(said: Sequence[Message]) -> list[Message]:
    """What of `said` a conversation can hold: that in which nothing was said is left out."""
    return not_carried(said, ())


def _words(said: Sequence[Message]) -> list[tuple[str, str]]:
    return [(message.role, message.text.strip()) for message in said]


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
    """Delete the agent by its id, which a listing may not show, and what else bears its stamp."""
    identity = identity_of(resource, classic.facts())
    for known_id in dict.fromkeys((former.agent_id, "")):
        observed = await classic.observe(identity, fresh=True, known_id=known_id, doubtful=True)
        await classic.apply(plan_removal(identity, observed, keep=False))
