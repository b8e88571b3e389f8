"""`python -m tests.smoke` as a process: over TLS, with real tokens, broken off, and without its settings."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.contract.smoke.otherwise import DEPLOYMENT, MARK, OtherFoundry
from tests.harness.azure import OPERATOR_ASSERTION, OPERATOR_CLIENT, TENANT, Azure, open_azure
from tests.harness.secrecy import secrets_in

from AgentOperatingSystem.sandbox.foundry import Fault

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "tests.smoke")
OTHERS = ("AZURE_", "AOS_", "SMOKE_", "SSL_CERT", "HTTP", "NO_PROXY", "http", "no_proxy", "IDENTITY_", "MSI_")


@dataclass(frozen=True)
class Playground:
    """A Foundry with TLS that answers otherwise, and the environment of somebody who has a project there."""

    azure: Azure
    environment: dict[str, str]
    recording: Path

    def command(self, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, "--record", str(self.recording)],
            cwd=ROOT,
            env={**self.environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def left(self) -> list[str]:
        """What is in the project."""
        project = self.azure.foundry.project(f"board-{MARK}")
        held = (project.agents(), project.conversations(), project.assistants(), project.threads())
        return [key for one in held for key in one]


def bare() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}


@pytest.fixture
def playground(tmp_path: Path) -> Iterator[Playground]:
    with (
        open_azure(tmp_path) as azure,
        OtherFoundry(
            deployments=(DEPLOYMENT,),
            environ={},
            principals=azure.identity.client_of,
            certificate=azure.certificate,
        ) as other,
    ):
        mine = replace(azure, foundry=other)
        environment = {
            **bare(),
            **mine.environment,
            "AZURE_AI_PROJECT_ENDPOINT": other.project(f"board-{MARK}").endpoint,
            "AZURE_AI_MODEL_DEPLOYMENT": DEPLOYMENT,
        }
        yield Playground(mine, environment, tmp_path / "recording.json")


@pytest.mark.parametrize("generation", ["Foundry", "FoundryClassic"])
def test_a_run_over_tls_tells_the_differences_and_no_secret(playground: Playground, generation: str) -> None:
    process = playground.command(AOS_RUNTIME=generation, SMOKE_ASK="1")
    said, _ = process.communicate(timeout=100)
    assert process.returncode == 0, said
    assert "Where the embedded Foundry answers otherwise" in said
    assert playground.left() == []
    text = playground.recording.read_text(encoding="ascii")
    told = json.loads(text)
    assert (told["generation"], told["differences"] != []) == (generation, True)
    assert all(one["sent_headers"].keys() <= {"accept", "content-type"} for one in told["azure"]["exchanges"])
    named = (
        MARK,
        DEPLOYMENT,
        TENANT,
        OPERATOR_CLIENT,
        OPERATOR_ASSERTION,
        "127.0.0.1",
        "aos-smoke",
        "oauth2",
    )
    assert [name for name in named if name in text] == []
    assert re.findall("sandbox-[A-Za-z0-9_-]{20}", text + said) == [], "tokens look like that"
    assert list(secrets_in({"recording": text, "terminal": said})) == []
    assert {one.client for one in playground.azure.foundry.requests} == {OPERATOR_CLIENT}


@pytest.mark.parametrize(
    ("operation", "how"),
    [("create_version", signal.SIGINT), ("delete_agent", signal.SIGTERM)],
    ids=["Ctrl-C in the create", "SIGTERM in the delete"],
)
def test_a_run_that_is_broken_off_leaves_nothing(
    playground: Playground, operation: str, how: signal.Signals
) -> None:
    playground.azure.foundry.faults.add(Fault(operation, delay_after=1.0, times=1))
    process = playground.command()
    deadline = time.monotonic() + 30
    while operation not in {one.operation for one in playground.azure.foundry.requests}:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(how)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert playground.left() == []
    assert not playground.recording.exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, ["AZURE_AI_PROJECT_ENDPOINT", "AZURE_AI_MODEL_DEPLOYMENT"]),
        (
            {"AZURE_AI_PROJECT_ENDPOINT": "https://acme.services.ai.azure.com/api/projects/p"},
            ["AZURE_AI_MODEL_DEPLOYMENT"],
        ),
        (
            {
                "AZURE_AI_PROJECT_ENDPOINT": "http://127.0.0.1:9/api/projects/p",
                "AZURE_AI_MODEL_DEPLOYMENT": "m",
            },
            ["127.0.0.1:9", "AOS_ALLOWED_ENDPOINTS"],
        ),
        (
            {
                "AZURE_AI_PROJECT_ENDPOINT": "http://127.0.0.1:9/api/projects/p",
                "AZURE_AI_MODEL_DEPLOYMENT": "m",
                "AOS_ALLOWED_ENDPOINTS": "127.0.0.1:9",
            },
            ["https"],
        ),
        (
            {
                "AZURE_AI_PROJECT_ENDPOINT": "https://elsewhere.example.com/api/projects/p",
                "AZURE_AI_MODEL_DEPLOYMENT": "m",
            },
            ["elsewhere.example.com", "AOS_ALLOWED_ENDPOINTS"],
        ),
    ],
    ids=["nothing", "no deployment", "plain http", "plain http, allowed", "not Azure"],
)
def test_without_its_settings_it_says_in_a_line_what_it_needs(
    settings: dict[str, str], words: list[str]
) -> None:
    run = subprocess.run(
        COMMAND, cwd=ROOT, env={**bare(), **settings}, capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stderr) == (2, "")
    assert run.stdout.startswith("smoke-azure was not run: ")
    assert run.stdout.count("\n") == 1
    assert [word for word in words if word not in run.stdout] == []
