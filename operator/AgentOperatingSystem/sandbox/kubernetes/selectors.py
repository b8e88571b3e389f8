"""Label and field selectors: the texts of `labelSelector` and `fieldSelector` as predicates over objects."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .errors import bad_request

Json = dict[str, Any]
Predicate = Callable[[Json], bool]

_SET = re.compile(r"^\s*(?P<key>[\w./-]+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)\s*$")
_EQUAL = re.compile(r"^\s*(?P<key>[\w./-]+)\s*(?P<op>==|=|!=)\s*(?P<value>[\w.-]*)\s*$")
_EXISTS = re.compile(r"^\s*(?P<not>!?)\s*(?P<key>[\w./-]+)\s*$")
_OUTSIDE_PARENTHESES = re.compile(r",(?![^(]*\))")


def label_selector(text: str) -> Predicate | None:
    """The predicate of a label selector; None when it selects everything. 400 when it cannot be read."""
    if not text.strip():
        return None
    tests = [_label_test(part) for part in _OUTSIDE_PARENTHESES.split(text)]

    def matches(item: Json) -> bool:
        labels = item["metadata"].get("labels") or {}
        return all(test(labels) for test in tests)

    return matches


def _label_test(text: str) -> Predicate:
    if found := _SET.match(text):
        key = found["key"]
        values = {value.strip() for value in found["values"].split(",")}
        if found["op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUAL.match(text):
        key, value = found["key"], found["value"]
        if found["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _EXISTS.match(text):
        key, wanted = found["key"], not found["not"]
        return lambda labels: (key in labels) is wanted
    raise bad_request(f"unable to parse requirement: {text!r}")


def field_selector(text: str, fields: tuple[str, ...], qualified: str) -> Predicate | None:
    """The predicate of a field selector over `fields`; 400 for another field.

    The refusal names a built-in kind (`qualified`) and what was asked for; of a custom one the field alone.
    """
    if not text.strip():
        return None
    tests = []
    for part in text.split(","):
        found = re.match(r"^([\w.\[\]-]+)(==|=|!=)(.*)$", part.strip())
        if not found:
            raise bad_request(f"invalid selector: {text!r}; can't understand {part!r}")
        path, operator, value = found.groups()
        if path not in fields and not qualified:
            raise bad_request(f"field label not supported: {path}")
        if path not in fields:
            raise bad_request(
                f'Unable to find "{qualified}" that match label selector "", field selector "{text}": '
                f"field label not supported: {path}"
            )
        tests.append((tuple(path.split(".")), operator != "!=", value))

    def matches(item: Json) -> bool:
        return all((_dig(item, path) == value) is equal for path, equal, value in tests)

    return matches


def _dig(item: Any, path: tuple[str, ...]) -> str:
    for part in path:
        item = item.get(part) if isinstance(item, dict) else None
    return "" if item is None else str(item)


def both(first: Predicate | None, second: Predicate | None) -> Predicate | None:
    """Both predicates at once; None still means everything."""
    if first is None or second is None:
        return first or second
    return lambda item: first(item) and second(item)
