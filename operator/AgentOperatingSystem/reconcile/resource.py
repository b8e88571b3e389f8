"""The custom resource as a pass reads it, and the names under which the operator keeps notes on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from pydantic import ValidationError

from AgentOperatingSystem.api.conditions import timestamp
from AgentOperatingSystem.api.v1alpha1 import (
    FINALIZER,
    GROUP,
    PurposeDrivenAgentStatus,
    RuntimeKind,
    RuntimeStatus,
)
from AgentOperatingSystem.model.facts import RuntimeType

# What must outlive a wiped status: the project that holds the agent, and the agent's conversation. The type
# is noted for the classic generation only, and the name where it is not the agent id.
ENDPOINT_ANNOTATION = f"{GROUP}/runtime-endpoint"
TYPE_ANNOTATION = f"{GROUP}/runtime-type"
NAME_ANNOTATION = f"{GROUP}/runtime-agent-name"
THREAD_ANNOTATION = f"{GROUP}/thread-id"
# When the last creation began whose outcome only a look can tell: where the service gives the ids.
INTENT_ANNOTATION = f"{GROUP}/creating-since"
# A move to the new generation: the conversation that is being filled, then the classic agent and thread that
# are to be removed, and since when.
SUCCESSOR_ANNOTATION = f"{GROUP}/successor-thread-id"
MOVED_FROM_ANNOTATION = f"{GROUP}/moved-from"
NO_THREAD = "-"
# What a person asks of the operator.
POLICY_ANNOTATION = f"{GROUP}/reconcile-policy"
DETACH = "detach-on-delete"
SKIP = "skip"
REQUEST_ANNOTATION = f"{GROUP}/reconcile-requested-at"
ADOPT_FROM_ANNOTATION = f"{GROUP}/adopt-from"
# Which takeover was done: the annotation above stays in Git, and is heeded once.
ADOPTED_FROM_ANNOTATION = f"{GROUP}/adopted-from"

REQUEST_LIMIT = 256

WISHES = (POLICY_ANNOTATION, ADOPT_FROM_ANNOTATION, REQUEST_ANNOTATION)


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """The place of a resource in the cluster."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class RuntimeKey:
    """Which runtime: `namespace` is empty for a cluster's own."""

    kind: RuntimeKind
    namespace: str
    name: str

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name}"


@dataclass(frozen=True, slots=True)
class MovedFrom:
    """What a move left behind to be removed: ids of the classic generation, empty where there is none.

    `carried` is how many of the thread's messages were carried over before the switch, `doubtful` how many
    more were sent after them by a call whose answer is not known. `since` is when either was last noted.
    """

    agent_id: str
    thread_id: str
    since: datetime
    carried: int = 0
    doubtful: int = 0

    def __str__(self) -> str:
        ids = f"{self.agent_id or NO_THREAD} {self.thread_id or NO_THREAD}"
        return f"{ids} {timestamp(self.since)} {self.carried}+{self.doubtful}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """What `str` wrote; None for anything else."""
        try:
            agent_id, thread_id, since, counts = text.split()
            carried, doubtful = (int(count) for count in counts.split("+"))
            moment = _moment(since)
        except ValueError:
            return None
        if moment is None:
            return None
        agent_id, thread_id = ("" if one == NO_THREAD else one for one in (agent_id, thread_id))
        return cls(agent_id, thread_id, moment, carried, doubtful)


@dataclass(frozen=True, slots=True)
class Resource:
    """A `PurposeDrivenAgent` as read from the API server; `spec` is as yet unchecked."""

    key: ObjectKey
    uid: str
    resource_version: str
    generation: int
    deleting: bool
    finalizers: tuple[str, ...]
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]
    status: PurposeDrivenAgentStatus
    deleting_since: datetime | None = None

    @classmethod
    def from_object(cls, body: Mapping[str, Any]) -> Self:
        """Read a Kubernetes object. A status that is not of this version's shape counts as wiped."""
        metadata = body["metadata"]
        try:
            status = PurposeDrivenAgentStatus.model_validate(body.get("status") or {})
        except ValidationError:
            status = PurposeDrivenAgentStatus()
        return cls(
            key=ObjectKey(metadata["namespace"], metadata["name"]),
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
            generation=metadata.get("generation", 0),
            deleting="deletionTimestamp" in metadata,
            finalizers=tuple(metadata.get("finalizers", ())),
            annotations=metadata.get("annotations") or {},
            spec=body.get("spec") or {},
            status=status,
            deleting_since=_moment(metadata.get("deletionTimestamp")),
        )

    @property
    def protected(self) -> bool:
        """True once our finalizer is on: nothing is made in a runtime before."""
        return FINALIZER in self.finalizers

    @property
    def changed(self) -> bool:
        """True when the status does not yet speak of this generation of the spec."""
        return self.status.observed_generation != self.generation

    @property
    def requested(self) -> bool:
        """True when somebody asked for a pass that was not made yet."""
        return self.request is not None and self.request != self.status.last_handled_reconcile_at

    @property
    def request(self) -> str | None:
        """The wish for a pass, cut to what the status can hold."""
        wish = self.annotations.get(REQUEST_ANNOTATION)
        return None if wish is None else wish[:REQUEST_LIMIT]

    @property
    def paused(self) -> bool:
        """True when somebody asked to leave the resource and its agent alone."""
        return self.annotations.get(POLICY_ANNOTATION) == SKIP

    @property
    def agent_name(self) -> str:
        """The agent id, readable even when the spec as a whole is refused."""
        return str(self.spec.get("agentId") or self.key.name)

    @property
    def runtime_key(self) -> RuntimeKey | None:
        """The runtime that the spec names, readable even when the rest is refused; None without one."""
        return runtime_key_of(self.spec, self.key.namespace)

    @property
    def made(self) -> RuntimeStatus | None:
        """What the status tells of an agent that was made, or None."""
        runtime = self.status.runtime
        return runtime if runtime is not None and runtime.agent_id else None

    @property
    def recorded_endpoint(self) -> str | None:
        """The project that the agent was made in, or None when nothing was made."""
        noted = self.annotations.get(ENDPOINT_ANNOTATION)
        return noted or (self.made.endpoint if self.made else None)

    @property
    def recorded_type(self) -> RuntimeType | None:
        """The runtime that the agent was made on, or None when nothing was made."""
        if self.recorded_endpoint is None:
            return None
        noted = self.annotations.get(TYPE_ANNOTATION)
        if noted is None and ENDPOINT_ANNOTATION not in self.annotations and self.made:
            noted = self.made.type  # the annotations were lost
        return RuntimeType.FOUNDRY_CLASSIC if noted == RuntimeType.FOUNDRY_CLASSIC else RuntimeType.FOUNDRY

    @property
    def recorded_name(self) -> str | None:
        """The name that the agent was made under, or None when nothing was made."""
        if self.recorded_endpoint is None:
            return None
        made = self.made
        if made is not None and made.type == RuntimeType.FOUNDRY:
            return made.agent_id  # its id is its name there, and nobody but the operator writes the status
        return self.annotations.get(NAME_ANNOTATION) or self.agent_name

    @property
    def known_agent_id(self) -> str:
        """The id that the classic generation gave to the agent, as far as the status knows."""
        made = self.made
        classic = made is not None and made.type == RuntimeType.FOUNDRY_CLASSIC
        return (made.agent_id or "") if made is not None and classic else ""

    @property
    def known_threads(self) -> tuple[str, ...]:
        """The conversations that the resource names, in its status and in its annotations."""
        named = (
            self.status.runtime.thread_id if self.status.runtime else None,
            self.annotations.get(THREAD_ANNOTATION),
            self.annotations.get(SUCCESSOR_ANNOTATION),
            self.moved_from.thread_id if self.moved_from else None,
        )
        return tuple(thread_id for thread_id in dict.fromkeys(named) if thread_id and thread_id != NO_THREAD)

    @property
    def intent(self) -> datetime | None:
        """When the last creation began whose outcome only a look can tell."""
        try:
            return _moment(self.annotations.get(INTENT_ANNOTATION))
        except ValueError:
            return None

    @property
    def moved_from(self) -> MovedFrom | None:
        """What a move left behind."""
        return MovedFrom.parse(self.annotations.get(MOVED_FROM_ANNOTATION, ""))


def runtime_key_of(spec: Mapping[str, Any], namespace: str) -> RuntimeKey | None:
    """The runtime that an agent's unchecked spec names, in the agent's namespace; None without one."""
    named = spec.get("runtimeRef")
    if not isinstance(named, Mapping) or named.get("kind") not in set(RuntimeKind):
        return None
    kind = RuntimeKind(named["kind"])
    return RuntimeKey(kind, namespace if kind is RuntimeKind.AGENT_RUNTIME else "", str(named.get("name")))


def _moment(text: str | None) -> datetime | None:
    """A time as Kubernetes writes it, in UTC when it names no zone."""
    moment = None if text is None else datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
