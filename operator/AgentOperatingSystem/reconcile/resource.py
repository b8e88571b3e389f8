"""The custom resource as a pass reads it, and the names under which the operator keeps notes on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from pydantic import ValidationError

from AgentOperatingSystem.api.v1alpha1 import FINALIZER, GROUP, PurposeDrivenAgentStatus

# What must outlive a wiped status: the project that holds the agent, and the agent's conversation.
ENDPOINT_ANNOTATION = f"{GROUP}/runtime-endpoint"
THREAD_ANNOTATION = f"{GROUP}/thread-id"
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
    def recorded_endpoint(self) -> str | None:
        """The project that the agent was made in, or None when nothing was made."""
        noted = self.annotations.get(ENDPOINT_ANNOTATION)
        runtime = self.status.runtime
        return noted or (runtime.endpoint if runtime is not None and runtime.agent_id else None)


def _moment(text: str | None) -> datetime | None:
    """A time as Kubernetes writes it."""
    return None if text is None else datetime.fromisoformat(text)
