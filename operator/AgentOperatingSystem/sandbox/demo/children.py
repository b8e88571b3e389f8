"""The demo's child processes: each with a log file, stopped for sure, and never left behind.

A demo that is killed cannot clean up after itself; each child is therefore on a leash, a shell that waits for
this process to end and then kills the child.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from AgentOperatingSystem.model.errors import AOSError
from AgentOperatingSystem.sandbox.demo.interruption import uninterrupted

STOP_SECONDS = 10.0
TAIL_LINES = 30

_LEASH = 'read -r _; kill -KILL "$1"'


class ChildEnded(AOSError):
    """A child that was to run on has ended; the message ends with its log's last lines."""


class Child:
    """One process in a session of its own, so that Ctrl-C reaches the demo alone; stopped once."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._leash: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; its output goes to the log."""
        with uninterrupted(), self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a command of ours
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
            self._leash = subprocess.Popen(  # noqa: S603 - a command of ours
                ["/bin/sh", "-c", _LEASH, "leash", str(self._process.pid)],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )

    def stop(self) -> None:
        """Ask it to end, and kill it when that takes too long."""
        if self._leash is not None:
            # The leash goes first: it must not hit another process that got the id.
            self._leash.kill()
            self._leash.communicate()
            self._leash = None
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def check_running(self) -> None:
        """Raises ChildEnded when it has ended by itself."""
        code = self._process.poll() if self._process is not None else None
        if self._process is None or code is not None:
            raise ChildEnded(f"{self.name} ended with exit code {code}. Its last lines:\n{self.log_tail()}")

    def output(self) -> str:
        """The whole lines that it has written so far."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return text[: text.rfind("\n") + 1]

    def log_tail(self) -> str:
        """The last lines that it has written."""
        return "\n".join(self.output().splitlines()[-TAIL_LINES:])
