"""The guard's word at the last moment before a write's first byte leaves this process.

Between a guard that is asked early and the sending lie a turn of the event loop and some milliseconds of a
client library. A process that is paused just there would write when it goes on, although another one leads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.client_reqrep import ClientRequest, ClientResponse

from AgentOperatingSystem.model.errors import LeadershipLost
from AgentOperatingSystem.model.guard import Guard, unguarded

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.connector import Connection

READS = frozenset({"GET", "HEAD", "OPTIONS"})


class LastWord:
    """Asks `guard`, which may come later than the clients do, before anything is written."""

    def __init__(self, guard: Guard = unguarded) -> None:
        self.guard = guard

    def request_class(self) -> type[ClientRequest]:
        """aiohttp's request, for a session of its own: a write that is refused was never sent."""
        last_word = self

        class GuardedRequest(ClientRequest):
            async def send(self, conn: Connection) -> ClientResponse:
                if self.method not in READS:
                    last_word.guard()
                return await super().send(conn)

            async def write_bytes(
                self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
            ) -> None:
                """The headers wait for the body, which aiohttp may write a turn of the loop later."""
                if self.method not in READS:
                    try:
                        last_word.guard()
                    except LeadershipLost as error:
                        if conn.protocol is not None:
                            conn.protocol.set_exception(error)  # whoever waits for the answer is told
                        return
                await super().write_bytes(writer, conn, content_length)

        return GuardedRequest


def guarded_transport(guard: Guard, **options: Any) -> Any:
    """azure-core's transport over aiohttp with guarded requests; `options` are azure-core's own."""
    from azure.core.pipeline.transport import AioHttpTransport  # noqa: PLC0415 - Azure is imported on use

    class GuardedTransport(AioHttpTransport):  # type: ignore[misc]  # azure-core exports it untyped
        session: Any

        async def open(self) -> None:
            if self.session is None and not self._has_been_opened:
                self.session = aiohttp.ClientSession(
                    trust_env=self._use_env_settings,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                    request_class=LastWord(guard).request_class(),
                )
            await super().open()

    return GuardedTransport(**options)
