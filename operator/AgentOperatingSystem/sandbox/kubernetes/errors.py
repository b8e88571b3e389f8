"""How the API says no: one exception that becomes a Kubernetes `Status`, a constructor for each reason.

The wording follows the real API server, because people read it through kubectl and clients branch on
`reason` and `details`. Nothing here knows of HTTP beyond the status code.

    ApiError
      FieldErrors   422, one cause for each field that is wrong
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .resources import Resource

OMITTED = object()


class ApiError(Exception):
    """A refusal with its HTTP code, Kubernetes reason and `details`."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}

    def status(self) -> dict[str, Any]:
        """The body of the answer: a `v1 Status` object."""
        body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body["message"] = self.message
        if self.reason:
            body["reason"] = self.reason
        if self.details:
            body["details"] = self.details
        body["code"] = self.code
        return body


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with one field; `text` is what follows the field's path."""

    path: str
    cause: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


def shown(value: Any) -> str:
    """A bad value the way the API server prints it after `Invalid value:`."""
    if value is None:
        return "null"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _with_value(title: str, value: Any, detail: str) -> str:
    head = title if value is OMITTED else f"{title}: {shown(value)}"
    return f"{head}: {detail}" if detail else head


def required(path: str, detail: str = "") -> FieldError:
    """The field is missing or empty."""
    return FieldError(path, "FieldValueRequired", _with_value("Required value", OMITTED, detail))


def invalid_value(path: str, value: Any, detail: str) -> FieldError:
    """The value breaks a rule."""
    return FieldError(path, "FieldValueInvalid", _with_value("Invalid value", value, detail))


def wrong_type(path: str, value: Any, detail: str) -> FieldError:
    """The value has another JSON type than the schema's."""
    return FieldError(path, "FieldValueTypeInvalid", _with_value("Invalid value", value, detail))


def not_supported(path: str, value: Any, allowed: Sequence[Any]) -> FieldError:
    """The value is not one of an enumeration."""
    names = ", ".join(
        json.dumps(item if isinstance(item, str) else json.dumps(item), ensure_ascii=False)
        for item in allowed
    )
    text = _with_value("Unsupported value", value, f"supported values: {names}")
    return FieldError(path, "FieldValueNotSupported", text)


def duplicate(path: str, value: Any) -> FieldError:
    """The value appears a second time where it may appear once."""
    return FieldError(path, "FieldValueDuplicate", _with_value("Duplicate value", value, ""))


def forbidden_field(path: str, detail: str) -> FieldError:
    """The field may not be set or changed."""
    return FieldError(path, "FieldValueForbidden", _with_value("Forbidden", OMITTED, detail))


def too_long(path: str, limit: int) -> FieldError:
    """The text is longer than its limit (the value itself is not repeated)."""
    unit = "byte" if limit == 1 else "bytes"
    return FieldError(path, "FieldValueTooLong", f"Too long: may not be more than {limit} {unit}")


def too_many(path: str, actual: int, limit: int) -> FieldError:
    """The list or map has more entries than its limit."""
    unit = "item" if limit == 1 else "items"
    return FieldError(path, "FieldValueTooMany", f"Too many: {actual}: must have at most {limit} {unit}")


class FieldErrors(ApiError):
    """422 Invalid: the object was understood and breaks at least one field's rule."""

    def __init__(self, group: str, kind: str, name: str, errors: Iterable[FieldError]) -> None:
        found = list(dict.fromkeys(errors))
        qualified = f"{kind}.{group}" if group else kind
        listed = str(found[0]) if len(found) == 1 else f"[{', '.join(str(error) for error in found)}]"
        details: dict[str, Any] = {"name": name, "group": group, "kind": kind}
        details["causes"] = [
            {"reason": error.cause, "message": error.text, "field": error.path} for error in found
        ]
        message = f'{qualified} "{name}" is invalid: {listed}'
        super().__init__(422, "Invalid", message, {key: value for key, value in details.items() if value})


def _about(resource: Resource, name: str, **more: Any) -> dict[str, Any]:
    details = {"name": name, "group": resource.group, "kind": resource.plural, **more}
    return {key: value for key, value in details.items() if value}


def not_found(resource: Resource, name: str) -> ApiError:
    """404: there is no such object."""
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', _about(resource, name))


def no_such_path() -> ApiError:
    """404: the server serves no such resource."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(resource: Resource, name: str, *, dying: bool = False) -> ApiError:
    """409: the name is taken; by an object that is being deleted when it is `dying`."""
    message = f'{"object is being deleted: " if dying else ""}{resource.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _about(resource, name))


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    """409: the write was made against another state than the present one."""
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, _about(resource, name))


def precondition_failed(resource: Resource, name: str, why: str) -> ApiError:
    """409: a deletion meant another incarnation or state; here the server names the kind."""
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details = {**_about(resource, name), "kind": resource.kind}
    return ApiError(409, "Conflict", f'Operation cannot be fulfilled on {kind} "{name}": {why}', details)


def too_large(limit: int) -> ApiError:
    """413: the body is larger than a request may be."""
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def stale(resource: Resource, name: str) -> ApiError:
    """409: the sender's resourceVersion is not the present one."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, why)


def forbidden(
    resource: Resource, name: str, why: str, causes: list[dict[str, str]] | None = None
) -> ApiError:
    """403: understood and not allowed."""
    message = f'{resource.qualified} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", message, _about(resource, name, causes=causes or []))


def bad_request(message: str) -> ApiError:
    """400: the request cannot be understood."""
    return ApiError(400, "BadRequest", message)


def name_missing() -> ApiError:
    """400: the verb needs an object's name, and the path is that of a collection."""
    return bad_request("name must be provided")


def gone(message: str) -> ApiError:
    """410: the asked-for resourceVersion has left the watch log."""
    return ApiError(410, "Expired", message)


def method_not_allowed(verb: str = "", qualified: str = "") -> ApiError:
    """405: the resource is there, the verb is not; named, when it is the verb of a custom subresource."""
    message = "the server does not allow this method on the requested resource"
    if verb:
        message = f'{verb} is not supported on resources of kind "{qualified}"'
    return ApiError(405, "MethodNotAllowed", message)


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    """415: the body's Content-Type cannot be used here."""
    listed = ", ".join(accepted)
    message = f"the body of the request was in an unknown format - accepted media types include: {listed}"
    return ApiError(415, "UnsupportedMediaType", message)
