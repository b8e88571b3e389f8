"""The scene: the sandbox and the operator as child processes, and what the acts use of them.

Nothing of the caller's own cluster or Azure project may leak in: the children get an environment that names
the sandbox and nothing else.
"""

from __future__ import annotations

import http.client
import os
import shlex
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from AgentOperatingSystem.model.errors import AOSError
from AgentOperatingSystem.sandbox.demo.children import Child
from AgentOperatingSystem.sandbox.demo.stage import Stage
from AgentOperatingSystem.sandbox.demo.terminal import Programs, Terminal
from AgentOperatingSystem.sandbox.foundry import FoundryControl
from AgentOperatingSystem.sandbox.serving import LOOPBACK

START_SECONDS = 60.0
POLL_SECONDS = 0.1
# How often the operator compares what runs with what is wanted; in production a minute.
DRIFT_SECONDS = 2
EXPORTS = ("KUBECONFIG", "AZURE_AI_PROJECT_ENDPOINT")

_FOREIGN = ("AOS_", "AZURE_", "ENABLE_", "KUBE", "RUNTIME_", "USE_FOUNDRY_RUNTIME")
_NO_PROXY = f"{LOOPBACK},localhost"


@dataclass(frozen=True, slots=True)
class Scene:
    """What an act plays with. `exports` are the settings that a person's shell would need."""

    stage: Stage
    terminal: Terminal
    foundry: FoundryControl
    examples: Path
    operator: Child
    sandbox: Child
    exports: Mapping[str, str]

    def check_running(self) -> None:
        """Raises ChildEnded when a process has ended by itself."""
        self.sandbox.check_running()
        self.operator.check_running()


def open_scene(stack: ExitStack, stage: Stage, directory: Path, examples: Path) -> Scene:
    """Start all of it; `stack` stops it. Raises AOSError when something does not come up."""
    programs = Programs.find()
    base = base_environment(os.environ, directory)
    with stage.waiting("Starting the sandbox: a Kubernetes API and a Foundry, both on this machine"):
        sandbox = Child(
            "aos sandbox",
            [programs.aos, "sandbox", "--dir", str(directory)],
            base,
            directory / "sandbox.log",
        )
        _start(stack, sandbox)
        _until(lambda: len(_exports(sandbox.output())) == len(EXPORTS), sandbox)
        exports = _exports(sandbox.output())
    environment = {**base, **exports}
    with stage.waiting("Starting the operator"):
        port = _free_port()
        operator = Child(
            "aos operator",
            [programs.aos, "operator", "--liveness-port", str(port), "--metrics-port", "0"],
            {**environment, "AOS_DRIFT_INTERVAL": str(DRIFT_SECONDS)},
            directory / "operator.log",
        )
        _start(stack, operator)
        _until(lambda: _is_healthy(port), operator)
    parts = urlsplit(exports["AZURE_AI_PROJECT_ENDPOINT"])
    return Scene(
        stage=stage,
        terminal=Terminal(stage, programs, environment),
        foundry=FoundryControl(f"{parts.scheme}://{parts.netloc}"),
        examples=examples,
        operator=operator,
        sandbox=sandbox,
        exports=exports,
    )


def base_environment(environ: Mapping[str, str], directory: Path) -> dict[str, str]:
    """`environ` without any setting of a real cluster or project, and with what kubectl writes kept apart."""
    kept = {name: value for name, value in environ.items() if not name.startswith(_FOREIGN)}
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = ",".join(part for part in (kept.get(name, ""), _NO_PROXY) if part)
    return {**kept, "KUBECACHEDIR": str(directory / "kubectl"), "KUBERC": "off"}


def _start(stack: ExitStack, child: Child) -> None:
    stack.callback(child.stop)
    child.start()


def _until(reached: Callable[[], bool], child: Child) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not reached():
        child.check_running()
        if time.monotonic() > deadline:
            raise AOSError(
                f"{child.name} was not ready within {START_SECONDS:.0f} s. Its last lines:\n"
                f"{child.log_tail()}"
            )
        time.sleep(POLL_SECONDS)


def _exports(output: str) -> dict[str, str]:
    """The settings in the `export NAME=value` lines."""
    words = [shlex.split(line) for line in output.splitlines() if line.startswith("export ")]
    pairs = (word.partition("=") for _, word in words)
    return {name: value for name, _, value in pairs if name in EXPORTS}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2.0)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
