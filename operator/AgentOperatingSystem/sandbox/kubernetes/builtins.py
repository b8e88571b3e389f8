"""The built-in kinds that the server serves, and their schemas: few, and none pretended.

The schemas are open (`x-kubernetes-preserve-unknown-fields`): the server keeps what it is sent and only
describes what kubectl and people need. Server-side apply needs the list keys that are named here.
"""

from __future__ import annotations

from typing import Any

from .resources import Column, Resource

Json = dict[str, Any]

REVIEW_VERBS = ("create",)
CRD_GROUP = "apiextensions.k8s.io"


def _text(description: str = "") -> Json:
    return {"type": "string", "description": description} if description else {"type": "string"}


def _object(properties: Json, description: str = "") -> Json:
    schema: Json = {"type": "object", "properties": properties, "x-kubernetes-preserve-unknown-fields": True}
    if description:
        schema["description"] = description
    return schema


def _mapping(description: str) -> Json:
    return {"type": "object", "additionalProperties": {"type": "string"}, "description": description}


def _kind(description: str, **properties: Json) -> Json:
    head: Json = {
        "apiVersion": _text("The version of this representation of an object."),
        "kind": _text("The resource that this object represents."),
        "metadata": {"type": "object"},
    }
    return _object({**head, **properties}, description)


def _list_map(properties: Json, *keys: str) -> Json:
    return {
        "type": "array",
        "items": _object(properties),
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": list(keys),
    }


AGE = Column("Age", ".metadata.creationTimestamp", "date")

CONDITIONS = _list_map({"type": _text(), "status": _text(), "reason": _text(), "message": _text()}, "type")

OBJECT_REFERENCE = _object({name: _text() for name in ("apiVersion", "kind", "name", "namespace", "uid")})

EVENT_SCHEMA = _kind(
    "Event is a report of an event somewhere in the cluster.",
    involvedObject=OBJECT_REFERENCE,
    reason=_text("Why, in one word."),
    message=_text("What happened, for people."),
    type=_text("Normal or Warning."),
    count={"type": "integer", "format": "int32"},
    firstTimestamp={"type": "string", "format": "date-time"},
    lastTimestamp={"type": "string", "format": "date-time"},
    reportingComponent=_text(),
    reportingInstance=_text(),
    source=_object({"component": _text(), "host": _text()}),
)

EVENT_COLUMNS = (
    Column("Last Seen", ".lastTimestamp", "date"),
    Column("Type", ".type"),
    Column("Reason", ".reason"),
    Column("Object", ".involvedObject"),
    Column("Subobject", ".involvedObject.fieldPath", priority=1),
    Column("Source", ".source.component", priority=1),
    Column("Message", ".message"),
    Column("First Seen", ".firstTimestamp", "date", 1),
    Column("Count", ".count", "integer", 1),
    Column("Name", ".metadata.name", priority=1),
)

CRD_VERSIONS = _list_map(
    {"name": _text(), "served": {"type": "boolean"}, "storage": {"type": "boolean"}}, "name"
)

BUILTINS: tuple[Resource, ...] = (
    Resource(
        group="",
        version="v1",
        kind="Namespace",
        plural="namespaces",
        singular="namespace",
        namespaced=False,
        short_names=("ns",),
        has_status=True,
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
        columns=(Column("Status", ".status.phase"), AGE),
        schema=_kind(
            "Namespace provides a scope for names.",
            spec=_object(
                {"finalizers": {"type": "array", "items": _text(), "x-kubernetes-list-type": "atomic"}}
            ),
            status=_object({"phase": _text(), "conditions": CONDITIONS}),
        ),
    ),
    Resource(
        group="",
        version="v1",
        kind="ConfigMap",
        plural="configmaps",
        singular="configmap",
        namespaced=True,
        short_names=("cm",),
        columns=(Column("Data", ".data", "integer"), AGE),
        schema=_kind(
            "ConfigMap holds configuration data to consume.",
            data=_mapping("The configuration data."),
            binaryData=_mapping("The binary data, base64."),
            immutable={"type": "boolean"},
        ),
    ),
    Resource(
        group="",
        version="v1",
        kind="Secret",
        plural="secrets",
        singular="secret",
        namespaced=True,
        columns=(Column("Type", ".type"), Column("Data", ".data", "integer"), AGE),
        schema=_kind(
            "Secret holds secret data of a certain type.",
            data=_mapping("The secret data, base64."),
            stringData=_mapping("Secret data as text; written into data."),
            type=_text(),
            immutable={"type": "boolean"},
        ),
    ),
    Resource(
        group="",
        version="v1",
        kind="ServiceAccount",
        plural="serviceaccounts",
        singular="serviceaccount",
        namespaced=True,
        short_names=("sa",),
        columns=(Column("Secrets", ".secrets", "integer"), AGE),
        schema=_kind(
            "ServiceAccount is an identity for processes.", secrets=_list_map({"name": _text()}, "name")
        ),
    ),
    Resource(
        group="",
        version="v1",
        kind="Event",
        plural="events",
        singular="event",
        namespaced=True,
        short_names=("ev",),
        columns=EVENT_COLUMNS,
        schema=EVENT_SCHEMA,
    ),
    Resource(
        group="events.k8s.io",
        version="v1",
        kind="Event",
        plural="events",
        singular="event",
        namespaced=True,
        short_names=("ev",),
        columns=EVENT_COLUMNS,
        schema=EVENT_SCHEMA,
        storage=("", "events"),
    ),
    Resource(
        group="coordination.k8s.io",
        version="v1",
        kind="Lease",
        plural="leases",
        singular="lease",
        namespaced=True,
        columns=(Column("Holder", ".spec.holderIdentity"), AGE),
        schema=_kind(
            "Lease defines a lease concept.",
            spec=_object(
                {
                    "holderIdentity": _text("Who holds the lease."),
                    "leaseDurationSeconds": {"type": "integer", "format": "int32"},
                    "leaseTransitions": {"type": "integer", "format": "int32"},
                    "acquireTime": {"type": "string", "format": "date-time"},
                    "renewTime": {"type": "string", "format": "date-time"},
                }
            ),
        ),
    ),
    Resource(
        group=CRD_GROUP,
        version="v1",
        kind="CustomResourceDefinition",
        plural="customresourcedefinitions",
        singular="customresourcedefinition",
        namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        has_status=True,
        columns=(Column("Created At", ".metadata.creationTimestamp", "string"),),
        schema=_kind(
            "CustomResourceDefinition represents a resource that should be exposed on the API server.",
            spec=_object(
                {
                    "group": _text(),
                    "scope": _text(),
                    "names": {**_object({"kind": _text(), "plural": _text()})},
                    "versions": CRD_VERSIONS,
                }
            ),
            status=_object({"conditions": CONDITIONS}),
        ),
    ),
    *(
        Resource(
            group=group,
            version="v1",
            kind=kind,
            plural=kind.lower() + "s",
            singular=kind.lower(),
            namespaced=kind == "LocalSubjectAccessReview",
            verbs=REVIEW_VERBS,
            schema=_kind(f"{kind} asks what the caller may do.", spec=_object({}), status=_object({})),
        )
        for group, kind in (
            ("authorization.k8s.io", "SelfSubjectAccessReview"),
            ("authorization.k8s.io", "SelfSubjectRulesReview"),
            ("authentication.k8s.io", "SelfSubjectReview"),
        )
    ),
)
