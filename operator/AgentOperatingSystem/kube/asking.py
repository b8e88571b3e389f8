"""Ask the agent of a resource: the thread and the version are the status's, never ones half made."""

from __future__ import annotations

from AgentOperatingSystem.kube.client import KubernetesCluster, connect
from AgentOperatingSystem.model.errors import NotFound
from AgentOperatingSystem.reconcile.resource import ObjectKey
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.provider import AgentRuntimeProvider, EventResult


async def ask_agent(config: RuntimeConfig, key: ObjectKey, question: str) -> EventResult:
    """The agent's answer to `question`. Raises NotFound when the resource or its agent is not there."""
    async with await connect() as api:
        resource = await KubernetesCluster(api).get(key)
    if resource is None:
        raise NotFound(f"There is no PurposeDrivenAgent {key}.")
    status = resource.status.runtime
    if status is None or status.agent_id is None:
        raise NotFound(f"PurposeDrivenAgent {key} has no agent yet; see `kubectl describe pda {key.name}`.")
    async with AgentRuntimeProvider(config) as runtime:
        return await runtime.process_event(
            status.agent_id, "question", question, thread_id=status.thread_id, version=status.version
        )
