"""What a runtime must be able to do: the narrow protocol behind `AgentRuntimeProvider`.

One adapter for each runtime. Every method raises from the error tree in `model.errors`; after a
write that raises OutcomeUnknown the caller looks again before it writes again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from AgentOperatingSystem.model.definition import DesiredAgent, ObservedAgent
from AgentOperatingSystem.model.stamp import Stamp


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that the agent wants called."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of one exchange with an agent: `status` is the runtime's own word for it."""

    text: str
    status: str
    run_id: str


ToolExecutor = Callable[[ToolCall], Awaitable[Mapping[str, Any]]]


class RuntimeAdapter(Protocol):
    """One project of one runtime."""

    async def get(self, name: str) -> ObservedAgent | None:
        """The agent as it is now, None when there is none."""

    async def list_all(self) -> list[ObservedAgent]:
        """Every agent of the project, ours or not, page by page to the end."""

    async def create(self, desired: DesiredAgent) -> ObservedAgent:
        """Make the agent, or a further version of it. Never retried."""

    async def release(self, observed: ObservedAgent) -> ObservedAgent:
        """Take our stamp off the agent and leave everything else as it is."""

    async def enable(self, name: str) -> None:
        """Let the agent run."""

    async def disable(self, name: str) -> None:
        """Keep the agent from running, with all that it has."""

    async def delete(self, name: str) -> None:
        """Delete the agent with all versions; one that is gone already is no failure."""

    async def versions(self, name: str) -> list[ObservedAgent]:
        """Every version of the agent, the newest first; none for an agent that is gone."""

    async def delete_version(self, name: str, version: str) -> None:
        """Delete one version; one that is gone already is no failure."""

    async def deployments(self) -> frozenset[str]:
        """The names of the project's model deployments."""

    async def has_deployment(self, name: str) -> bool:
        """Whether the project has the deployment, asked for by name."""

    async def create_thread(self, stamp: Stamp) -> str:
        """Start a conversation that bears `stamp`; its id. Never retried."""

    async def thread_stamp(self, thread_id: str) -> Stamp | None:
        """The stamp of a conversation; None when it bears none or does not exist."""

    async def delete_thread(self, thread_id: str) -> None:
        """Delete a conversation; one that is gone already is no failure."""

    async def ask(
        self, agent: ObservedAgent, version: str, thread_id: str, text: str, execute: ToolExecutor
    ) -> Answer:
        """Say `text` to the agent's `version` on a thread; its calls of functions go to `execute`."""

    def stop_waiting(self) -> None:
        """From now on a request that cannot be sent at once raises Stopping, those that wait now as well."""

    async def close(self) -> None:
        """Close connections."""
