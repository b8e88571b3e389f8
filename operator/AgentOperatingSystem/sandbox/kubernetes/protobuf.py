"""Reads the few protobuf bodies that kubectl sends for built-in kinds (`create namespace`, `auth can-i`).

Kubernetes wraps a message in an envelope that names its kind. Only the kinds below are known; for another the
server answers 415. The tables give field numbers as the published .proto files do.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

MAGIC = b"k8s\x00"


@dataclass(frozen=True)
class Field:
    """How one field is read: `form` is text, bytes, bool, int, map, bytes-map or a message of `below`."""

    name: str
    form: str = "text"
    below: dict[int, Field] | None = None
    many: bool = False


_OWNER = {
    1: Field("kind"),
    3: Field("name"),
    4: Field("uid"),
    5: Field("apiVersion"),
    6: Field("controller", "bool"),
    7: Field("blockOwnerDeletion", "bool"),
}
_METADATA = {
    1: Field("name"),
    2: Field("generateName"),
    3: Field("namespace"),
    5: Field("uid"),
    6: Field("resourceVersion"),
    11: Field("labels", "map"),
    12: Field("annotations", "map"),
    13: Field("ownerReferences", "message", _OWNER, many=True),
    14: Field("finalizers", many=True),
}
_RESOURCE_ATTRIBUTES = {
    number: Field(name)
    for number, name in enumerate(
        ("namespace", "verb", "group", "version", "resource", "subresource", "name"), start=1
    )
}
_ACCESS = {
    1: Field("resourceAttributes", "message", _RESOURCE_ATTRIBUTES),
    2: Field("nonResourceAttributes", "message", {1: Field("path"), 2: Field("verb")}),
}
_ABOUT = Field("metadata", "message", _METADATA)
_MESSAGES: dict[str, dict[int, Field]] = {
    "Namespace": {1: _ABOUT},
    "ConfigMap": {
        1: _ABOUT,
        2: Field("data", "map"),
        3: Field("binaryData", "bytes-map"),
        4: Field("immutable", "bool"),
    },
    "Secret": {
        1: _ABOUT,
        2: Field("data", "bytes-map"),
        3: Field("type"),
        4: Field("stringData", "map"),
        5: Field("immutable", "bool"),
    },
    "ServiceAccount": {1: _ABOUT},
    "SelfSubjectAccessReview": {1: _ABOUT, 2: Field("spec", "message", _ACCESS)},
    "SelfSubjectRulesReview": {1: _ABOUT, 2: Field("spec", "message", {1: Field("namespace")})},
    "SelfSubjectReview": {1: _ABOUT},
    "DeleteOptions": {
        1: Field("gracePeriodSeconds", "int"),
        2: Field("preconditions", "message", {1: Field("uid"), 2: Field("resourceVersion")}),
        3: Field("orphanDependents", "bool"),
        4: Field("propagationPolicy"),
        5: Field("dryRun", many=True),
    },
}


def decode(data: bytes) -> Json:
    """The body as the JSON object that it stands for. Raises ValueError when it cannot be read here."""
    if not data.startswith(MAGIC):
        raise ValueError("not a Kubernetes protobuf body")
    envelope = dict(read_fields(data[len(MAGIC) :]))
    about = dict(read_fields(as_bytes(envelope.get(1, b""))))
    kind = as_bytes(about.get(2, b"")).decode()
    message = _MESSAGES.get(kind)
    if message is None:
        raise ValueError(f"no protobuf description of {kind!r}")
    head = {"apiVersion": as_bytes(about.get(1, b"")).decode(), "kind": kind}
    return {**head, **_message(as_bytes(envelope.get(2, b"")), message)}


def as_bytes(value: bytes | int) -> bytes:
    """The value of a field that is text, bytes or a message. Raises ValueError for a number."""
    if isinstance(value, int):
        raise ValueError("a number where bytes were expected")  # noqa: TRY004 - one error for unreadable bodies
    return value


def _message(data: bytes, fields: dict[int, Field]) -> Json:
    result: Json = {}
    for number, raw in read_fields(data):
        field = fields.get(number)
        if field is None:
            continue
        if field.form in {"map", "bytes-map"}:
            entry = dict(read_fields(as_bytes(raw)))
            key, value = as_bytes(entry.get(1, b"")).decode(), as_bytes(entry.get(2, b""))
            text = value.decode() if field.form == "map" else base64.b64encode(value).decode()
            result.setdefault(field.name, {})[key] = text
        elif field.many:
            result.setdefault(field.name, []).append(_value(raw, field))
        elif (value_read := _value(raw, field)) not in ("", {}):
            result[field.name] = value_read
    return result


def _value(raw: bytes | int, field: Field) -> Any:
    if field.form == "message":
        return _message(as_bytes(raw), field.below or {})
    if field.form == "bool":
        return bool(raw)
    if field.form == "int":
        return raw
    return as_bytes(raw).decode()


def read_fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The fields of a message: number, and value as a number or as bytes. Raises ValueError."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            length, at = _varint(data, at)
        elif wire in {1, 5}:
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(f"unknown wire type {wire}")
        if at + length > len(data):
            raise ValueError("the body ends inside a field")
        yield number, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 0x7F) << shift
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
        shift += 7
    raise ValueError("the body ends inside a number")
