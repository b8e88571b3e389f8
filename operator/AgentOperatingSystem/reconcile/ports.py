"""The ports of a pass: the cluster that holds the resource, the runtimes that hold the agents.

`kube.cluster` and `runtime.provider` are on the other side; the reconciler imports neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from AgentOperatingSystem.api.v1alpha1 import PurposeDrivenAgentStatus
from AgentOperatingSystem.model.definition import ObservedAgent, Tool
from AgentOperatingSystem.model.errors import AOSError
from AgentOperatingSystem.model.facts import ModelFinding, RuntimeFacts, RuntimeType
from AgentOperatingSystem.model.message import Message
from AgentOperatingSystem.model.plan import Plan
from AgentOperatingSystem.model.stamp import AgentIdentity, Owner, Stamp
from AgentOperatingSystem.reconcile.resource import ObjectKey, Resource


class ClusterFailure(AOSError):
    """The API server could not be asked or refused; the pass ends without a word and is tried again."""


class ResourceChanged(ClusterFailure):
    """Somebody wrote the resource since it was read: read it again."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A Kubernetes Event for a person to see. `warning` tells the two types of Events apart."""

    reason: str
    message: str
    warning: bool = False


class Cluster(Protocol):
    """The API server, as far as a pass needs it. Every method raises ClusterFailure."""

    async def get(self, key: ObjectKey) -> Resource | None:
        """The resource as it is now, past every cache; None when it is gone."""

    async def annotate(self, resource: Resource, annotations: Mapping[str, str | None]) -> Resource:
        """Set annotations, None to remove one, only if nobody wrote since `resource` was read.

        Else ResourceChanged.
        """

    async def patch_status(self, resource: Resource, status: PurposeDrivenAgentStatus) -> None:
        """Write the status. A resource that is gone by now is no failure."""

    async def emit(self, resource: Resource, notice: Notice) -> None:
        """Post an Event on the resource."""


class Runtime(Protocol):
    """One runtime, as far as a pass needs it. Every method raises from the one error tree."""

    def facts(self) -> RuntimeFacts:
        """The settings in force. Raises EndpointNotConfigured when there is no project."""

    async def observe(
        self, identity: AgentIdentity, *, fresh: bool, known_id: str = "", doubtful: bool = False
    ) -> ObservedAgent | None:
        """The agent as it is now (`fresh`), or as a listing at most one interval old shows it.

        Where the service gives ids, `known_id` is the agent's as far as it is known, and `doubtful` says that
        one may just have been made.
        """

    async def admit(self, plan: Plan) -> None:
        """Raise NotAllowed when the runtime may have no further agent and the plan makes one."""

    async def apply(self, plan: Plan) -> ObservedAgent | None:
        """Do the plan's steps; what the runtime holds afterwards."""

    async def prove_absent(self, identity: AgentIdentity) -> bool:
        """True when a complete listing, begun after this call, does not hold the agent."""

    async def prune(self, observed: ObservedAgent, identity: AgentIdentity, *, limit: int) -> int:
        """Delete the agent's twins, its surplus versions and those beyond `limit`; how many."""

    async def find_model(self, deployment: str) -> ModelFinding:
        """Whether the project has the deployment."""

    async def has_vector_store(self, store_id: str) -> bool:
        """Whether the project has the vector store."""

    async def has_file(self, file_id: str) -> bool:
        """Whether the project has the file."""

    async def create_thread(self, stamp: Stamp) -> str:
        """Start a conversation that bears `stamp`; its id."""

    async def thread_owner(self, thread_id: str) -> Owner | None:
        """The owner in a conversation's stamp; None when it bears none or does not exist."""

    async def delete_thread(self, thread_id: str) -> None:
        """Delete a conversation; one that is gone already is no failure."""

    async def messages(self, thread_id: str) -> list[Message]:
        """What was said on a thread, the oldest first."""

    async def thread_tools(self, thread_id: str) -> tuple[Tool, ...]:
        """What a thread itself gives to tools, beside what its agent has."""

    async def add_messages(self, thread_id: str, messages: Sequence[Message]) -> None:
        """Say `messages` on a thread without having them answered."""


class Runtimes(Protocol):
    """Every runtime that a resource can name, and the operator's environment for one that names none."""

    def open(
        self, resource: Resource, generation: RuntimeType | None = None
    ) -> AbstractAsyncContextManager[Runtime]:
        """The resource's runtime, kept open meanwhile.

        With `generation` its project is spoken to as that type, whatever the runtime's own. Raises
        ReferenceMissing, NotAllowed, NotAuthorized and ConfigurationError.
        """

    async def renewed(self, resource: Resource, used: Runtime) -> bool:
        """True when the credentials of the resource's runtime are others by now than `used` has."""
