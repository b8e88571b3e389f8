"""A process under measurement: CPU time and peak memory, as Linux counts them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

STOP_SECONDS = 45.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What a process has used so far: `cpu` is user and system time in seconds, memory in MB."""

    at: float
    cpu: float
    resident: float
    peak: float


class Measured:
    """A command as a process; it ends with the context, by SIGTERM."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.began = 0.0

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self.began = time.monotonic()
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    def __exit__(self, *_: object) -> None:
        process = self._running
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def usage(self) -> Usage:
        """What it has used so far. Raises AssertionError, with the end of its log, when it has ended."""
        process = self._running
        if process.poll() is not None:
            raise AssertionError(f"ended with {process.returncode}: {self._log.read_text()[-3000:]}")
        proc = Path(f"/proc/{process.pid}")
        # The name in brackets may hold blanks; what follows it does not.
        fields = (proc / "stat").read_text().rpartition(")")[-1].split()
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        return Usage(
            at=time.monotonic() - self.began,
            cpu=(int(fields[11]) + int(fields[12])) / _TICKS,
            resident=_megabytes(status["VmRSS"]),
            peak=_megabytes(status["VmHWM"]),
        )

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process


def _megabytes(entry: str) -> float:
    return int(entry.split(maxsplit=1)[0]) / 1024
