"""The patch kinds other than server-side apply: merge (RFC 7396), JSON (RFC 6902) and strategic merge.

Strategic merge serves built-in kinds only and knows what kubectl sends for those: lists that merge by key,
`$patch: delete`, `$setElementOrder` (ignored: order is kept) and `$deleteFromPrimitiveList`.
"""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer

from .errors import ApiError, bad_request
from .store import clone
from .structural import child, list_keys

Json = dict[str, Any]


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396: objects merge, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return clone(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def json_patch(target: Json, operations: Any) -> Json:
    """RFC 6902. 400 when it cannot be read, 422 when it cannot be applied (a failing `test` too)."""
    if not isinstance(operations, list):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
        )
    try:
        patched = clone(target)
        for operation in operations:
            patched = jsonpatch.JsonPatch([_lenient(operation, patched)]).apply(patched)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        message = "the server rejected our request due to an error in our request"
        raise ApiError(422, "Invalid", message) from error
    if not isinstance(patched, dict):
        raise bad_request("the patched object is not an object")
    return patched


def _lenient(operation: Any, target: Any) -> Any:
    """The operation as the API server's library takes it: `replace` sets a field that is not there."""
    if not isinstance(operation, dict) or operation.get("op") != "replace":
        return operation
    parent, _, field = str(operation.get("path", "")).rpartition("/")
    above = jsonpointer.resolve_pointer(target, parent, None)
    missing = isinstance(above, dict) and jsonpointer.unescape(field) not in above
    return {**operation, "op": "add"} if missing else operation


def strategic_patch(target: Any, patch: Any, schema: Json) -> Any:
    """A strategic merge by the schema's list types; see the module's docstring for what it leaves out."""
    if not isinstance(patch, dict):
        return clone(patch)
    if patch.get("$patch") == "replace":
        return clone({name: value for name, value in patch.items() if name != "$patch"})
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if name.startswith("$"):
            _directive(merged, name, value)
        elif value is None:
            merged.pop(name, None)
        else:
            merged[name] = _strategic_value(merged.get(name), value, child(schema, name) or {})
    return merged


def _directive(merged: Json, name: str, value: Any) -> None:
    kind, _, field = name.partition("/")
    if kind == "$deleteFromPrimitiveList":
        merged[field] = [item for item in merged.get(field) or [] if item not in value]


def _strategic_value(target: Any, patch: Any, schema: Json) -> Any:
    if isinstance(patch, dict):
        return strategic_patch(target, patch, schema)
    if isinstance(patch, list) and isinstance(target, list):
        if keys := list_keys(schema):
            return _merge_items(target, patch, keys, schema)
        if schema.get("x-kubernetes-list-type") == "set":
            return [*target, *(item for item in patch if item not in target)]
    return clone(patch)


def _merge_items(target: list[Any], patch: list[Any], keys: tuple[str, ...], schema: Json) -> list[Any]:
    merged = list(target)
    for item in patch:
        identity = [item.get(key) for key in keys]
        at = next((i for i, old in enumerate(merged) if [old.get(key) for key in keys] == identity), None)
        if item.get("$patch") == "delete":
            if at is not None:
                del merged[at]
        elif at is None:
            merged.append(clone(item))
        else:
            merged[at] = strategic_patch(merged[at], item, schema.get("items") or {})
    return merged
