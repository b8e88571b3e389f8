"""Where an agent lives: the project, the generation and the name it was made under. Pure, but for the look.

Never two agents for one resource: what was made in one place is not made again in another because a setting
changed. The one way from a place to another that is walked by itself leads from the classic generation to
the new one in the same project.
"""

from __future__ import annotations

from AgentOperatingSystem.model.definition import ObservedAgent
from AgentOperatingSystem.model.errors import RuntimeMoved
from AgentOperatingSystem.model.facts import RuntimeFacts, RuntimeType
from AgentOperatingSystem.model.stamp import AgentIdentity
from AgentOperatingSystem.reconcile.ports import Runtime
from AgentOperatingSystem.reconcile.resource import (
    ENDPOINT_ANNOTATION,
    NAME_ANNOTATION,
    SUCCESSOR_ANNOTATION,
    TYPE_ANNOTATION,
    Resource,
)

_CONVERSATION, _CLASSIC_THREAD = "conv_", "thread_"


def check_project(resource: Resource, facts: RuntimeFacts) -> None:
    """Raise RuntimeMoved when the agent was made in another project than its runtime's."""
    home = resource.recorded_endpoint
    if home is not None and home != facts.endpoint:
        raise RuntimeMoved(
            f"The agent was made in {home}, and {facts.source} is {facts.endpoint}; "
            "set the runtime back, or delete the resource before moving it."
        )


def check_home(resource: Resource, facts: RuntimeFacts, name: str) -> None:
    """Raise RuntimeMoved when the agent was made in another place than the one now asked for."""
    check_project(resource, facts)
    if resource.recorded_type is RuntimeType.FOUNDRY and facts.type is RuntimeType.FOUNDRY_CLASSIC:
        raise RuntimeMoved(
            f"The agent is on the new generation, and {facts.source} is FoundryClassic, which retires: there "
            "is no way back; set the runtime back."
        )
    made = resource.recorded_name
    if made is not None and made != name:
        raise RuntimeMoved(
            f"The agent was made as {made}, and {facts.source} would name it {name}; set the runtime back, "
            "or delete the resource before moving it."
        )


def is_moving(resource: Resource, facts: RuntimeFacts) -> bool:
    """True when the agent is on the classic generation, and its runtime is the new one."""
    classic = resource.recorded_type is RuntimeType.FOUNDRY_CLASSIC
    return classic and facts.type is RuntimeType.FOUNDRY


def generations_besides(resource: Resource, facts: RuntimeFacts) -> tuple[RuntimeType, ...]:
    """The generations, other than the runtime's, that may hold something of the resource."""
    made = resource.recorded_type
    if facts.type is RuntimeType.FOUNDRY:
        left = resource.moved_from is not None or made is RuntimeType.FOUNDRY_CLASSIC
        return (RuntimeType.FOUNDRY_CLASSIC,) if left else ()
    left = SUCCESSOR_ANNOTATION in resource.annotations or made is RuntimeType.FOUNDRY
    return (RuntimeType.FOUNDRY,) if left else ()


def home_notes(facts: RuntimeFacts, identity: AgentIdentity) -> dict[str, str | None]:
    """The annotations that say where the agent is."""
    return {
        ENDPOINT_ANNOTATION: facts.endpoint,
        TYPE_ANNOTATION: None if facts.type is RuntimeType.FOUNDRY else facts.type.value,
        NAME_ANNOTATION: None if identity.name == identity.agent_id else identity.name,
    }


def belongs_to(thread_id: str, generation: RuntimeType) -> bool:
    """True unless the id is plainly one of the other generation's threads."""
    other = _CLASSIC_THREAD if generation is RuntimeType.FOUNDRY else _CONVERSATION
    return not thread_id.startswith(other)


async def look(
    resource: Resource, runtime: Runtime, identity: AgentIdentity, *, fresh: bool
) -> ObservedAgent | None:
    """The resource's agent in the runtime, found by what the resource knows of it."""
    former = resource.moved_from
    known_id = resource.known_agent_id or (former.agent_id if former else "")
    return await runtime.observe(
        identity,
        fresh=fresh,
        known_id=known_id if runtime.facts().ids_are_given else "",
        doubtful=resource.intent is not None or former is not None,
    )
