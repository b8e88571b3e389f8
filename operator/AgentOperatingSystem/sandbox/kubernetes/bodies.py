"""What a body must be before anything else is asked of it: of the right kind, place and shape."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .errors import FieldErrors, bad_request, invalid_value
from .resources import Resource

Json = dict[str, Any]


def typed(resource: Resource, body: Json) -> Json:
    """The body, of the right kind: a built-in one may leave it out. 400 or 422 when it is another."""
    if not resource.custom:
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
    for key, title in (("kind", "Kind"), ("apiVersion", "apiVersion")):
        if not body.get(key):
            raise bad_request(f"Object '{title}' is missing in '{json.dumps(body, separators=(',', ':'))}'")
    _check_metadata_shape(resource, body.get("metadata"))
    if body["apiVersion"] != resource.api_version:
        raise bad_request(
            f"the API version in the data ({body['apiVersion']}) does not match the expected API version "
            f"({resource.api_version})"
        )
    if body["kind"] != resource.kind and resource.custom:
        name = str((body.get("metadata") or {}).get("name") or "")
        error = invalid_value("kind", body["kind"], f"must be {resource.kind}")
        raise FieldErrors(resource.group, body["kind"], name, [error])
    if body["kind"] != resource.kind:
        raise bad_request(
            f'{body["kind"]} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f'no kind "{body["kind"]}" is registered for version "{resource.api_version}"'
        )
    return body


@dataclass(frozen=True)
class _Shape:
    """The type of a metadata field, and of what is in it, with the names that the server has for both."""

    kind: type
    name: str
    inner: type = str
    inner_name: str = "string"


_TEXT = _Shape(str, "string")
_TEXTS = _Shape(dict, "map[string]string")
_SHAPES = {
    **dict.fromkeys(("name", "generateName", "namespace", "uid", "resourceVersion"), _TEXT),
    **dict.fromkeys(("labels", "annotations"), _TEXTS),
    "finalizers": _Shape(list, "[]string"),
    "ownerReferences": _Shape(list, "[]v1.OwnerReference", dict, "v1.OwnerReference"),
    "managedFields": _Shape(list, "[]v1.ManagedFieldsEntry", dict, "v1.ManagedFieldsEntry"),
}
_JSON_NAMES = {str: "string", bool: "bool", int: "number", float: "number", dict: "object", list: "array"}


def _check_metadata_shape(resource: Resource, about: Any) -> None:
    """400 unless metadata can be read: what follows relies on its types."""
    found = _misfit(about)
    if found:
        value, where = found
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"json: cannot unmarshal {_JSON_NAMES.get(type(value), 'null')} into Go {where}"
        )


def _misfit(about: Any) -> tuple[Any, str] | None:
    """The first value in metadata of a wrong type, and what the server wanted to make of it."""
    if about is None:
        return None
    if not isinstance(about, dict):
        return about, "value of type v1.ObjectMeta"
    for field, shape in _SHAPES.items():
        value = about.get(field)
        where = f"struct field ObjectMeta.{field} of type"
        if value is not None and not isinstance(value, shape.kind):
            return value, f"{where} {shape.name}"
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        for item in items:
            if not isinstance(item, shape.inner):
                return item, f"{where} {shape.inner_name}"
    return None


def check_namespace(body: Json, namespace: str) -> None:
    """400 when the body names another namespace than the URL; where there is none, it is dropped later."""
    sent = (body.get("metadata") or {}).get("namespace")
    if namespace and sent and sent != namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
