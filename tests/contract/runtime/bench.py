"""One bench for both generations: an adapter on an embedded service, and the service behind its back.

What a test says of an adapter is said in the words of the protocol; only this file knows which request, and
which record of the sandbox, that is in either generation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from AgentOperatingSystem.model.definition import AgentDefinition, DesiredAgent, FunctionTool
from AgentOperatingSystem.model.guard import Guard, unguarded
from AgentOperatingSystem.model.stamp import Owner, OwnerKind, Stamp
from AgentOperatingSystem.runtime.adapter import RuntimeAdapter, ToolCall
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.foundry import FoundryAdapter
from AgentOperatingSystem.runtime.foundry_classic import FoundryClassicAdapter
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry

MODEL = "llama-3.3-70b-ceo"
STAMP = Stamp(
    Owner(OwnerKind.RESOURCE, cluster="c1", namespace="boardroom", name="ceo"),
    agent_id="ceo",
    adapter="ceo",
    uid="uid-1",
    hash="sha256:0",
)
FUNCTION = FunctionTool(
    name="erpnext__get_company_overview",
    description="Figures of the company",
    parameters={"type": "object", "properties": {"year": {"type": "integer"}}},
)
DESIRED = DesiredAgent(
    name="ceo",
    definition=AgentDefinition(
        MODEL, "You are the agent ceo.", tools=(FUNCTION,), metadata={"team": "board"}
    ),
    stamp=STAMP,
)


@dataclass(frozen=True)
class Generation:
    """`operations`: the sandbox's name for the request behind a word of the protocol."""

    name: str
    adapter: type[FoundryAdapter | FoundryClassicAdapter]
    operations: Mapping[str, str]


FOUNDRY = Generation(
    "Foundry",
    FoundryAdapter,
    {
        "get": "get_agent",
        "list_all": "list_agents",
        "create": "create_version",
        "update": "create_version",
        "release": "create_version",
        "enable": "enable_agent",
        "disable": "disable_agent",
        "delete": "delete_agent",
        "create_thread": "create_conversation",
        "thread_stamp": "get_conversation",
        "delete_thread": "delete_conversation",
        "messages": "list_items",
        "add_messages": "create_items",
        "ask": "create_response",
    },
)
CLASSIC = Generation(
    "FoundryClassic",
    FoundryClassicAdapter,
    {
        "get": "get_assistant",
        "list_all": "list_assistants",
        "create": "create_assistant",
        "update": "update_assistant",
        "release": "update_assistant",
        "disable": "delete_assistant",
        "delete": "delete_assistant",
        "create_thread": "create_classic_thread",
        "thread_stamp": "get_classic_thread",
        "delete_thread": "delete_classic_thread",
        "messages": "list_messages",
        "add_messages": "create_message",
        "ask": "create_run",
    },
)


@dataclass
class Bench:
    """The service of a test; `adapter` speaks to it, and what it opened is closed with `close`."""

    generation: Generation
    service: EmbeddedFoundry
    opened: list[RuntimeAdapter] = field(default_factory=list)

    @property
    def is_classic(self) -> bool:
        return self.generation is CLASSIC

    def adapter(self, *, guard: Guard = unguarded, **settings: Any) -> RuntimeAdapter:
        """An adapter of the generation; without retries and in haste unless the test says otherwise."""
        config = RuntimeConfig(
            project_endpoint=self.service.endpoint,
            **{"timeout": 10.0, "max_retries": 0, "requests_per_second": 1000.0, **settings},
        )
        made = self.generation.adapter(self.service.endpoint, config, guard=guard)
        self.opened.append(made)
        return made

    async def close(self) -> None:
        for adapter in self.opened:
            await adapter.close()

    def operation(self, word: str) -> str:
        """The sandbox's operation behind a word of the protocol."""
        return self.generation.operations[word]

    def sent(self, word: str) -> int:
        """How many requests of that kind the service has seen."""
        return [one.operation for one in self.service.requests].count(self.operation(word))

    def made(self) -> int:
        """How many creates took effect: assistants, or versions of agents."""
        if self.is_classic:
            return len(self.service.assistants())
        return sum(len(agent.versions) for agent in self.service.agents().values())

    def add_strangers(self, count: int, *, first: int = 0) -> list[str]:
        """Agents that somebody else made, numbered from `first`; their keys, oldest first."""
        if not count:
            return []
        if self.is_classic:
            return self.service.add_assistants(count, MODEL, name="theirs")
        names = [f"theirs-{number}" for number in range(first, first + count)]
        for name in names:
            self.service.add_agent(name, MODEL)
        return names

    def metadata(self, key: str) -> dict[str, str]:
        """All pairs of the agent, as the service holds them."""
        if self.is_classic:
            return self.service.assistants()[key].metadata
        return self.service.agents()[key].metadata

    def exists(self, key: str) -> bool:
        return key in (self.service.assistants() if self.is_classic else self.service.agents())

    def enabled(self, key: str) -> bool:
        """Whether the agent can run."""
        return self.exists(key) and (self.is_classic or self.service.agents()[key].enabled)

    def threads(self) -> list[str]:
        return list(self.service.threads() if self.is_classic else self.service.conversations())

    def thread_metadata(self, thread: str) -> dict[str, str]:
        held = self.service.threads() if self.is_classic else self.service.conversations()
        return held[thread].metadata

    def said(self, thread: str) -> list[tuple[str, str]]:
        """Role and text of what stands on a thread, oldest first."""
        if self.is_classic:
            return [(one.role, one.text) for one in self.service.messages(thread)]
        items = self.service.conversations()[thread].items
        return [
            (item["role"], "".join(part["text"] for part in item["content"]))
            for item in items
            if item["type"] == "message"
        ]


class Tools:
    """Executes calls of functions, and remembers them."""

    def __init__(self) -> None:
        self.calls: list[ToolCall] = []

    async def __call__(self, call: ToolCall) -> Mapping[str, Any]:
        self.calls.append(call)
        return {"revenue": 42, "währung": "€"}


async def refused(call: ToolCall) -> Mapping[str, Any]:
    """For an agent that has no reason to call anything."""
    raise AssertionError(f"{call.name} was called")


async def until(check: Callable[[], bool]) -> None:
    """Wait for something that the service does; it has a thread of its own."""
    async with asyncio.timeout(5):
        while not check():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
