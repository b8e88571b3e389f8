"""Decide what to do about the difference between the desired and the observed agent. Pure.

The plan is made here, under both the reconciler and `deploy_agent`, so that there is one way to make an
agent and one place that says which agents may be touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from AgentOperatingSystem.model.definition import (
    AgentDefinition,
    DesiredAgent,
    ObservedAgent,
    Tool,
    tool_content,
)
from AgentOperatingSystem.model.errors import AdoptionRequired, OwnershipConflict, OwnershipError
from AgentOperatingSystem.model.stamp import Owner, Stamp


class Step(StrEnum):
    """One thing to do in the runtime."""

    CREATE = "Create"
    UPDATE = "Update"
    ENABLE = "Enable"
    DISABLE = "Disable"
    RELEASE = "Release"
    DELETE = "Delete"


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps that make `observed` what is desired, in order; none means Nothing.

    `differences` are the paths of the definition in which the two differ. `desired` is None when the
    agent is to be released or deleted.
    """

    name: str
    steps: tuple[Step, ...] = ()
    desired: DesiredAgent | None = None
    observed: ObservedAgent | None = None
    differences: tuple[str, ...] = ()


def make_plan(desired: DesiredAgent, observed: ObservedAgent | None) -> Plan:
    """What makes the runtime hold `desired`. Raises OwnershipError when the agent is not its owner's.

    A disabled agent is neither made nor changed: nothing of it runs, and the newest definition is
    written when it is enabled again.
    """
    if observed is None:
        steps = (Step.CREATE,) if desired.enabled else ()
        return Plan(desired.name, steps, desired)
    check_ownership(desired.stamp.owner, observed)
    if not desired.enabled:
        steps = (Step.DISABLE,) if observed.enabled else ()
        return Plan(desired.name, steps, desired, observed)
    differences = differing_paths(desired, observed)
    steps = (*((Step.UPDATE,) if differences else ()), *(() if observed.enabled else (Step.ENABLE,)))
    return Plan(desired.name, steps, desired, observed, differences)


def plan_removal(owner: Owner, name: str, observed: ObservedAgent | None, *, keep: bool) -> Plan:
    """What ends `owner`'s hold on the agent: delete it, or with `keep` only release its stamp.

    An agent that is gone, or that is not the owner's, needs nothing: it is left as it is.
    """
    if observed is None or observed.stamp is None or observed.stamp.owner != owner:
        return Plan(name, observed=observed)
    return Plan(name, (Step.RELEASE if keep else Step.DELETE,), observed=observed)


def check_ownership(owner: Owner, observed: ObservedAgent) -> None:
    """Raise OwnershipError unless `observed` bears `owner`'s stamp for that very name."""
    problem = _ownership_problem(owner, observed.name, observed.stamp)
    if problem is not None:
        raise problem


def _ownership_problem(owner: Owner, name: str, stamp: Stamp | None) -> OwnershipError | None:
    if stamp is None:
        return AdoptionRequired(
            f"An agent named {name} exists in the project and was not made by this operator; "
            "delete or rename it there, or choose another spec.agentId."
        )
    if stamp.owner != owner:
        return OwnershipConflict(
            f"The agent {name} belongs to {stamp.owner}, not to {owner}; choose another spec.agentId."
        )
    return None


def differing_paths(desired: DesiredAgent, observed: ObservedAgent) -> tuple[str, ...]:
    """The paths in which the observed definition differs from the desired one, sorted.

    Normalised fields are compared, never the stamp's hash, which an edit by hand copies along. What a
    service changes on its own is no difference: the order of tools, outer white space.
    """
    want, have = desired.definition, observed.definition
    paths = []
    if want.deployment != have.deployment:
        paths.append("deployment")
    if want.instructions.strip() != have.instructions.strip():
        paths.append("instructions")
    paths.extend(_differing_tools(want, have))
    paths.extend(
        f"metadata.{key}"
        for key in sorted({*want.metadata, *have.metadata})
        if want.metadata.get(key) != have.metadata.get(key)
    )
    if observed.stamp is not None and _marks(desired.stamp) != _marks(observed.stamp):
        paths.append("stamp")
    return tuple(paths)


def _differing_tools(want: AgentDefinition, have: AgentDefinition) -> list[str]:
    wanted, found = _by_key(want.tools), _by_key(have.tools)
    return [f"tools.{key}" for key in sorted({*wanted, *found}) if wanted.get(key) != found.get(key)]


def _by_key(tools: tuple[Tool, ...]) -> dict[str, object]:
    contents = (tool_content(tool) for tool in tools)
    return {content.get("name", content["type"]): content for content in contents}


def _marks(stamp: Stamp) -> tuple[str, str]:
    return stamp.agent_id, stamp.adapter
