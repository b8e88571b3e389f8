"""What holds for every resource, however odd, and not only for those that somebody thought of."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.reliability.specs import problems_with, specs

from AgentOperatingSystem.api.conditions import broken_rules
from AgentOperatingSystem.api.v1alpha1 import FINALIZER, PurposeDrivenAgentStatus
from AgentOperatingSystem.model import errors
from AgentOperatingSystem.model.definition import DesiredAgent, ObservedAgent
from AgentOperatingSystem.model.errors import AOSError, SpecRejected
from AgentOperatingSystem.model.facts import ModelFinding, RuntimeFacts
from AgentOperatingSystem.model.plan import Claim, Step, make_plan, plan_removal
from AgentOperatingSystem.reconcile.desired import DesiredState, desired_state
from AgentOperatingSystem.reconcile.resource import REQUEST_ANNOTATION, ObjectKey, Resource
from AgentOperatingSystem.reconcile.status import Findings, make_deleting_status, make_status
from AgentOperatingSystem.runtime.foundry_wire import agent_from_wire, definition_to_wire, metadata_to_wire
from AgentOperatingSystem.sandbox.foundry.errors import ApiError
from AgentOperatingSystem.sandbox.foundry.records import Behaviour
from AgentOperatingSystem.sandbox.foundry.server import _agent_body as agent_body
from AgentOperatingSystem.sandbox.foundry.state import Account, Project

EXAMPLES = 60
NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
FACTS = RuntimeFacts(
    "Foundry", "https://acme.services.ai.azure.com/api/projects/board", "llama-3.3-70b", "c1"
)

# The same examples in every run; a busy machine is no bug.
promise = settings(
    derandomize=True,
    deadline=None,
    max_examples=EXAMPLES,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


def resource(
    spec: dict[str, Any], annotations: dict[str, str] | None = None, generation: int = 1
) -> Resource:
    """A resource with that spec, as the API server holds it."""
    return Resource(
        key=ObjectKey("boardroom", "ceo"),
        uid="uid-1",
        resource_version="7",
        generation=generation,
        deleting=False,
        finalizers=(FINALIZER,),
        annotations=annotations or {},
        spec=spec,
        status=PurposeDrivenAgentStatus(),
    )


class Runtime:
    """A project of the embedded Foundry without the wire's transport: what is sent is what is stored."""

    def __init__(self, *, normalise: bool) -> None:
        behaviour = Behaviour(refuse_unknown_models=False, normalise=normalise)
        self._account = Account(deployments=(), behaviour=behaviour, accepted=None, clock=lambda: 0.0)
        self.project: Project = self._account.project("board")

    def apply(self, desired: DesiredAgent, steps: tuple[Step, ...]) -> None:
        """Do the steps, with bodies that went through JSON."""
        for step in steps:
            if step in (Step.CREATE, Step.UPDATE, Step.ADOPT):
                body = {
                    "definition": definition_to_wire(desired.definition),
                    "metadata": metadata_to_wire(desired),
                }
                self.project.create_version(desired.name, json.loads(json.dumps(body)))
            elif step is Step.DELETE:
                self.project.delete_agent(desired.name)
            else:
                self.project.set_enabled(desired.name, enabled=step is Step.ENABLE)

    def observe(self, name: str) -> ObservedAgent | None:
        """The agent as the adapter reports it."""
        if name not in self.project.agents:
            return None
        wire = json.loads(json.dumps(agent_body(self.project.agents[name], 0.0)))
        return agent_from_wire(wire)


@promise
@given(spec=specs())
def test_what_the_crd_lets_through_is_an_agent_or_is_refused_in_words(spec: dict[str, Any]) -> None:
    outcome = _outcome(spec)
    assert outcome == _outcome(spec) or isinstance(outcome, SpecRejected)
    assert not isinstance(outcome, SpecRejected) or outcome.field.startswith("spec.")


@pytest.mark.parametrize("depth", [50, 300, 900])
def test_a_schema_nested_however_deep_is_an_agent_or_is_refused_in_words(depth: int) -> None:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    tools = [{"serverName": "erpnext", "toolName": "get", "inputSchema": schema}]
    outcome = _outcome({"purpose": "Be of use.", "mcpTools": tools})
    assert not isinstance(outcome, SpecRejected) or outcome.field.startswith("spec.mcpTools[0].inputSchema")


@promise
@given(spec=specs(), before=st.none() | specs(), normalise=st.booleans(), foreign=st.booleans())
def test_once_a_plan_is_done_nothing_is_left_to_plan(
    spec: dict[str, Any], before: dict[str, Any] | None, normalise: bool, foreign: bool
) -> None:
    runtime = Runtime(normalise=normalise)
    agent_id = {"agentId": spec["agentId"]} if "agentId" in spec else {}
    if before is not None:
        before = {**{key: value for key, value in before.items() if key != "agentId"}, **agent_id}
        _bring_to(runtime, _desired({**before, "enabled": True}))
        if foreign:
            for name in runtime.project.agents:
                runtime.project.edit_agent(name, {"metadata": {}})
    desired = _desired(spec)
    _bring_to(runtime, desired)

    again = make_plan(desired, runtime.observe(desired.name), Claim(unowned=True))
    assert again.steps == ()
    assert not desired.enabled or again.differences == ()

    runtime.apply(desired, plan_removal(desired.identity, runtime.observe(desired.name), keep=False).steps)
    assert runtime.observe(desired.name) is None
    assert plan_removal(desired.identity, None, keep=False).steps == ()


ERRORS: list[AOSError | None] = [
    None,
    errors.SpecRejected("spec.model", "no"),
    errors.EndpointNotConfigured(),
    errors.ConfigurationError("AOS_CLUSTER_ID", "no"),
    *(
        kind("It is so.")
        for kind in (
            errors.AdoptionRequired,
            errors.OwnershipConflict,
            errors.RuntimeMoved,
            errors.Paused,
            errors.DeletionSlowed,
            errors.RuntimeUnavailable,
            errors.Throttled,
            errors.OutcomeUnknown,
            errors.NotAuthorized,
            errors.NotFound,
            errors.ModelNotFound,
            errors.DefinitionRejected,
            errors.RuntimeFailure,
            errors.AOSError,
        )
    ),
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


@st.composite
def passes(draw: st.DrawFn) -> tuple[Resource, Findings]:
    """A resource and what a pass over it found out, in every way in which a pass can end."""
    wish = draw(st.none() | TEXTS | st.just("x" * 300))
    asked = resource(
        draw(specs()), {} if wish is None else {REQUEST_ANNOTATION: wish}, draw(st.integers(1, 5))
    )
    error = draw(st.sampled_from(ERRORS))
    state = _outcome(dict(asked.spec))
    if isinstance(state, SpecRejected):
        return asked, Findings(facts=FACTS, error=state)
    agent = state.agent
    observed = draw(
        st.none()
        | st.builds(
            lambda ready, failed: ObservedAgent(
                agent.name,
                agent.name,
                "3",
                agent.definition,
                agent.stamp,
                ready=ready,
                failed=failed,
            ),
            st.booleans(),
            st.booleans(),
        )
    )
    drift = tuple(draw(st.lists(TEXTS.filter(bool), max_size=3)))
    model = draw(st.none() | st.builds(ModelFinding, st.booleans(), st.just(("llama-3.3-70b",))))
    thread = draw(st.none() | st.just("conv_1"))
    return asked, Findings(FACTS, state, observed, thread, drift if error is None else (), model, error)


@promise
@given(first=passes(), seconds=st.integers(1, 200), second=st.sampled_from(ERRORS))
def test_every_status_keeps_the_rules_and_is_the_same_when_nothing_new_was_found(
    first: tuple[Resource, Findings], seconds: int, second: AOSError | None
) -> None:
    asked, findings = first
    later = NOW + timedelta(seconds=seconds)
    status = make_status(asked, findings, NOW)
    assert keeps_the_rules(status)
    told = replace(asked, status=_stored(status))
    assert make_status(told, findings, later) == told.status

    other = make_status(told, replace(findings, error=second, drift=()), later)
    assert keeps_the_rules(other)
    told = replace(told, status=_stored(other))
    assert (
        make_status(told, replace(findings, error=second, drift=()), later + timedelta(seconds=1))
        == told.status
    )

    going = make_deleting_status(told, second, later)
    assert keeps_the_rules(going)
    assert make_deleting_status(replace(told, status=_stored(going)), second, later) == _stored(going)


def keeps_the_rules(status: PurposeDrivenAgentStatus) -> bool:
    """True when the API server takes it and every client reads it alike; says what is wrong otherwise."""
    assert broken_rules(status) == []
    assert problems_with(_json(status), "status") == []
    return True


def _json(status: PurposeDrivenAgentStatus) -> dict[str, Any]:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def _stored(status: PurposeDrivenAgentStatus) -> PurposeDrivenAgentStatus:
    """The status as it comes back from the API server."""
    return PurposeDrivenAgentStatus.model_validate(json.loads(json.dumps(_json(status))))


def _outcome(spec: dict[str, Any]) -> DesiredState | SpecRejected:
    """What the spec asks for, or its refusal; anything else that is raised fails the test."""
    try:
        return desired_state(resource(spec), FACTS)
    except SpecRejected as refused:
        return refused


def _desired(spec: dict[str, Any]) -> DesiredAgent:
    """The agent that the spec asks for; what is refused is no example."""
    outcome = _outcome(spec)
    assume(not isinstance(outcome, SpecRejected))
    assert not isinstance(outcome, SpecRejected)
    return outcome.agent


def _bring_to(runtime: Runtime, desired: DesiredAgent) -> None:
    plan = make_plan(desired, runtime.observe(desired.name), Claim(unowned=True))
    try:
        runtime.apply(desired, plan.steps)
    except ApiError:
        assume(condition=False)  # refused by the runtime: told as DefinitionRejected, and nothing was done
