"""What an error means for the resource: its reason, whether the operator goes on trying, and how soon.

The one place where the error tree becomes conditions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from AgentOperatingSystem.model.errors import (
    AdoptionRequired,
    AOSError,
    ConfigurationError,
    DefinitionRejected,
    DeletionSlowed,
    EndpointNotConfigured,
    Migrating,
    ModelNotFound,
    NotAllowed,
    NotAuthorized,
    NotFound,
    OwnershipConflict,
    Paused,
    ReferenceMissing,
    RuntimeFailure,
    RuntimeMoved,
    RuntimeUnavailable,
    SpecRejected,
    Throttled,
)


class Reason(StrEnum):
    """Every reason that Ready can have."""

    RUNNING = "Running"
    DISABLED = "Disabled"
    PROVISIONING = "Provisioning"
    VERSION_FAILED = "VersionFailed"
    SPEC_REJECTED = "SpecRejected"
    ENDPOINT_NOT_CONFIGURED = "EndpointNotConfigured"
    CONFIGURATION_INVALID = "ConfigurationInvalid"
    NOT_ALLOWED = "NotAllowed"
    WAITING_FOR_REFERENCE = "WaitingForReference"
    MIGRATING = "Migrating"
    ADOPTION_REQUIRED = "AdoptionRequired"
    OWNERSHIP_CONFLICT = "OwnershipConflict"
    RUNTIME_MOVED = "RuntimeMoved"
    NOT_AUTHORIZED = "NotAuthorized"
    PROJECT_NOT_FOUND = "ProjectNotFound"
    MODEL_NOT_FOUND = "ModelNotFound"
    DEFINITION_REJECTED = "DefinitionRejected"
    THROTTLED = "Throttled"
    RUNTIME_UNAVAILABLE = "RuntimeUnavailable"
    RUNTIME_REFUSED = "RuntimeRefused"
    DELETING = "Deleting"
    DELETION_SLOWED = "DeletionSlowed"
    PAUSED = "Paused"
    INTERNAL_ERROR = "InternalError"


class Retry(StrEnum):
    """When to look again: soon and with growing patience, at the next drift interval, or as was planned."""

    SOON = "Soon"
    INTERVAL = "Interval"
    AS_PLANNED = "AsPlanned"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The reason for Ready; `stalled` when trying again alone cannot help; and when to try again."""

    reason: Reason
    stalled: bool
    retry: Retry


# The first row that the error is an instance of holds, so a subclass stands before its parent.
_TABLE: tuple[tuple[type[AOSError], Verdict], ...] = (
    (SpecRejected, Verdict(Reason.SPEC_REJECTED, True, Retry.INTERVAL)),
    (EndpointNotConfigured, Verdict(Reason.ENDPOINT_NOT_CONFIGURED, True, Retry.INTERVAL)),
    (ConfigurationError, Verdict(Reason.CONFIGURATION_INVALID, True, Retry.INTERVAL)),
    (AdoptionRequired, Verdict(Reason.ADOPTION_REQUIRED, True, Retry.INTERVAL)),
    (OwnershipConflict, Verdict(Reason.OWNERSHIP_CONFLICT, True, Retry.INTERVAL)),
    (RuntimeMoved, Verdict(Reason.RUNTIME_MOVED, True, Retry.INTERVAL)),
    (NotAllowed, Verdict(Reason.NOT_ALLOWED, True, Retry.INTERVAL)),
    (ReferenceMissing, Verdict(Reason.WAITING_FOR_REFERENCE, False, Retry.SOON)),
    (Migrating, Verdict(Reason.MIGRATING, False, Retry.SOON)),
    (Paused, Verdict(Reason.PAUSED, False, Retry.INTERVAL)),
    (DeletionSlowed, Verdict(Reason.DELETION_SLOWED, False, Retry.SOON)),
    (Throttled, Verdict(Reason.THROTTLED, False, Retry.SOON)),
    (RuntimeUnavailable, Verdict(Reason.RUNTIME_UNAVAILABLE, False, Retry.SOON)),
    (NotAuthorized, Verdict(Reason.NOT_AUTHORIZED, True, Retry.INTERVAL)),
    (ModelNotFound, Verdict(Reason.MODEL_NOT_FOUND, True, Retry.INTERVAL)),
    (DefinitionRejected, Verdict(Reason.DEFINITION_REJECTED, True, Retry.INTERVAL)),
    (NotFound, Verdict(Reason.PROJECT_NOT_FOUND, True, Retry.INTERVAL)),
    (RuntimeFailure, Verdict(Reason.RUNTIME_REFUSED, True, Retry.INTERVAL)),
)


def verdict_on(error: AOSError) -> Verdict:
    """The verdict on an error of the tree; one without a row is a bug of ours and is told as one."""
    for kind, verdict in _TABLE:
        if isinstance(error, kind):
            return verdict
    return Verdict(Reason.INTERNAL_ERROR, False, Retry.SOON)
