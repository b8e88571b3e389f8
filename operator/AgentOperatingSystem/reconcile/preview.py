"""What a pass would do about a resource, without doing it: the reconciler's own decisions, looked at.

Why not in the reconciler: it may only ask. Its port to the runtimes has no call that writes, so that a
preview is safe to run against production, from a laptop or for a pull request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from AgentOperatingSystem.model.definition import (
    AgentDefinition,
    CodeInterpreterTool,
    FileSearchTool,
    ObservedAgent,
    OtherTool,
    Tool,
    tool_content,
)
from AgentOperatingSystem.model.errors import (
    AOSError,
    ModelNotFound,
    NotAllowed,
    OwnershipError,
    ReferenceMissing,
    SpecRejected,
)
from AgentOperatingSystem.model.facts import RETIREMENT, ModelCheck, ModelFinding, RuntimeFacts, RuntimeType
from AgentOperatingSystem.model.message import Message
from AgentOperatingSystem.model.plan import Plan, Step, differing_paths, make_plan
from AgentOperatingSystem.model.stamp import AgentIdentity, Owner, Stamp
from AgentOperatingSystem.reconcile.checks import Reference, check_found, looked_up
from AgentOperatingSystem.reconcile.desired import DesiredState, desired_state, identity_of
from AgentOperatingSystem.reconcile.home import belongs_to, check_home, is_moving
from AgentOperatingSystem.reconcile.moves import not_carried
from AgentOperatingSystem.reconcile.resource import (
    POLICY_ANNOTATION,
    SKIP,
    SUCCESSOR_ANNOTATION,
    ObjectKey,
    Resource,
)
from AgentOperatingSystem.reconcile.status import missing_model, tools_are_resolved
from AgentOperatingSystem.reconcile.verdict import Reason, verdict_on

NOTHING, REFUSE, MIGRATE = "Nothing", "Refuse", "Migrate"
CLASSIC = RuntimeType.FOUNDRY_CLASSIC
_WRITES = frozenset({Step.CREATE, Step.UPDATE, Step.ADOPT})
_EMPTY = AgentDefinition(deployment="", instructions="")
# Whoever reads a refusal can do something about it; what else goes wrong kept the preview from being made.
_REFUSALS = (SpecRejected, NotAllowed, ReferenceMissing, OwnershipError, ModelNotFound)
_LOST_TOLD = 10


class Lookout(Protocol):
    """A runtime, as far as it can be looked at. Every method raises from the one error tree."""

    def facts(self) -> RuntimeFacts:
        """The settings in force."""

    async def observe(
        self, identity: AgentIdentity, *, fresh: bool, known_id: str = "", doubtful: bool = False
    ) -> ObservedAgent | None:
        """The agent as it is now."""

    async def admit(self, plan: Plan) -> None:
        """Raise NotAllowed when the plan would make more agents, with those admitted before, than may be."""

    async def find_model(self, deployment: str) -> ModelFinding:
        """Whether the project has the deployment."""

    async def has_vector_store(self, store_id: str) -> bool:
        """Whether the project has the vector store."""

    async def has_file(self, file_id: str) -> bool:
        """Whether the project has the file."""

    async def thread_owner(self, thread_id: str) -> Owner | None:
        """The owner in a conversation's stamp; None when it bears none or does not exist."""

    async def messages(self, thread_id: str) -> list[Message]:
        """What was said on a thread, the oldest first."""

    async def thread_tools(self, thread_id: str) -> Sequence[Tool]:
        """What tools have on a thread beside what the agent gives them."""


class Lookouts(Protocol):
    """The runtimes that resources can name. See `reconcile.ports.Runtimes`."""

    def open(
        self, resource: Resource, generation: RuntimeType | None = None
    ) -> AbstractAsyncContextManager[Lookout]:
        """The resource's runtime; with `generation` its project is spoken to as that type."""


@dataclass(frozen=True, slots=True)
class Change:
    """One path of the definition with its values as plain JSON; None where there is none."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing would be done: the reason that Ready would have, and its message."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Move:
    """What a move from the classic generation carries over, what it cannot, and what it removes at the end.

    `agent_id` and `thread_id` are the classic ones, empty where there is none; `messages` is how many are
    carried over; `lost` says in words what stays behind.
    """

    agent_id: str
    thread_id: str
    messages: int
    references: tuple[Reference, ...]
    lost: tuple[str, ...]

    @property
    def retires(self) -> str:
        """When the service ends the generation that is left."""
        return RETIREMENT[CLASSIC]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a pass would do about one resource. `version` is the agent's present one, None without one.

    `changes` are what a write would change; with a refusal, what it would have changed. `facts` are those of
    the runtime that was looked at, None when none was.
    """

    key: ObjectKey
    agent: str
    steps: tuple[Step, ...] = ()
    changes: tuple[Change, ...] = ()
    remarks: tuple[str, ...] = ()
    version: str | None = None
    move: Move | None = None
    refusal: Refusal | None = None
    facts: RuntimeFacts | None = None
    plan: Plan | None = None

    @property
    def actions(self) -> tuple[str, ...]:
        """The words for it: the plan's steps, or Migrate, or Nothing, or Refuse."""
        if self.refusal is not None:
            return (REFUSE,)
        if self.move is not None:
            return (MIGRATE,)
        return tuple(self.steps) or (NOTHING,)

    def refused(self, error: AOSError) -> Preview:
        """The same, refused."""
        return replace(self, refusal=Refusal(verdict_on(error).reason, str(error)))


async def preview(resource: Resource, runtimes: Lookouts, generation: RuntimeType | None = None) -> Preview:
    """The preview of one resource; with `generation` as if its runtime had that type.

    The number of agents that the runtime may have is not part of it: see `admitted`. Raises what keeps the
    runtime from being looked at.
    """
    course = _Course(Preview(resource.key, resource.agent_name))
    if because := _left_alone(resource):
        return replace(course.known, remarks=(because,))
    try:
        async with runtimes.open(resource, generation) as runtime:
            await _look(resource, runtime, runtimes, course)
    except _REFUSALS as error:
        return course.known.refused(error)
    return course.known


async def admitted(
    resource: Resource, known: Preview, runtimes: Lookouts, generation: RuntimeType | None = None
) -> Preview:
    """The preview, refused when its agent would be one too many after those that were admitted before it.

    Apart from `preview`, since the order decides who is refused.
    """
    if known.refusal is not None or known.plan is None:
        return known
    try:
        async with runtimes.open(resource, generation) as runtime:
            await runtime.admit(known.plan)
    except NotAllowed as error:
        return known.refused(error)
    return known


@dataclass(slots=True)
class _Course:
    """How far a preview came, for what is told when it ends in a refusal."""

    known: Preview

    def learn(self, **more: Any) -> None:
        self.known = replace(self.known, **more)


def _left_alone(resource: Resource) -> str:
    """Why a pass would not touch the resource, whatever it says; empty when it would."""
    if resource.paused:
        return f"Paused by the annotation {POLICY_ANNOTATION}: {SKIP}."
    if resource.deleting:
        return "The resource is being deleted, and its agent with it as spec.deletionPolicy says."
    return ""


async def _look(resource: Resource, runtime: Lookout, runtimes: Lookouts, course: _Course) -> None:
    facts = runtime.facts()
    course.learn(facts=facts)
    desired = desired_state(resource, facts)
    course.learn(agent=desired.agent.name)
    check_home(resource, facts, desired.agent.name)
    if is_moving(resource, facts):
        move, changed = await _move(resource, runtime, runtimes, desired)
        course.learn(move=move, changes=changed)
    observed = await _observed(resource, runtime, desired.agent.identity)
    course.learn(version=observed.version or None if observed else None)
    plan = make_plan(desired.agent, observed, desired.claim, correct_drift=desired.correct_drift)
    course.learn(plan=plan, steps=plan.steps, remarks=(*_remarks(plan), *_on_the_way(resource, facts)))
    if course.known.move is None:
        course.learn(changes=changes(plan))
    await _check_model(plan, runtime, course)
    if desired.agent.enabled and (plan.steps or resource.changed or not tools_are_resolved(resource)):
        await check_found(desired.agent.definition.tools, runtime)


async def _observed(resource: Resource, runtime: Lookout, identity: AgentIdentity) -> ObservedAgent | None:
    """The resource's agent, looked for as a pass does."""
    known_id = resource.known_agent_id if runtime.facts().ids_are_given else ""
    return await runtime.observe(
        identity, fresh=True, known_id=known_id, doubtful=resource.intent is not None
    )


# What a plan changes.


def changes(plan: Plan) -> tuple[Change, ...]:
    """What the plan's write changes in the definition; nothing when it writes none."""
    if plan.desired is None or not _WRITES & set(plan.steps):
        return ()
    observed = plan.observed or ObservedAgent(plan.name, "", "", _EMPTY, stamp=None)
    before = _values(observed.definition, observed.stamp)
    after = _values(plan.desired.definition, plan.desired.stamp)
    # Both runtime tools and functions are named in a path: two that share a name are one change.
    paths = dict.fromkeys(differing_paths(plan.desired, observed))
    return tuple(Change(path, before.get(path), after.get(path)) for path in paths)


def _values(definition: AgentDefinition, stamp: Stamp | None) -> Mapping[str, Any]:
    """Every part of a definition under the path that a plan names it by."""
    values: dict[str, Any] = {
        "deployment": definition.deployment or None,
        "instructions": definition.instructions.strip() or None,
        **{f"metadata.{key}": value for key, value in definition.metadata.items()},
    }
    tools: dict[str, list[dict[str, Any]]] = {}
    for tool in definition.tools:
        content = tool_content(tool)
        tools.setdefault(f"tools.{content.get('name') or content['type']}", []).append(content)
    values |= {path: same[0] if len(same) == 1 else same for path, same in tools.items()}
    if stamp is not None:
        values["stamp"] = f"agent {stamp.agent_id}, adapter {stamp.adapter or '(none)'}"
    return values


def _remarks(plan: Plan) -> tuple[str, ...]:
    """What the steps alone do not tell."""
    differing = ", ".join(dict.fromkeys(plan.differences))
    if plan.observed is None:
        return () if plan.steps else ("spec.enabled is false: the agent is made once it is true.",)
    if Step.ADOPT in plan.steps:
        stamp = plan.observed.stamp
        whose = f"of {stamp.owner}" if stamp else "that somebody made by other means"
        return (f"Takes over the agent {whose}.",)
    if plan.drift and Step.UPDATE in plan.steps:
        return (f"Repairs an edit that was made in the runtime: {differing}.",)
    if plan.drift:
        return (f"Edited in the runtime and left so by spec.driftPolicy: {differing}.",)
    if plan.differences and Step.UPDATE not in plan.steps:
        return (f"spec.enabled is false: what differs is written once it is true: {differing}.",)
    return ()


def _on_the_way(resource: Resource, facts: RuntimeFacts) -> Iterator[str]:
    """What is left to do of a move that was begun before."""
    if resource.moved_from is not None:
        yield "The move from FoundryClassic is done; what is left of it there is removed soon."
    if facts.ids_are_given and SUCCESSOR_ANNOTATION in resource.annotations:
        yield "The move to Foundry that was begun is taken back: what was made there is removed."


# What a pass looks up before it writes.


async def _check_model(plan: Plan, runtime: Lookout, course: _Course) -> None:
    """Raise ModelNotFound for a deployment that a pass would look up and not find, or remark on it."""
    facts = runtime.facts()
    if plan.desired is None or not plan.desired.enabled or not plan.steps:
        return
    name = plan.desired.definition.deployment
    if facts.model_check is ModelCheck.OFF or "/" in name:
        return
    found = await runtime.find_model(name)
    if found.available:
        return
    missing = missing_model(name, found, facts.endpoint)
    if facts.model_check is ModelCheck.ENFORCE:
        raise ModelNotFound(missing)
    course.learn(remarks=(*course.known.remarks, missing))


# What a move does.


async def _move(
    resource: Resource, runtime: Lookout, runtimes: Lookouts, desired: DesiredState
) -> tuple[Move, tuple[Change, ...]]:
    """The move of the resource's agent, and what it changes in the definition."""
    async with runtimes.open(resource, CLASSIC) as classic:
        identity = identity_of(resource, classic.facts())
        former = await _observed(resource, classic, identity)
        if former is not None and not identity.owns(former.stamp):
            former = None
        thread_id, said, lost = await _carried(resource, classic, desired)
    tools = former.definition.tools if former else ()
    lost += [
        f"the tool {tool.kind}: no resource can ask for it" for tool in tools if isinstance(tool, OtherTool)
    ]
    references = [found async for _, found in looked_up(desired.agent.definition.tools, runtime)]
    move = Move(
        agent_id=former.agent_id if former else "",
        thread_id=thread_id,
        messages=len(not_carried(said, ())),
        references=tuple(references),
        lost=tuple(lost),
    )
    writes = (Step.UPDATE if former else Step.CREATE,) if desired.agent.enabled else ()
    return move, changes(Plan(desired.agent.identity, writes, desired.agent, former))


async def _carried(
    resource: Resource, classic: Lookout, desired: DesiredState
) -> tuple[str, list[Message], list[str]]:
    """The classic thread, what is carried over of it, and in words what is not."""
    begun = resource.annotations.get(SUCCESSOR_ANNOTATION)
    threads = (one for one in resource.known_threads if one != begun and belongs_to(one, CLASSIC))
    thread_id = next(threads, "")
    if not thread_id:
        return "", [], []
    if not desired.keeps_thread:
        return thread_id, [], [f"the thread {thread_id}: with spec.thread.scope Event none is kept"]
    if await classic.thread_owner(thread_id) != desired.agent.stamp.owner:
        return "", [], [f"the thread {thread_id}: it is gone, or is not this agent's"]
    said = await classic.messages(thread_id)
    given = _given(await classic.thread_tools(thread_id), desired.agent.definition.tools)
    return thread_id, said, [*_unspeakable(said), *given]


def _unspeakable(said: Sequence[Message]) -> list[str]:
    """What of the messages no text can hold."""
    lost = [
        f"of message {number} of {len(said)}: {message.lost}; a note takes its place"
        for number, message in enumerate(said, 1)
        if message.lost
    ]
    rest = len(lost) - _LOST_TOLD
    return lost if rest <= 0 else [*lost[:_LOST_TOLD], f"of {rest} more messages: files or images, likewise"]


def _given(thread_tools: Sequence[Tool], tools: Sequence[Tool]) -> Iterator[str]:
    """What the thread alone gave to its tools: a conversation of the new generation has no such place."""
    named = {name for tool in tools for _, name in _named(tool)}
    for tool in thread_tools:
        for what, name in _named(tool):
            if name not in named:
                yield f"the thread's own {what} {name}: name it in spec.tools to keep it"


def _named(tool: Tool) -> list[tuple[str, str]]:
    match tool:
        case FileSearchTool(stores):
            return [("vector store", store) for store in stores]
        case CodeInterpreterTool(files):
            return [("file", file) for file in files]
        case _:
            return []
