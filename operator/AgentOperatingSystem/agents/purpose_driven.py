"""`PurposeDrivenAgent`: Agent Framework's agent, told by its purpose what it is for.

It is an `Agent` in every way, so that it runs wherever the framework's agents run. What it adds: its
instructions are compiled from its purpose, it keeps a conversation of its own, and it can be built before
anybody has chosen a chat client, since where it runs as a service it needs none.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Any, Literal, Self, cast, overload

from agent_framework import (
    Agent,
    AgentResponse,
    AgentResponseUpdate,
    AgentRunInputs,
    AgentSession,
    ResponseStream,
    SupportsChatGetResponse,
    ToolTypes,
)

from AgentOperatingSystem.agents.chat_client import ChatSettings, chat_client
from AgentOperatingSystem.purpose import Purpose, compile_instructions

AgentTools = ToolTypes | Callable[..., Any] | Sequence[ToolTypes | Callable[..., Any]]


class AgentStopped(RuntimeError):
    """The agent was stopped: `await agent.start()` brings it back."""


class State(StrEnum):
    """Where in its life an agent is."""

    NEW = "new"
    INITIALIZED = "initialized"
    RUNNING = "running"
    STOPPED = "stopped"


class PurposeDrivenAgent(Agent[Any]):
    """An agent made from its purpose.

        agent = PurposeDrivenAgent(agent_id="ceo", purpose="Strategic oversight", adapter_name="ceo")
        await agent.initialize()
        await agent.start()
        answer = await agent.run("Which market do we enter next?")
        await agent.stop()

    `adapter_name` names the LoRA adapter that the agent was tuned into; it is kept, and does not decide
    the model here. Without `client` the first run makes one from AOS_CHAT_BASE_URL, AOS_CHAT_MODEL and
    AOS_CHAT_API_KEY. `agent_options` are Agent Framework's own, such as `middleware`.
    """

    def __init__(
        self,
        *,
        agent_id: str,
        purpose: str,
        purpose_scope: str = "",
        adapter_name: str | None = None,
        success_criteria: Sequence[str] = (),
        system_message: str = "",
        tools: AgentTools | None = None,
        client: SupportsChatGetResponse[Any] | None = None,
        **agent_options: Any,
    ) -> None:
        for name, value in (("agent_id", agent_id), ("purpose", purpose)):
            if not value.strip():
                raise ValueError(f"{name} must not be blank")
        self.agent_id = agent_id
        self.purpose = purpose
        self.purpose_scope = purpose_scope
        self.adapter_name = adapter_name
        self.success_criteria = tuple(success_criteria)
        self.system_message = system_message
        super().__init__(
            # None until the first run: the framework itself reads the client no earlier.
            cast("SupportsChatGetResponse[Any]", client),
            compile_instructions(
                Purpose(agent_id, purpose, purpose_scope, self.success_criteria, system_message)
            ),
            id=agent_id,
            name=agent_id,
            description=purpose,
            tools=tools,
            **agent_options,
        )
        self.session = self.create_session()
        self._state = State.NEW
        self._changing = asyncio.Lock()
        self._needs_client = client is None
        self._close_client: Callable[[], Awaitable[None]] | None = None

    @property
    def state(self) -> State:
        """Where in its life the agent is."""
        return self._state

    async def initialize(self) -> None:
        """Make the agent ready to be started or deployed. Sends nothing, and needs no chat client."""
        if self._state is State.NEW:
            self._state = State.INITIALIZED

    async def start(self) -> None:
        """Open the connections of the client and of MCP tools. Doing it again changes nothing."""
        await self.initialize()
        async with self._changing:
            if self._state is not State.RUNNING:
                await self.open()
                self._state = State.RUNNING

    async def stop(self) -> None:
        """Close every connection; the conversation is kept. Doing it again changes nothing."""
        async with self._changing:
            if self._state is not State.STOPPED:
                self._state = State.STOPPED
                await self.close()

    async def close(self) -> None:
        """Close what the framework and the agent itself opened; a client that was given stays usable."""
        try:
            await super().close()
        finally:
            if self._close_client is not None:
                close, self._close_client = self._close_client, None
                self._needs_client = True
                await close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

    @overload
    def run(
        self,
        messages: AgentRunInputs | None = None,
        *,
        stream: Literal[False] = ...,
        session: AgentSession | None = None,
        **run_options: Any,
    ) -> Awaitable[AgentResponse[Any]]: ...

    @overload
    def run(
        self,
        messages: AgentRunInputs | None = None,
        *,
        stream: Literal[True],
        session: AgentSession | None = None,
        **run_options: Any,
    ) -> ResponseStream[AgentResponseUpdate, AgentResponse[Any]]: ...

    def run(
        self,
        messages: AgentRunInputs | None = None,
        *,
        stream: bool = False,
        session: AgentSession | None = None,
        **run_options: Any,
    ) -> Awaitable[AgentResponse[Any]] | ResponseStream[AgentResponseUpdate, AgentResponse[Any]]:
        """Run as `Agent.run` does, with all its options; without `session` on the agent's own.

        So consecutive runs remember; `session=agent.create_session()` makes one that stands alone. An agent
        need not be started first. Raises ChatClientNotConfigured without a chat client, AgentStopped
        after `stop`.
        """
        if self._state is State.STOPPED:
            raise AgentStopped(f"The agent {self.agent_id} was stopped: call `await agent.start()` first.")
        if self._needs_client:
            self._make_client()
        chosen = session or (None if self._names_conversation(run_options) else self.session)
        if stream:
            return super().run(messages, stream=True, session=chosen, **run_options)
        return super().run(messages, stream=False, session=chosen, **run_options)

    def _make_client(self) -> None:
        made = chat_client(ChatSettings.from_env(os.environ))
        self.client, self._close_client, self._needs_client = made, made.client.close, False

    def _names_conversation(self, run_options: dict[str, Any]) -> bool:
        """True when the caller named a conversation of the service, over which a session would win."""
        options = {**self.default_options, **(run_options.get("options") or {})}
        return options.get("conversation_id") is not None
