"""A place of an attacker's: it listens, and remembers every connection that anybody makes to it.

Why below HTTP: that nothing comes is proved for the first byte, before any certificate or request.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from AgentOperatingSystem.sandbox.serving import LOOPBACK


class Decoy:
    """Listens on loopback; `connections` is how many were made so far."""

    def __init__(self) -> None:
        self._listening = socket.create_server((LOOPBACK, 0))
        self.connections = 0

    @property
    def url(self) -> str:
        """Scheme, host and port, as an attacker would write them."""
        return f"https://{LOOPBACK}:{self._listening.getsockname()[1]}"

    @property
    def endpoint(self) -> str:
        """A project there."""
        return f"{self.url}/api/projects/stolen"

    def serve(self) -> None:
        """Count, and hang up, until closed."""
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        """Listen no more."""
        # Only this wakes the thread that accepts.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@contextmanager
def open_decoy() -> Iterator[Decoy]:
    """A decoy, until the context ends."""
    decoy = Decoy()
    thread = Thread(target=decoy.serve, name="decoy", daemon=True)
    thread.start()
    try:
        yield decoy
    finally:
        decoy.close()
        thread.join()
