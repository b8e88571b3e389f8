"""What stands between us and the service may answer in its place: a page of HTML, or half an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.contract.runtime.bench import DESIRED, STAMP, Generation

from AgentOperatingSystem.model.errors import AOSError, NotAuthorized, OutcomeUnknown, RuntimeUnavailable
from AgentOperatingSystem.runtime.adapter import RuntimeAdapter
from AgentOperatingSystem.runtime.config import RuntimeConfig

PAGE = "<html><body>Bad Gateway</body></html>"

ACTS: dict[str, Callable[[RuntimeAdapter], Awaitable[Any]]] = {
    "get": lambda adapter: adapter.get("asst_1"),
    "list_all": lambda adapter: adapter.list_all(),
    "create": lambda adapter: adapter.create(replace(DESIRED, name="ceo")),
    "create_thread": lambda adapter: adapter.create_thread(STAMP),
    "thread_stamp": lambda adapter: adapter.thread_stamp("thread_1"),
    "messages": lambda adapter: adapter.messages("thread_1"),
    "has_file": lambda adapter: adapter.has_file("file-1"),
}
WRITES = ("create", "create_thread")


@asynccontextmanager
async def answering(status: str, kind: str, body: str) -> AsyncIterator[str]:
    """Gives one answer to whatever is asked, and closes; its endpoint."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        for line in head.decode().lower().split("\r\n"):
            if line.startswith("content-length:"):
                await reader.readexactly(int(line.partition(":")[2]))
        payload = body.encode()
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(payload)}\r\n"
            "Connection: close\r\n\r\n".encode()
            + payload
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/projects/p"


async def failure_of(generation: Generation, word: str, *answer: str) -> AOSError:
    async with answering(*answer) as endpoint:
        config = RuntimeConfig(project_endpoint=endpoint, max_retries=0)
        adapter = generation.adapter(endpoint, config)
        try:
            with pytest.raises(AOSError) as caught:
                await ACTS[word](adapter)
        finally:
            await adapter.close()
    return caught.value


@pytest.mark.parametrize("word", ACTS)
@pytest.mark.parametrize("kind", ["text/html", "application/json"])
async def test_a_proxys_page_is_a_failure_of_the_tree(generation: Generation, word: str, kind: str) -> None:
    error = await failure_of(generation, word, "502 Bad Gateway", kind, PAGE)
    assert type(error) is (OutcomeUnknown if word in WRITES else RuntimeUnavailable)
    assert type(await failure_of(generation, word, "403 Forbidden", kind, PAGE)) is NotAuthorized


@pytest.mark.parametrize("word", ACTS)
@pytest.mark.parametrize("body", ["{}", '{"data": null}', "[]", PAGE, "", '{"error": {"code": "x"}}'])
async def test_half_an_answer_is_never_taken_for_a_whole_one(
    generation: Generation, word: str, body: str
) -> None:
    error = await failure_of(generation, word, "200 OK", "application/json", body)
    assert type(error) is (OutcomeUnknown if word in WRITES else RuntimeUnavailable)
