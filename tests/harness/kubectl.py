"""kubectl itself, the one of the virtual environment: what a person types, and what they read."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent
LIMIT_SECONDS = 90.0


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


class Kubectl:
    """kubectl for one kubeconfig and namespace: `kubectl("get", "pda")` is typed as it reads."""

    def __init__(self, kubeconfig: Path, cache: Path, namespace: str) -> None:
        # Its cache is the test run's own: a port may have been another server's in an earlier run.
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "KUBECACHEDIR": str(cache)}
        self._namespace = namespace

    def __call__(self, *arguments: str, stdin: str | None = None, code: int = 0) -> Outcome:
        """Run it; another exit code than `code` fails the test, with all that it said."""
        outcome = self.run(*arguments, stdin=stdin)
        assert outcome.code == code, f"kubectl {' '.join(arguments)}: {outcome}"
        return outcome

    def run(self, *arguments: str, stdin: str | None = None) -> Outcome:
        """Run it, whatever comes of it."""
        done = subprocess.run(
            [str(BIN / "kubectl"), f"--namespace={self._namespace}", *arguments],
            input=stdin,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def apply(self, *manifests: str) -> str:
        """`kubectl apply -f -`; what it printed."""
        return self("apply", "-f", "-", stdin=_joined(manifests)).stdout

    def refused(self, *manifests: str) -> str:
        """`kubectl apply -f -` that must be refused; with which words."""
        return self("apply", "-f", "-", stdin=_joined(manifests), code=1).stderr


def _joined(manifests: tuple[str, ...]) -> str:
    return "\n---\n".join(manifests)
