"""The adapter for Foundry's new generation: named agents with immutable versions, conversations.

On this API the name is the key, so that two creates make one agent and a surplus version, never two
agents. Every request goes through `_call`, where slots, time-outs and errors are dealt with once.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

import openai
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceResponseTimeoutError,
)

from AgentOperatingSystem.model.crossing import crossing
from AgentOperatingSystem.model.definition import DesiredAgent, ObservedAgent
from AgentOperatingSystem.model.errors import NotFound, RuntimeFailure, Throttled
from AgentOperatingSystem.model.guard import Guard, unguarded
from AgentOperatingSystem.model.stamp import Stamp, split_metadata
from AgentOperatingSystem.runtime.adapter import Answer, ToolCall, ToolExecutor
from AgentOperatingSystem.runtime.azure_errors import Refusal, failure, seconds_to_wait
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.connection import CONTROL_SECONDS, connect
from AgentOperatingSystem.runtime.foundry_wire import (
    agent_from_wire,
    definition_to_wire,
    metadata_to_wire,
    version_from_wire,
)
from AgentOperatingSystem.runtime.pace import Pace
from AgentOperatingSystem.runtime.turns import Turns

T = TypeVar("T")

PAGE = 100
# An agent that asks for a tool again after so many answers is going round in circles.
MAX_TOOL_ROUNDS = 16


class FoundryAdapter:
    """One Foundry project over azure-ai-projects 2.x and its OpenAI client."""

    def __init__(self, endpoint: str, config: RuntimeConfig, *, guard: Guard = unguarded) -> None:
        self._endpoint = endpoint
        self._host = urlsplit(endpoint).hostname or ""
        self._config = config
        self._connection = connect(endpoint, config)
        self._pace = Pace(
            config.requests_per_second, burst=2 * config.requests_per_second, clock=time.monotonic
        )
        self._turns = Turns(config.max_in_flight, self._pace, guard)

    async def get(self, name: str) -> ObservedAgent | None:
        try:
            agent = await self._call("get_agent", lambda: self._connection.project.agents.get(name))
        except NotFound:
            return None
        return agent_from_wire(agent.as_dict())

    async def list_all(self) -> list[ObservedAgent]:
        async def read() -> list[ObservedAgent]:
            pages = self._connection.project.agents.list(kind="prompt", limit=PAGE)
            return [agent_from_wire(agent.as_dict()) async for agent in pages]

        return await self._call("list_agents", read)

    async def create(self, desired: DesiredAgent) -> ObservedAgent:
        version = await self._call(
            "create_version",
            lambda: self._connection.project.agents.create_version(
                desired.name,
                {
                    "definition": definition_to_wire(desired.definition),
                    "metadata": metadata_to_wire(desired),
                },
                retry_total=0,
            ),
            writes=True,
        )
        return version_from_wire(version.as_dict(), enabled=True)

    async def release(self, observed: ObservedAgent) -> ObservedAgent:
        async def read() -> dict[str, Any]:
            agent = await self._connection.project.agents.get(observed.name)
            wire: dict[str, Any] = agent.as_dict()["versions"]["latest"]
            return wire

        wire = await self._call("get_agent", read)
        _, metadata = split_metadata(wire.get("metadata") or {})
        version = await self._call(
            "create_version",
            lambda: self._connection.project.agents.create_version(
                observed.name, {"definition": wire["definition"], "metadata": metadata}, retry_total=0
            ),
            writes=True,
        )
        return version_from_wire(version.as_dict(), enabled=observed.enabled)

    async def enable(self, name: str) -> None:
        agents = self._connection.project.agents
        await self._call("enable_agent", lambda: agents.enable(name, retry_total=0), writes=True)

    async def disable(self, name: str) -> None:
        agents = self._connection.project.agents
        await self._call("disable_agent", lambda: agents.disable(name, retry_total=0), writes=True)

    async def delete(self, name: str) -> None:
        agents = self._connection.project.agents
        try:
            await self._call("delete_agent", lambda: agents.delete(name, retry_total=0), writes=True)
        except NotFound:
            return

    async def versions(self, name: str) -> list[ObservedAgent]:
        async def read() -> list[ObservedAgent]:
            pages = self._connection.project.agents.list_versions(name, limit=PAGE, order="desc")
            return [version_from_wire(version.as_dict(), enabled=True) async for version in pages]

        try:
            return await self._call("list_versions", read)
        except NotFound:
            return []

    async def delete_version(self, name: str, version: str) -> None:
        agents = self._connection.project.agents
        try:
            await self._call(
                "delete_version", lambda: agents.delete_version(name, version, retry_total=0), writes=True
            )
        except NotFound:
            return

    async def deployments(self) -> frozenset[str]:
        async def read() -> frozenset[str]:
            return frozenset({item.name async for item in self._connection.project.deployments.list()})

        return await self._call("list_deployments", read)

    async def has_deployment(self, name: str) -> bool:
        try:
            await self._call("get_deployment", lambda: self._connection.project.deployments.get(name))
        except NotFound:
            return False
        return True

    async def create_thread(self, stamp: Stamp) -> str:
        conversation = await self._call(
            "create_thread",
            lambda: self._connection.openai.conversations.create(metadata=stamp.to_metadata()),
            writes=True,
        )
        return conversation.id

    async def thread_stamp(self, thread_id: str) -> Stamp | None:
        try:
            conversation = await self._call(
                "get_thread", lambda: self._connection.openai.conversations.retrieve(thread_id)
            )
        except NotFound:
            return None
        metadata = conversation.metadata
        return split_metadata(metadata)[0] if isinstance(metadata, dict) else None

    async def delete_thread(self, thread_id: str) -> None:
        conversations = self._connection.openai.conversations
        try:
            await self._call("delete_thread", lambda: conversations.delete(thread_id), writes=True)
        except NotFound:
            return

    async def ask(
        self, agent: ObservedAgent, version: str, thread_id: str, text: str, execute: ToolExecutor
    ) -> Answer:
        reference = {"type": "agent_reference", "name": agent.name, "version": version}
        given: str | list[dict[str, Any]] = text
        for _ in range(MAX_TOOL_ROUNDS):
            response = await self._respond(reference, thread_id, given)
            calls = _tool_calls(response)
            if not calls:
                return _answer(response)
            given = [await _executed(call, execute) for call in calls]
        raise RuntimeFailure(
            f"The agent {agent.name} asked for tools {MAX_TOOL_ROUNDS} times without an answer; "
            "its purpose or its tools lead it in circles."
        )

    def stop_waiting(self) -> None:
        self._turns.stop_waiting()

    async def close(self) -> None:
        await self._connection.close()

    async def _respond(
        self, reference: dict[str, str], thread_id: str, given: str | list[dict[str, Any]]
    ) -> dict[str, Any]:
        async def request() -> dict[str, Any]:
            response = await self._connection.openai.responses.create(
                conversation=thread_id,
                input=given,  # type: ignore[arg-type]  # plain JSON in place of the SDK's typed dicts
                extra_body={"agent_reference": reference},
            )
            body: dict[str, Any] = response.model_dump(mode="json", warnings=False)
            return body

        return await self._call("respond", request, writes=True, seconds=self._config.timeout)

    async def _call(
        self,
        operation: str,
        request: Callable[[], Awaitable[T]],
        *,
        writes: bool = False,
        seconds: float = CONTROL_SECONDS,
    ) -> T:
        """Send one request when it is its turn; whatever goes wrong is raised from the error tree."""
        async with self._turns.turn(writes=writes):
            try:
                async with (
                    crossing(f"runtime.{operation}", server=self._host),
                    asyncio.timeout(min(seconds, self._config.timeout)),
                ):
                    answer = await request()
            except (TimeoutError, AzureError, openai.APIError) as error:
                problem = failure(_refusal(operation, self._endpoint, error, writes=writes))
                if isinstance(problem, Throttled):
                    self._pace.throttled(problem.retry_after)
                raise problem from error
            self._pace.answered()
            return answer


def _refusal(operation: str, endpoint: str, error: Exception, *, writes: bool) -> Refusal:
    """The facts in an exception of one of the two clients."""
    asked = Refusal(operation, endpoint, writes)
    if isinstance(error, HttpResponseError) and error.response is not None:
        response: Any = error.response
        detail = _error_detail(response)
        return replace(
            asked,
            status=response.status_code,
            code=str(detail.get("code") or ""),
            param=str(detail.get("param") or ""),
            sentence=str(detail.get("message") or ""),
            retry_after=seconds_to_wait(response.headers),
        )
    if isinstance(error, ClientAuthenticationError):
        return replace(asked, status=401)  # no token was to be had: nothing was sent
    if isinstance(error, openai.APIStatusError):
        return replace(
            asked,
            status=error.status_code,
            code=str(error.code or ""),
            param=str(error.param or ""),
            sentence=str(error.body.get("message") or "") if isinstance(error.body, dict) else "",
            retry_after=seconds_to_wait(error.response.headers),
        )
    slow = isinstance(error, TimeoutError | openai.APITimeoutError | ServiceResponseTimeoutError)
    return replace(asked, sentence="it took too long" if slow else "no connection")


def _error_detail(response: Any) -> dict[str, Any]:
    """The service's own `error` object, which the SDK keeps as a model or not at all."""
    try:
        body = response.json()
    except ValueError:
        return {}
    detail = body.get("error") if isinstance(body, dict) else None
    return detail if isinstance(detail, dict) else {}


def _tool_calls(response: dict[str, Any]) -> list[ToolCall]:
    return [
        ToolCall(call_id=item["call_id"], name=item["name"], arguments=item.get("arguments") or "{}")
        for item in response["output"]
        if item["type"] == "function_call"
    ]


async def _executed(call: ToolCall, execute: ToolExecutor) -> dict[str, Any]:
    output = await execute(call)
    return {
        "type": "function_call_output",
        "call_id": call.call_id,
        "output": json.dumps(dict(output), ensure_ascii=False),
    }


def _answer(response: dict[str, Any]) -> Answer:
    texts = [
        part["text"]
        for item in response["output"]
        if item["type"] == "message"
        for part in item["content"]
        if part["type"] == "output_text"
    ]
    return Answer(text="\n".join(texts), status=response.get("status") or "completed", run_id=response["id"])
