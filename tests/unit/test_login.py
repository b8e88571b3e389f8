"""kopf's session: its own credentials, and no more connections at once than are of use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import kopf
import pytest
from aiohttp import ClientSession, web

from AgentOperatingSystem.kube.client import CONNECTIONS
from AgentOperatingSystem.kube.login import login_over_few

BURST = 200


class Counting:
    """A server that counts how many connections are open to it at once, and is slow."""

    def __init__(self) -> None:
        self.most = 0
        self.authorizations: set[str] = set()
        self._open: set[object] = set()

    async def answer(self, request: web.Request) -> web.Response:
        self._open.add(request.transport)
        self.most = max(self.most, len(self._open))
        self.authorizations.add(request.headers["Authorization"])
        await asyncio.sleep(0.002)
        return web.Response()


@pytest.fixture
async def server() -> AsyncIterator[tuple[Counting, str]]:
    counting = Counting()
    application = web.Application()
    application.router.add_get("/", counting.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield counting, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_burst_of_requests_goes_over_few_connections(
    server: tuple[Counting, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counting, url = server
    found = kopf.ConnectionInfo(server=url, token="of-the-pod", default_namespace="boardroom", priority=7)
    monkeypatch.setattr(kopf, "login_with_service_account", lambda **_: found)
    login = login_over_few(3)
    info = await login(logger=logging.getLogger(__name__), settings=kopf.OperatorSettings())
    assert (info.server, info.default_namespace, info.priority) == (url, "boardroom", 7)
    session: ClientSession = info.aiohttp_session
    async with session:

        async def ask() -> None:
            async with session.get(url) as response:
                assert response.status == 200

        await asyncio.gather(*(ask() for _ in range(BURST)))
    assert CONNECTIONS <= counting.most < CONNECTIONS + 10
    assert counting.authorizations == {"Bearer of-the-pod"}


async def test_without_credentials_nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for way in ("login_with_service_account", "login_via_client"):
        monkeypatch.setattr(kopf, way, lambda **_: None)
    assert await login_over_few(1)() is None
