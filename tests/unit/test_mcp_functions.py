"""MCP tools as functions: names that every runtime takes, and that mean the same tool every time."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from AgentOperatingSystem.model.errors import SpecRejected
from AgentOperatingSystem.tools import McpToolReference, convert_mcp_tools_to_function_tools

VALID_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
REFERENCES = st.builds(
    McpToolReference,
    server_name=st.text("ab._-/ü", min_size=1, max_size=3),
    tool_name=st.text("ab._-/ü", min_size=1, max_size=80),
)
SETS = st.lists(
    REFERENCES, max_size=8, unique_by=lambda reference: (reference.server_name, reference.tool_name)
)


def names(*tools: McpToolReference) -> list[str]:
    return [function.function.name for function in convert_mcp_tools_to_function_tools(tools)]


@given(tools=SETS)
def test_every_name_is_valid_and_no_two_are_the_same(tools: list[McpToolReference]) -> None:
    made = names(*tools)
    assert all(VALID_NAME.fullmatch(name) for name in made)
    assert len(set(made)) == len(tools)


@given(orders=SETS.flatmap(lambda tools: st.tuples(st.just(tools), st.permutations(tools))))
def test_a_tool_has_the_same_name_in_whatever_order(
    orders: tuple[list[McpToolReference], list[McpToolReference]],
) -> None:
    one, other = (sorted(zip(map(str, tools), names(*tools), strict=True)) for tools in orders)
    assert one == other


@pytest.mark.parametrize(
    ("server", "tool", "name", "reason"),
    [
        ("erpnext", "get_company_overview", "erpnext__get_company_overview", "the plain case"),
        ("erp.next", "get/overview", "erp_next__get_overview", "what a runtime refuses becomes _"),
        ("erp", "übersicht", "erp___bersicht", "letters outside ASCII too"),
        ("s" * 31, "t" * 31, f"{'s' * 31}__{'t' * 31}", "64 characters are let through"),
    ],
)
def test_a_function_is_named_after_server_and_tool(server: str, tool: str, name: str, reason: str) -> None:
    assert names(McpToolReference(server, tool)) == [name], reason


def test_a_long_name_keeps_its_head_and_is_made_unique_by_a_digest() -> None:
    one, other = names(McpToolReference("s" * 60, "one" * 10), McpToolReference("s" * 60, "two" * 10))
    assert one != other
    assert len(one) == len(other) == 64
    assert re.fullmatch(r"s{55}_[0-9a-f]{8}", one)


def test_tools_whose_names_collide_all_get_a_digest() -> None:
    made = names(McpToolReference("erp.a", "x"), McpToolReference("erp_a", "x"), McpToolReference("b", "x"))
    assert all(re.fullmatch(r"erp_a__x_[0-9a-f]{8}", name) for name in made[:2])
    assert made[0] != made[1]
    assert made[2] == "b__x", "the tool that collides with none keeps its plain name"


def test_functions_come_in_the_order_of_their_tools_and_know_them() -> None:
    tools = [McpToolReference("b", "x"), McpToolReference("a", "y", configuration={"k": 1})]
    made = convert_mcp_tools_to_function_tools(tools)
    assert [function.reference for function in made] == tools


@pytest.mark.parametrize(
    ("description", "expected", "reason"),
    [
        ("  Figures\n", "Figures", "outer white space says nothing"),
        ("", "get of erp", "a model needs some description to choose by"),
        ("   ", "get of erp", "blank is none"),
    ],
)
def test_a_function_always_has_a_description(description: str, expected: str, reason: str) -> None:
    (made,) = convert_mcp_tools_to_function_tools([McpToolReference("erp", "get", description)])
    assert made.function.description == expected, reason


@pytest.mark.parametrize(
    ("schema", "parameters", "is_open", "reason"),
    [
        (None, {"type": "object", "properties": {}, "additionalProperties": True}, True, "any object"),
        ({}, {"type": "object"}, False, "the type is filled in"),
        (
            {"type": "object", "properties": {"year": {"type": "integer"}}, "required": ["year"]},
            {"type": "object", "properties": {"year": {"type": "integer"}}, "required": ["year"]},
            False,
            "a schema is handed on as it is",
        ),
    ],
)
def test_a_schema_becomes_the_parameters(
    schema: dict[str, Any] | None, parameters: dict[str, Any], is_open: bool, reason: str
) -> None:
    (made,) = convert_mcp_tools_to_function_tools([McpToolReference("erp", "get", "", schema)])
    assert made.function.parameters == parameters, reason
    assert made.schema_is_open is is_open, reason


@pytest.mark.parametrize(
    ("schema", "field", "reason"),
    [
        ({"type": "array"}, "spec.mcpTools[1].inputSchema", "a function's input is an object"),
        ({"type": ["object", "null"]}, "spec.mcpTools[1].inputSchema", "and nothing but an object"),
        (
            {"properties": {"year": {"type": "integr"}}},
            "spec.mcpTools[1].inputSchema.properties.year.type",
            "a word that JSON schema does not know",
        ),
        ({"required": "year"}, "spec.mcpTools[1].inputSchema.required", "a list is wanted"),
        ({"properties": []}, "spec.mcpTools[1].inputSchema.properties", "a mapping is wanted"),
    ],
)
def test_what_is_no_schema_is_refused_by_its_path(schema: dict[str, Any], field: str, reason: str) -> None:
    tools = [McpToolReference("erp", "fine"), McpToolReference("erp", "get", "", schema)]
    with pytest.raises(SpecRejected) as caught:
        convert_mcp_tools_to_function_tools(tools, path="spec.mcpTools")
    assert caught.value.field == field, reason


def test_a_tool_that_is_listed_twice_is_refused_by_its_place() -> None:
    tools = [McpToolReference("erp", "get"), McpToolReference("a", "b"), McpToolReference("erp", "get", "x")]
    with pytest.raises(SpecRejected, match="erp/get is listed twice") as caught:
        convert_mcp_tools_to_function_tools(tools, path="spec.mcpTools")
    assert caught.value.field == "spec.mcpTools[2]"


@pytest.mark.parametrize(
    ("entry", "reference", "reason"),
    [
        ({"server_name": "erp", "tool_name": "get"}, McpToolReference("erp", "get"), "the rest is optional"),
        (
            {
                "server_name": "erp",
                "tool_name": "get",
                "description": "Figures",
                "input_schema": {"type": "object"},
                "configuration": {"site": "a"},
            },
            McpToolReference("erp", "get", "Figures", {"type": "object"}, {"site": "a"}),
            "everything said",
        ),
        (
            {"server_name": "erp", "tool_name": "get", "input_schema": None, "configuration": None},
            McpToolReference("erp", "get"),
            "null is as good as absent",
        ),
    ],
)
def test_an_entry_of_a_registry_file_is_a_reference(
    entry: dict[str, Any], reference: McpToolReference, reason: str
) -> None:
    (made,) = convert_mcp_tools_to_function_tools([entry])
    assert made.reference == reference, reason


@pytest.mark.parametrize("missing", ["server_name", "tool_name"])
@pytest.mark.parametrize("value", [None, ""])
def test_an_entry_without_a_name_is_refused(missing: str, value: str | None) -> None:
    with pytest.raises(SpecRejected) as caught:
        convert_mcp_tools_to_function_tools([{"server_name": "a", "tool_name": "b", missing: value}])
    assert caught.value.field.endswith(missing)


def test_a_null_description_is_none() -> None:
    entry = {"server_name": "erp", "tool_name": "get", "description": None}
    (made,) = convert_mcp_tools_to_function_tools([entry])
    assert made.function.description == "get of erp"


@pytest.mark.parametrize("schema", ["object", 3, ["object"]])
def test_an_entry_whose_schema_is_no_mapping_is_refused(schema: object) -> None:
    with pytest.raises(SpecRejected):
        convert_mcp_tools_to_function_tools(
            [{"server_name": "erp", "tool_name": "get", "input_schema": schema}]
        )


@pytest.mark.parametrize(("depth", "fits"), [(10, True), (200, False), (5000, False)])
def test_a_schema_is_nested_as_deep_as_is_sane(depth: int, fits: bool) -> None:
    schema: dict[str, object] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"p": schema}}
    tools = [{"server_name": "erp", "tool_name": "read", "input_schema": schema}]
    if fits:
        assert convert_mcp_tools_to_function_tools(tools)
    else:
        with pytest.raises(SpecRejected, match="nested deeper"):
            convert_mcp_tools_to_function_tools(tools)
