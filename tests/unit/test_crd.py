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


def schema() -> dict[str, Any]:
    (version,) = purpose_driven_agent_crd()["spec"]["versions"]
    whole: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return whole


def nodes(node: dict[str, Any], path: str) -> Iterator[Node]:
    """Each schema in a schema, with its path."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from nodes(node[key], f"{path}[]")


def ours() -> list[Node]:
    properties = schema()["properties"]
    return [*nodes(properties["spec"], "spec"), *nodes(properties["status"], "status")]


def test_the_schema_is_structural() -> None:
    found = {
        path: UNSTRUCTURAL & node.keys() for path, node in nodes(schema(), "") if UNSTRUCTURAL & node.keys()
    }
    assert found == {}
    assert [path for path, node in nodes(schema(), "") if "type" not in node] == []


def test_every_text_is_bounded() -> None:
    """A real API server refuses CEL rules over texts without a bound."""
    texts = [(path, node) for path, node in ours() if node["type"] == "string"]
    assert len(texts) > 20
    assert [path for path, node in texts if not {"maxLength", "enum", "format"} & node.keys()] == []


def test_every_list_and_every_map_is_bounded() -> None:
    lists = [(path, node) for path, node in ours() if node["type"] == "array"]
    assert len(lists) > 5
    assert [path for path, node in lists if "maxItems" not in node] == []
    maps = [(path, node) for path, node in ours() if "additionalProperties" in node]
    assert [path for path, node in maps if "maxProperties" not in node] == []


def test_every_list_says_how_it_is_merged() -> None:
    lists = [(path, node) for path, node in ours() if node["type"] == "array"]
    assert [path for path, node in lists if "x-kubernetes-list-type" not in node] == []
    for path, node in lists:
        keys = node.get("x-kubernetes-list-map-keys", [])
        assert set(keys) <= set(node["items"].get("required", [])), f"{path}: a key may not be left out"


def test_only_free_json_keeps_unknown_fields() -> None:
    kept = {path for path, node in ours() if node.get("x-kubernetes-preserve-unknown-fields")}
    assert kept == {"spec.mcpTools[].inputSchema", "spec.mcpTools[].configuration"}


def test_there_are_no_floats() -> None:
    assert [path for path, node in ours() if node["type"] == "number"] == []


def test_every_field_of_the_spec_is_described() -> None:
    spec = schema()["properties"]["spec"]
    assert [
        path for path, node in nodes(spec, "spec") if path[-1] != "]" and not node.get("description")
    ] == ["spec.mcpTools[].inputSchema.type"]


def test_every_rule_has_a_sentence() -> None:
    rules = [rule for _, node in nodes(schema(), "") for rule in node.get("x-kubernetes-validations", [])]
    assert len(rules) >= 8
    assert [rule["rule"] for rule in rules if not rule.get("message")] == []


def test_the_columns_are_those_that_people_look_for() -> None:
    (version,) = purpose_driven_agent_crd()["spec"]["versions"]
    columns = version["additionalPrinterColumns"]
    names = [column["name"] for column in columns if not column.get("priority")]
    wide = [column["name"] for column in columns if column.get("priority")]
    assert names == ["Ready", "Reason", "Deployment", "Runtime", "Age"]
    assert wide == ["Agent", "Version", "Message"]


def test_the_kind_is_found_by_its_names() -> None:
    crd = purpose_driven_agent_crd()
    assert crd["metadata"]["name"] == "purposedrivenagents.agentoperatingsystem.io"
    assert crd["spec"]["scope"] == "Namespaced"
    names = crd["spec"]["names"]
    assert (names["kind"], names["plural"], names["shortNames"], names["categories"]) == (
        "PurposeDrivenAgent",
        "purposedrivenagents",
        ["pda"],
        ["aos"],
    )
    assert crd["spec"]["versions"][0]["subresources"] == {"status": {}}


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
    names = {path for path, _ in ours()}
    assert not [path for path in names if "_" in path]
    assert parsed_spec({"purpose": "p", "purposeScope": "s"}).purpose_scope == "s"


def test_the_models_are_frozen() -> None:
    spec = v1alpha1.PurposeDrivenAgentSpec(purpose="p")
    with pytest.raises(ValidationError, match="frozen"):
        spec.purpose = "other"
