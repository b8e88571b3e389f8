"""Ask the agent of a resource: the thread and the version are the status's, never ones half made.

Whoever asks speaks as themselves: the runtime's own identity, and the Secret that has it, are the operator's.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from AgentOperatingSystem.kube.client import KubernetesCluster, connect
from AgentOperatingSystem.kube.runtimes.pool import RuntimePool, Tenancy
from AgentOperatingSystem.kube.runtimes.reading import Reader
from AgentOperatingSystem.model.errors import NotFound
from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.model.guard import Guard
from AgentOperatingSystem.reconcile.home import check_project
from AgentOperatingSystem.reconcile.resource import ObjectKey
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.identity import OwnIdentity
from AgentOperatingSystem.runtime.provider import AgentRuntimeProvider, EventResult


async def ask_agent(config: RuntimeConfig, tenancy: Tenancy, key: ObjectKey, question: str) -> EventResult:
    """The agent's answer to `question`. Raises NotFound when the resource or its agent is not there."""
    async with await connect() as api:
        cluster = KubernetesCluster(api)
        resource = await cluster.get(key)
        if resource is None:
            raise NotFound(f"There is no PurposeDrivenAgent {key}.")
        status = resource.status.runtime
        if status is None or status.agent_id is None:
            raise NotFound(
                f"PurposeDrivenAgent {key} has no agent yet; see `kubectl describe pda {key.name}`."
            )
        # An agent that is being moved is asked where its status says that it is.
        generation = RuntimeType(status.type)
        async with (
            _as_myself(config, cluster, tenancy) as pool,
            pool.open(resource, generation) as runtime,
        ):
            check_project(resource, runtime.facts())
            if not isinstance(runtime, AgentRuntimeProvider):
                raise AssertionError(f"{key}: a runtime that nobody can ask")  # noqa: TRY004
            return await runtime.process_event(
                status.agent_id, "question", question, thread_id=status.thread_id, version=status.version
            )


@asynccontextmanager
async def _as_myself(
    config: RuntimeConfig, cluster: KubernetesCluster, tenancy: Tenancy
) -> AsyncIterator[RuntimePool]:
    """The runtimes that resources name, reached with one's own Azure credentials."""

    def connected(config: RuntimeConfig, *, guard: Guard) -> AgentRuntimeProvider:
        return AgentRuntimeProvider(replace(config, identity=OwnIdentity()), guard=guard)

    pool = RuntimePool(config, _Identityless(cluster, time.monotonic), tenancy, connect=connected)
    try:
        yield pool
    finally:
        await pool.close()


class _Identityless(Reader):
    """Reads no Secret: it would not be used."""

    async def secret(self, namespace: str, name: str, key: str, *, age: float) -> str:  # noqa: ARG002
        return ""
