"""A write whose permission ends while it is being prepared is not sent, whichever client sends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from AgentOperatingSystem.model.errors import LeadershipLost
from AgentOperatingSystem.runtime.lastword import LastWord


@dataclass
class Permission:
    """Given `left` times more, then gone; `asked` counts."""

    left: int
    asked: int = 0

    def __call__(self) -> None:
        self.asked += 1
        self.left -= 1
        if self.left < 0:
            raise LeadershipLost("over")


@dataclass
class Server:
    url: str = ""
    got: list[str] = field(default_factory=list)


@asynccontextmanager
async def served() -> AsyncIterator[Server]:
    server = Server()

    async def handle(request: web.Request) -> web.Response:
        server.got.append(f"{request.method} {await request.text()}".strip())
        return web.Response(text="done")

    app = web.Application()
    app.router.add_route("*", "/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield server
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("method", "body", "permissions", "reason"),
    [
        ("POST", "x", 0, "it was over before the request began"),
        ("POST", "x", 1, "it ended between the headers and the body, which are sent together"),
        ("PATCH", "x", 1, "the same"),
        ("DELETE", None, 0, "a write without a body"),
    ],
)
async def test_what_may_no_longer_be_written_never_arrives(
    method: str, body: str | None, permissions: int, reason: str
) -> None:
    permission = Permission(permissions)
    last_word = LastWord(permission)
    async with served() as server, aiohttp.ClientSession(request_class=last_word.request_class()) as session:
        with pytest.raises(LeadershipLost):
            async with asyncio.timeout(5), session.request(method, server.url, data=body):
                pass
        assert permission.asked == permissions + 1, reason
        last_word.guard = Permission(9)
        async with session.get(server.url) as answer:
            assert await answer.text() == "done"
        assert server.got == ["GET"], reason


async def test_what_may_be_written_arrives_and_reads_ask_nobody() -> None:
    permission = Permission(2)
    async with (
        served() as server,
        aiohttp.ClientSession(request_class=LastWord(permission).request_class()) as session,
    ):
        async with session.post(server.url, data="x") as answer:
            assert await answer.text() == "done"
        async with session.get(server.url) as answer:
            assert await answer.text() == "done"
        assert server.got == ["POST x", "GET"]
        assert permission.asked == 2
