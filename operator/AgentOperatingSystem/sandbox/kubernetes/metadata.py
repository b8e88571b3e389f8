"""`metadata`: what the server sets on a write, and which names, labels and annotations it accepts."""

from __future__ import annotations

import datetime as dt
import re
import secrets
import uuid
from collections.abc import Iterator
from typing import Any

from .errors import FieldError, forbidden_field, invalid_value, required, too_long
from .resources import Resource
from .store import clone

Json = dict[str, Any]

ANNOTATION_LIMIT = 262_144
_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def rfc3339(moment: dt.datetime) -> str:
    """A time the way metadata holds it, to the second."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamped(body: Json, resource: Resource, namespace: str, now: str) -> Json:
    """A new object with the metadata that only the server may set; `generateName` becomes a name."""
    metadata = clone(body.get("metadata") or {})
    if not metadata.get("name") and metadata.get("generateName"):
        suffix = "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(5))
        metadata["name"] = metadata["generateName"][:58] + suffix
    for field in (
        "resourceVersion",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "namespace",
    ):
        metadata.pop(field, None)
    metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now}
    metadata.pop("generation", None)
    if resource.custom or resource.plural == "customresourcedefinitions":
        metadata["generation"] = 1
    if namespace:
        metadata["namespace"] = namespace
    return {**body, "metadata": _tidy(metadata)}


def carried(body: Json, old: Json) -> Json:
    """An update's object with the metadata that a client cannot change."""
    metadata = dict(body.get("metadata") or {})
    for field in (
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generateName",
        "namespace",
        "resourceVersion",
    ):
        metadata.pop(field, None)
        if field in old["metadata"]:
            metadata[field] = old["metadata"][field]
    return {**body, "metadata": _tidy(metadata)}


def _tidy(metadata: Json) -> Json:
    optional = {"labels", "annotations", "finalizers", "ownerReferences"}
    kept = {name: value for name, value in metadata.items() if value is not None}
    return {name: value for name, value in kept.items() if value or name not in optional}


def check(item: Json, resource: Resource) -> list[FieldError]:
    """What is wrong with an object's metadata."""
    metadata = item["metadata"]
    name = metadata.get("name")
    if not name:
        return [required("metadata.name", "name or generateName is required")]
    errors = list(_check_name(str(name), resource))
    errors += _check_texts(metadata)
    for finalizer in metadata.get("finalizers") or []:
        errors += _check_qualified("metadata.finalizers", finalizer)
    for index, owner in enumerate(metadata.get("ownerReferences") or []):
        path = f"metadata.ownerReferences[{index}]"
        errors += [
            required(f"{path}.{field}", "must not be empty")
            for field in ("apiVersion", "kind", "name", "uid")
            if not owner.get(field)
        ]
    return errors


def _check_name(name: str, resource: Resource) -> Iterator[FieldError]:
    short = resource.plural == "namespaces" and not resource.group
    pattern, text, limit = (_DNS_LABEL, _LABEL_TEXT, 63) if short else (_SUBDOMAIN, _SUBDOMAIN_TEXT, 253)
    if len(name) > limit:
        yield invalid_value("metadata.name", name, f"must be no more than {limit} characters")
    if not pattern.fullmatch(name):
        yield invalid_value("metadata.name", name, text)


def _check_texts(metadata: Json) -> Iterator[FieldError]:
    for key, value in (metadata.get("labels") or {}).items():
        yield from _check_label_key(key)
        if not isinstance(value, str) or len(value) > 63:
            yield invalid_value("metadata.labels", value, "must be no more than 63 characters")
        elif value and not _QUALIFIED.fullmatch(value):
            yield invalid_value("metadata.labels", value, _VALUE_TEXT)
    annotations = metadata.get("annotations") or {}
    for key in annotations:
        yield from _check_qualified("metadata.annotations", key.lower())
    if (
        sum(len(key.encode()) + len(str(value).encode()) for key, value in annotations.items())
        > ANNOTATION_LIMIT
    ):
        yield too_long("metadata.annotations", ANNOTATION_LIMIT)


def _check_label_key(key: str) -> Iterator[FieldError]:
    if key.count("/") > 1:
        form = _QUALIFIED_TEXT.replace("name part must", "a valid label key must", 1)
        prefix = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        yield invalid_value("metadata.labels", key, form + prefix)
    else:
        yield from _check_qualified("metadata.labels", key)


def _check_qualified(path: str, key: str) -> Iterator[FieldError]:
    prefix, slash, name = key.rpartition("/")
    if slash and not _SUBDOMAIN.fullmatch(prefix):
        yield invalid_value(path, key, f"prefix part {_SUBDOMAIN_TEXT}")
    if len(name) > 63:
        yield invalid_value(path, key, "name part must be no more than 63 characters")
    elif not _QUALIFIED.fullmatch(name):
        yield invalid_value(path, key, _QUALIFIED_TEXT)


def check_update(item: Json, old: Json) -> list[FieldError]:
    """What an update may not do to metadata: no new finalizer on an object that is being deleted."""
    if "deletionTimestamp" not in old["metadata"]:
        return []
    before = set(old["metadata"].get("finalizers") or [])
    added = sorted(set(item["metadata"].get("finalizers") or []) - before)
    if not added:
        return []
    listed = ", ".join(f'"{name}"' for name in added)
    why = (
        "no new finalizers can be added if the object is being deleted, "
        f"found new finalizers []string{{{listed}}}"
    )
    return [forbidden_field("metadata.finalizers", why)]
