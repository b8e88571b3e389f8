"""Operators that are recorded, killed at a point, or run beside one another: real processes, many at once.

They differ from the scenarios' operator in how they are started and in that one may serve several namespaces;
so that one process, not a hundred, makes good what a hundred dead ones left.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.harness.crashing import KUBECONFIG, Launch, Script, exit_code, launched

ENDS_WITHIN = 60.0
KILLED = -signal.SIGKILL
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")
# Many run at once on one machine, two of them for the same agents, and nobody waits for a dead one's Lease.
_SIDE_BY_SIDE = {"AOS_METRICS_PORT": "0", "AOS_LEADER_ELECTION": "false"}


@dataclass
class Operator:
    """`aos operator` for `namespaces`. `environment` is what it gets beside PATH and the like.

    `folder` gets its log, `name.log`, over all its starts.
    """

    name: str
    kubeconfig: Path
    namespaces: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    _process: ForkServerProcess | None = field(default=None, init=False)

    def start(self, script: Script = None) -> None:
        """Start it; `script` says what it does besides."""
        assert self._process is None, "the operator runs already"
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        home = Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir=self.folder))
        (home / KUBECONFIG).write_bytes(self.kubeconfig.read_bytes())
        self._process = launched(
            Launch(
                arguments=(
                    "operator",
                    "--liveness-port=0",
                    *(f"--namespace={name}" for name in self.namespaces),
                ),
                environment={**inherited, **_SIDE_BY_SIDE, **self.environment},
                folder=home,
                log=self._log,
                script=script,
            )
        )

    def ended(self) -> int:
        """Wait until it has ended by itself; its exit code, KILLED when it killed itself."""
        assert self._process is not None, "the operator does not run"
        code = exit_code(self._process, ENDS_WITHIN)
        if code is None:
            self.kill()
            raise AssertionError(f"it did not end within {ENDS_WITHIN:g} s:\n{self.last_words}")
        self._process = None
        return code

    def stop(self) -> None:
        """SIGTERM, and wait until the passes in flight have ended; another end than a clean one fails."""
        assert self._process is not None, "the operator does not run"
        self._process.terminate()
        code = self.ended()
        assert code == 0, f"it ended with {code}:\n{self.last_words}"

    def kill(self) -> None:
        """SIGKILL. Nothing happens when it does not run."""
        if self._process is not None:
            self._process.kill()
            exit_code(self._process, None)
            self._process = None

    def check_running(self) -> None:
        """Raises AssertionError when it has ended by itself."""
        code = exit_code(self._process) if self._process is not None else None
        assert code is None, f"the operator ended by itself with {code}:\n{self.last_words}"

    @property
    def last_words(self) -> str:
        """The end of what it wrote."""
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:])

    @property
    def _log(self) -> Path:
        return self.folder / f"{self.name}.log"
