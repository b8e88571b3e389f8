"""The commands that only look, each in a process of its own towards a Foundry that it may only read."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness.kubectl import BIN, Outcome
from tests.harness.stage import CLUSTER_ID, MODEL

from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry

LIMIT_SECONDS = 60.0


@dataclass(frozen=True)
class Cli:
    """`aos plan`, or another command; `environment` is what every run gets."""

    foundry: EmbeddedFoundry
    folder: Path
    command: str = "plan"
    environment: Mapping[str, str | None] = field(default_factory=dict)

    def __call__(
        self, *arguments: str, code: int, stdin: str | None = None, **settings: str | None
    ) -> Outcome:
        """Run it; another exit code than `code`, or a request that writes, fails the test.

        No operator may be at work meanwhile: whatever is asked of the Foundry is looked at.
        """
        self.foundry.clear_requests()
        outcome = self.run(*arguments, stdin=stdin, **settings)
        assert outcome.code == code, outcome
        assert {request.method for request in self.foundry.requests} <= {"GET"}
        return outcome

    def run(self, *arguments: str, stdin: str | None = None, **settings: str | None) -> Outcome:
        """Run it, whatever comes of it."""
        given: dict[str, str | None] = {
            "AZURE_AI_PROJECT_ENDPOINT": self.foundry.endpoint,
            "AZURE_AI_MODEL_DEPLOYMENT": MODEL,
            "AOS_CLUSTER_ID": CLUSTER_ID,
            "KUBECONFIG": str(self.folder / "none"),
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            **self.environment,
            **settings,
        }
        done = subprocess.run(
            [str(BIN / "aos"), self.command, *arguments],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env={name: value for name, value in given.items() if value is not None},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)
