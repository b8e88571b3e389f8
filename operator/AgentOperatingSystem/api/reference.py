"""Writes the page of all fields from the CRDs, which are themselves from the models: nobody keeps it by hand.

`python -m AgentOperatingSystem.api.reference > docs/reference.md`
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from AgentOperatingSystem.api.crd import Schema, crds

_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "maxProperties": "at most {} pairs",
    "minimum": "from {}",
    "maximum": "up to {}",
}
_HEAD = """\
<!-- Generated from the models by `make generate`. Do not edit. -->
# Reference

Every field of every resource; `kubectl explain pda.spec` tells the same, as do `art.spec` and `cart.spec`.
A field that is not listed is refused by `kubectl` and dropped by the API server.
"""


@dataclass(frozen=True, slots=True)
class Field:
    """One row: where the field is, what may stand there, and what it means."""

    path: str
    type: str
    told: str


def reference() -> str:
    """The page, as Markdown."""
    return "\n".join([_HEAD, *("\n".join(_resource(crd)) for crd in crds().values())])


def _resource(crd: dict[str, Any]) -> Iterator[str]:
    names = crd["spec"]["names"]
    version = crd["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    yield f"## {names['kind']}"
    yield ""
    yield schema["description"]
    yield ""
    where = "cluster-scoped" if crd["spec"]["scope"] == "Cluster" else "namespaced"
    api_version = f"{crd['spec']['group']}/{version['name']}"
    yield f"`apiVersion: {api_version}`, short `{names['shortNames'][0]}`, {where}."
    for part in ("spec", "status"):
        yield ""
        yield f"### {part}"
        yield ""
        yield "| field | type | meaning |"
        yield "|---|---|---|"
        for field in fields(schema["properties"][part], part):
            yield f"| `{field.path}` | {field.type} | {_cell(field.told)} |"
    yield ""
    wide = [part.get("x-kubernetes-validations", []) for part in (schema, schema["properties"]["spec"])]
    if any(wide):
        yield "### What spans fields"
        yield ""
        yield from (f"* {rule['message']}." for rules in wide for rule in rules)
        yield ""


def fields(schema: Schema, path: str) -> Iterator[Field]:
    """Every field below `schema`, depth first, in the order of the models."""
    required = schema.get("required", [])
    for name, child in schema.get("properties", {}).items():
        place = f"{path}.{name}"
        yield Field(place, _type(child), _told(child, required=name in required))
        yield from fields(child, place)
        if "items" in child:
            yield from fields(child["items"], f"{place}[]")


def _type(schema: Schema) -> str:
    if schema["type"] == "array":
        return f"list of {schema['items']['type']}s"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"map of {schema['additionalProperties']['type']}s"
    return str(schema["type"])


def _told(schema: Schema, *, required: bool) -> str:
    """The description, then everything that a value must keep to."""
    parts = ["**Required.**"] if required else []
    parts += [schema["description"]] if "description" in schema else []
    if "enum" in schema:
        parts.append(f"One of {', '.join(f'`{value}`' for value in schema['enum'])}.")
    if "default" in schema:
        parts.append(_default(schema["default"]))
    limits = [text.format(schema[name]) for name, text in _LIMITS.items() if name in schema]
    limits = [limit.replace("at least 1 characters", "not empty") for limit in limits]
    limits = [limit.replace("at least 1 items", "at least one item") for limit in limits]
    parts += [f"{', '.join(limits).capitalize()}."] if limits else []
    rules = [rule["message"] for rule in schema.get("x-kubernetes-validations", [])]
    parts += [f"{rule[0].upper()}{rule[1:]}." if rule.split()[0].isalpha() else f"{rule}." for rule in rules]
    return " ".join(parts)


def _default(value: object) -> str:
    return f"Default `{str(value).lower() if isinstance(value, bool) else value}`."


def _cell(text: str) -> str:
    """Text for a cell: outside of code, Markdown would take `<` for HTML."""
    pieces = text.replace("|", "\\|").split("`")
    return "`".join(piece if place % 2 else piece.replace("<", "&lt;") for place, piece in enumerate(pieces))


if __name__ == "__main__":
    sys.stdout.write(reference())
