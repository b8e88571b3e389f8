"""The operator as a process of its own: started, asked to stop, or killed as a node's failure would.

Why not in the test's process: signals, exit codes, memory and what survives a crash are among the promises.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.harness.kubectl import BIN

STOP_SECONDS = 40.0
TAIL_LINES = 60
_LEASH = 'read -r _; kill -KILL "$1"'
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")

# Gives the kubeconfig of an operator: does it serve all namespaces, and may it read its cluster's id?
Admit = Callable[[bool, bool], Path]


class OperatorProcess:
    """`aos operator` for one namespace, or for all; it may be started again after it ended.

    `environment` is what every start gets; `log` is where its standard error goes.
    """

    def __init__(self, admit: Admit, namespace: str, environment: dict[str, str], log: Path) -> None:
        self._admit = admit
        self._namespace = namespace
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._leash: subprocess.Popen[bytes] | None = None
        self.liveness_port = 0

    def twin(self, admit: Admit, log: Path) -> OperatorProcess:
        """Another one like it, for the same namespace; neither needs to run."""
        return OperatorProcess(admit, self._namespace, self._environment, log)

    def pause(self) -> None:
        """SIGSTOP: it stands still, its connections open."""
        assert self._process is not None, "the operator does not run"
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        assert self._process is not None, "the operator does not run"
        self._process.send_signal(signal.SIGCONT)

    @property
    def log(self) -> str:
        """All that it wrote, over every start."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    @property
    def log_tail(self) -> str:
        """The last lines that it wrote."""
        return "\n".join(self.log.splitlines()[-TAIL_LINES:])

    @property
    def pid(self) -> int:
        """Its process id. Only while it runs."""
        assert self._process is not None
        return self._process.pid

    def start(self, *, cluster_wide: bool = False, liveness_port: int = 0, **settings: str | None) -> None:
        """Start it with more settings in its environment; None takes one out."""
        assert self._process is None, "the operator runs already"
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        given = {"AOS_LEASE_NAMESPACE": self._namespace, **self._environment, **settings}
        environment |= {name: value for name, value in given.items() if value is not None}
        identity = "AOS_CLUSTER_ID" not in environment
        environment["KUBECONFIG"] = str(self._admit(cluster_wide, identity))
        self.liveness_port = liveness_port
        command = [str(BIN / "aos"), "operator", f"--liveness-port={liveness_port}"]
        command += [] if "AOS_METRICS_PORT" in environment else ["--metrics-port=0"]
        command += [] if cluster_wide else [f"--namespace={self._namespace}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        # A test run that is killed cannot clean up: the leash ends with it and kills the operator.
        self._leash = subprocess.Popen(
            ["/bin/sh", "-c", _LEASH, "leash", str(self._process.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        assert self._process is not None, "the operator does not run"
        self._process.terminate()

    def stop(self) -> int:
        """SIGTERM; its exit code. One that takes too long fails the test."""
        self.terminate()
        return self.ended(STOP_SECONDS)

    def ended(self, within: float) -> int:
        """Wait for its end; its exit code. Raises AssertionError when it goes on."""
        assert self._process is not None, "the operator does not run"
        try:
            code = self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the operator did not end within {within:g} s") from None
        self._release()
        return code

    def kill(self) -> None:
        """SIGKILL, as when its node fails. Nothing happens when it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._release()

    def check_running(self) -> None:
        """Raises AssertionError when it has ended by itself."""
        code = self._process.poll() if self._process is not None else None
        assert code is None, f"the operator ended by itself with exit code {code}"

    def _release(self) -> None:
        self._process = None
        if self._leash is not None:
            self._leash.kill()
            self._leash.communicate()
            self._leash = None


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def resident_megabytes(pid: int) -> float | None:
    """The memory that a process holds; None where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    for line in status.read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return None
