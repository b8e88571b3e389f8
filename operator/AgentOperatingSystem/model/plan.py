"""Decide what to do about the difference between the desired and the observed agent. Pure.

The plan is made here, under both the reconciler and `deploy_agent`, so that there is one way to make an
agent and one place that says which agents may be touched.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from AgentOperatingSystem.model.definition import (
    AgentDefinition,
    DesiredAgent,
    ObservedAgent,
    Tool,
    tool_content,
)
from AgentOperatingSystem.model.errors import AdoptionRequired, OwnershipConflict, OwnershipError
from AgentOperatingSystem.model.stamp import AgentIdentity, Owner, Stamp

NAMESAKES_TOLD = 5


class Step(StrEnum):
    """One thing to do in the runtime."""

    CREATE = "Create"
    UPDATE = "Update"
    ADOPT = "Adopt"
    ENABLE = "Enable"
    DISABLE = "Disable"
    RELEASE = "Release"
    DELETE = "Delete"


@dataclass(frozen=True, slots=True)
class Claim:
    """Which agents that are not its own a resource may take over: unstamped ones, or one owner's."""

    unowned: bool = False
    owner: Owner | None = None

    def covers(self, stamp: Stamp | None) -> bool:
        """True when an agent that bears `stamp` may be taken over."""
        return self.unowned if stamp is None else stamp.owner == self.owner


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps that make `observed` what is desired, in order; none means Nothing.

    `differences` are the paths of the definition in which the two differ. `desired` is None when the
    agent is to be released or deleted.
    """

    identity: AgentIdentity
    steps: tuple[Step, ...] = ()
    desired: DesiredAgent | None = None
    observed: ObservedAgent | None = None
    differences: tuple[str, ...] = ()
    drifted: bool = False

    @property
    def name(self) -> str:
        """The agent's name in the runtime."""
        return self.identity.name

    @property
    def drift(self) -> tuple[str, ...]:
        """The differences that somebody made in the runtime, though nothing else was asked for."""
        return self.differences if self.drifted else ()


def make_plan(
    desired: DesiredAgent,
    observed: ObservedAgent | None,
    claim: Claim | None = None,
    *,
    correct_drift: bool = True,
) -> Plan:
    """What makes the runtime hold `desired`. Raises OwnershipError when the agent is not its owner's.

    A disabled agent is neither made nor changed: nothing of it runs, and the newest definition is
    written when it is enabled again. What `claim` covers is taken over. Drift is what differs although
    the version was written for this very definition, as the hash in its stamp says; without
    `correct_drift` it is told in the plan and left.
    """
    if observed is None:
        return Plan(desired.identity, (Step.CREATE,) if desired.enabled else (), desired)
    write: tuple[Step, ...] = ()
    if not desired.identity.owns(observed.stamp):
        observed = _to_take_over(desired.identity, observed, claim or Claim())
        write = (Step.ADOPT,)
    differences = differing_paths(desired, observed)
    drifted = bool(differences) and observed.stamp is not None and observed.stamp.hash == desired.stamp.hash
    if not write and desired.enabled and differences and (correct_drift or not drifted):
        write = (Step.UPDATE,)
    steps = write + _toggle(desired, observed)
    return Plan(desired.identity, steps, desired, observed, differences, drifted and desired.enabled)


def plan_removal(identity: AgentIdentity, observed: ObservedAgent | None, *, keep: bool) -> Plan:
    """What ends the owner's hold on the agent: delete it, or with `keep` only release its stamp.

    An agent that is gone, or that is not the owner's, needs nothing: it is left as it is.
    """
    if observed is None or not identity.owns(observed.stamp):
        return Plan(identity, observed=observed)
    return Plan(identity, (Step.RELEASE if keep else Step.DELETE,), observed=observed)


def surplus_versions(versions: Sequence[ObservedAgent], identity: AgentIdentity, *, limit: int) -> list[str]:
    """The versions to delete, of `versions` from newest to oldest: never the newest, nor one not ours.

    Those are the ones right behind the newest that say the same as it does, left by a write whose answer
    was lost or by a second operator, and the oldest ones beyond `limit`.
    """
    surplus = []
    newest, *older = versions
    for version in older:
        if version.definition != newest.definition or version.stamp != newest.stamp:
            break
        surplus.append(version.version)
    kept = [version.version for version in older if version.version not in surplus]
    ours = {version.version for version in older if identity.owns(version.stamp)}
    return [number for number in (*surplus, *kept[max(0, limit - 1) :]) if number in ours]


def _toggle(desired: DesiredAgent, observed: ObservedAgent) -> tuple[Step, ...]:
    if desired.enabled == observed.enabled:
        return ()
    return (Step.ENABLE,) if desired.enabled else (Step.DISABLE,)


def _to_take_over(identity: AgentIdentity, observed: ObservedAgent, claim: Claim) -> ObservedAgent:
    """The one agent of the name that the claim covers. Raises OwnershipError for none, or several."""
    covered = [one for one in (observed, *observed.namesakes) if claim.covers(one.stamp)]
    if not covered:
        raise _ownership_problem(identity, observed.stamp)
    if len(covered) > 1:
        ids = ", ".join(one.agent_id for one in covered[:NAMESAKES_TOLD])
        more = f" and {len(covered) - NAMESAKES_TOLD} more" if len(covered) > NAMESAKES_TOLD else ""
        kind = AdoptionRequired if covered[0].stamp is None else OwnershipConflict
        raise kind(
            f"Several agents named {identity.name} could be taken over: {ids}{more}; delete or rename all "
            "but one, or choose another spec.agentId."
        )
    return replace(covered[0], namesakes=())


def _ownership_problem(identity: AgentIdentity, stamp: Stamp | None) -> OwnershipError:
    if stamp is None:
        return AdoptionRequired(
            f"An agent named {identity.name} exists in the project and was made by other means; allow taking "
            "it over with spec.adoptionPolicy: AdoptUnowned, or choose another spec.agentId."
        )
    if stamp.owner == identity.owner:
        return OwnershipConflict(
            f"The agent {identity.name} bears a stamp that was made for the agent {stamp.agent_id}, so it "
            "was copied by hand; delete the agent there, or choose another spec.agentId."
        )
    return OwnershipConflict(
        f"The agent {identity.name} belongs to {stamp.owner}, not to {identity.owner}; choose another "
        "spec.agentId, or take it over with the annotation "
        f"agentoperatingsystem.io/adopt-from: {stamp.owner}."
    )


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
    differing = {key for key in {*wanted, *found} if wanted.get(key) != found.get(key)}
    return [f"tools.{name or kind}" for kind, name in sorted(differing)]


def _by_key(tools: tuple[Tool, ...]) -> dict[tuple[str, str], list[str]]:
    """The tools under their type and name, in no order; what shares both is compared as a whole."""
    contents: dict[tuple[str, str], list[str]] = {}
    for tool in tools:
        content = tool_content(tool)
        key = (content["type"], content.get("name", ""))
        contents.setdefault(key, []).append(json.dumps(content, sort_keys=True))
    return {key: sorted(texts) for key, texts in contents.items()}


def _marks(stamp: Stamp) -> tuple[str, str]:
    return stamp.agent_id, stamp.adapter
