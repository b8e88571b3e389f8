"""What a body must be before anything else is asked of it: of the right kind, place and shape."""

from __future__ import annotations

import json
from typing import Any

from .errors import bad_request
from .resources import Resource

Json = dict[str, Any]


def typed(resource: Resource, body: Json) -> Json:
    """The body, of the right kind: a built-in one may leave it out. 400 when it is another."""
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
    if body["kind"] != resource.kind:
        raise bad_request(
            f'{body["kind"]} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f'no kind "{body["kind"]}" is registered for version "{resource.api_version}"'
        )
    return body


def _check_metadata_shape(resource: Resource, about: Any) -> None:
    """400 unless metadata can be read: what follows relies on its types."""
    shapes: tuple[tuple[str, type], ...] = (
        *((name, dict) for name in ("labels", "annotations")),
        *((name, list) for name in ("finalizers", "ownerReferences", "managedFields")),
        *((name, str) for name in ("name", "generateName", "namespace", "uid", "resourceVersion")),
    )
    inside: dict[str, type] = {"labels": str, "annotations": str, "finalizers": str}
    inside |= {"ownerReferences": dict, "managedFields": dict}
    about = {} if about is None else about
    wrong = [] if isinstance(about, dict) else ["metadata"]
    for name, kind in shapes if not wrong else ():
        value = about.get(name)
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        fits = value is None or isinstance(value, kind)
        if not fits or not all(isinstance(item, inside[name]) for item in items):
            wrong.append(f"metadata.{name}")
    if wrong:
        kind_name = f'{resource.kind} in version "{resource.version}"'
        raise bad_request(
            f"{kind_name} cannot be handled as a {resource.kind}: json: wrong type of {wrong[0]}"
        )


def check_namespace(body: Json, namespace: str) -> None:
    """400 when the body names another namespace than the URL."""
    sent = (body.get("metadata") or {}).get("namespace")
    if sent and sent != namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
