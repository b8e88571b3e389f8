"""Custom resource definitions: are they sound, and which resources do they make the server serve."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .budgets import check_budgets
from .cel import RuleTree, compile_rules
from .errors import FieldError, duplicate, forbidden_field, invalid_value, not_supported, required
from .resources import Column, Resource
from .store import clone
from .structural import compiled, keeps_unknown, validate

Json = dict[str, Any]

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_LABEL = re.compile(r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
_FORBIDDEN_KEYWORDS = (
    "definitions",
    "dependencies",
    "patternProperties",
    "additionalItems",
    "$ref",
    "deprecated",
)
_CONVENTIONS = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_META: Json = {
    "apiVersion": {
        "type": "string",
        "description": (
            "APIVersion defines the versioned schema of this representation of an object. Servers should "
            "convert recognized schemas to the latest internal value, and may reject unrecognized values. "
            f"More info: {_CONVENTIONS}#resources"
        ),
    },
    "kind": {
        "type": "string",
        "description": (
            "Kind is a string value representing the REST resource this object represents. Servers may infer "
            "this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. "
            f"More info: {_CONVENTIONS}#types-kinds"
        ),
    },
    "metadata": {
        "type": "object",
        "description": f"Standard object's metadata. More info: {_CONVENTIONS}#metadata",
    },
}
# In the order in which the server lists them for custom resources.
_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")


@dataclass(frozen=True)
class Definition:
    """What a sound custom resource definition defines: its resources, and the CEL rules of each version."""

    name: str
    resources: tuple[Resource, ...]
    rules: dict[str, RuleTree | None]


def with_defaults(crd: Json) -> Json:
    """The definition with the names and the conversion that the API server fills in."""
    filled: Json = clone(crd)
    spec = filled.setdefault("spec", {})
    names = spec.setdefault("names", {})
    if kind := names.get("kind"):
        names.setdefault("singular", kind.lower())
        names.setdefault("listKind", f"{kind}List")
    spec.setdefault("conversion", {"strategy": "None"})
    return filled


def check(crd: Json, old: Json | None) -> list[FieldError]:
    """Everything that is wrong with a definition; `old` is its state before an update."""
    spec = crd.get("spec") or {}
    names = spec.get("names") or {}
    errors = list(_check_names(crd["metadata"]["name"], spec, names))
    if old is not None:
        errors += _check_unchanged(spec, old["spec"])
    versions = spec.get("versions") or []
    errors += _check_versions(versions)
    for index, version in enumerate(versions):
        errors += _check_schema_of(version, _schema_path(versions, index), index)
    return errors


def define(crd: Json) -> Definition:
    """The resources of a definition that `check` found sound."""
    name = crd["metadata"]["name"]
    served = [version for version in crd["spec"]["versions"] if version.get("served")]
    resources = tuple(_resource(crd["spec"], version) for version in served)
    rules = {version["name"]: compile_rules(_schema(version), "")[0] for version in served}
    return Definition(name, resources, rules)


def established(crd: Json, now: str) -> Json:
    """The definition with the status that the controllers of a real cluster give it."""
    spec = crd["spec"]
    stored = [version["name"] for version in spec["versions"] if version.get("storage")]
    old = crd.get("status") or {}
    known = old.get("storedVersions") or []
    status = {
        "acceptedNames": clone(spec["names"]),
        "conditions": [
            _condition("NamesAccepted", "NoConflicts", "no conflicts found", old, now),
            _condition(
                "Established", "InitialNamesAccepted", "the initial names have been accepted", old, now
            ),
        ],
        "storedVersions": [*known, *(name for name in stored if name not in known)],
    }
    return {**crd, "status": status}


def _condition(kind: str, reason: str, message: str, old: Json, now: str) -> Json:
    for condition in old.get("conditions") or []:
        if condition.get("type") == kind and condition.get("status") == "True":
            found: Json = condition
            return found
    return {"lastTransitionTime": now, "message": message, "reason": reason, "status": "True", "type": kind}


def _schema(version: Json) -> Json:
    schema: Json = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    return schema


def _resource(spec: Json, version: Json) -> Resource:
    names = spec["names"]
    schema = _schema(version)
    about_metadata = {**_META["metadata"], **((schema.get("properties") or {}).get("metadata") or {})}
    described = {**schema, "properties": {**_META, "metadata": about_metadata, **_below_meta(schema)}}
    columns = tuple(
        Column(
            name=column["name"],
            json_path=column["jsonPath"],
            kind=column.get("type", "string"),
            priority=column.get("priority", 0),
            description=column.get("description", ""),
            format=column.get("format", ""),
        )
        for column in version.get("additionalPrinterColumns") or []
    )
    return Resource(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        singular=names["singular"],
        list_kind=names["listKind"],
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        namespaced=spec["scope"] == "Namespaced",
        has_status="status" in (version.get("subresources") or {}),
        custom=True,
        verbs=_VERBS,
        columns=columns or (Column("Age", ".metadata.creationTimestamp", "date"),),
        schema=described,
    )


def _below_meta(schema: Json) -> Json:
    properties = schema.get("properties") or {}
    return {name: below for name, below in properties.items() if name not in _META}


def _check_names(name: str, spec: Json, names: Json) -> Iterator[FieldError]:
    for field in ("kind", "plural"):
        if not names.get(field):
            yield required(f"spec.names.{field}")
    if not spec.get("group"):
        yield required("spec.group")
    elif "." not in spec["group"]:
        yield invalid_value("spec.group", spec["group"], "should be a domain with at least one dot")
    if spec.get("scope") not in {"Cluster", "Namespaced"}:
        yield not_supported("spec.scope", spec.get("scope", ""), ("Cluster", "Namespaced"))
    for field in ("plural", "singular"):
        if names.get(field) and not _LABEL.match(names[field]):
            yield invalid_value(f"spec.names.{field}", names[field], "a DNS-1035 label must be lower case")
    if name != f"{names.get('plural')}.{spec.get('group')}":
        yield invalid_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group')


def _check_unchanged(spec: Json, old: Json) -> Iterator[FieldError]:
    for path, new, before in (
        ("spec.group", spec.get("group"), old.get("group")),
        ("spec.scope", spec.get("scope"), old.get("scope")),
        ("spec.names.kind", spec["names"].get("kind"), old["names"].get("kind")),
    ):
        if new != before:
            yield invalid_value(path, new, "field is immutable")


def _check_versions(versions: list[Json]) -> Iterator[FieldError]:
    if not versions:
        yield invalid_value("spec.versions", [], "must have exactly one version marked as storage version")
        return
    if sum(bool(version.get("storage")) for version in versions) != 1:
        names = [version.get("name") for version in versions]
        yield invalid_value("spec.versions", names, "must have exactly one version marked as storage version")
    seen = set()
    for index, version in enumerate(versions):
        if version.get("name") in seen:
            yield duplicate(f"spec.versions[{index}].name", version.get("name"))
        seen.add(version.get("name"))


def _schema_path(versions: list[Json], index: int) -> str:
    # The real server moves what all versions share to the top before it validates.
    schemas = [version.get("schema") for version in versions]
    if all(schema == schemas[0] for schema in schemas):
        return "spec.validation.openAPIV3Schema"
    return f"spec.versions[{index}].schema.openAPIV3Schema"


def _check_schema_of(version: Json, path: str, index: int) -> list[FieldError]:
    schema = _schema(version)
    if not schema:
        return [required(f"spec.versions[{index}].schema.openAPIV3Schema")]
    errors = list(_check_node(schema, path, root=True))
    if not errors:
        tree, errors = compile_rules(schema, path)
        errors += check_budgets(tree, path)
    for at, column in enumerate(version.get("additionalPrinterColumns") or []):
        here = f"spec.versions[{index}].additionalPrinterColumns[{at}]"
        errors += [
            required(f"{here}.{field}") for field in ("name", "type", "jsonPath") if not column.get(field)
        ]
    return errors


def _check_node(schema: Json, path: str, *, root: bool = False) -> Iterator[FieldError]:
    yield from _check_type(schema, path, root=root)
    for keyword in _FORBIDDEN_KEYWORDS:
        if keyword in schema:
            yield forbidden_field(f"{path}.{keyword}", f"{keyword} is not supported")
    if schema.get("properties") and schema.get("additionalProperties"):
        yield forbidden_field(
            f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive"
        )
    yield from _check_pattern(schema, path)
    yield from _check_default(schema, path)
    yield from _check_list(schema, path)
    for name, below in (schema.get("properties") or {}).items():
        if not (root and name == "metadata"):
            yield from _check_node(below, f"{path}.properties[{name}]")
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield from _check_node(schema[keyword], f"{path}.{keyword}")


def _check_type(schema: Json, path: str, *, root: bool) -> Iterator[FieldError]:
    kind = schema.get("type")
    open_ended = schema.get("x-kubernetes-int-or-string") or keeps_unknown(schema)
    if root and kind != "object":
        yield invalid_value(f"{path}.type", kind or "", "must be object at the root")
    elif not kind and not open_ended:
        yield required(f"{path}.type", "must not be empty for specified object fields")
    elif kind and kind not in _TYPES:
        yield not_supported(f"{path}.type", kind, _TYPES)


def _check_pattern(schema: Json, path: str) -> Iterator[FieldError]:
    pattern = schema.get("pattern")
    if pattern is None:
        return
    try:
        compiled(pattern)
    except re.error as error:
        yield invalid_value(
            f"{path}.pattern", pattern, f"must be a valid regular expression, but isn't: {error}"
        )


def _check_default(schema: Json, path: str) -> Iterator[FieldError]:
    if "default" not in schema:
        return
    for error in validate(schema["default"], schema):
        where = f"{path}.default" + (f".{error.path}" if error.path not in {"", "<nil>"} else "")
        yield FieldError(where, error.cause, error.text)


def _check_list(schema: Json, path: str) -> Iterator[FieldError]:
    if schema.get("type") != "array":
        return
    if not isinstance(schema.get("items"), dict):
        yield required(f"{path}.items", "must be specified")
        return
    kind = schema.get("x-kubernetes-list-type")
    if kind not in {None, "atomic", "map", "set"}:
        yield not_supported(f"{path}.x-kubernetes-list-type", kind, ("atomic", "map", "set"))
    keys = schema.get("x-kubernetes-list-map-keys") or []
    if kind == "map" and not keys:
        yield required(
            f"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map"
        )
    items = schema["items"]
    for index, key in enumerate(keys):
        below = (items.get("properties") or {}).get(key)
        if below is None:
            where = f"{path}.x-kubernetes-list-map-keys[{index}]"
            yield invalid_value(
                where, key, "entries in `x-kubernetes-list-map-keys` must all be names of item properties"
            )
        elif key not in (items.get("required") or []) and "default" not in below:
            yield required(
                f"{path}.items.properties[{key}].default",
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required "
                "property",
            )
