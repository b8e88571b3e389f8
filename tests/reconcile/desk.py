"""A pass on a desk: the real reconciler and the real Foundry client, a cluster in memory, a clock in hand.

For promises about passes, not about Kubernetes: what Kubernetes does with a write is shown by the scenarios.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from AgentOperatingSystem.api.conditions import broken_rules
from AgentOperatingSystem.api.v1alpha1 import FINALIZER, Condition, PurposeDrivenAgentStatus
from AgentOperatingSystem.kube.runtimes.pool import OneRuntime
from AgentOperatingSystem.reconcile.brake import DeletionBrake
from AgentOperatingSystem.reconcile.ports import Notice, ResourceChanged
from AgentOperatingSystem.reconcile.reconciler import Reconciler, Result
from AgentOperatingSystem.reconcile.resource import ObjectKey, Resource
from AgentOperatingSystem.runtime import AgentRuntimeProvider, RuntimeConfig
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry

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
        return self.resources.get(key)

    async def annotate(self, resource: Resource, annotations: Mapping[str, str | None]) -> Resource:
        if self.resources[resource.key].resource_version != resource.resource_version:
            raise ResourceChanged("annotate: the resource changed meanwhile")
        self.writes.append("annotate")
        merged = {**resource.annotations, **annotations}
        kept = {name: value for name, value in merged.items() if value is not None}
        return self._store(replace(resource, annotations=kept))

    async def patch_status(self, resource: Resource, status: PurposeDrivenAgentStatus) -> None:
        assert not broken_rules(status)
        self.writes.append("patch_status")
        self._store(replace(self.resources[resource.key], status=status))

    async def emit(self, _resource: Resource, notice: Notice) -> None:
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
