"""What single built-in kinds do of their own: the two faces of events, secrets, namespaces, reviews."""

from __future__ import annotations

import base64
from typing import Any

from .errors import FieldError, invalid_value
from .resources import Resource

Json = dict[str, Any]

EVENTS = ("", "events")
NAMESPACES = ("", "namespaces")
SECRETS = ("", "secrets")

# core/v1 name, events.k8s.io/v1 name
_EVENT_FIELDS = (
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("count", "deprecatedCount"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("reportingComponent", "reportingController"),
)


def stored_form(resource: Resource, body: Json) -> Json:
    """The object as it is stored: events of both groups are stored as core/v1."""
    if resource.key != EVENTS or not resource.group:
        return body
    names = {new: core for core, new in _EVENT_FIELDS}
    return {names.get(name, name): value for name, value in body.items()}


def served_form(resource: Resource, item: Json) -> Json:
    """The stored object as one resource (its group and version) shows it."""
    if resource.key == EVENTS and resource.group:
        names = dict(_EVENT_FIELDS)
        item = {names.get(name, name): value for name, value in item.items()}
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    if item.get("apiVersion") == head["apiVersion"] and item.get("kind") == head["kind"]:
        return item
    return {**head, **{name: value for name, value in item.items() if name not in head}}


def prepared(resource: Resource, item: Json) -> Json:
    """The object with what the server fills in for its kind."""
    if resource.key == NAMESPACES:
        return _namespace(item)
    if resource.key == SECRETS:
        return _secret(item)
    return item


def _namespace(item: Json) -> Json:
    metadata = item["metadata"]
    labels = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata["name"]}
    spec = {"finalizers": ["kubernetes"], **(item.get("spec") or {})}
    status = {"phase": "Active", **(item.get("status") or {})}
    return {**item, "metadata": {**metadata, "labels": labels}, "spec": spec, "status": status}


def _secret(item: Json) -> Json:
    secret = {"type": "Opaque", **{name: value for name, value in item.items() if name != "stringData"}}
    if plain := item.get("stringData"):
        encoded = {name: base64.b64encode(value.encode()).decode() for name, value in plain.items()}
        secret["data"] = {**(secret.get("data") or {}), **encoded}
    return secret


def check(resource: Resource, item: Json) -> list[FieldError]:
    """What is wrong with an object by the rules of its kind alone."""
    if resource.key != EVENTS:
        return []
    about = (item.get("involvedObject") or {}).get("namespace", "")
    if (about or "default") == item["metadata"].get("namespace"):
        return []
    return [invalid_value("involvedObject.namespace", about, "does not match event.namespace")]


def review(resource: Resource, body: Json) -> Json:
    """The answer to a review: everything is allowed here, to one user."""
    if resource.kind == "SelfSubjectReview":
        user = {"username": "aos-sandbox", "groups": ["system:masters", "system:authenticated"]}
        status: Json = {"userInfo": user}
    elif resource.kind == "SelfSubjectRulesReview":
        status = {
            "incomplete": False,
            "nonResourceRules": [{"nonResourceURLs": ["*"], "verbs": ["*"]}],
            "resourceRules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
        }
    else:
        status = {"allowed": True, "reason": "the sandbox allows everything"}
    head = {"kind": resource.kind, "apiVersion": resource.api_version}
    return {**head, "metadata": body.get("metadata") or {}, "spec": body.get("spec") or {}, "status": status}
