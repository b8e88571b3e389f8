"""The definition's hash: the same for the same agent, another for any change that a person would see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.samples import DEFINITION, DESIRED, FUNCTION, STAMP, STRANGER

from AgentOperatingSystem.model.definition import (
    AgentDefinition,
    CodeInterpreterTool,
    DesiredAgent,
    FileSearchTool,
    OtherTool,
    Tool,
    definition_hash,
    tool_content,
)
from AgentOperatingSystem.model.deployment import deployment_name


def changed(**fields: Any) -> DesiredAgent:
    return replace(DESIRED, definition=replace(DEFINITION, **fields))


def test_the_hash_has_the_shape_that_status_promises() -> None:
    digest = definition_hash(DESIRED)
    assert digest.startswith("sha256:")
    assert len(digest) == len("sha256:") + 64
    assert definition_hash(DESIRED) == digest


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (replace(DESIRED, stamp=replace(STAMP, uid="uid-2")), "a resource restored from a backup"),
        (replace(DESIRED, stamp=replace(STAMP, hash="sha256:1")), "the hash is not part of itself"),
        (changed(metadata=dict(reversed(DEFINITION.metadata.items()))), "the order of pairs says nothing"),
        (
            changed(tools=(replace(FUNCTION, parameters=dict(reversed(FUNCTION.parameters.items()))),)),
            "the order of a schema's keys says nothing",
        ),
    ],
)
def test_the_hash_stays(other: DesiredAgent, reason: str) -> None:
    assert definition_hash(other) == definition_hash(DESIRED), reason


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (changed(deployment="llama-3.3-70b-cfo"), "another deployment"),
        (changed(instructions="You are the agent cfo."), "other instructions"),
        (changed(tools=()), "no tools"),
        (changed(tools=(replace(FUNCTION, name="erpnext__other"),)), "another tool"),
        (changed(tools=(replace(FUNCTION, description="Other"),)), "another description of a tool"),
        (changed(tools=(replace(FUNCTION, parameters={"type": "object"}),)), "another schema of a tool"),
        (changed(tools=(FUNCTION, CodeInterpreterTool())), "a tool more"),
        (changed(metadata={"team": "finance"}), "another pair"),
        (changed(metadata={}), "no pairs"),
        (replace(DESIRED, stamp=replace(STAMP, owner=STRANGER)), "another owner"),
        (replace(DESIRED, stamp=replace(STAMP, agent_id="cfo")), "another agent id"),
    ],
)
def test_the_hash_changes(other: DesiredAgent, reason: str) -> None:
    assert definition_hash(other) != definition_hash(DESIRED), reason


def test_every_field_of_a_definition_is_part_of_the_hash() -> None:
    tried = {"deployment", "instructions", "tools", "metadata"}
    assert set(AgentDefinition.__dataclass_fields__) == tried, "a new field needs a row in the table above"


@pytest.mark.parametrize(
    ("one", "same", "reason"),
    [
        (CodeInterpreterTool(("f2", "f1")), CodeInterpreterTool(("f1", "f2")), "files are a set"),
        (FileSearchTool(("vs_2", "vs_1")), FileSearchTool(("vs_1", "vs_2")), "vector stores are a set"),
        (FUNCTION, replace(FUNCTION, description=" Figures of the company\n"), "outer white space"),
        (OtherTool("mcp"), OtherTool("mcp"), "a tool that we never ask for is known by its kind"),
    ],
)
def test_equal_tools_have_equal_contents(one: Tool, same: Tool, reason: str) -> None:
    assert tool_content(one) == tool_content(same), reason


@pytest.mark.parametrize(
    ("model", "adapter", "name"),
    [
        ("llama-3.3-70b", "ceo", "llama-3.3-70b-ceo"),
        ("llama-3.3-70b", "", "llama-3.3-70b"),
        ("gateway/llama-3.3-70b", "ceo", "gateway/llama-3.3-70b-ceo"),
    ],
)
def test_a_deployment_is_named_after_model_and_adapter(model: str, adapter: str, name: str) -> None:
    assert deployment_name(model, adapter) == name
