"""The generated CRD: a schema that a real API server takes, and files that are what the models say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from AgentOperatingSystem.api import v1alpha1
from AgentOperatingSystem.api.crd import crds, purpose_driven_agent_crd, structural, to_yaml
from AgentOperatingSystem.reconcile.desired import parsed_spec

CRDS = Path(__file__).parents[2] / "crds"
UNSTRUCTURAL = {"$ref", "$defs", "anyOf", "oneOf", "allOf", "not", "title", "const", "additionalItems"}

Node = tuple[str, dict[str, Any]]


def version_of(crd: dict[str, Any]) -> dict[str, Any]:
    (version,) = crd["spec"]["versions"]
    return dict(version)


def schema(crd: dict[str, Any]) -> dict[str, Any]:
    whole: dict[str, Any] = version_of(crd)["schema"]["openAPIV3Schema"]
    return whole


def nodes(node: dict[str, Any], path: str) -> Iterator[Node]:
    """Each schema in a schema, with its path."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from nodes(node[key], f"{path}[]")


def ours(crd: dict[str, Any]) -> list[Node]:
    properties = schema(crd)["properties"]
    return [*nodes(properties["spec"], "spec"), *nodes(properties["status"], "status")]


BY_KIND = {crd["spec"]["names"]["kind"]: crd for crd in crds().values()}
each_kind = pytest.mark.parametrize("crd", BY_KIND.values(), ids=BY_KIND.keys())


@each_kind
def test_the_schema_is_structural(crd: dict[str, Any]) -> None:
    every = list(nodes(schema(crd), ""))
    assert {path: UNSTRUCTURAL & node.keys() for path, node in every if UNSTRUCTURAL & node.keys()} == {}
    assert [path for path, node in every if "type" not in node] == []


@each_kind
def test_every_text_is_bounded(crd: dict[str, Any]) -> None:
    """A real API server refuses CEL rules over texts without a bound."""
    texts = [(path, node) for path, node in ours(crd) if node["type"] == "string"]
    assert len(texts) > 15
    assert [path for path, node in texts if not {"maxLength", "enum", "format"} & node.keys()] == []


@each_kind
def test_every_list_and_every_map_is_bounded(crd: dict[str, Any]) -> None:
    lists = [(path, node) for path, node in ours(crd) if node["type"] == "array"]
    assert len(lists) >= 4
    assert [path for path, node in lists if "maxItems" not in node] == []
    maps = [(path, node) for path, node in ours(crd) if "additionalProperties" in node]
    assert [path for path, node in maps if "maxProperties" not in node] == []


@each_kind
def test_every_list_says_how_it_is_merged(crd: dict[str, Any]) -> None:
    lists = [(path, node) for path, node in ours(crd) if node["type"] == "array"]
    assert [path for path, node in lists if "x-kubernetes-list-type" not in node] == []
    for path, node in lists:
        keys = node.get("x-kubernetes-list-map-keys", [])
        assert set(keys) <= set(node["items"].get("required", [])), f"{path}: a key may not be left out"


@pytest.mark.parametrize(
    ("kind", "free"),
    [
        ("PurposeDrivenAgent", {"spec.mcpTools[].inputSchema", "spec.mcpTools[].configuration"}),
        ("AgentRuntime", set()),
        ("ClusterAgentRuntime", set()),
    ],
)
def test_only_free_json_keeps_unknown_fields(kind: str, free: set[str]) -> None:
    kept = {path for path, node in ours(BY_KIND[kind]) if node.get("x-kubernetes-preserve-unknown-fields")}
    assert kept == free


@each_kind
def test_there_are_no_floats(crd: dict[str, Any]) -> None:
    assert [path for path, node in ours(crd) if node["type"] == "number"] == []


@each_kind
def test_every_field_of_the_spec_is_described(crd: dict[str, Any]) -> None:
    plain = {"spec.mcpTools[].inputSchema.type"}
    spec = schema(crd)["properties"]["spec"]
    told = [(path, node) for path, node in nodes(spec, "spec") if path[-1] != "]" and path not in plain]
    assert [path for path, node in told if not node.get("description")] == []


@each_kind
def test_every_rule_has_a_sentence(crd: dict[str, Any]) -> None:
    every = nodes(schema(crd), "")
    rules = [rule for _, node in every for rule in node.get("x-kubernetes-validations", [])]
    assert len(rules) >= 8
    assert [rule["rule"] for rule in rules if not rule.get("message")] == []


@each_kind
def test_what_may_not_change_cannot_be_left_out(crd: dict[str, Any]) -> None:
    """A rule on a field alone is silent when the field comes or goes: it is required, or has a default."""
    spec = schema(crd)["properties"]["spec"]
    fixed = [
        name
        for name, node in spec["properties"].items()
        if any("oldSelf" in rule["rule"] for rule in node.get("x-kubernetes-validations", []))
    ]
    assert [
        name for name in fixed if name not in spec["required"] and "default" not in spec["properties"][name]
    ] == []


@pytest.mark.parametrize(
    ("kind", "narrow", "wide"),
    [
        (
            "PurposeDrivenAgent",
            ["Ready", "Reason", "Deployment", "Runtime", "Age"],
            ["Agent", "Version", "Message"],
        ),
        ("AgentRuntime", ["Ready", "Reason", "Type", "Agents", "Age"], ["Endpoint", "Message"]),
        ("ClusterAgentRuntime", ["Ready", "Reason", "Type", "Agents", "Age"], ["Endpoint", "Message"]),
    ],
)
def test_the_columns_are_those_that_people_look_for(kind: str, narrow: list[str], wide: list[str]) -> None:
    columns = version_of(BY_KIND[kind])["additionalPrinterColumns"]
    assert [column["name"] for column in columns if not column.get("priority")] == narrow
    assert [column["name"] for column in columns if column.get("priority")] == wide


@pytest.mark.parametrize(
    ("kind", "plural", "short", "scope"),
    [
        ("PurposeDrivenAgent", "purposedrivenagents", "pda", "Namespaced"),
        ("AgentRuntime", "agentruntimes", "art", "Namespaced"),
        ("ClusterAgentRuntime", "clusteragentruntimes", "cart", "Cluster"),
    ],
)
def test_a_kind_is_found_by_its_names(kind: str, plural: str, short: str, scope: str) -> None:
    crd = BY_KIND[kind]
    assert crd["metadata"]["name"] == f"{plural}.agentoperatingsystem.io"
    assert crd["spec"]["scope"] == scope
    names = crd["spec"]["names"]
    assert (names["plural"], names["singular"], names["shortNames"]) == (plural, kind.lower(), [short])
    assert names["categories"] == ["aos"]
    assert version_of(crd)["subresources"] == {"status": {}}


def test_the_agents_crd_is_the_first() -> None:
    """`aos plan` checks by it, and the reference begins with it."""
    assert next(iter(crds().values())) == purpose_driven_agent_crd()


def test_the_files_are_what_the_models_say() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in CRDS.glob("*.yaml")}
    assert written == {name: to_yaml(crd) for name, crd in crds().items()}, "run `make generate`"


def test_a_file_holds_plain_yaml_that_is_read_back_as_it_was() -> None:
    for crd in crds().values():
        text = to_yaml(crd)
        assert yaml.safe_load(text) == crd
        assert "&id" not in text
        assert "*id" not in text


@pytest.mark.parametrize(
    ("source", "result", "reason"),
    [
        ({"type": "string", "title": "X", "maxLength": 3}, {"type": "string", "maxLength": 3}, "no titles"),
        (
            {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}], "default": None},
            {"type": "string", "maxLength": 3},
            "what may be left out is not nullable",
        ),
        (
            {"$defs": {"E": {"enum": ["A"], "type": "string"}}, "$ref": "#/$defs/E", "description": "mine"},
            {"description": "mine", "type": "string", "enum": ["A"]},
            "a reference is put in place, under the field's own description",
        ),
        ({"type": "string", "default": ""}, {"type": "string"}, "an empty default is none"),
        ({"type": "boolean", "default": False}, {"type": "boolean", "default": False}, "false is a default"),
        (
            {"type": "object", "additionalProperties": False},
            {"type": "object"},
            "pruning sees to the unknown",
        ),
    ],
)
def test_a_pydantic_schema_becomes_structural(
    source: dict[str, Any], result: dict[str, Any], reason: str
) -> None:
    assert structural(source) == result, reason


def test_a_union_that_kubernetes_cannot_have_is_refused() -> None:
    with pytest.raises(ValueError, match="too many values"):
        structural({"anyOf": [{"type": "string"}, {"type": "integer"}]})


def test_a_field_is_named_in_camel_case_alone_by_users() -> None:
    names = {path for crd in BY_KIND.values() for path, _ in ours(crd)}
    assert not [path for path in names if "_" in path]
    assert parsed_spec({"purpose": "p", "purposeScope": "s"}).purpose_scope == "s"


def test_the_models_are_frozen() -> None:
    spec = v1alpha1.PurposeDrivenAgentSpec(purpose="p")
    with pytest.raises(ValidationError, match="frozen"):
        spec.purpose = "other"
