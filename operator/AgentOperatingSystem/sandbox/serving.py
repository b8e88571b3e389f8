"""Run an aiohttp application on loopback in a thread and event loop of its own.

Why a thread: kopf cancels every foreign task in its own loop when it stops, so an emulator must
never live there; and a synchronous test must be able to use one.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

LOOPBACK = "127.0.0.1"
START_SECONDS = 15.0


@dataclass(frozen=True)
class Certificate:
    """What a server shows for TLS: the certificate and its key, as PEM files that the caller made."""

    certificate: Path
    key: Path

    def served(self) -> ssl.SSLContext:
        """For the server."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def trusted(self) -> ssl.SSLContext:
        """For a client that trusts this certificate, whoever signed it, and no other."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context


class LoopbackServer:
    """Serves the application that `build` returns on `http://127.0.0.1:{port}`, as a context manager.

    With a `certificate` it is https. `build` runs inside the server's own loop, so it may create asyncio
    objects. Port 0 takes a free port. Raises OSError when the port is taken.
    """

    def __init__(
        self,
        build: Callable[[], web.Application],
        *,
        port: int = 0,
        certificate: Certificate | None = None,
    ) -> None:
        self._build = build
        self._certificate = certificate
        self._port = port
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="loopback-server", daemon=True)

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash; valid once started."""
        scheme = "http" if self._certificate is None else "https"
        return f"{scheme}://{LOOPBACK}:{self._port}"

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
            tls = None if self._certificate is None else self._certificate.served()
            site = web.TCPSite(runner, LOOPBACK, self._port, ssl_context=tls)
            await site.start()
            self._port = runner.addresses[0][1]
            self._ready.set()
            await self._stop.wait()
        except OSError as error:
            self._failure = error
            self._ready.set()
        finally:
            await runner.cleanup()
