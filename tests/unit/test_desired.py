"""What a resource asks for: from spec and settings to the agent, and which field is wrong when it cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.samples import FACTS, LIBRARY, OWNER, STRANGER, resource

from AgentOperatingSystem.model.definition import CodeInterpreterTool, FileSearchTool, FunctionTool
from AgentOperatingSystem.model.errors import SpecRejected
from AgentOperatingSystem.model.plan import Claim, make_plan
from AgentOperatingSystem.model.stamp import Owner, Stamp
from AgentOperatingSystem.reconcile.desired import desired_state, identity_of, parsed_spec
from AgentOperatingSystem.reconcile.resource import ADOPT_FROM_ANNOTATION, ADOPTED_FROM_ANNOTATION

WHOLE: dict[str, Any] = {
    "purpose": "Strategic oversight",
    "purposeScope": "Planning",
    "successCriteria": ["Drive growth"],
    "systemMessage": "You are the CEO.",
    "adapterName": "ceo",
    "mcpTools": [{"serverName": "erpnext", "toolName": "get", "inputSchema": {"type": "object"}}],
    "tools": {"codeInterpreter": {"fileIds": ["f1"]}, "fileSearch": {"vectorStoreIds": ["vs_1"]}},
    "runtimeMetadata": {"team": "board"},
}


def test_the_whole_spec_is_found_in_the_agent() -> None:
    agent = desired_state(resource(WHOLE), FACTS).agent
    assert agent.name == "ceo"
    assert agent.enabled
    assert agent.definition.deployment == "llama-3.3-70b-ceo"
    assert agent.definition.instructions.startswith("You are the CEO.\n\nYour purpose: Strategic oversight\n")
    assert "Planning" in agent.definition.instructions
    assert "- Drive growth" in agent.definition.instructions
    assert agent.definition.tools == (
        FunctionTool("erpnext__get", "get of erpnext", {"type": "object"}),
        CodeInterpreterTool(("f1",)),
        FileSearchTool(("vs_1",)),
    )
    assert agent.definition.metadata == {"team": "board"}
    assert agent.stamp == Stamp(OWNER, "ceo", "ceo", "uid-1", agent.stamp.hash)
    assert agent.stamp.hash.startswith("sha256:")


def test_the_same_spec_gives_the_same_agent() -> None:
    assert desired_state(resource(WHOLE), FACTS) == desired_state(
        resource(dict(reversed(WHOLE.items()))), FACTS
    )


def test_a_restored_resource_makes_no_new_version() -> None:
    before = desired_state(resource(WHOLE, uid="uid-1"), FACTS).agent
    after = desired_state(resource(WHOLE, uid="uid-2"), FACTS).agent
    assert after.stamp.hash == before.stamp.hash
    assert after.identity == before.identity


@pytest.mark.parametrize(
    ("spec", "facts", "deployment", "adapter", "reason"),
    [
        ({"adapterName": "ceo"}, FACTS, "llama-3.3-70b-ceo", "ceo", "the tuned deployment"),
        ({}, FACTS, "llama-3.3-70b", "", "no adapter: the base model"),
        ({"model": "llama-4", "adapterName": "ceo"}, FACTS, "llama-4-ceo", "ceo", "the spec's model"),
        ({"model": "gw/llama-4"}, FACTS, "gw/llama-4", "", "a model behind a connection"),
        (
            {"adapterName": "ceo"},
            replace(FACTS, lora_adapters=False),
            "llama-3.3-70b",
            "ceo",
            "adapters are off: the stamp still says which one it would be",
        ),
        ({"model": "m" * 60, "adapterName": "abc"}, FACTS, f"{'m' * 60}-abc", "abc", "64 characters fit"),
        (
            {"model": f"gw/{'m' * 60}", "adapterName": "ceo"},
            FACTS,
            f"gw/{'m' * 60}-ceo",
            "ceo",
            "not ours to bound",
        ),
    ],
)
def test_the_deployment_is_chosen(
    spec: dict[str, Any], facts: Any, deployment: str, adapter: str, reason: str
) -> None:
    agent = desired_state(resource({"purpose": "p", **spec}), facts).agent
    assert agent.definition.deployment == deployment, reason
    assert agent.stamp.adapter == adapter, reason


@pytest.mark.parametrize(
    ("spec", "stateful", "keeps", "reason"),
    [
        ({}, True, True, "by default"),
        ({"thread": {"scope": "Agent"}}, True, True, "as asked for"),
        ({"thread": {"scope": "Event"}}, True, False, "a thread for each event"),
        ({"thread": {"scope": "Agent"}}, False, False, "threads are off altogether"),
    ],
)
def test_a_thread_is_kept(spec: dict[str, Any], stateful: bool, keeps: bool, reason: str) -> None:
    facts = replace(FACTS, stateful_threads=stateful)
    assert desired_state(resource({"purpose": "p", **spec}), facts).keeps_thread is keeps, reason


@pytest.mark.parametrize(
    ("spec", "correct", "limit"),
    [({}, True, 10), ({"driftPolicy": "Report", "versionHistoryLimit": 3}, False, 3)],
)
def test_policies_are_handed_on(spec: dict[str, Any], correct: bool, limit: int) -> None:
    state = desired_state(resource({"purpose": "p", **spec}), FACTS)
    assert (state.correct_drift, state.version_history_limit) == (correct, limit)


@pytest.mark.parametrize("enabled", [True, False])
def test_a_disabled_agent_is_asked_for_as_such(enabled: bool) -> None:
    assert desired_state(resource({"purpose": "p", "enabled": enabled}), FACTS).agent.enabled is enabled


@pytest.mark.parametrize(
    ("spec", "annotations", "claim", "reason"),
    [
        ({}, {}, Claim(), "nothing that is not its own"),
        ({"adoptionPolicy": "Never"}, {}, Claim(), "nothing that is not its own"),
        ({"adoptionPolicy": "AdoptUnowned"}, {}, Claim(unowned=True), "what bears no stamp"),
        ({}, {ADOPT_FROM_ANNOTATION: "c1/elsewhere/ceo"}, Claim(owner=STRANGER), "what that owner has"),
        ({}, {ADOPT_FROM_ANNOTATION: "library"}, Claim(owner=LIBRARY), "what a program made"),
        (
            {},
            {ADOPT_FROM_ANNOTATION: "c1/elsewhere/ceo", ADOPTED_FROM_ANNOTATION: "c1/elsewhere/ceo"},
            Claim(),
            "done once: the annotation stays in Git and is not heeded again",
        ),
        (
            {},
            {ADOPT_FROM_ANNOTATION: "c1/elsewhere/ceo", ADOPTED_FROM_ANNOTATION: "library"},
            Claim(owner=STRANGER),
            "another one than was done",
        ),
    ],
)
def test_what_a_resource_may_take_over(
    spec: dict[str, Any], annotations: dict[str, str], claim: Claim, reason: str
) -> None:
    state = desired_state(resource({"purpose": "p", **spec}, annotations=annotations), FACTS)
    assert state.claim == claim, reason


@pytest.mark.parametrize(
    ("spec", "field", "reason"),
    [
        ({}, "spec.purpose", "required"),
        ({"purpose": ""}, "spec.purpose", "not blank"),
        ({"purpose": 3}, "spec.purpose", "a text"),
        ({"purpose": "p", "colour": "red"}, "spec.colour", "no such field in this version"),
        ({"purpose": "p", "successCriteria": ["a", ""]}, "spec.successCriteria[1]", "by its place in a list"),
        ({"purpose": "p", "mcpTools": [{"serverName": "a"}]}, "spec.mcpTools[0].toolName", "required"),
        ({"purpose": "p", "thread": {"scope": "Week"}}, "spec.thread.scope", "no such word"),
        (
            {"purpose": "p", "model": "m" * 62, "adapterName": "abc"},
            "spec.adapterName",
            "a deployment has at most 64 characters",
        ),
        (
            {
                "purpose": "p",
                "mcpTools": [{"serverName": "a", "toolName": "b", "inputSchema": {"type": "x"}}],
            },
            "spec.mcpTools[0].inputSchema",
            "no schema of an object",
        ),
        (
            {"purpose": "p", "mcpTools": [{"serverName": "a", "toolName": "b"}] * 2},
            "spec.mcpTools[1]",
            "listed twice",
        ),
    ],
)
def test_a_spec_that_cannot_be_is_refused_by_its_field(spec: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(SpecRejected) as caught:
        desired_state(resource(spec), FACTS)
    assert caught.value.field == field, reason
    assert str(caught.value).startswith(field)


def test_an_annotation_that_names_no_owner_is_refused_by_its_name() -> None:
    with pytest.raises(SpecRejected, match="cluster/namespace/name") as caught:
        desired_state(resource(annotations={ADOPT_FROM_ANNOTATION: "ceo"}), FACTS)
    assert ADOPT_FROM_ANNOTATION in caught.value.field


def test_what_was_wrong_with_a_value_is_told_without_the_value() -> None:
    with pytest.raises(SpecRejected) as caught:
        parsed_spec({"purpose": "p", "enabled": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_an_identity_is_known_though_the_spec_is_refused() -> None:
    """A resource whose spec no version of ours reads can still be deleted."""
    identity = identity_of(resource({"agentId": "chief", "nonsense": True}), FACTS)
    assert (identity.name, identity.owner, identity.agent_id) == ("chief", OWNER, "chief")


def test_two_resources_never_own_one_agent() -> None:
    one = desired_state(resource(WHOLE), FACTS).agent
    twin = desired_state(resource({**WHOLE, "agentId": "ceo"}, name="boss"), FACTS).agent
    assert twin.name == one.name
    assert twin.stamp.owner == Owner(OWNER.kind, "c1", "boardroom", "boss") != one.stamp.owner
    assert make_plan(one, None).steps
