"""One server process: started with a log file, stopped for sure, and never left behind.

A test run that is killed cannot clean up after itself; each server is therefore on a leash, a shell that
waits for this process to end and then kills the server.
"""

import random
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .errors import NotStarted

_LOG_TAIL_LINES = 30
_STOP_SECONDS = 20.0
# Below the ports that the system hands out by itself: no connection can take a stopped server's port.
_PORTS = range(20000, 32000)
_LEASH = 'read -r _; kill -KILL "$1"'


class Server:
    """A command that runs until it is stopped; it may be started again, and its log goes on."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.name = Path(command[0]).name
        self.log = log
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._leash: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        if self.running:
            return
        self.stop()  # one that ended by itself still has its leash
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        leash = ["/bin/sh", "-c", _LEASH, "leash", str(self._process.pid)]
        self._leash = subprocess.Popen(leash, stdin=subprocess.PIPE, start_new_session=True)

    def stop(self, *, kill: bool = False) -> None:
        """End the process: asked first, killed when it takes too long, or killed at once."""
        if self._leash is not None and self._leash.stdin is not None:
            self._leash.kill()
            self._leash.wait()
            self._leash.stdin.close()
            self._leash = None
        if self._process is None:
            return
        if not kill:
            self._process.terminate()
        try:
            self._process.wait(0 if kill else _STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def check_running(self) -> None:
        """Raises NotStarted with the log's end when the process has ended by itself."""
        if not self.running:
            code = self._process.poll() if self._process is not None else None
            raise NotStarted(f"{self.name} ended with exit code {code}\n{self.log_tail()}")

    def log_tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"--- the last lines of {self.log}:", *lines[-_LOG_TAIL_LINES:]])


def free_ports(count: int) -> list[int]:
    """Distinct loopback ports that nobody listens on."""
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        if len(found) == count:
            break
        if _is_free(port):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
