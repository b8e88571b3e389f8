"""Turn what Azure's and OpenAI's clients raise into the one error tree.

Only status codes, error codes and the service's own sentence are taken over, never headers or bodies,
so that no token can reach a status, an Event or a log.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from AgentOperatingSystem.model.errors import (
    DefinitionRejected,
    ModelNotFound,
    NotAuthorized,
    NotFound,
    OutcomeUnknown,
    RuntimeFailure,
    RuntimeUnavailable,
    Throttled,
)

ROLE = "Foundry User (before 2026: Azure AI User)"
_MODEL_CODES = frozenset({"deploymentnotfound", "modelnotfound", "model_not_found", "deployment_not_found"})
_MODEL_PARAMS = frozenset({"model", "definition.model"})
_SENTENCE_LIMIT = 400


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a service said when it did not do what was asked. `status` None: no answer came."""

    operation: str
    endpoint: str
    writes: bool
    status: int | None = None
    code: str = ""
    param: str = ""
    sentence: str = ""
    retry_after: float | None = None


def failure(refusal: Refusal) -> RuntimeFailure:
    """The error of the tree for a refusal.

    What passes by itself is told without the operation, so that the resource says the same whichever of
    them it meets, and is not written at each try.
    """
    status, where = refusal.status, refusal.endpoint
    if status is None:
        message = f"No answer from {where}: {refusal.sentence}; it is tried again."
        return OutcomeUnknown(message) if refusal.writes else RuntimeUnavailable(message)
    if status == 429:
        return Throttled(
            f"The runtime asks for fewer requests (429 from {where}); it is tried again later.",
            retry_after=refusal.retry_after,
        )
    if status >= 500 or status == 408:
        message = f"The runtime failed ({status} from {where}); it is tried again."
        kind = OutcomeUnknown if refusal.writes else RuntimeUnavailable
        return kind(message, retry_after=refusal.retry_after)
    if status in (401, 403):
        return _not_authorized(refusal)
    if refusal.code.lower() in _MODEL_CODES or refusal.param in _MODEL_PARAMS:
        return ModelNotFound(
            f"The runtime has no such deployment: {_reason(refusal)}. Deploy it, or change spec.model or "
            "spec.adapterName."
        )
    if status == 404:
        return NotFound(
            f"The runtime knows nothing there (404 to {refusal.operation} at {where}); check the endpoint."
        )
    if status in (409, 412, 423):
        message = f"Two writes met in the runtime ({status} from {where}); it is tried again."
        return RuntimeUnavailable(message, retry_after=refusal.retry_after)
    return _redirected(refusal) if status < 400 else _rejected(refusal)


def _rejected(refusal: Refusal) -> DefinitionRejected:
    return DefinitionRejected(
        f"The runtime refuses the definition ({refusal.status} to {refusal.operation}): {_reason(refusal)}. "
        "Change the spec."
    )


def _redirected(refusal: Refusal) -> RuntimeFailure:
    return RuntimeFailure(
        f"The runtime answers by a redirect ({refusal.status} to {refusal.operation} at {refusal.endpoint}); "
        "none is followed: check the endpoint, and what stands between it and the operator."
    )


def _not_authorized(refusal: Refusal) -> NotAuthorized:
    if refusal.status == 401:
        return NotAuthorized(
            f"The runtime does not accept the identity (401 to {refusal.operation} at {refusal.endpoint}); "
            "check the runtime's Secret and client id (of the operator itself: AZURE_CLIENT_ID, "
            f"AZURE_TENANT_ID, workload identity) and give it the role {ROLE} on the project."
        )
    return NotAuthorized(
        f"The identity may not {refusal.operation} at {refusal.endpoint} (403); "
        f"give it the role {ROLE} on the project."
    )


def _reason(refusal: Refusal) -> str:
    return refusal.sentence[:_SENTENCE_LIMIT].rstrip(". ") or "it gave no reason"


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """The wish in Retry-After or retry-after-ms, in seconds; None when there is none in numbers."""
    for name, scale in (("retry-after-ms", 0.001), ("Retry-After", 1.0), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * scale
        except ValueError:
            continue  # a date: our own back-off is as good
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None
