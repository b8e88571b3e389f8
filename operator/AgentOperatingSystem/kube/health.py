"""Alive means working: what the probes of Kubernetes are told, on a port of their own by a thread of its own.

kopf's own endpoint is served by the loop that it should judge. A check is a plain function that says what
is wrong, or nothing; it is called in the server's thread and must not wait for anything.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from AgentOperatingSystem.model.errors import ConfigurationError

SETTING = "AOS_LIVENESS_PORT"
BEAT_SECONDS = 1.0
STALE_SECONDS = 30.0
# A prober that says nothing is hung up on.
PATIENCE_SECONDS = 5.0

logger = logging.getLogger(__name__)

# What is wrong, in a few words; empty when nothing is.
Check = Callable[[], str]


class Pulse:
    """The heartbeat of `loop`, which beats from now on for as long as the loop turns.

    A timer and not a task, since kopf ends the tasks that it does not know.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop = loop
        self._clock = clock
        self._beaten_at = clock()
        loop.call_soon_threadsafe(self._beat)

    def problem(self) -> str:
        """Says so when the loop is stuck."""
        silent = self._clock() - self._beaten_at
        return f"stuck for {silent:.0f} s" if silent > STALE_SECONDS else ""

    def _beat(self) -> None:
        self._beaten_at = self._clock()
        self._loop.call_later(BEAT_SECONDS, self._beat)


@dataclass(slots=True)
class Health:
    """The checks by name: all of `live` must hold lest the process be restarted, `ready` to be of use.

    More may be added while it is served.
    """

    live: dict[str, Check] = field(default_factory=dict)
    ready: dict[str, Check] = field(default_factory=lambda: {"start": lambda: "not connected yet"})
    role: Callable[[], str] = lambda: "starting"

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        """The status and the body for a path; 503 names what fails."""
        checks = {"/healthz": self.live, "/readyz": self.ready}.get(path)
        if checks is None:
            return 404, {"status": "not found"}
        found = {name: check() for name, check in checks.copy().items()}
        failing = any(found.values())
        body = {
            "status": "failing" if failing else "ok",
            "role": self.role(),
            "checks": {name: problem or "ok" for name, problem in found.items()},
        }
        return 503 if failing else 200, body


class _Server(ThreadingHTTPServer):
    """On every address of the machine, IPv6 included where there is any."""

    daemon_threads = True
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def __init__(self, port: int, health: Health) -> None:
        self.health = health
        super().__init__(("", port), _Handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Not the parent's: it asks the DNS for this machine's name, and nobody wants to know.
        TCPServer.server_bind(self)

    def handle_error(self, _request: Any, client_address: Any) -> None:
        """A prober that hangs up is no news; the server would print a traceback past the log."""
        logger.debug("a probe from %s broke off", client_address[0])


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE_SECONDS

    def do_GET(self) -> None:
        status, body = self.server.health.answer(self.path.partition("?")[0])
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is called there
        """A probe every few seconds is not worth a line."""


@contextmanager
def served_health(port: int | None, health: Health) -> Iterator[None]:
    """Serve the checks while the body runs; None serves none. Raises ConfigurationError for a taken port."""
    if port is None:
        yield
        return
    try:
        server = _Server(port, health)
    except OSError as error:
        raise ConfigurationError(
            SETTING,
            f"is {port}, which cannot be listened on ({error.strerror}): take another, or 0 for none.",
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
