"""`aos`: the command line. Each command imports what it needs, so that `aos --help` is quick."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from AgentOperatingSystem.model.errors import AOSError, ConfigurationError

USAGE_ERROR = 2

app = typer.Typer(
    name="aos",
    help="AgentOperatingSystem: AI agents as Kubernetes resources, run on Microsoft Foundry Agent Service.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def operator(
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            "--namespace", "-n", envvar="AOS_NAMESPACES", help="Serve this namespace only; repeat for more."
        ),
    ] = None,
    liveness_port: Annotated[
        int,
        typer.Option(envvar="AOS_LIVENESS_PORT", min=0, max=65535, help="Port of /healthz; 0 serves none."),
    ] = 8080,
    log_level: Annotated[
        str, typer.Option(envvar="AOS_LOG_LEVEL", help="debug, info, warning or error.")
    ] = "info",
) -> None:
    """Run the operator: in a cluster as its service account, outside one with KUBECONFIG.

    The runtime is set by the environment: AZURE_AI_PROJECT_ENDPOINT and AZURE_AI_MODEL_DEPLOYMENT.
    """
    from AgentOperatingSystem.kube.process import OperatorOptions, run_operator  # noqa: PLC0415
    from AgentOperatingSystem.runtime.config import RuntimeConfig  # noqa: PLC0415

    _log_to_stderr(log_level)
    options = OperatorOptions(tuple(namespace or ()), liveness_port or None)
    asyncio.run(run_operator(RuntimeConfig.from_env(), options))


@app.command()
def crds(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", file_okay=False, help="Write a file for each into this folder."),
    ] = None,
) -> None:
    """Print the CustomResourceDefinitions, fit for `kubectl apply -f -`."""
    from AgentOperatingSystem.api.crd import crds as all_crds  # noqa: PLC0415
    from AgentOperatingSystem.api.crd import to_yaml  # noqa: PLC0415

    texts = {name: to_yaml(crd) for name, crd in all_crds().items()}
    if output is None:
        typer.echo("---\n".join(texts.values()), nl=False)
        return
    output.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (output / name).write_text(text, encoding="utf-8")


@app.command()
def ask(
    name: Annotated[str, typer.Argument(help="The resource's name.")],
    question: Annotated[str, typer.Argument(help="What to ask the agent.")],
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="The resource's namespace.")
    ] = "default",
) -> None:
    """Ask an agent a question on its thread and print the answer.

    Reads the resource with KUBECONFIG and speaks to the runtime as yourself.
    """
    from AgentOperatingSystem.kube.asking import ask_agent  # noqa: PLC0415
    from AgentOperatingSystem.reconcile.resource import ObjectKey  # noqa: PLC0415
    from AgentOperatingSystem.runtime.config import RuntimeConfig  # noqa: PLC0415

    result = asyncio.run(ask_agent(RuntimeConfig.from_env(), ObjectKey(namespace, name), question))
    typer.echo(result["response"])
    typer.echo(f"[{result['status']}, thread {result['thread_id']}, {result['latency_ms']} ms]", err=True)
    if not result["success"]:
        raise typer.Exit(1)


@app.command()
def sandbox(
    kubernetes_port: Annotated[int, typer.Option(help="Port of the Kubernetes API; 0 takes a free one.")] = 0,
    foundry_port: Annotated[int, typer.Option(help="Port of Foundry; 0 takes a free one.")] = 0,
    directory: Annotated[
        Path | None, typer.Option("--dir", file_okay=False, help="Where to write the kubeconfig.")
    ] = None,
) -> None:
    """Start an embedded Kubernetes API and an embedded Foundry on this machine, until Ctrl-C.

    Both live in memory, on loopback. Needs the extra `sandbox`.
    """
    from AgentOperatingSystem.sandbox.command import run_sandbox  # noqa: PLC0415

    run_sandbox(kubernetes_port=kubernetes_port, foundry_port=foundry_port, directory=directory)


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running, to play with.")] = False,
    examples: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="The folder of the example agents.")
    ] = Path("examples"),
) -> None:
    """Show the main job on this machine: four agents from `kubectl apply` to an answer. No cloud needed."""
    from AgentOperatingSystem.sandbox.demo import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(examples, keep=keep))


def main() -> None:
    """The entry point: errors of ours are told in one line and end with 1, wrong settings with 2."""
    try:
        app()
    except ConfigurationError as error:
        typer.echo(f"aos: {error}", err=True)
        sys.exit(USAGE_ERROR)
    except AOSError as error:
        typer.echo(f"aos: {error}", err=True)
        sys.exit(1)


def _log_to_stderr(level: str) -> None:
    known = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
    if level.lower() not in known:
        raise ConfigurationError("AOS_LOG_LEVEL", f"must be one of {', '.join(known)}, not {level!r}.")
    logging.basicConfig(
        level=known[level.lower()],
        stream=sys.stderr,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
    )
    # The clients log each request, headers and all, and kopf every event of every object.
    for chatty in ("azure", "httpx", "httpx2", "httpcore", "openai", "kubernetes", "aiohttp", "kopf.objects"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
