"""What a pass would do about a resource, without doing it: the reconciler's own decisions, looked at.

Why not in the reconciler: it may only ask. Its port to the runtime has no call that writes, so that a
preview is safe to run against production, from a laptop or for a pull request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from AgentOperatingSystem.model.definition import AgentDefinition, ObservedAgent, tool_content
from AgentOperatingSystem.model.errors import AOSError, ModelNotFound, OwnershipError
from AgentOperatingSystem.model.facts import ModelCheck, ModelFinding, RuntimeFacts
from AgentOperatingSystem.model.plan import Plan, Step, differing_paths, make_plan
from AgentOperatingSystem.model.stamp import AgentIdentity, Stamp
from AgentOperatingSystem.reconcile.desired import DesiredState
from AgentOperatingSystem.reconcile.home import check_home
from AgentOperatingSystem.reconcile.resource import POLICY_ANNOTATION, SKIP, ObjectKey, Resource
from AgentOperatingSystem.reconcile.status import missing_model
from AgentOperatingSystem.reconcile.verdict import Reason, verdict_on

NOTHING, REFUSE = "Nothing", "Refuse"
_WRITES = frozenset({Step.CREATE, Step.UPDATE, Step.ADOPT})
_EMPTY = AgentDefinition(deployment="", instructions="")


class Lookout(Protocol):
    """The runtime, as far as it can be looked at. Both raise from the one error tree."""

    async def observe(
        self, identity: AgentIdentity, *, fresh: bool, known_id: str = "", doubtful: bool = False
    ) -> ObservedAgent | None:
        """The agent as it is now."""

    async def find_model(self, deployment: str) -> ModelFinding:
        """Whether the project has the deployment."""


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
class Preview:
    """What a pass would do about one resource. `version` is the agent's present one, None without one.

    `changes` are what a write would change; with a refusal, what it would have changed.
    """

    key: ObjectKey
    agent: str
    steps: tuple[Step, ...] = ()
    changes: tuple[Change, ...] = ()
    remarks: tuple[str, ...] = ()
    version: str | None = None
    refusal: Refusal | None = None

    @property
    def actions(self) -> tuple[str, ...]:
        """The words for it: the plan's steps, or Nothing, or Refuse."""
        if self.refusal is not None:
            return (REFUSE,)
        return tuple(self.steps) or (NOTHING,)


async def preview(
    resource: Resource, facts: RuntimeFacts, desired: DesiredState, runtime: Lookout
) -> Preview:
    """The preview of one resource. Raises what keeps the runtime from being looked at."""
    known = Preview(resource.key, desired.agent.name)
    if resource.paused:
        return replace(known, remarks=(f"Paused by the annotation {POLICY_ANNOTATION}: {SKIP}.",))
    try:
        check_home(resource, facts, desired.agent.name)
        observed = await runtime.observe(desired.agent.identity, fresh=True, doubtful=True)
        known = replace(known, version=observed.version if observed else None)
        plan = make_plan(desired.agent, observed, desired.claim, correct_drift=desired.correct_drift)
    except OwnershipError as error:
        return _refused(known, error)
    known = replace(known, steps=plan.steps, changes=changes(plan), remarks=_remarks(plan))
    missing = await _missing_model(facts, plan, runtime)
    if missing is None:
        return known
    if facts.model_check is ModelCheck.ENFORCE:
        return _refused(known, ModelNotFound(missing))
    return replace(known, remarks=(*known.remarks, missing))


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


async def _missing_model(facts: RuntimeFacts, plan: Plan, runtime: Lookout) -> str | None:
    """The sentence on a deployment that a pass would look up and not find."""
    if plan.desired is None or not plan.desired.enabled or not plan.steps:
        return None
    name = plan.desired.definition.deployment
    if facts.model_check is ModelCheck.OFF or "/" in name:
        return None
    found = await runtime.find_model(name)
    return None if found.available else missing_model(name, found, facts.endpoint)


def _refused(known: Preview, error: AOSError) -> Preview:
    return replace(known, refusal=Refusal(verdict_on(error).reason, str(error)))
