"""What the emulated service holds, as frozen records; the control client gives the same ones to a test.

Why frozen: a snapshot that a test took stays what it was while the service goes on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from AgentOperatingSystem.sandbox.foundry.errors import Json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

VersionStatus = Literal["creating", "active", "failed"]


@dataclass(frozen=True)
class AgentVersion:
    """One immutable version; `ready_at` is when it stops being `creating` (seconds since the epoch)."""

    agent: str
    number: int
    created_at: float
    definition: Json
    metadata: dict[str, str] = field(default_factory=dict)
    description: str = ""
    ready_at: float = 0.0
    fails: bool = False

    @property
    def model(self) -> str:
        """The deployment that the version names; empty for a kind without one."""
        return str(self.definition.get("model", ""))

    @property
    def instructions(self) -> str:
        """The system message, empty when there is none."""
        return str(self.definition.get("instructions") or "")

    @property
    def tools(self) -> list[Json]:
        """The tools as they were sent."""
        return list(self.definition.get("tools") or [])

    def status(self, now: float) -> VersionStatus:
        """Where the provisioning stands at `now`."""
        if now < self.ready_at:
            return "creating"
        return "failed" if self.fails else "active"


@dataclass(frozen=True)
class Agent:
    """A named agent; `versions` is oldest first and never empty. `details` is what PATCH has set."""

    name: str
    sequence: int
    versions: tuple[AgentVersion, ...]
    next_number: int
    enabled: bool = True
    details: Json = field(default_factory=dict)

    @property
    def latest(self) -> AgentVersion:
        """The newest version that is left."""
        return self.versions[-1]

    @property
    def state(self) -> str:
        """`enabled` or `disabled`."""
        return "enabled" if self.enabled else "disabled"

    @property
    def metadata(self) -> dict[str, str]:
        """The newest version's metadata: the service keeps none on the agent itself."""
        return self.latest.metadata

    @classmethod
    def from_json(cls, data: Json) -> Agent:
        """The inverse of `dataclasses.asdict`."""
        return cls(**{**data, "versions": tuple(AgentVersion(**version) for version in data["versions"])})


@dataclass(frozen=True)
class Conversation:
    """A stateful thread; `items` is oldest first, each as it goes over the wire, with its id."""

    id: str
    created_at: float
    metadata: dict[str, str] = field(default_factory=dict)
    items: tuple[Json, ...] = ()

    @classmethod
    def from_json(cls, data: Json) -> Conversation:
        """The inverse of `dataclasses.asdict`."""
        return cls(**{**data, "items": tuple(data["items"])})


@dataclass(frozen=True)
class StoredResponse:
    """An answer that was given, with every item the model saw before it: what a follow-up continues."""

    id: str
    body: Json
    context: tuple[Json, ...]


@dataclass(frozen=True)
class StoredFile:
    """A file of the project, for both generations; its content is kept apart."""

    id: str
    created_at: float
    filename: str
    size: int
    purpose: str = "assistants"


@dataclass(frozen=True)
class VectorStore:
    """A vector store of the project, for both generations; `file_ids` in the order in which they came."""

    id: str
    created_at: float
    name: str | None = None
    file_ids: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    expires_after: Json | None = None

    @classmethod
    def from_json(cls, data: Json) -> VectorStore:
        """The inverse of `dataclasses.asdict`."""
        return cls(**{**data, "file_ids": tuple(data["file_ids"])})


@dataclass(frozen=True)
class RequestRecord:
    """One data-plane request as the service saw it; never holds a token, only a fingerprint of it.

    `client` is the client id of the application whose token it was, where the service knows its principals.
    `status` is None while no answer went out: the connection was dropped, or the answer is still due.
    """

    number: int
    at: float
    method: str
    path: str
    query: dict[str, str]
    project: str
    operation: str
    status: int | None = None
    fault: str | None = None
    authorization: str | None = None
    user_agent: str = ""
    client: str | None = None


@dataclass(frozen=True)
class Behaviour:
    """The switches of the service: where the real one is unknown, or a test needs it to be awkward."""

    refuse_unknown_models: bool = True
    """400 for an agent whose deployment does not exist; `<connection>/<model>` is always accepted."""
    normalise: bool = False
    """Store another spelling of what was sent: tools reordered, defaults filled in, instructions trimmed."""
    creating_seconds: float = 0.0
    """How long a new version is `creating`."""
    versions_fail: bool = False
    """New versions end as `failed` instead of `active`."""
    refuse_agent_property: bool = False
    """400 for the older `agent` in place of `agent_reference`, as the service has begun to do."""
    refuse_unknown_resources: bool = False
    """400 for an assistant or a thread whose tool_resources name files or vector stores that do not exist."""
    run_polls: int = 1
    """How often a run is seen in progress before the model answers: nothing but a GET of it takes it on."""
    run_seconds: float = 600.0
    """How long a new run may take before it expires, by the account's clock."""
    next_link_origin: str = ""
    """Scheme and host that a `nextLink` names instead of the service's own, e.g. `http://127.0.0.1:9`."""


def to_json(record: DataclassInstance) -> dict[str, Any]:
    """A record as JSON; `from_json` or the constructor is the way back."""
    return asdict(record)
