"""`aos sandbox`: the embedded Kubernetes API and the embedded Foundry as one process in the foreground.

Why its standard output is nothing but `export` lines: a shell can then read it as it is, so that kubectl
and the operator are pointed at the sandbox by two lines. What a person should know goes to stderr.
"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import typer

from AgentOperatingSystem.api.crd import crds
from AgentOperatingSystem.model.errors import AOSError, ConfigurationError
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry

if TYPE_CHECKING:
    from AgentOperatingSystem.sandbox.kubernetes import EmbeddedKubernetes

DEPLOYMENTS = ("llama-3.3-70b", *(f"llama-3.3-70b-{adapter}" for adapter in ("ceo", "cfo", "cmo", "coo")))
KUBECONFIG_NAME = "sandbox.kubeconfig"
CRD_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
REQUEST_SECONDS = 10.0
STOP_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


class Startable(Protocol):
    """A server that can be started once."""

    def start(self) -> None:
        """Raises OSError when its port is taken."""
        ...

    def stop(self) -> None:
        """Waits until it has stopped."""
        ...


def run_foundry(*, foundry_port: int, deployments: tuple[str, ...] = DEPLOYMENTS) -> None:
    """Serve the embedded Foundry alone, as a sidecar does; it writes no file. Otherwise as `run_sandbox`."""
    with _held_back(STOP_SIGNALS), ExitStack() as stack:
        foundry = EmbeddedFoundry(port=foundry_port, deployments=deployments)
        _start(stack, foundry, "--foundry-port", foundry_port)
        typer.echo(f"export AZURE_AI_PROJECT_ENDPOINT={shlex.quote(foundry.endpoint)}")
        signal.sigwait(STOP_SIGNALS)
        typer.echo("# stopping", err=True)


def run_sandbox(
    *,
    kubernetes_port: int,
    foundry_port: int,
    directory: Path | None,
    deployments: tuple[str, ...] = DEPLOYMENTS,
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP; then everything but a kubeconfig in `directory` is gone.

    Port 0 takes a free one. Raises ConfigurationError for a port or a directory that cannot be used.
    """
    with _held_back(STOP_SIGNALS), ExitStack() as stack:
        foundry = EmbeddedFoundry(port=foundry_port, deployments=deployments)
        _start(stack, foundry, "--foundry-port", foundry_port)
        kubernetes = _embedded_kubernetes(kubernetes_port)
        _start(stack, kubernetes, "--kubernetes-port", kubernetes_port)
        _install_crds(kubernetes.url)
        kubeconfig = _write_kubeconfig(stack, kubernetes, directory)
        typer.echo(_exports(kubeconfig, foundry.endpoint))
        typer.echo(_hints(kubernetes.url, foundry.base_url, deployments), err=True)
        signal.sigwait(STOP_SIGNALS)
        typer.echo("# stopping", err=True)


@contextmanager
def _held_back(signals: frozenset[signal.Signals]) -> Iterator[None]:
    """Keep `signals` for `sigwait`: from the first thread on, so that none is lost and all is stopped."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _embedded_kubernetes(port: int) -> EmbeddedKubernetes:
    try:
        from AgentOperatingSystem.sandbox.kubernetes import EmbeddedKubernetes  # noqa: PLC0415
    except ModuleNotFoundError as error:
        # What it imports is an extra that a cluster never needs, so that it may well be missing.
        raise AOSError(
            f"The sandbox needs the extra `sandbox` (the module {error.name} is missing): "
            "pip install 'agent-operating-system[sandbox]'"
        ) from error
    return EmbeddedKubernetes(port=port)


def _start(stack: ExitStack, server: Startable, option: str, port: int) -> None:
    try:
        server.start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigurationError(
            option, f"{port} cannot be used ({reason}): choose another port, or 0 for a free one."
        ) from error
    stack.callback(server.stop)


def _install_crds(url: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=REQUEST_SECONDS)
    try:
        for crd in crds().values():
            connection.request("POST", CRD_PATH, json.dumps(crd), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status != 201:
                name = crd["metadata"]["name"]
                raise AOSError(f"The embedded Kubernetes API refused the CRD {name}: {answer.status} {text}")
    finally:
        connection.close()


def _write_kubeconfig(stack: ExitStack, kubernetes: EmbeddedKubernetes, directory: Path | None) -> Path:
    if directory is None:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aos-sandbox-")))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return kubernetes.write_kubeconfig(directory.resolve() / KUBECONFIG_NAME)
    except OSError as error:
        raise ConfigurationError(
            "--dir", f"{directory} cannot be written to ({error.strerror}): choose another folder."
        ) from error


def _exports(kubeconfig: Path, endpoint: str) -> str:
    settings = {"KUBECONFIG": str(kubeconfig), "AZURE_AI_PROJECT_ENDPOINT": endpoint}
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in settings.items())


def _hints(kubernetes_url: str, foundry_url: str, deployments: tuple[str, ...]) -> str:
    lines = (
        f"Kubernetes API {kubernetes_url}, with the CRDs; Foundry {foundry_url}, deployments:",
        f"  {', '.join(deployments)}",
        "Copy the two export lines into another terminal, then:",
        "  aos operator --liveness-port 0 --metrics-port 0 &",
        "  kubectl apply -f examples/ceo-agent.yaml && kubectl get pda",
        "All of it is in memory. Ctrl-C stops it.",
    )
    return "\n".join(f"# {line}" for line in lines)
