"""The `Table` form of objects: what `kubectl get` prints, from the columns that each resource declares."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Any

from .formats import parse_time
from .resources import Column, Resource
from .store import Json

_STEP = re.compile(
    r"""\.(?P<field>(?:[^.\[\]\\]|\\.)+)"""
    r"""|\[\?\(@\.(?P<key>[^=!\s]+)\s*==\s*["'](?P<value>[^"']*)["']\)\]"""
    r"""|\[["'](?P<quoted>[^"']+)["']\]"""
    r"""|\[(?P<index>\*|-?\d+)\]"""
)


def json_path(item: Any, path: str) -> list[Any]:
    """What a kubectl JSONPath finds: fields, indexes, `[*]` and `[?(@.key=="value")]` filters."""
    found = [item]
    for step in _STEP.finditer(path):
        found = [value for node in found for value in _take(node, step)]
    return found


def _take(node: Any, step: re.Match[str]) -> list[Any]:
    name = step["field"] or step["quoted"]
    if name is not None:
        name = re.sub(r"\\(.)", r"\1", name)
        return [node[name]] if isinstance(node, dict) and name in node else []
    if not isinstance(node, list):
        return []
    if step["key"] is not None:
        return [item for item in node if json_path(item, "." + step["key"])[:1] == [step["value"]]]
    if step["index"] == "*":
        return list(node)
    at = int(step["index"])
    return [node[at]] if -len(node) <= at < len(node) else []


def table(
    resource: Resource,
    items: Iterable[Json],
    *,
    now: dt.datetime,
    include: str = "Metadata",
    metadata: Json | None = None,
    header: bool = True,
) -> Json:
    """A `meta.k8s.io/v1 Table`; `include` is the `includeObject` parameter."""
    body: Json = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata or {}}
    name = Column("Name", ".metadata.name", format="name")
    shows_name = any(column.name == "Name" for column in resource.columns)
    columns = resource.columns if shows_name else (name, *resource.columns)
    body["columnDefinitions"] = [_definition(column) for column in columns] if header else []
    body["rows"] = [
        {"cells": [_cell(item, column, now) for column in columns], "object": _included(item, include)}
        for item in items
    ]
    return body


def _definition(column: Column) -> Json:
    return {
        "name": column.name,
        "type": "string" if column.kind == "date" and not column.format else column.kind,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _included(item: Json, include: str) -> Json | None:
    if include == "None":
        return None
    if include == "Object":
        return item
    head = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    return {**head, "metadata": item["metadata"]}


def _cell(item: Json, column: Column, now: dt.datetime) -> Any:
    found = json_path(item, column.json_path)
    value = found[0] if found else None
    if column.json_path in {".data", ".secrets"}:
        return len(value or ())
    if column.kind == "date":
        return "<unknown>" if value is None else _age(str(value), now)
    if value is None:
        return None
    if column.json_path in {".involvedObject", ".regarding"}:
        return f"{str(value.get('kind', '')).lower()}/{value.get('name', '')}"
    return _typed(value, column.kind)


def _typed(value: Any, kind: str) -> Any:
    if kind in {"integer", "number"}:
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ",".join(_quoted(item) for item in value) + "]"
    return value if isinstance(value, str) else _quoted(value)


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _age(text: str, now: dt.datetime) -> str:
    try:
        return human_duration(now - parse_time(text))
    except ValueError:
        return "<invalid>"


def human_duration(age: dt.timedelta) -> str:
    """An age the way kubectl prints it: `45s`, `5m30s`, `3h20m`, `2d4h`, `30d`, `2y10d`."""
    seconds = int(age.total_seconds())
    if seconds < -1:
        return "<invalid>"
    seconds = max(seconds, 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    steps = (
        (seconds < 120, f"{seconds}s"),
        (minutes < 10, _pair(minutes, "m", seconds % 60, "s")),
        (minutes < 180, f"{minutes}m"),
        (hours < 8, _pair(hours, "h", minutes % 60, "m")),
        (hours < 48, f"{hours}h"),
        (days < 8, _pair(days, "d", hours % 24, "h")),
        (days < 730, f"{days}d"),
        (days < 8 * 365, _pair(days // 365, "y", days % 365, "d")),
    )
    return next((text for fits, text in steps if fits), f"{days // 365}y")


def _pair(first: int, unit: str, rest: int, rest_unit: str) -> str:
    return f"{first}{unit}{rest}{rest_unit}" if rest else f"{first}{unit}"
