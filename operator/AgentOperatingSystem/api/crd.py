"""Generate CustomResourceDefinitions from the pydantic models.

pydantic writes JSON schema with references, titles and unions with null; Kubernetes wants a structural
schema without any of them. What Kubernetes adds (CEL rules, list types) the models carry as extensions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from AgentOperatingSystem.api import runtimes, v1alpha1

Schema = dict[str, Any]

HEADER = "# Generated from the models in operator/AgentOperatingSystem/api by `make generate`. Do not edit.\n"

_KEPT = (
    "description",
    "type",
    "format",
    "enum",
    "default",
    "pattern",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "required",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What makes one kind: its names, its two models, its columns and the rules over the whole object."""

    name: str
    plural: str
    short: str
    told: str
    spec: type[v1alpha1.Model]
    status: type[v1alpha1.ConditionedStatus]
    columns: list[dict[str, Any]]
    rules: list[dict[str, str]] = field(default_factory=list)
    scope: str = "Namespaced"


AGENT = Kind(
    v1alpha1.KIND,
    v1alpha1.PLURAL,
    "pda",
    "An AI agent, described by its purpose and kept so in its runtime by the operator.",
    v1alpha1.PurposeDrivenAgentSpec,
    v1alpha1.PurposeDrivenAgentStatus,
    v1alpha1.PRINTER_COLUMNS,
    v1alpha1.RESOURCE_RULES,
)
KINDS = (
    AGENT,
    Kind(
        runtimes.KIND,
        runtimes.PLURAL,
        "art",
        "A Foundry project that a team brings for the agents of its namespace, with an identity of its own.",
        runtimes.AgentRuntimeSpec,
        runtimes.RuntimeResourceStatus,
        runtimes.PRINTER_COLUMNS,
    ),
    Kind(
        runtimes.CLUSTER_KIND,
        runtimes.CLUSTER_PLURAL,
        "cart",
        "A Foundry project that the cluster's administrator offers to the agents of some namespaces.",
        runtimes.ClusterAgentRuntimeSpec,
        runtimes.RuntimeResourceStatus,
        runtimes.PRINTER_COLUMNS,
        scope="Cluster",
    ),
)


def crds() -> dict[str, dict[str, Any]]:
    """Every CRD of the project, by the name of its file in `crds/`."""
    return {f"{v1alpha1.GROUP}_{kind.plural}.yaml": crd_of(kind) for kind in KINDS}


def purpose_driven_agent_crd() -> dict[str, Any]:
    """The CRD of `PurposeDrivenAgent`, as a Kubernetes object."""
    return crd_of(AGENT)


def crd_of(kind: Kind) -> dict[str, Any]:
    """The CRD of a kind, as a Kubernetes object."""
    version = {
        "name": v1alpha1.VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": kind.columns,
        "schema": {"openAPIV3Schema": _schema(kind)},
        "subresources": {"status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{v1alpha1.GROUP}"},
        "spec": {
            "group": v1alpha1.GROUP,
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short],
                "categories": ["aos"],
            },
            "scope": kind.scope,
            "versions": [version],
        },
    }


def _schema(kind: Kind) -> Schema:
    schema: Schema = {
        "description": kind.told,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(kind.spec.model_json_schema(by_alias=True)),
            "status": structural(kind.status.model_json_schema(by_alias=True)),
        },
    }
    if kind.rules:
        schema["x-kubernetes-validations"] = kind.rules
    return schema


def to_yaml(crd: dict[str, Any]) -> str:
    """The CRD as the text of its file."""
    return HEADER + yaml.dump(crd, Dumper=_PlainDumper, sort_keys=False, width=110, allow_unicode=True)


class _PlainDumper(yaml.SafeDumper):
    """Writes a list or mapping that occurs twice out twice: Kubernetes' YAML needs no anchors."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def structural(schema: Schema) -> Schema:
    """`schema`, as pydantic writes it, as a structural schema of Kubernetes."""
    return _structural(schema, schema.get("$defs", {}))


def _structural(node: Schema, definitions: dict[str, Schema]) -> Schema:
    node = _resolved(node, definitions)
    result: Schema = {key: node[key] for key in _KEPT if key in node}
    if result.get("default") in (None, ""):
        result.pop("default", None)  # an empty default would only clutter every stored resource
    if "properties" in node:
        result["properties"] = {
            name: _structural(child, definitions) for name, child in node["properties"].items()
        }
    if "items" in node:
        result["items"] = _structural(node["items"], definitions)
    if isinstance(node.get("additionalProperties"), dict) and node["additionalProperties"]:
        result["additionalProperties"] = _structural(node["additionalProperties"], definitions)
    result.update({key: value for key, value in node.items() if key.startswith("x-kubernetes-")})
    return result


def _resolved(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """`node` with its reference, or the one branch of its union that is not null, put in place."""
    for union in ("anyOf", "allOf"):
        branches = [branch for branch in node.get(union, []) if branch.get("type") != "null"]
        if branches:
            (branch,) = branches
            rest = {key: value for key, value in node.items() if key != union}
            node = {**_resolved(branch, definitions), **rest}
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[-1]
        rest = {key: value for key, value in node.items() if key != "$ref"}
        node = {**_resolved(definitions[name], definitions), **rest}
    return node
