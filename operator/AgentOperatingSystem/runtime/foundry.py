"""The adapter for Foundry's new generation: named agents with immutable versions, conversations.

On this API the name is the key, so that two creates make one agent and a surplus version, never two
agents. Every request goes through `Calls`, where slots, time-outs and errors are dealt with once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import openai
from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest

from AgentOperatingSystem.model.definition import DesiredAgent, ObservedAgent, Tool
from AgentOperatingSystem.model.errors import DefinitionRejected, NotFound, RuntimeFailure
from AgentOperatingSystem.model.guard import Guard, unguarded
from AgentOperatingSystem.model.message import Message
from AgentOperatingSystem.model.stamp import Stamp, split_metadata
from AgentOperatingSystem.runtime.adapter import Answer, ToolCall, ToolExecutor
from AgentOperatingSystem.runtime.azure_errors import Refusal, seconds_to_wait
from AgentOperatingSystem.runtime.calls import (
    TOO_LONG,
    Calls,
    Failures,
    is_last_page,
    json_object,
    onward,
    read_azure,
    segment,
)
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.connection import connect
from AgentOperatingSystem.runtime.foundry_wire import (
    agent_from_wire,
    definition_to_wire,
    metadata_to_wire,
    version_from_wire,
)

PAGE = 100
# Relative to the project's endpoint.
CONVERSATIONS = "openai/v1/conversations"
VECTOR_STORES = "openai/v1/vector_stores"
FILES = "openai/v1/files"
# As many items as the service takes in one request.
ITEMS = 20
LOST = {"input_image": "an image", "input_file": "an attached file", "computer_screenshot": "an image"}
# An agent that asks for a tool again after so many answers is going round in circles.
MAX_TOOL_ROUNDS = 16


class FoundryAdapter:
    """One Foundry project over azure-ai-projects 2.x and its OpenAI client."""

    def __init__(self, endpoint: str, config: RuntimeConfig, *, guard: Guard = unguarded) -> None:
        self._config = config
        self._connection = connect(endpoint, config, guard)
        failures = Failures((AzureError, openai.APIError), _read_failure)
        self._calls = Calls(endpoint, config, guard, failures=failures)
        self._call = self._calls.send

    @property
    def names_are_keys(self) -> bool:
        return True

    async def get(self, key: str) -> ObservedAgent | None:
        try:
            return agent_from_wire(await self._read_agent(key))
        except NotFound:
            return None

    async def list_all(self) -> list[ObservedAgent]:
        # Not by the SDK's pager: it takes an answer without a list for an empty one.
        agents: list[ObservedAgent] = []
        asked = {"api-version": "v1", "kind": "prompt", "limit": str(PAGE), "order": "asc"}
        while True:
            page = await self._page("list_agents", asked)
            agents.extend(agent_from_wire(agent) for agent in page["data"])
            if is_last_page(page, PAGE):
                return agents
            asked = onward(asked, {**asked, "after": page["last_id"]})

    async def create(self, desired: DesiredAgent) -> ObservedAgent:
        definition, metadata = definition_to_wire(desired.definition), metadata_to_wire(desired)
        return await self._create_version(desired.name, definition, metadata)

    async def update(self, observed: ObservedAgent, desired: DesiredAgent) -> ObservedAgent:
        return replace(await self.create(desired), enabled=observed.enabled)

    async def release(self, observed: ObservedAgent) -> ObservedAgent:
        wire = (await self._read_agent(observed.agent_id))["versions"]["latest"]
        _, metadata = split_metadata(wire.get("metadata") or {})
        released = await self._create_version(observed.agent_id, wire["definition"], metadata)
        return replace(released, enabled=observed.enabled)

    async def enable(self, observed: ObservedAgent) -> ObservedAgent:
        agents, key = self._connection.project.agents, observed.agent_id
        await self._call("enable_agent", lambda: agents.enable(key, retry_total=0), writes=True)
        return replace(observed, enabled=True)

    async def disable(self, observed: ObservedAgent) -> ObservedAgent | None:
        agents, key = self._connection.project.agents, observed.agent_id
        await self._call("disable_agent", lambda: agents.disable(key, retry_total=0), writes=True)
        return replace(observed, enabled=False)

    async def delete(self, key: str) -> None:
        agents = self._connection.project.agents
        try:
            await self._call("delete_agent", lambda: agents.delete(key, retry_total=0), writes=True)
        except NotFound:
            return

    async def versions(self, key: str) -> list[ObservedAgent]:
        async def read() -> list[ObservedAgent]:
            pages = self._connection.project.agents.list_versions(key, limit=PAGE, order="desc")
            return [version_from_wire(version.as_dict(), enabled=True) async for version in pages]

        try:
            return await self._call("list_versions", read)
        except NotFound:
            return []

    async def delete_version(self, key: str, version: str) -> None:
        agents = self._connection.project.agents
        try:
            await self._call(
                "delete_version", lambda: agents.delete_version(key, version, retry_total=0), writes=True
            )
        except NotFound:
            return

    async def _create_version(
        self, name: str, definition: dict[str, Any], metadata: dict[str, str]
    ) -> ObservedAgent:
        body: dict[str, Any] = {"definition": definition, "metadata": metadata}
        agents: Any = self._connection.project.agents
        version = await self._call(
            "create_version",
            lambda: agents.create_version(name, body, retry_total=0, cls=_holding("definition")),
            writes=True,
        )
        return version_from_wire(version, enabled=True)

    async def _read_agent(self, key: str) -> dict[str, Any]:
        agents: Any = self._connection.project.agents
        agent: dict[str, Any] = await self._call(
            "get_agent", lambda: agents.get(key, cls=_holding("versions"))
        )
        return agent

    async def _page(self, operation: str, query: dict[str, str]) -> dict[str, Any]:
        request = HttpRequest("GET", "agents", params=query)

        async def send() -> dict[str, Any]:
            return json_object(await self._connection.project.send_request(request), "data")

        return await self._call(operation, send)

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

    async def has_vector_store(self, store_id: str) -> bool:
        return await self._exists("get_vector_store", VECTOR_STORES, store_id)

    async def has_file(self, file_id: str) -> bool:
        return await self._exists("get_file", FILES, file_id)

    async def create_thread(self, stamp: Stamp) -> str:
        body = {"metadata": stamp.to_metadata()}
        conversation = await self._conversations("create_thread", "POST", body=body, writes=True)
        return str(conversation["id"])

    async def thread_stamp(self, thread_id: str) -> Stamp | None:
        try:
            conversation = await self._conversations("get_thread", "GET", thread_id)
        except NotFound:
            return None
        metadata = conversation.get("metadata")
        return split_metadata(metadata)[0] if isinstance(metadata, dict) else None

    async def delete_thread(self, thread_id: str) -> None:
        try:
            await self._conversations("delete_thread", "DELETE", thread_id, writes=True)
        except NotFound:
            return

    async def messages(self, thread_id: str) -> list[Message]:
        try:
            items = await self._items(thread_id)
            return [_message(item) for item in items if item.get("type") == "message"]
        except NotFound:
            return []

    async def add_messages(self, thread_id: str, messages: Sequence[Message]) -> None:
        path = f"{CONVERSATIONS}/{segment(thread_id)}/items"
        for start in range(0, len(messages), ITEMS):
            items = [_item(message) for message in messages[start : start + ITEMS]]
            request = HttpRequest("POST", path, json={"items": items})
            await self._openai("add_messages", request, "data", writes=True)

    async def thread_tools(self, thread_id: str) -> tuple[Tool, ...]:  # noqa: ARG002 - there are none
        return ()

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
        self._calls.stop_waiting()

    async def close(self) -> None:
        await self._connection.close()

    async def _conversations(
        self,
        operation: str,
        method: str,
        thread_id: str | None = None,
        *,
        body: dict[str, Any] | None = None,
        writes: bool = False,
    ) -> dict[str, Any]:
        path = CONVERSATIONS if thread_id is None else f"{CONVERSATIONS}/{segment(thread_id)}"
        return await self._openai(operation, HttpRequest(method, path, json=body), "id", writes=writes)

    async def _openai(
        self, operation: str, request: HttpRequest, holds: str, *, writes: bool = False
    ) -> dict[str, Any]:
        """One request to the OpenAI part, never retried; OpenAI's own client would cost twice the CPU."""

        async def send() -> dict[str, Any]:
            return json_object(await self._connection.project.send_request(request, retry_total=0), holds)

        return await self._call(operation, send, writes=writes)

    async def _exists(self, operation: str, path: str, key: str) -> bool:
        """True when what is read there says that it is what was asked for."""
        try:
            found = await self._openai(operation, HttpRequest("GET", f"{path}/{segment(key)}"), "id")
        except (NotFound, DefinitionRejected):  # 400: an id of a shape that nothing has
            return False
        return bool(found["id"] == key)

    async def _items(self, thread_id: str) -> list[dict[str, Any]]:
        """Every item of a conversation, the oldest first; each page waits for a turn of its own."""
        items: list[dict[str, Any]] = []
        asked = {"limit": str(PAGE), "order": "asc"}
        path = f"{CONVERSATIONS}/{segment(thread_id)}/items"
        while True:
            page = await self._openai("list_items", HttpRequest("GET", path, params=asked), "data")
            items.extend(page["data"])
            if is_last_page(page, PAGE):
                return items
            asked = onward(asked, {**asked, "after": page["last_id"]})

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


def _holding(key: str) -> Callable[[Any, Any, Any], dict[str, Any]]:
    """For the SDK's `cls`: the answer as it came, which must hold `key`, in place of a model of it."""
    return lambda answer, _model, _headers: json_object(answer.http_response, key)


def _read_failure(asked: Refusal, error: Exception) -> Refusal:
    """The facts in an exception of one of the two clients."""
    if isinstance(error, openai.APIStatusError):
        return replace(
            asked,
            status=error.status_code,
            code=str(error.code or ""),
            param=str(error.param or ""),
            sentence=str(error.body.get("message") or "") if isinstance(error.body, dict) else "",
            retry_after=seconds_to_wait(error.response.headers),
        )
    if isinstance(error, openai.APITimeoutError):
        return replace(asked, sentence=TOO_LONG)
    return read_azure(asked, error)


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


def _item(message: Message) -> dict[str, Any]:
    return {"type": "message", "role": message.role, "content": message.text}


def _message(item: dict[str, Any]) -> Message:
    content = item.get("content") or []
    parts = [{"text": content}] if isinstance(content, str) else content
    texts = [part.get("text", part.get("refusal")) for part in parts]
    lost = [LOST.get(part["type"], f"a part of kind {part['type']}") for part in parts if not _is_text(part)]
    return Message(item["role"], "\n".join(text for text in texts if text is not None), ", ".join(lost))


def _is_text(part: dict[str, Any]) -> bool:
    return "text" in part or "refusal" in part
