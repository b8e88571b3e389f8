"""Run an aiohttp application on loopback in a thread and event loop of its own.

Why a thread: kopf cancels every foreign task in its own loop when it stops, so an emulator must
never live there; and a synchronous test must be able to use one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web

LOOPBACK = "127.0.0.1"
START_SECONDS = 15.0


class LoopbackServer:
    """Serves the application that `build` returns on `http://127.0.0.1:{port}`, as a context manager.

    `build` runs inside the server's own loop, so it may create asyncio objects. Port 0 takes a free port.
    Raises OSError when the port is taken.
    """

    def __init__(self, build: Callable[[], web.Application], *, port: int = 0) -> None:
        self._build = build
        self._port = port
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="loopback-server", daemon=True)

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash; valid once started."""
        return f"http://{LOOPBACK}:{self._port}"

    def start(self) -> None:
        """Start serving; returns when the socket listens."""
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise TimeoutError(f"the loopback server did not start within {START_SECONDS:.0f} s")
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Stop serving and wait for the thread; open watches are closed."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        runner = web.AppRunner(self._build(), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            site = web.TCPSite(runner, LOOPBACK, self._port)
            await site.start()
            self._port = runner.addresses[0][1]
            self._ready.set()
            await self._stop.wait()
        except OSError as error:
            self._failure = error
            self._ready.set()
        finally:
            await runner.cleanup()
