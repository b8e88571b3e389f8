"""Where agents run: `AgentRuntimeProvider` and its settings.

    runtime = AgentRuntimeProvider(RuntimeConfig.from_env())
    await runtime.initialize()

Knows Azure, and nothing of Kubernetes. Azure's packages are imported only when a runtime is used.
"""

from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.provider import AgentRuntimeProvider, DeployedAgent, EventResult

__all__ = ["AgentRuntimeProvider", "DeployedAgent", "EventResult", "RuntimeConfig"]
