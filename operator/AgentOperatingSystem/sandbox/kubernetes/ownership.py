"""Who owns which field: `metadata.managedFields`, and server-side apply with its conflicts.

A set of fields is a frozen set of paths; a path is a tuple of the elements that FieldsV1 uses (`f:name`,
`k:{"type":"Ready"}`, `v:"x"`). Leaves are owned: scalars, atomic lists, empty maps, and the items of `map`
and `set` lists themselves. The list types come from the kind's schema; what it does not describe merges as
maps and atomic lists, as on the real server.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .errors import ApiError
from .store import clone
from .structural import child, key_of, list_keys

Json = dict[str, Any]
Path = tuple[str, ...]
Fields = frozenset[Path]

_UNTRACKED_METADATA = frozenset(
    {
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "managedFields",
    }
)

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

METADATA_SCHEMA: Json = {
    "type": "object",
    "properties": {
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        "finalizers": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "ownerReferences": {
            "type": "array",
            "items": {"type": "object"},
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["uid"],
        },
    },
}


@dataclass(frozen=True)
class Entry:
    """One line of managedFields: a manager, what it did, and the fields that it owns by that."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    time: str
    fields: Fields

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What makes two entries the same entry."""
        return self.manager, self.operation, self.api_version, self.subresource

    @property
    def described(self) -> str:
        """The manager as conflict messages name it."""
        text = json.dumps(self.manager)
        if self.subresource:
            text += f" with subresource {json.dumps(self.subresource)}"
        return text if self.operation == "Apply" else f"{text} using {self.api_version}"


@dataclass(frozen=True)
class Writer:
    """Who writes, and how: the identity that a write's fields are recorded under."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    time: str


def with_metadata(schema: Json) -> Json:
    """A kind's schema with the list types of `metadata`."""
    return {**schema, "properties": {**(schema.get("properties") or {}), "metadata": METADATA_SCHEMA}}


def tracked(item: Json) -> Json:
    """The part of an object whose fields have owners."""
    kept = {name: value for name, value in item.items() if name not in {"apiVersion", "kind", "metadata"}}
    metadata = item.get("metadata") or {}
    rest = {name: value for name, value in metadata.items() if name not in _UNTRACKED_METADATA}
    return {**kept, "metadata": rest} if rest else kept


def leaves(value: Any, schema: Json, path: Path = ()) -> dict[Path, Any]:
    """Every owned path of a value, with the value there (None for an item that is present)."""
    if isinstance(value, dict) and (value or not path) and schema.get("x-kubernetes-map-type") != "atomic":
        found: dict[Path, Any] = {}
        for name, item in value.items():
            found |= leaves(item, child(schema, name) or {}, (*path, f"f:{name}"))
        return found
    if isinstance(value, list) and value:
        if keys := list_keys(schema):
            return _item_leaves(value, keys, schema, path)
        if schema.get("x-kubernetes-list-type") == "set":
            return {(*path, f"v:{json.dumps(item, separators=(',', ':'))}"): None for item in value}
    return {path: value} if path else {}


def _item_leaves(value: list[Any], keys: tuple[str, ...], schema: Json, path: Path) -> dict[Path, Any]:
    found: dict[Path, Any] = {}
    for item in value:
        here = (*path, f"k:{key_of(item, keys, schema)}")
        found[here] = None
        found |= leaves(item, schema.get("items") or {}, here)
    return found


# --- FieldsV1 --------------------------------------------------------------------------------------


def encode(fields: Fields) -> Json:
    """A set of paths as a FieldsV1 object."""
    root: Json = {}
    for path in sorted(fields):
        node = root
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return _drop_leaf_dots(root)


def _drop_leaf_dots(node: Json) -> Json:
    if set(node) == {"."}:
        return {}
    return {name: _drop_leaf_dots(below) if name != "." else {} for name, below in node.items()}


def decode(node: Json, path: Path = ()) -> Fields:
    """The set of paths that a FieldsV1 object names."""
    if not node:
        return frozenset({path}) if path else frozenset()
    found: set[Path] = set()
    for name, below in node.items():
        found |= {path} if name == "." else decode(below, (*path, name))
    return frozenset(found)


def read_entries(item: Json) -> list[Entry]:
    """The owners that an object's managedFields name."""
    return [
        Entry(
            manager=str(raw.get("manager", "")),
            operation=str(raw.get("operation", "Update")),
            api_version=str(raw.get("apiVersion", "")),
            subresource=str(raw.get("subresource", "")),
            time=str(raw.get("time", "")),
            fields=decode(raw.get("fieldsV1") or {}),
        )
        for raw in item["metadata"].get("managedFields") or []
        if raw.get("manager") is not None or raw.get("fieldsV1")
    ]


def write_entries(item: Json, entries: Iterable[Entry]) -> Json:
    """The object with these owners; entries that own nothing are left out."""
    listed = []
    for entry in sorted(entries, key=lambda entry: (entry.operation != "Apply", entry.time, entry.manager)):
        if not entry.fields:
            continue
        raw: Json = {"manager": entry.manager, "operation": entry.operation, "apiVersion": entry.api_version}
        raw |= {"time": entry.time, "fieldsType": "FieldsV1", "fieldsV1": encode(entry.fields)}
        if entry.subresource:
            raw["subresource"] = entry.subresource
        listed.append(raw)
    metadata = {name: value for name, value in item["metadata"].items() if name != "managedFields"}
    if listed:
        metadata["managedFields"] = listed
    return {**item, "metadata": metadata}


# --- writes ----------------------------------------------------------------------------------------


def record_update(old: Json | None, new: Json, schema: Json, writer: Writer) -> Json:
    """The object with what an ordinary write changed recorded as its writer's."""
    full = with_metadata(schema)
    before = leaves(tracked(old), full) if old else {}
    after = leaves(tracked(new), full)
    changed = frozenset(path for path, value in after.items() if path not in before or before[path] != value)
    gone = frozenset(before.keys() - after.keys())
    source = new if new["metadata"].get("managedFields") else (old or new)
    entries = _taken(read_entries(source), writer, changed, gone)
    return write_entries(new, entries)


def _taken(entries: list[Entry], writer: Writer, changed: Fields, gone: Fields) -> list[Entry]:
    """The entries after a write: its fields go to the writer and leave everybody else."""
    mine = Entry(
        writer.manager, writer.operation, writer.api_version, writer.subresource, writer.time, changed
    )
    result, present = [], False
    for entry in entries:
        if entry.identity == mine.identity:
            present = True
            owned = (entry.fields | changed) - gone
            time = writer.time if changed - entry.fields or entry.fields & gone else entry.time
            result.append(replace(entry, fields=owned, time=time))
        else:
            result.append(replace(entry, fields=entry.fields - changed - gone))
    return result if present else [*result, mine]


def apply(live: Json | None, config: Json, schema: Json, writer: Writer, *, force: bool) -> Json:
    """The object after a server-side apply of `config`. 409 when another owner holds another value."""
    full = with_metadata(schema)
    wanted = leaves(tracked(config), full)
    if live is None:
        return write_entries(config, [_entry(writer, frozenset(wanted))])
    present = leaves(tracked(live), full)
    entries = read_entries(live)
    mine = next((entry for entry in entries if entry.identity == _entry(writer, frozenset()).identity), None)
    others = [entry for entry in entries if entry is not mine]
    differing = frozenset(path for path, value in wanted.items() if present.get(path, wanted) != value)
    disputed = differing - _left_to_kubectl(live, full, writer)
    contested = {entry: entry.fields & disputed for entry in others if entry.fields & disputed}
    if contested and not force:
        raise _conflict(contested)
    merged = _merge(live, config, full)
    # A field that is no longer mentioned goes with everything below it, owned or not.
    dropped = _with_parents(mine.fields if mine else frozenset()) - _with_parents(frozenset(wanted))
    kept = frozenset(path for entry in others for path in entry.fields)
    for path in sorted(dropped - kept, key=len):  # whole items before what is in them
        if not any(other[: len(path)] == path for other in kept | frozenset(wanted)):
            merged = _without(merged, path, full)
    remaining = [replace(entry, fields=entry.fields - differing) for entry in others]
    owned = _entry(writer, frozenset(wanted))
    if mine and mine.fields == owned.fields:
        owned = replace(owned, time=mine.time)
    return write_entries(merged, [*remaining, owned])


def _with_parents(fields: Fields) -> Fields:
    """The paths and the named fields above them."""
    above = {path[:length] for path in fields for length in range(1, len(path))}
    return fields | {path for path in above if path[-1].startswith("f:") and path != ("f:metadata",)}


def _left_to_kubectl(live: Json, schema: Json, writer: Writer) -> Fields:
    """What `kubectl apply` set before it went server-side: `kubectl` may take that without a conflict."""
    text = (live["metadata"].get("annotations") or {}).get(_LAST_APPLIED)
    if writer.manager != "kubectl" or not text:
        return frozenset()
    try:
        applied = json.loads(text)
    except ValueError:
        return frozenset()
    return frozenset(leaves(tracked(applied), schema)) if isinstance(applied, dict) else frozenset()


def _entry(writer: Writer, fields: Fields) -> Entry:
    return Entry(
        writer.manager, writer.operation, writer.api_version, writer.subresource, writer.time, fields
    )


def _conflict(contested: Mapping[Entry, Fields]) -> ApiError:
    causes, lines = [], []
    for entry, fields in contested.items():
        shown = sorted(_dotted(path) for path in fields)
        lines.append((entry.described, shown))
        causes += [
            {"reason": "FieldManagerConflict", "message": f"conflict with {entry.described}", "field": field}
            for field in shown
        ]
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: conflict with {lines[0][0]}: {lines[0][1][0]}"
    else:
        listed = "\n".join(
            "\n".join([f"conflicts with {who}:", *(f"- {field}" for field in fields)])
            for who, fields in lines
        )
        message = f"Apply failed with {len(causes)} conflicts: {listed}"
    return ApiError(409, "Conflict", message, {"causes": causes})


def _dotted(path: Path) -> str:
    parts = []
    for element in path:
        kind, _, text = element.partition(":")
        if kind == "f":
            parts.append(f".{text}")
        elif kind == "v":
            parts.append(f"[={text}]")
        else:
            keys = ",".join(f"{name}={json.dumps(value)}" for name, value in json.loads(text).items())
            parts.append(f"[{keys}]")
    return "".join(parts)


def _merge(live: Any, config: Any, schema: Json) -> Any:
    atomic = schema.get("x-kubernetes-map-type") == "atomic"
    if isinstance(live, dict) and isinstance(config, dict) and not atomic:
        merged = dict(live)
        for name, value in config.items():
            merged[name] = (
                _merge(live[name], value, child(schema, name) or {}) if name in live else clone(value)
            )
        return merged
    if isinstance(live, list) and isinstance(config, list):
        if keys := list_keys(schema):
            return _merge_list(live, config, keys, schema)
        if schema.get("x-kubernetes-list-type") == "set":
            return [*live, *(item for item in config if item not in live)]
    return clone(config)


def _merge_list(live: list[Any], config: list[Any], keys: tuple[str, ...], schema: Json) -> list[Any]:
    wanted = {key_of(item, keys, schema): item for item in config}
    items = schema.get("items") or {}
    merged = []
    for item in live:
        match = wanted.pop(key_of(item, keys, schema), None)
        merged.append(item if match is None else _merge(item, match, items))
    return [*merged, *(clone(item) for item in wanted.values())]


def _without(value: Any, path: Path, schema: Json) -> Any:
    """The value without what is at a path; maps and lists that this empties go too."""
    kind, _, text = path[0].partition(":")
    if kind == "f" and isinstance(value, dict) and text in value:
        rest = _without(value[text], path[1:], child(schema, text) or {}) if len(path) > 1 else None
        others = {name: item for name, item in value.items() if name != text}
        return {**value, text: rest} if rest not in (None, {}, []) else others
    if kind == "v" and isinstance(value, list):
        return [item for item in value if item != json.loads(text)]
    if kind == "k" and isinstance(value, list):
        keys, items = list_keys(schema), schema.get("items") or {}
        kept = []
        for item in value:
            if key_of(item, keys, schema) != text:
                kept.append(item)
            elif len(path) > 1 and path[1].removeprefix("f:") in keys:
                kept.append(item)  # an item that stays keeps its key
            elif len(path) > 1:
                kept.append(_without(item, path[1:], items))
        return kept
    return value
