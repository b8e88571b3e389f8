"""The refusals of the emulated service, in the shape that the SDKs read.

Why one class: the domain raises it without knowing HTTP, the gate turns it into an answer, and a fault
produces the same shape.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """The service refuses: `status` is the HTTP status, the rest is the body's `error` object."""

    def __init__(
        self,
        status: int,
        code: str | None,
        message: str,
        *,
        param: str | None = None,
        kind: str | None = "invalid_request_error",
        details: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.kind = kind
        self.details = details

    def body(self) -> Json:
        """`{"error": {...}}` as it goes over the wire."""
        error: Json = {"code": self.code, "message": self.message}
        if self.kind is not None:
            error |= {"type": self.kind, "param": self.param}
        if self.details:
            error |= {"details": [], "additionalInfo": {}}
        return {"error": error}


def invalid(param: str, message: str, *, code: str = "invalid_parameters") -> ApiError:
    """400: the request's `param` is not acceptable."""
    return ApiError(400, code, message, param=param)


def unknown_agent(name: str) -> ApiError:
    """404 for an agent that the project does not hold."""
    return ApiError(404, "not_found", f"Agent {name} doesn't exist", param="agent_name", details=True)


def unknown_version(name: str, version: str) -> ApiError:
    """404 for a version that the agent does not hold."""
    message = f"Agent {name} with version {version} not found"
    return ApiError(404, "not_found", message, param="agent_version", details=True)


def unknown_item(what: str, external_id: str) -> ApiError:
    """404 of the openai part, e.g. `Conversation with id 'x' not found.`"""
    return ApiError(404, "not_found", f"{what} with id '{external_id}' not found.")


def unknown_resource(what: str) -> ApiError:
    """404 of the deployments and connections lists, which have the plain Azure shape."""
    return ApiError(404, "NotFound", f"{what} not found", kind=None)


def unknown_object(what: str, identifier: str) -> ApiError:
    """404 of the classic generation, which gives no code: `No assistant found with id 'x'.`"""
    return ApiError(404, None, f"No {what} found with id '{identifier}'.")


def conflicting(message: str) -> ApiError:
    """400 of the classic generation for what the present state does not allow; it gives no code."""
    return ApiError(400, None, message)


def unauthorized() -> ApiError:
    """401: no token, or one that nobody accepts."""
    message = (
        "Access token is missing, invalid, has the wrong audience (https://ai.azure.com), or has expired."
    )
    return ApiError(401, "Unauthorized", message, kind=None)


def permission_denied(status: int, operation: str) -> ApiError:
    """The token is good but its principal has no role here.

    The service has been seen to answer this with 401 as well as 403, so the status is the caller's choice.
    """
    message = f"The sandbox principal lacks the required data action to perform `{operation}`."
    return ApiError(status, "PermissionDenied", message, kind=None)
