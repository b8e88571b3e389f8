"""The adapter for Foundry's classic generation: assistants, threads and runs, which the service ends.

Here the service gives the ids, so that two creates make two agents: nothing is ever sent twice. Requests go
through the SDK's client, its credential and its pipeline, but not through its typed calls, which would drop
an empty field, ask on after the last page, take an answer without a list for an empty one, and fail with an
error of the JSON parser over a proxy's page.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

from azure.ai.agents.aio import AgentsClient
from azure.core.rest import HttpRequest

from AgentOperatingSystem.model.definition import DesiredAgent, ObservedAgent, Tool
from AgentOperatingSystem.model.errors import (
    AOSError,
    DefinitionRejected,
    NotFound,
    OutcomeUnknown,
    RuntimeFailure,
    RuntimeUnavailable,
    Throttled,
)
from AgentOperatingSystem.model.guard import Guard, unguarded
from AgentOperatingSystem.model.message import Message
from AgentOperatingSystem.model.stamp import Stamp, split_metadata
from AgentOperatingSystem.runtime.adapter import Answer, ToolExecutor
from AgentOperatingSystem.runtime.calls import Calls, is_last_page, json_object, onward, segment
from AgentOperatingSystem.runtime.classic_wire import (
    SPOKEN,
    UNDER_WAY,
    WAITS_FOR_US,
    agent_from_wire,
    assistant_to_wire,
    end_of_run,
    function_calls,
    message_from_wire,
    message_to_wire,
    output_to_wire,
    tools_from_wire,
)
from AgentOperatingSystem.runtime.config import CONTROL_SECONDS, RuntimeConfig
from AgentOperatingSystem.runtime.connection import azure_credential, azure_options

API_VERSION = {"api-version": "v1"}
PAGE = 100
# An agent that asks for a tool again after so many answers is going round in circles.
MAX_TOOL_ROUNDS = 16
# How long to wait before a run is looked at again: from the first to the longest, each half as long again.
FIRST_LOOK = 0.2
LONGEST_LOOK = 3.0
# A run that nobody waits for any more is cancelled, if that is done this soon.
CANCEL_SECONDS = 5.0
# By this word of ours a run is found again when the answer to its creation was lost.
MARK = "aos_ask"


class FoundryClassicAdapter:
    """One Foundry project over azure-ai-agents 1.x."""

    def __init__(self, endpoint: str, config: RuntimeConfig, *, guard: Guard = unguarded) -> None:
        self._timeout = config.timeout
        self._credential = azure_credential(endpoint, config)
        options = azure_options(endpoint, config, self._credential, guard)
        self._client = AgentsClient(endpoint, self._credential, **options)
        self._calls = Calls(endpoint, config, guard)

    @property
    def names_are_keys(self) -> bool:
        return False

    async def get(self, key: str) -> ObservedAgent | None:
        try:
            return agent_from_wire(await self._read("get_agent", _assistant(key)))
        except NotFound:
            return None

    async def list_all(self) -> list[ObservedAgent]:
        pages = self._pages("list_agents", "/assistants")
        return [agent_from_wire(assistant) async for assistant in pages]

    async def create(self, desired: DesiredAgent) -> ObservedAgent:
        return await self._write_agent("create_agent", "/assistants", assistant_to_wire(desired))

    async def update(self, observed: ObservedAgent, desired: DesiredAgent) -> ObservedAgent:
        path = _assistant(observed.agent_id)
        return await self._write_agent("update_agent", path, assistant_to_wire(desired))

    async def release(self, observed: ObservedAgent) -> ObservedAgent:
        path = _assistant(observed.agent_id)
        held = await self._read("get_agent", path)
        _, metadata = split_metadata(held.get("metadata") or {})
        return await self._write_agent("update_agent", path, {"metadata": metadata})

    async def enable(self, observed: ObservedAgent) -> ObservedAgent:
        return observed

    async def disable(self, observed: ObservedAgent) -> ObservedAgent | None:
        await self.delete(observed.agent_id)
        return None

    async def delete(self, key: str) -> None:
        with suppress(NotFound):
            await self._delete("delete_agent", _assistant(key))

    async def versions(self, key: str) -> list[ObservedAgent]:  # noqa: ARG002 - there are none
        return []

    async def delete_version(self, key: str, version: str) -> None:
        """Nothing: an assistant has no versions."""

    async def deployments(self) -> frozenset[str]:
        names: set[str] = set()
        path = "/deployments"
        while path:
            page = await self._read("list_deployments", path, holds="value")
            names.update(deployment["name"] for deployment in page["value"])
            path = onward(path, page.get("nextLink") or "")
        return frozenset(names)

    async def has_deployment(self, name: str) -> bool:
        return await self._exists("get_deployment", "/deployments", "name", name)

    async def has_vector_store(self, store_id: str) -> bool:
        return await self._exists("get_vector_store", "/vector_stores", "id", store_id)

    async def has_file(self, file_id: str) -> bool:
        return await self._exists("get_file", "/files", "id", file_id)

    async def create_thread(self, stamp: Stamp) -> str:
        thread = await self._write("create_thread", "/threads", {"metadata": stamp.to_metadata()})
        return str(thread["id"])

    async def thread_stamp(self, thread_id: str) -> Stamp | None:
        try:
            thread = await self._read("get_thread", _thread(thread_id))
        except NotFound:
            return None
        return split_metadata(thread.get("metadata") or {})[0]

    async def delete_thread(self, thread_id: str) -> None:
        with suppress(NotFound):
            await self._delete("delete_thread", _thread(thread_id))

    async def messages(self, thread_id: str) -> list[Message]:
        try:
            pages = self._pages("list_messages", f"{_thread(thread_id)}/messages")
            return [message_from_wire(message) async for message in pages]
        except NotFound:
            return []

    async def add_messages(self, thread_id: str, messages: Sequence[Message]) -> None:
        path = f"{_thread(thread_id)}/messages"
        for message in messages:
            await self._say(thread_id, "add_messages", path, message_to_wire(message))

    async def thread_tools(self, thread_id: str) -> tuple[Tool, ...]:
        try:
            thread = await self._read("get_thread", _thread(thread_id))
        except NotFound:
            return ()
        resources = thread.get("tool_resources") or {}
        return tuple(tools_from_wire([{"type": kind} for kind in resources], resources))

    async def ask(
        self,
        agent: ObservedAgent,
        version: str,  # noqa: ARG002 - there are none
        thread_id: str,
        text: str,
        execute: ToolExecutor,
    ) -> Answer:
        run = await self._start(thread_id, agent.agent_id, Message("user", text))
        ended = False
        try:
            run = await self._follow(agent.name, run, execute)
            ended = True
        finally:
            if not ended:  # whatever came between: a run that goes on would block its thread
                await self._cancel(run)
        return await self._answer(run)

    def stop_waiting(self) -> None:
        self._calls.stop_waiting()

    async def close(self) -> None:
        await self._client.close()
        await self._credential.close()

    # What is said, and what comes of it.

    async def _start(self, thread_id: str, assistant_id: str, question: Message) -> dict[str, Any]:
        """A run that answers the question; both are sent in one, so that nothing can come between them."""
        mark = secrets.token_hex(8)
        body = {
            "assistant_id": assistant_id,
            "additional_messages": [message_to_wire(question)],
            "stream": False,
            "metadata": {MARK: mark},
        }
        try:
            return await self._say(thread_id, "respond", f"{_thread(thread_id)}/runs", body)
        except (OutcomeUnknown, asyncio.CancelledError):
            await self._cancel_marked(thread_id, mark)
            raise

    async def _follow(self, name: str, run: dict[str, Any], execute: ToolExecutor) -> dict[str, Any]:
        """The run at its end, its calls of functions executed on the way."""
        for _ in range(MAX_TOOL_ROUNDS):
            run = await self._settled(run)
            if run["status"] != WAITS_FOR_US:
                return run
            calls = function_calls(run)
            if calls is None:
                raise RuntimeFailure(f"The agent {name} waits for something that is no call of a function.")
            outputs = [output_to_wire(call, await execute(call)) for call in calls]
            run = await self._submit(run, outputs)
        run = await self._settled(run)
        if run["status"] != WAITS_FOR_US:
            return run
        raise RuntimeFailure(
            f"The agent {name} asked for tools {MAX_TOOL_ROUNDS} times without an answer; "
            "its purpose or its tools lead it in circles."
        )

    async def _settled(self, run: dict[str, Any]) -> dict[str, Any]:
        """The run when it has ended or waits for us. Raises OutcomeUnknown when that takes too long."""
        run, in_time = await self._watched(run, UNDER_WAY, _now() + self._timeout)
        if not in_time:
            raise self._calls.too_late("respond")
        return run

    async def _submit(self, run: dict[str, Any], outputs: list[dict[str, str]]) -> dict[str, Any]:
        body = {"stream": False, "tool_outputs": outputs}
        try:
            return await self._write("submit_tool_outputs", f"{_run(run)}/submit_tool_outputs", body)
        except DefinitionRejected:
            now = await self._read("get_run", _run(run))
            if now["status"] == WAITS_FOR_US:
                raise
            return now  # it ended while the functions ran, and says why

    async def _answer(self, run: dict[str, Any]) -> Answer:
        status, run_id = str(run["status"]), str(run["id"])
        if status not in SPOKEN:
            return Answer(end_of_run(run), status, run_id)
        pages = self._pages("list_messages", f"{_thread(run['thread_id'])}/messages", run_id=run_id)
        said = [message_from_wire(message).text async for message in pages if message.get("run_id") == run_id]
        text = "\n".join(said)
        return Answer(text if text or status == "completed" else end_of_run(run), status, run_id)

    # Runs hold their thread: nobody else can speak on it meanwhile.

    async def _say(self, thread_id: str, operation: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Do a write that a thread refuses while a run is on it, after that run if need be.

        What was refused was not done, so it is no second try.
        """
        deadline = _now() + self._timeout
        while True:
            try:
                return await self._write(operation, path, body)
            except (OutcomeUnknown, Throttled):
                raise
            except (DefinitionRejected, RuntimeUnavailable):
                if not await self._waited_for_another(thread_id, deadline):
                    raise

    async def _waited_for_another(self, thread_id: str, deadline: float) -> bool:
        """True after the end of the run that was on the thread; False when none was."""
        active = UNDER_WAY | {WAITS_FOR_US}
        run = next((run for run in await self._newest_runs(thread_id) if run["status"] in active), None)
        if run is None:
            return False
        run, in_time = await self._watched(run, active, deadline)
        if not in_time:
            raise RuntimeUnavailable(
                f"The thread {thread_id} is busy: its run {run['id']} has not ended ({run['status']}); "
                "it is tried again."
            )
        return True

    async def _watched(
        self, run: dict[str, Any], states: frozenset[str], deadline: float
    ) -> tuple[dict[str, Any], bool]:
        """The run when it has left `states`, with True; as it is at the deadline, with False."""
        pause = FIRST_LOOK
        while run["status"] in states:
            left = deadline - _now()
            if left <= 0:
                return run, False
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_LOOK)
            run = await self._read("get_run", _run(run), holds="status")
        return run, True

    async def _newest_runs(self, thread_id: str) -> list[dict[str, Any]]:
        page = await self._read(
            "list_runs", f"{_thread(thread_id)}/runs", holds="data", order="desc", limit="10"
        )
        return list(page["data"])

    async def _cancel(self, run: dict[str, Any]) -> None:
        """Let go of the thread, if the service allows it: a run that cannot be cancelled expires."""
        with suppress(AOSError):
            await self._write("cancel_run", f"{_run(run)}/cancel", None, seconds=CANCEL_SECONDS)

    async def _cancel_marked(self, thread_id: str, mark: str) -> None:
        """Cancel the run that our lost request may have started, and no other."""
        with suppress(AOSError):
            for run in await self._newest_runs(thread_id):
                if (run.get("metadata") or {}).get(MARK) == mark:
                    await self._cancel(run)

    # The wire.

    async def _write_agent(self, operation: str, path: str, body: dict[str, Any]) -> ObservedAgent:
        return agent_from_wire(await self._write(operation, path, body))

    async def _write(
        self, operation: str, path: str, body: dict[str, Any] | None, *, seconds: float = CONTROL_SECONDS
    ) -> dict[str, Any]:
        """POST, once: the SDK would repeat what fails with a 5xx, though it may have been done."""
        request = HttpRequest("POST", path, params=API_VERSION, json=body)
        return await self._send(operation, request, "id", writes=True, seconds=seconds)

    async def _delete(self, operation: str, path: str) -> None:
        request = HttpRequest("DELETE", path, params=API_VERSION)
        await self._send(operation, request, "id", writes=True)

    async def _read(self, operation: str, path: str, *, holds: str = "id", **query: str) -> dict[str, Any]:
        request = HttpRequest("GET", path, params={**API_VERSION, **query})
        return await self._send(operation, request, holds)

    async def _exists(self, operation: str, path: str, key: str, value: str) -> bool:
        """True when what is read there says that it is what was asked for."""
        try:
            found = await self._read(operation, f"{path}/{segment(value)}", holds=key)
        except (NotFound, DefinitionRejected):  # 400: an id of a shape that nothing has
            return False
        return bool(found[key] == value)

    async def _pages(self, operation: str, path: str, **query: str) -> AsyncIterator[dict[str, Any]]:
        """What a paged list holds, the oldest first; each page waits for a turn of its own."""
        asked = {**query, "limit": str(PAGE), "order": "asc"}
        while True:
            page = await self._read(operation, path, holds="data", **asked)
            for one in page["data"]:
                yield one
            if is_last_page(page, PAGE):
                return
            asked = onward(asked, {**asked, "after": page["last_id"]})

    async def _send(
        self,
        operation: str,
        request: HttpRequest,
        holds: str,
        *,
        writes: bool = False,
        seconds: float = CONTROL_SECONDS,
    ) -> dict[str, Any]:
        options: dict[str, Any] = {"retry_total": 0} if writes else {}

        async def send() -> dict[str, Any]:
            return json_object(await self._client.send_request(request, **options), holds)

        return await self._calls.send(operation, send, writes=writes, seconds=seconds)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _assistant(key: str) -> str:
    return f"/assistants/{segment(key)}"


def _thread(thread_id: str) -> str:
    return f"/threads/{segment(thread_id)}"


def _run(run: dict[str, Any]) -> str:
    return f"{_thread(run['thread_id'])}/runs/{segment(run['id'])}"
