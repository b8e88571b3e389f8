"""A pass on a desk: the real reconciler and the real Foundry client, a cluster in memory, a clock in hand.

For promises about passes, not about Kubernetes: what Kubernetes does with a write is shown by the scenarios.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from AgentOperatingSystem.api.conditions import broken_rules
from AgentOperatingSystem.api.v1alpha1 import FINALIZER, Condition, PurposeDrivenAgentStatus
from AgentOperatingSystem.kube.runtimes.pool import OneRuntime
from AgentOperatingSystem.model.crossing import crossing
from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.reconcile.brake import DeletionBrake
from AgentOperatingSystem.reconcile.ports import ClusterFailure, Notice, ResourceChanged, Runtime
from AgentOperatingSystem.reconcile.reconciler import Reconciler, Result
from AgentOperatingSystem.reconcile.resource import ObjectKey, Resource
from AgentOperatingSystem.reconcile.verdict import Retry
from AgentOperatingSystem.runtime import AgentRuntimeProvider, RuntimeConfig
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry, ProjectControl

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CEO = ObjectKey("boardroom", "ceo")
SPEC: Mapping[str, Any] = {"purpose": "Strategic oversight", "adapterName": "ceo"}
DEPLOYMENTS = ("llama-3.3-70b", "llama-3.3-70b-ceo", "llama-3.3-70b-cfo", "gpt-4.1")


@dataclass
class MemoryCluster:
    """Resources in memory: versions and generations as Kubernetes counts them, and every write noted."""

    resources: dict[ObjectKey, Resource] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def put(self, key: ObjectKey, spec: Mapping[str, Any]) -> None:
        """Apply a resource."""
        old = self.resources.get(key)
        if old is None:
            self.resources[key] = Resource(
                key=key,
                uid=f"uid-of-{key.name}",
                resource_version="1",
                generation=1,
                deleting=False,
                finalizers=(FINALIZER,),
                annotations={},
                spec=spec,
                status=PurposeDrivenAgentStatus(),
            )
        elif old.spec != spec:
            self._store(replace(old, spec=spec, generation=old.generation + 1))

    def annotate_by_hand(self, key: ObjectKey, annotations: Mapping[str, str]) -> None:
        """Somebody sets annotations."""
        old = self.resources[key]
        self._store(replace(old, annotations={**old.annotations, **annotations}))

    def delete(self, key: ObjectKey) -> None:
        """Ask for a deletion; our finalizer holds it."""
        self._store(replace(self.resources[key], deleting=True, deleting_since=self.now()))

    async def get(self, key: ObjectKey) -> Resource | None:
        async with crossing("cluster.get"):
            return self.resources.get(key)

    async def annotate(self, resource: Resource, annotations: Mapping[str, str | None]) -> Resource:
        async with crossing("cluster.annotate"):
            return self._annotated(resource, annotations)

    def _annotated(self, resource: Resource, annotations: Mapping[str, str | None]) -> Resource:
        if self.resources[resource.key].resource_version != resource.resource_version:
            raise ResourceChanged("annotate: the resource changed meanwhile")
        self.writes.append("annotate")
        merged = {**resource.annotations, **annotations}
        kept = {name: value for name, value in merged.items() if value is not None}
        return self._store(replace(resource, annotations=kept))

    async def patch_status(self, resource: Resource, status: PurposeDrivenAgentStatus) -> None:
        assert not broken_rules(status)
        async with crossing("cluster.patch_status"):
            self.writes.append("patch_status")
            self._store(replace(self.resources[resource.key], status=status))

    async def emit(self, _resource: Resource, notice: Notice) -> None:
        async with crossing("cluster.emit"):
            self.writes.append("emit")
            self.notices.append(notice)

    def _store(self, resource: Resource) -> Resource:
        stored = replace(resource, resource_version=str(int(resource.resource_version) + 1))
        self.resources[resource.key] = stored
        return stored


@dataclass
class Desk:
    """The parts of a pass, and the words to play with them."""

    cluster: MemoryCluster
    foundry: EmbeddedFoundry
    runtime: AgentRuntimeProvider
    reconciler: Reconciler
    time: list[datetime]

    async def pass_over(self, key: ObjectKey = CEO) -> Result:
        """One pass that is due."""
        return await self.reconciler.reconcile(key)

    def later(self, **span: float) -> None:
        """Move the clock on."""
        self.time[0] += timedelta(**span)

    def status(self, key: ObjectKey = CEO) -> PurposeDrivenAgentStatus:
        """What the resource says."""
        return self.cluster.resources[key].status

    def condition(self, kind: str, key: ObjectKey = CEO) -> Condition | None:
        """One condition of it."""
        return next((one for one in self.status(key).conditions if one.type == kind), None)

    def says(self, kind: str = "Ready", key: ObjectKey = CEO) -> str:
        """A condition as `status/reason`; `-` when it is not there."""
        found = self.condition(kind, key)
        return f"{found.status}/{found.reason}" if found else "-"

    def operations(self) -> list[str]:
        """What reached Foundry since it was last cleared."""
        return [request.operation for request in self.foundry.requests]


class TwoGenerations:
    """Both generations of one project, and which of them the runtime of every resource is, for now."""

    def __init__(self, config: RuntimeConfig, connect: Callable[..., AgentRuntimeProvider]) -> None:
        self._config = config
        self._connect = connect
        self._opened: dict[RuntimeType, AgentRuntimeProvider] = {}
        self.chosen = config.type

    @asynccontextmanager
    async def open(
        self, _resource: Resource, generation: RuntimeType | None = None
    ) -> AsyncIterator[Runtime]:
        """The project, as the generation that is asked for or chosen."""
        kind = generation or self.chosen
        if kind not in self._opened:
            self._opened[kind] = self._connect(replace(self._config, type=kind))
            await self._opened[kind].initialize()
        yield self._opened[kind]

    async def renewed(self, resource: Resource, used: Runtime) -> bool:
        """Nothing renews it."""
        return False

    async def close(self) -> None:
        """Close both, and forget what they knew."""
        for provider in self._opened.values():
            await provider.close()
        self._opened.clear()


ENOUGH_PASSES = 40
BETWEEN_PASSES = 10


class MovingDesk:
    """A desk over both generations of one project, on which the operator can end and begin anew."""

    def __init__(
        self,
        project: ProjectControl,
        connect: Callable[..., AgentRuntimeProvider] = AgentRuntimeProvider,
        **settings: Any,
    ) -> None:
        chosen = {
            "project_endpoint": project.endpoint,
            "cluster_id": "c1",
            "max_retries": 0,
            "timeout": 20.0,
            "listing_age": 0.0,
            "requests_per_second": 1000.0,
            "type": RuntimeType.FOUNDRY_CLASSIC,
            **settings,
        }
        self.project = project
        self.time = datetime(2026, 5, 4, 12, tzinfo=UTC)
        self.cluster = MemoryCluster(now=lambda: self.time)
        self.runtimes = TwoGenerations(RuntimeConfig(**chosen), connect)
        self._begin()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runtimes.close()

    def _begin(self) -> None:
        self._reconciler = Reconciler(self.cluster, self.runtimes, lambda: self.time, DeletionBrake(1000))

    async def restart(self) -> None:
        """The operator ends and begins anew, with nothing in memory."""
        await self.runtimes.close()
        self._begin()

    def choose(self, generation: RuntimeType) -> None:
        """Somebody sets the runtime's type."""
        self.runtimes.chosen = generation

    def later(self, **span: float) -> None:
        """Move the clock on."""
        self.time += timedelta(**span)

    async def pass_over(self, key: ObjectKey = CEO) -> Result | None:
        """One pass, whichever the resource wants; None when the API server failed it."""
        try:
            if not self.resource(key).deleting:
                return await self._reconciler.reconcile(key)
            result = await self._reconciler.finalize(key)
        except ClusterFailure:
            return None
        if result is None:
            del self.cluster.resources[key]
        return result or Result()

    async def settle(self, key: ObjectKey = CEO) -> None:
        """Pass after pass, the clock moving on, until nothing is left to do; no end fails the test."""
        for _ in range(ENOUGH_PASSES):
            result = await self.pass_over(key)
            if key not in self.cluster.resources or (result and result.retry is Retry.INTERVAL):
                return
            self.later(seconds=BETWEEN_PASSES)
        raise AssertionError(f"no end after {ENOUGH_PASSES} passes: {self.cluster.resources[key]}")

    def resource(self, key: ObjectKey = CEO) -> Resource:
        """The resource as it is now."""
        return self.cluster.resources[key]

    def says(self, kind: str = "Ready", key: ObjectKey = CEO) -> str:
        """A condition as `status/reason: message`; `-` when it is not there."""
        found = next((one for one in self.resource(key).status.conditions if one.type == kind), None)
        return f"{found.status}/{found.reason}: {found.message}" if found else "-"


@asynccontextmanager
async def open_desk(foundry: EmbeddedFoundry, **settings: Any) -> AsyncIterator[Desk]:
    """A desk on `foundry`; `settings` go into the RuntimeConfig."""
    chosen = {
        "project_endpoint": foundry.endpoint,
        "cluster_id": "c1",
        "max_retries": 0,
        "timeout": 2.0,
        "listing_age": 0.0,
        **settings,
    }
    time = [datetime(2026, 5, 4, 12, tzinfo=UTC)]
    cluster = MemoryCluster(now=lambda: time[0])
    runtime = AgentRuntimeProvider(RuntimeConfig(**chosen))
    reconciler = Reconciler(cluster, OneRuntime(runtime), lambda: time[0], DeletionBrake(30))
    try:
        if chosen["project_endpoint"] is not None:
            await runtime.initialize()
        yield Desk(cluster, foundry, runtime, reconciler, time)
    finally:
        await runtime.close()
