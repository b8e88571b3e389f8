"""What a runtime must be able to do: the narrow protocol behind `AgentRuntimeProvider`.

One adapter for each runtime. Every method raises from the error tree in `model.errors`; after a
write that raises OutcomeUnknown the caller looks again before it writes again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from AgentOperatingSystem.model.definition import DesiredAgent, ObservedAgent, Tool
from AgentOperatingSystem.model.message import Message
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
    """One project of one runtime.

    `key` is an agent's own id there: its name on Foundry, `asst_...` on the classic generation.
    """

    @property
    def names_are_keys(self) -> bool:
        """True where an agent's name is its key; False where the service gives ids, and names repeat."""

    async def get(self, key: str) -> ObservedAgent | None:
        """The agent as it is now, None when there is none."""

    async def list_all(self) -> list[ObservedAgent]:
        """Every agent of the project, ours or not, page by page to the end, the oldest first."""

    async def create(self, desired: DesiredAgent) -> ObservedAgent:
        """Make the agent. Never retried."""

    async def update(self, observed: ObservedAgent, desired: DesiredAgent) -> ObservedAgent:
        """Make the agent as it is desired, stamp included. Never retried."""

    async def release(self, observed: ObservedAgent) -> ObservedAgent:
        """Take our stamp off the agent and leave everything else as it is."""

    async def enable(self, observed: ObservedAgent) -> ObservedAgent:
        """Let the agent run."""

    async def disable(self, observed: ObservedAgent) -> ObservedAgent | None:
        """Keep the agent from running; None where that means that it is gone, all but its thread."""

    async def delete(self, key: str) -> None:
        """Delete the agent with all versions; one that is gone already is no failure."""

    async def versions(self, key: str) -> list[ObservedAgent]:
        """Every version of the agent, the newest first; none for an agent that is gone or has none."""

    async def delete_version(self, key: str, version: str) -> None:
        """Delete one version; one that is gone already is no failure."""

    async def deployments(self) -> frozenset[str]:
        """The names of the project's model deployments."""

    async def has_deployment(self, name: str) -> bool:
        """Whether the project has the deployment, asked for by name."""

    async def has_vector_store(self, store_id: str) -> bool:
        """Whether the project has the vector store."""

    async def has_file(self, file_id: str) -> bool:
        """Whether the project has the file."""

    async def create_thread(self, stamp: Stamp) -> str:
        """Start a conversation that bears `stamp`; its id. Never retried."""

    async def thread_stamp(self, thread_id: str) -> Stamp | None:
        """The stamp of a conversation; None when it bears none or does not exist."""

    async def delete_thread(self, thread_id: str) -> None:
        """Delete a conversation; one that is gone already is no failure."""

    async def messages(self, thread_id: str) -> list[Message]:
        """What was said on a thread, the oldest first; nothing for one that does not exist."""

    async def add_messages(self, thread_id: str, messages: Sequence[Message]) -> None:
        """Say `messages` on a thread, in their order, without an answer. Never retried."""

    async def thread_tools(self, thread_id: str) -> tuple[Tool, ...]:
        """What a thread itself gives to tools, beside what its agent has; nothing where threads cannot."""

    async def ask(
        self, agent: ObservedAgent, version: str, thread_id: str, text: str, execute: ToolExecutor
    ) -> Answer:
        """Say `text` to the agent's `version` on a thread; its calls of functions go to `execute`."""

    def stop_waiting(self) -> None:
        """From now on a request that cannot be sent at once raises Stopping, those that wait now as well."""

    async def close(self) -> None:
        """Close connections."""
