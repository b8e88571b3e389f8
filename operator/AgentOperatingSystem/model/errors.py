"""The one tree of errors, raised below and turned into conditions once, in `reconcile/verdict.py`.

AOSError
├── SpecRejected             the resource asks for what cannot be
├── ConfigurationError       a setting of this process is missing or wrong
│   └── EndpointNotConfigured
├── NotAllowed               the runtime that is asked for does not allow it
├── ReferenceMissing         something that the resource names is not there (yet)
├── OwnershipError           an agent of that name exists and is not ours to touch
│   ├── AdoptionRequired     it bears no stamp
│   ├── OwnershipConflict    it bears another owner's stamp
│   └── RuntimeMoved         ours was made in another project
├── Held                     the operator itself holds back for now
│   ├── Paused               an annotation asks for it
│   ├── Migrating            the agent is on its way to the new generation
│   └── DeletionSlowed       too many agents would be deleted at once
├── PassAbandoned            this process ends: nothing is told of it, and the next one begins the pass anew
│   ├── LeadershipLost       another process may be writing by now
│   └── Stopping             the operator was asked to stop, and the pass would have to wait
└── RuntimeFailure           the runtime did not do what was asked
    ├── RuntimeUnavailable   5xx, time-out, no connection
    │   ├── Throttled        429
    │   └── OutcomeUnknown   a write whose answer was lost: look before writing again
    ├── NotAuthorized        401, 403
    ├── NotFound             404
    ├── ModelNotFound        the deployment does not exist
    └── DefinitionRejected   the runtime refuses the definition

Messages are one sentence or two: what happened, and what to do. They never hold a secret: they are
built from status codes, error codes and names, not from request headers or bodies.
"""

from __future__ import annotations


class AOSError(Exception):
    """The root of every error that this package raises on purpose."""


class SpecRejected(AOSError):
    """The spec's `field` (a path such as `spec.mcpTools[0].inputSchema`) cannot be honoured."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class ConfigurationError(AOSError):
    """The setting named `setting` (an environment variable) is missing or wrong."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting} {problem}")
        self.setting = setting


class EndpointNotConfigured(ConfigurationError):
    """No Foundry project is configured."""

    def __init__(self) -> None:
        super().__init__(
            "AZURE_AI_PROJECT_ENDPOINT",
            "not configured: set it to the Foundry project's endpoint, "
            "https://<account>.services.ai.azure.com/api/projects/<project>.",
        )


class NotAllowed(AOSError):
    """Whoever owns the runtime does not let this resource do what it asks for."""


class ReferenceMissing(AOSError):
    """Something that the resource names is not there yet; `tool` when it belongs to one of its tools."""

    def __init__(self, message: str, *, tool: bool = False) -> None:
        super().__init__(message)
        self.tool = tool


class OwnershipError(AOSError):
    """The runtime holds an agent of this name that this owner may not touch."""


class AdoptionRequired(OwnershipError):
    """The agent bears no stamp of ours: somebody made it by other means."""


class OwnershipConflict(OwnershipError):
    """The agent bears the stamp of another owner."""


class RuntimeMoved(OwnershipError):
    """The agent was made in another project, or under another name, than the one now asked for."""


class Held(AOSError):
    """Nothing is wrong: the operator waits, at least `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Paused(Held):
    """Somebody paused the resource."""


class Migrating(Held):
    """The agent is carried over to the new generation, and goes on on the classic one until that is done."""


class DeletionSlowed(Held):
    """More agents would be deleted in a minute than the operator may."""


class PassAbandoned(AOSError):
    """A pass ends where it is, without another write. Any pass may be the first, so the next one does it."""


class LeadershipLost(PassAbandoned):
    """This process does not hold the Lease for sure any more."""


class Stopping(PassAbandoned):
    """The operator stops, and does not wait for its turn to ask the runtime."""


class RuntimeFailure(AOSError):
    """The runtime did not do what was asked."""


class RuntimeUnavailable(RuntimeFailure):
    """A passing failure; `retry_after` is the runtime's own wish in seconds, when it gave one."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Throttled(RuntimeUnavailable):
    """The runtime asks for fewer requests (429)."""


class OutcomeUnknown(RuntimeUnavailable):
    """A write may or may not have taken effect: observe before acting again."""


class NotAuthorized(RuntimeFailure):
    """The identity is not known to the runtime, or lacks a role."""


class NotFound(RuntimeFailure):
    """The runtime does not know the thing that was named."""


class ModelNotFound(RuntimeFailure):
    """The deployment that the definition names does not exist."""


class DefinitionRejected(RuntimeFailure):
    """The runtime read the definition and refuses it; asking again without a change is useless."""
