"""The OpenAPI documents that kubectl reads: for `explain`, and to learn what `apply` may ask for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from .discovery import VERSION
from .resources import Catalogue, Resource

Json = dict[str, Any]

_META_PACKAGE = "io.k8s.apimachinery.pkg.apis.meta.v1."
_META_NAME = f"{_META_PACKAGE}ObjectMeta"
_META: Json = {
    "type": "object",
    "description": "ObjectMeta is metadata that all persisted resources must have.",
    "properties": {
        "name": {"type": "string", "description": "Name must be unique within a namespace."},
        "generateName": {
            "type": "string",
            "description": "The prefix of a name that the server makes unique.",
        },
        "namespace": {
            "type": "string",
            "description": "Namespace defines the space within which names are unique.",
        },
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        "uid": {"type": "string"},
        "resourceVersion": {"type": "string"},
        "generation": {"type": "integer", "format": "int64"},
        "creationTimestamp": {"type": "string", "format": "date-time"},
        "deletionTimestamp": {"type": "string", "format": "date-time"},
        "deletionGracePeriodSeconds": {"type": "integer", "format": "int64"},
        "finalizers": {
            "type": "array",
            "items": {"type": "string"},
            "x-kubernetes-list-type": "set",
            "x-kubernetes-patch-strategy": "merge",
        },
        "ownerReferences": {
            "type": "array",
            "items": "OwnerReference",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["uid"],
            "x-kubernetes-patch-merge-key": "uid",
            "x-kubernetes-patch-strategy": "merge",
        },
        "managedFields": {"type": "array", "items": "ManagedFieldsEntry", "x-kubernetes-list-type": "atomic"},
        "selfLink": {"type": "string"},
    },
}
_OWNER: Json = {
    "type": "object",
    "description": "OwnerReference contains enough information to let you identify an owning object.",
    "required": ["apiVersion", "kind", "name", "uid"],
    "properties": {
        **{name: {"type": "string", "default": ""} for name in ("apiVersion", "kind", "name", "uid")},
        **{name: {"type": "boolean"} for name in ("blockOwnerDeletion", "controller")},
    },
}
_MANAGED: Json = {
    "type": "object",
    "description": "ManagedFieldsEntry tells which fields of the object a manager owns.",
    "properties": {
        **{
            name: {"type": "string"}
            for name in ("apiVersion", "fieldsType", "manager", "operation", "subresource")
        },
        "fieldsV1": {"type": "object"},
        "time": {"type": "string", "format": "date-time"},
    },
}
_FIELDS: Json = {"type": "object", "description": "FieldsV1 stores a set of fields as a tree."}
_QUERY = ("dryRun", "fieldManager", "fieldValidation", "force")
_PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
)
_STRATEGIC = "application/strategic-merge-patch+json"


def index(catalogue: Catalogue) -> Json:
    """`/openapi/v3`: where the document of each group and version is."""
    paths = {}
    for group, versions in catalogue.group_versions().items():
        for version in versions:
            path = f"apis/{group}/{version}" if group else f"api/{version}"
            text = json.dumps(document(catalogue, group, version), sort_keys=True)
            digest = hashlib.sha256(text.encode()).hexdigest().upper()
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": paths}


def document(catalogue: Catalogue, group: str, version: str) -> Json:
    """`/openapi/v3/apis/{group}/{version}`: the schemas and paths of one group and version."""
    schemas = _meta_schemas("#/components/schemas/")
    paths: Json = {}
    for resource in catalogue.of(group, version):
        schemas[schema_name(resource)] = _described(resource, "#/components/schemas/")
        schemas[f"{schema_name(resource)}List"] = _list_schema(resource, "#/components/schemas/")
        paths.update(_paths(resource))
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def swagger(catalogue: Catalogue) -> Json:
    """`/openapi/v2`: the same for older readers."""
    definitions = _meta_schemas("#/definitions/")
    for resource in catalogue:
        definitions[schema_name(resource)] = _described(resource, "#/definitions/")
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": {},
        "definitions": definitions,
    }


def _meta_schemas(prefix: str) -> Json:
    """ObjectMeta and what it refers to, with references that fit the document."""
    reference = f"{prefix}{_META_PACKAGE}"
    meta = {
        name: {**field, "items": {"$ref": reference + field["items"]}}
        if isinstance(field.get("items"), str)
        else field
        for name, field in _META["properties"].items()
    }
    fields = {"allOf": [{"$ref": f"{reference}FieldsV1"}]}
    return {
        _META_NAME: {**_META, "properties": meta},
        f"{_META_PACKAGE}OwnerReference": _OWNER,
        f"{_META_PACKAGE}ManagedFieldsEntry": {
            **_MANAGED,
            "properties": {**_MANAGED["properties"], "fieldsV1": fields},
        },
        f"{_META_PACKAGE}FieldsV1": _FIELDS,
    }


def schema_name(resource: Resource) -> str:
    """The name of a kind's schema, with the group's name reversed as on the real server."""
    if resource.custom:
        return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])
    group = resource.group.split(".")[0] or "core"
    return f"io.k8s.api.{group}.{resource.version}.{resource.kind}"


def _described(resource: Resource, prefix: str) -> Json:
    schema = dict(resource.schema)
    properties = dict(schema.get("properties") or {})
    given = (properties.get("metadata") or {}).get("description")
    about = {"description": given or "Standard object's metadata."}
    # kubectl follows a reference only through allOf when it carries a description of its own.
    properties["metadata"] = {**about, "default": {}, "allOf": [{"$ref": prefix + _META_NAME}]}
    schema["properties"] = properties
    schema["x-kubernetes-group-version-kind"] = [_gvk(resource)]
    return schema


def _list_schema(resource: Resource, prefix: str) -> Json:
    return {
        "type": "object",
        "description": f"{resource.item_list_kind} is a list of {resource.kind}",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "items": {"type": "array", "items": {"allOf": [{"$ref": prefix + schema_name(resource)}]}},
        },
        "x-kubernetes-group-version-kind": [{**_gvk(resource), "kind": resource.item_list_kind}],
    }


def _gvk(resource: Resource) -> Json:
    return {"group": resource.group, "kind": resource.kind, "version": resource.version}


def _paths(resource: Resource) -> Iterator[tuple[str, Json]]:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    collection = f"{root}{scope}/{resource.plural}"
    reference = {"$ref": f"#/components/schemas/{schema_name(resource)}"}
    verbs = {"get": ("get", "list"), "post": ("create", "post"), "delete": ("deletecollection",) * 2}
    yield (
        collection,
        {
            method: _operation(resource, action, reference)
            for method, (verb, action) in verbs.items()
            if verb in resource.verbs
        },
    )
    methods = {"get": "get", "put": "put", "patch": "patch", "delete": "delete"}
    if "get" in resource.verbs:
        yield (
            f"{collection}/{{name}}",
            {method: _operation(resource, action, reference) for method, action in methods.items()},
        )
    if resource.has_status:
        methods.pop("delete")
        yield (
            f"{collection}/{{name}}/status",
            {method: _operation(resource, action, reference) for method, action in methods.items()},
        )


def _operation(resource: Resource, action: str, reference: Json) -> Json:
    parameters = (
        []
        if action in {"get", "list"}
        else [
            {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
            for name in _QUERY
        ]
    )
    operation: Json = {
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(resource),
    }
    if action == "patch":
        operation["requestBody"] = {
            "content": {kind: {"schema": {"type": "object"}} for kind in _PATCH_TYPES}
        }
    elif action in {"post", "put"}:
        operation["requestBody"] = {"content": {"*/*": {"schema": reference}}}
    return operation
