"""Check a resource as the API server does with `fieldValidation=Strict`, without an API server.

The checks are the CRDs' own: a schema is read as JSON schema, with unknown fields refused, and its rules
are looked up here, since evaluating CEL takes more than a command line should carry. Of the rules on a change
those on one field are checked, where the object as it was is known.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from AgentOperatingSystem.api.crd import KINDS, crd_of
from AgentOperatingSystem.api.v1alpha1 import matches

Schema = dict[str, Any]

MATCHES = re.compile(r"self\.matches\('(?P<pattern>[^']*)'\)")
IMPLIES = re.compile(r"!self\.matches\('(?P<given>[^']*)'\) \|\| self\.matches\('(?P<wanted>[^']*)'\)")
IMMUTABLE = "self == oldSelf"
DNS_LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_OWN_KEYS = frozenset({"runtime_provider", "agent_type", "lora_adapter"})

# Each rule of the CRD that is no plain pattern, by its expression; a test holds the two together.
RULES: Mapping[str, Callable[[Any], bool]] = {
    "has(self.spec.agentId) || self.metadata.name.matches('^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$')": (
        lambda it: "agentId" in it["spec"] or _is_label(it["metadata"]["name"])
    ),
    "!has(self.model) || !has(self.adapterName) || "
    "size(self.model) + size(self.adapterName) + 1 <= 64 || self.model.contains('/')": (
        lambda it: len(f"{it['model']}-{it['adapterName']}") <= 64 or "/" in it["model"]
    ),
    "self.all(key, size(key) <= 64)": lambda it: all(len(key) <= 64 for key in it),
    "!self.exists(key, key.startsWith('aos_') || "
    "key in ['runtime_provider', 'agent_type', 'lora_adapter'])": (
        lambda it: not any(key.startswith("aos_") or key in _OWN_KEYS for key in it)
    ),
    "self.all(key, size(key) <= 317)": lambda it: all(len(key) <= 317 for key in it),
    "self.all(it, (it.operator in ['In', 'NotIn']) == (has(it.values) && size(it.values) > 0))": (
        lambda it: all((one["operator"] in ("In", "NotIn")) == bool(one.get("values")) for one in it)
    ),
    "self.contains('{model}') || self.contains('{adapter}')": (
        lambda it: "{model}" in it or "{adapter}" in it
    ),
    "self.contains('{agentId}')": lambda it: "{agentId}" in it,
    "!self.startsWith('-') && !self.endsWith('-')": (lambda it: not (it.startswith("-") or it.endswith("-"))),
    "has(self.names) || has(self.selector)": lambda it: "names" in it or "selector" in it,
}

_NAME = {
    "type": "string",
    "maxLength": 253,
    **matches(rf"^{DNS_LABEL}(\\.{DNS_LABEL})*$", "use lower-case letters, digits, '-' and '.'"),
}
_NAMESPACE = {
    "type": "string",
    "maxLength": 63,
    **matches(f"^{DNS_LABEL}$", "use lower-case letters, digits and '-'"),
}
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_SERVER_SET = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)
_METADATA: Schema = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": _NAME,
        "namespace": _NAMESPACE,
        "annotations": _TEXTS,
        "labels": _TEXTS,
        "generateName": {"type": "string"},
        **{name: {} for name in _SERVER_SET},
    },
}


def admit(body: Mapping[str, Any]) -> tuple[Any, list[tuple[str, str]]]:
    """The object as it would be stored, and all that is wrong with it: the field, and what to mend.

    Its kind must be one of ours.
    """
    kind = body["kind"]
    stored = _without_nulls(body, _schema(kind))
    told = [one for error in _validator(kind).iter_errors(stored) for one in _told(error)]
    return stored, list(dict.fromkeys(told))


def changed_for_good(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Fields of a spec that may not change and would: the field, and what to do instead."""
    fields = _schema(kind)["properties"]["spec"]["properties"]
    told = []
    for name, schema in fields.items():
        default = schema.get("default")
        if before.get(name, default) != after.get(name, default):
            immutable = (
                one for one in schema.get("x-kubernetes-validations", ()) if one["rule"] == IMMUTABLE
            )
            told += [(f"spec.{name}", f"{one['message']}.") for one in immutable]
    return told


def _without_nulls(value: Any, schema: Schema) -> Any:
    """A value without the known fields that are null: to the API server they are not there."""
    if isinstance(value, list):
        return [_without_nulls(item, schema.get("items", {})) for item in value]
    if not isinstance(value, dict):
        return value
    others = schema.get("additionalProperties") or None
    known = {name: schema.get("properties", {}).get(name, others) for name in value}
    return {
        name: _without_nulls(item, known[name] or {})
        for name, item in value.items()
        if item is not None or known[name] is None
    }


@functools.cache
def _schema(kind: str) -> Schema:
    crd = crd_of(next(one for one in KINDS if one.name == kind))
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    # What a file says of the status is left out by the API server too.
    schema["properties"] = {**schema["properties"], "metadata": _METADATA, "status": {}}
    schema["required"] = ["metadata", *schema["required"]]
    return _strict(schema)


@functools.cache
def _validator(kind: str) -> Any:
    more = {"x-kubernetes-validations": _check_rules, "x-kubernetes-list-type": _check_list}
    return extend(Draft202012Validator, more)(_schema(kind))  # type: ignore[no-untyped-call]


def _strict(schema: Schema) -> Schema:
    """The schema with unknown fields refused wherever it does not let them through."""
    strict = dict(schema)
    if "properties" in schema:
        strict["properties"] = {name: _strict(child) for name, child in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            strict["additionalProperties"] = False
    if "items" in schema:
        strict["items"] = _strict(schema["items"])
    return strict


def _check_rules(
    _validator: Any, rules: list[dict[str, str]], value: Any, _schema: Schema
) -> Iterator[ValidationError]:
    for rule in rules:
        if not _holds(rule["rule"], value):
            path = [part for part in rule.get("fieldPath", "").split(".") if part]
            yield ValidationError(f"{rule['message']}.", path=path, validator="rule")


def _holds(expression: str, value: Any) -> bool:
    """True unless a rule is known to be broken; one on a value of another shape has nothing to say."""
    try:
        if found := MATCHES.fullmatch(expression):
            return _matches(found["pattern"], value)
        if found := IMPLIES.fullmatch(expression):
            return not _matches(found["given"], value) or _matches(found["wanted"], value)
        return RULES.get(expression, lambda _: True)(value)
    except (KeyError, TypeError, AttributeError):
        return True


def _matches(pattern: str, value: str) -> bool:
    """As CEL and RE2 read it: `$` is the end of the text, not also the place before a last line break."""
    unescaped = pattern.replace(r"\\", "\\")
    return re.search(re.sub(r"\$$", r"\\Z", unescaped), value) is not None


def _is_label(name: str) -> bool:
    return _matches(f"^{DNS_LABEL}$", name) and len(name) <= 63


def _check_list(_validator: Any, kind: str, value: Any, schema: Schema) -> Iterator[ValidationError]:
    """Items that a set or a map has twice."""
    if kind == "atomic" or not isinstance(value, list):
        return
    seen: list[Any] = []
    for index, item in enumerate(value):
        key = item
        if kind == "map":
            if not isinstance(item, Mapping):
                continue
            key = [item.get(name) for name in schema["x-kubernetes-list-map-keys"]]
        if key in seen:
            what = "/".join(str(part) for part in key) if isinstance(key, list) else str(key)
            yield ValidationError(
                f"{what} is listed twice; remove one of them.", path=[index], validator="twin"
            )
        seen.append(key)


def _told(error: ValidationError) -> Iterator[tuple[str, str]]:
    field = _field(error.absolute_path)
    limit: Any = error.validator_value
    value: Any = error.instance
    schema: Any = error.schema
    match error.validator:
        case "required":
            yield from ((_join(field, name), "required; add it.") for name in limit if name not in value)
        case "additionalProperties":
            known = list(schema["properties"])
            unknown = [name for name in value if name not in known]
            yield from ((_join(field, name), _unknown(name, known)) for name in unknown)
        case "type":
            yield field, _wrong_type(limit, value)
        case "enum":
            yield field, f"{value!r} is not possible; write one of {', '.join(map(str, limit))}."
        case "maxLength" | "minLength":
            least = "at most" if error.validator == "maxLength" else "at least"
            yield field, f"has {len(value)} characters; {least} {limit} are possible."
        case "maxItems" | "maxProperties" | "minItems":
            least = "at least" if error.validator == "minItems" else "at most"
            yield field, f"has {len(value)} items; {least} {limit} are possible."
        case "minimum" | "maximum":
            least = "at least" if error.validator == "minimum" else "at most"
            yield field, f"{value} is not possible; write {least} {limit}."
        case _:
            yield field, error.message


def _unknown(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"unknown field; did you mean {nearest[0]}?" if nearest else "unknown field; remove it."


def _wrong_type(wanted: str, value: Any) -> str:
    if value is None:
        return f"has no value; give it one of type {wanted}, or remove it."
    mend = "; put it in quotes" if wanted == "string" and not isinstance(value, dict | list) else ""
    return f"must be of type {wanted}, not {_TYPES[type(value)]}{mend}."


def _field(path: Any) -> str:
    field = ""
    for part in path:
        field = f"{field}[{part}]" if isinstance(part, int) else _join(field, part)
    return field


def _join(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name
