"""Specs that the CRD lets through, as odd as it allows, drawn from the schema that ships.

Why from the schema and not from the models: a model that is stricter than the schema is what is looked for.
Texts are as long as they may be, in any script, and hold what YAML and JSON hold. Rules are checked by CEL.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from hypothesis import strategies as st

from AgentOperatingSystem.api.crd import crds
from AgentOperatingSystem.sandbox.kubernetes.cel import check_rules, compile_rules
from AgentOperatingSystem.sandbox.kubernetes.structural import fill_defaults, validate

Json = dict[str, Any]

_MATCHES = re.compile(r"^self\.matches\('(.*)'\)$")
_PLACES = ("", "x", "é", "\u202e", "\U0001f600", "\x00", "\n", " ", '"', "{", "\u3042")
# JSON as the API server reads it: 64 bits, no surrogates, no NaN.
_CHARACTERS = st.characters(exclude_categories=["Cs"])
_NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False, width=64)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(_CHARACTERS, max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(_CHARACTERS, max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
# What means something in a JSON schema, so that odd schemas are not merely odd objects.
_SCHEMA_WORDS = st.sampled_from(
    (
        "properties",
        "required",
        "additionalProperties",
        "pattern",
        "enum",
        "$ref",
        "$defs",
        "$schema",
        "items",
        "minimum",
    )
)
_ODD_SCHEMAS = st.dictionaries(_SCHEMA_WORDS | st.text(_CHARACTERS, max_size=8), _ANYTHING, max_size=5)


@cache
def schema_of(part: str) -> Json:
    """The schema of `spec` or `status` in the CRD that ships."""
    (crd,) = (one for one in crds().values() if one["spec"]["names"]["kind"] == "PurposeDrivenAgent")
    (version,) = crd["spec"]["versions"]
    schema: Json = version["schema"]["openAPIV3Schema"]["properties"][part]
    return schema


def problems_with(value: Any, part: str) -> list[str]:
    """What the API server would refuse about it; empty when it lets it through."""
    schema = schema_of(part)
    errors = validate(value, schema)
    return [str(error) for error in errors or check_rules(_rules(part), value)]


@cache
def _rules(part: str) -> Any:
    tree, errors = compile_rules(schema_of(part), "")
    assert not errors
    return tree


@st.composite
def specs(draw: st.DrawFn) -> Json:
    """A spec as the API server stores it, defaults filled in."""
    schema = schema_of("spec")
    spec = draw(values(schema).filter(lambda value: not problems_with(value, "spec")))
    filled: Json = fill_defaults(spec, schema)
    return filled


def values(schema: Json) -> st.SearchStrategy[Any]:
    """Values that the schema allows; what spans fields is left to a filter."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        kind = st.just({"type": "object"}) if "properties" in schema else st.just({})
        return st.builds(lambda odd, more: {**odd, **more}, _ODD_SCHEMAS, kind | st.just({})).filter(
            lambda value: not validate(value, schema)
        )
    match schema.get("type"):
        case "object":
            return _objects(schema)
        case "array":
            return _lists(schema)
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum", -(2**31)), schema.get("maximum", 2**31 - 1))
        case _:
            return _texts(schema)


def _objects(schema: Json) -> st.SearchStrategy[Json]:
    if "additionalProperties" in schema:
        keys = st.text(_CHARACTERS, max_size=64)
        return st.dictionaries(
            keys, values(schema["additionalProperties"]), max_size=schema.get("maxProperties", 4)
        ).filter(lambda value: not _broken(schema, value))
    required = set(schema.get("required", ()))
    properties = {name: values(inner) for name, inner in schema.get("properties", {}).items()}
    return st.fixed_dictionaries(
        {name: strategy for name, strategy in properties.items() if name in required},
        optional={name: strategy for name, strategy in properties.items() if name not in required},
    )


def _lists(schema: Json) -> st.SearchStrategy[list[Any]]:
    keys = schema.get("x-kubernetes-list-map-keys")
    unique = None
    if keys:
        unique = lambda item: tuple(item[key] for key in keys)  # noqa: E731 - one of two, or none
    elif schema.get("x-kubernetes-list-type") == "set":
        unique = lambda item: item  # noqa: E731
    few = min(4, schema.get("maxItems", 4))
    return st.lists(
        values(schema["items"]), min_size=schema.get("minItems", 0), max_size=few, unique_by=unique
    )


def _texts(schema: Json) -> st.SearchStrategy[str]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    least, most = schema.get("minLength", 0), schema.get("maxLength", 64)
    for rule in schema.get("x-kubernetes-validations", ()):
        if (found := _MATCHES.match(rule["rule"])) and found[1] != r"\\S":
            pattern = found[1].replace("\\\\", "\\")
            matching = st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True)
            return matching.filter(lambda text: least <= len(text) <= most) | st.just("a" * most)
    text = st.text(_CHARACTERS, min_size=least, max_size=min(most, 40))
    longest = st.sampled_from(_PLACES[1:]).map(lambda mark: (mark * most)[: most - 1] + "z")
    return (text | longest).filter(lambda value: not _broken(schema, value))


def _broken(schema: Json, value: Any) -> bool:
    tree, _ = _compiled(id(schema), schema)
    return bool(validate(value, schema) or check_rules(tree, value))


_COMPILED: dict[int, tuple[Any, Any]] = {}


def _compiled(key: int, schema: Json) -> tuple[Any, Any]:
    """The rules of one schema node, compiled once; nodes live as long as the schema does."""
    if key not in _COMPILED:
        _COMPILED[key] = compile_rules(schema, "")
    return _COMPILED[key]
