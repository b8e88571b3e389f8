"""`aos`: the command line. Each command imports what it needs, so that `aos --help` is quick."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from AgentOperatingSystem.model.errors import AOSError, ConfigurationError

USAGE_ERROR = 2


class SandboxPart(StrEnum):
    """What of the sandbox can be started alone."""

    FOUNDRY = "foundry"


# typer gives the parent of its usage errors no name of its own.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="aos",
    help="AgentOperatingSystem: AI agents as Kubernetes resources, run on Microsoft Foundry Agent Service.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def operator(
    *,
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            "--namespace", "-n", envvar="AOS_NAMESPACES", help="Serve this namespace only; repeat for more."
        ),
    ] = None,
    liveness_port: Annotated[
        int,
        typer.Option(
            envvar="AOS_LIVENESS_PORT", min=0, max=65535, help="Port of /healthz and /readyz; 0: none."
        ),
    ] = 8080,
    log_level: Annotated[
        str, typer.Option(envvar="AOS_LOG_LEVEL", help="debug, info, warning or error.")
    ] = "info",
    log_format: Annotated[
        str, typer.Option(envvar="AOS_LOG_FORMAT", help="text, or json: an object a line.")
    ] = "text",
    metrics_port: Annotated[
        int,
        typer.Option(envvar="AOS_METRICS_PORT", min=0, max=65535, help="Port of /metrics; 0 serves none."),
    ] = 9090,
    leader_election: Annotated[
        bool, typer.Option(envvar="AOS_LEADER_ELECTION", help="Work only while holding the Lease.")
    ] = True,
    lease_name: Annotated[
        str, typer.Option(envvar="AOS_LEASE_NAME", help="The Lease's name.")
    ] = "aos-operator",
    lease_namespace: Annotated[
        str, typer.Option(envvar="AOS_LEASE_NAMESPACE", help="The Lease's namespace; by default the pod's.")
    ] = "",
    lease_seconds: Annotated[
        int, typer.Option(envvar="AOS_LEASE_SECONDS", min=5, help="How long a silent holder keeps the Lease.")
    ] = 15,
    allowed_endpoints: Annotated[
        str,
        typer.Option(
            envvar="AOS_ALLOWED_ENDPOINTS",
            help="Hosts that runtimes may name: .suffix, host or host:port, with commas. By default Azure's.",
        ),
    ] = "",
    default_runtime_namespaces: Annotated[
        str,
        typer.Option(
            envvar="AOS_DEFAULT_RUNTIME_NAMESPACES",
            help="Namespaces whose agents may go without runtimeRef; by default all.",
        ),
    ] = "",
    watch_check: Annotated[
        float, typer.Option(envvar="AOS_WATCH_CHECK", min=1, help="Seconds between checks of the watch.")
    ] = 30,
) -> None:
    """Run the operator: in a cluster as its service account, outside one with KUBECONFIG.

    The runtime is set by the environment: AZURE_AI_PROJECT_ENDPOINT and AZURE_AI_MODEL_DEPLOYMENT.
    Traces are sent where OTEL_EXPORTER_OTLP_ENDPOINT or APPLICATIONINSIGHTS_CONNECTION_STRING says.
    """
    # Until the operator listens for it: as the first process of a container it would miss it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    from AgentOperatingSystem.kube.leadership import Lease  # noqa: PLC0415
    from AgentOperatingSystem.kube.process import OperatorOptions, run_operator  # noqa: PLC0415
    from AgentOperatingSystem.kube.runtimes.pool import Tenancy  # noqa: PLC0415
    from AgentOperatingSystem.runtime.config import RuntimeConfig  # noqa: PLC0415
    from AgentOperatingSystem.telemetry import telemetry  # noqa: PLC0415
    from AgentOperatingSystem.telemetry.logs import log_to_stderr  # noqa: PLC0415

    log_to_stderr(log_level, log_format)
    lease = Lease(lease_namespace, lease_name, lease_seconds) if leader_election else None
    served = tuple(namespace or ())
    tenancy = Tenancy.parse(allowed_endpoints, default_runtime_namespaces, served)
    options = OperatorOptions(served, liveness_port or None, lease, watch_check, tenancy)
    with telemetry(os.environ, metrics_port=metrics_port or None):
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


class _PlanCommand(TyperCommand):
    """A command whose code 2 means changes: a slip in its options ends with 1, lest CI take it for them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except _UsageError as error:
            error.exit_code = 1  # type: ignore[attr-defined]  # every usage error has one
            raise


class PlanOutput(StrEnum):
    """How a plan is printed."""

    TEXT = "text"
    JSON = "json"


_AsMe = Annotated[
    bool,
    typer.Option("--as-me", help="Look at runtimes with your own Azure credentials instead of theirs."),
]


def _tenancy() -> Any:
    """What the operator's settings lend to whom: the commands refuse what it would refuse."""
    from AgentOperatingSystem.kube.runtimes.pool import Tenancy  # noqa: PLC0415

    env = os.environ
    served = tuple(env.get("AOS_NAMESPACES", "").split())
    return Tenancy.parse(
        env.get("AOS_ALLOWED_ENDPOINTS", ""), env.get("AOS_DEFAULT_RUNTIME_NAMESPACES", ""), served
    )


@app.command(cls=_PlanCommand)
def plan(
    filename: Annotated[
        list[str],
        typer.Option(
            "--filename",
            "-f",
            metavar="FILE|DIR|-",
            help="Resources as YAML or JSON: a file, a folder with all below it, or - for standard input.",
        ),
    ],
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="The namespace of resources that name none.")
    ] = "default",
    cluster_id: Annotated[
        str,
        typer.Option(
            envvar="AOS_CLUSTER_ID",
            help="The operator's cluster id; by default what the cluster of KUBECONFIG says.",
        ),
    ] = "",
    output: Annotated[PlanOutput, typer.Option("--output", "-o", help="How to print it.")] = PlanOutput.TEXT,
    as_me: _AsMe = False,
) -> None:
    """Show what applying resources would do to the runtimes. Nothing is written, there or anywhere.

    Ends with 0 when there is nothing to do, 2 when there are changes, 1 when something is wrong. Set the
    environment as the operator's is. Runtimes that resources name are those of the files, else those of the
    cluster of KUBECONFIG. What the operator noted on a resource there counts; without a cluster,
    annotations count as the files have them. Deletions are not shown.
    """
    from AgentOperatingSystem.kube.planning.command import PlanOptions, run_plan  # noqa: PLC0415
    from AgentOperatingSystem.runtime.config import RuntimeConfig  # noqa: PLC0415

    try:
        options = PlanOptions(
            tuple(filename),
            _tenancy(),
            namespace,
            cluster_id.strip(),
            json=output is PlanOutput.JSON,
            as_me=as_me,
        )
        code = asyncio.run(run_plan(RuntimeConfig.from_env(), options))
    except ConfigurationError as error:
        typer.echo(f"aos: {error}", err=True)
        raise typer.Exit(1) from error
    raise typer.Exit(code)


class MigrateOutput(StrEnum):
    """How a survey is printed."""

    TABLE = "table"
    JSON = "json"


@app.command(cls=_PlanCommand)
def migrate(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look: there is no other way.")] = False,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Look in this namespace only; by default in all.")
    ] = "",
    to: Annotated[
        str,
        typer.Option(metavar="KIND/NAME", help="The runtime to move to, such as AgentRuntime/team."),
    ] = "",
    cluster_id: Annotated[
        str,
        typer.Option(envvar="AOS_CLUSTER_ID", help="The operator's cluster id; by default what it says."),
    ] = "",
    output: Annotated[
        MigrateOutput, typer.Option("--output", "-o", help="How to print it.")
    ] = MigrateOutput.TABLE,
    as_me: _AsMe = False,
) -> None:
    """List what is on FoundryClassic, what a move to Foundry carries over, and the edit that starts it.

    Reads the cluster of KUBECONFIG and the runtimes; nothing is written anywhere. Ends with 0 when nothing is
    on FoundryClassic, 2 when something is, 1 when not all could be looked at.
    """
    if not dry_run:
        typer.echo("aos migrate: agents are moved by an edit in Git; --dry-run tells which.", err=True)
        raise typer.Exit(1)
    from AgentOperatingSystem.kube.migrating.command import MigrateOptions, run_migrate  # noqa: PLC0415
    from AgentOperatingSystem.runtime.config import RuntimeConfig  # noqa: PLC0415

    try:
        options = MigrateOptions(
            _tenancy(),
            namespace,
            _runtime_key(to),
            cluster_id.strip(),
            json=output is MigrateOutput.JSON,
            as_me=as_me,
        )
        code = asyncio.run(run_migrate(RuntimeConfig.from_env(), options))
    except ConfigurationError as error:
        typer.echo(f"aos: {error}", err=True)
        raise typer.Exit(1) from error
    raise typer.Exit(code)


def _runtime_key(text: str) -> Any:
    """The runtime that KIND/NAME names, of no namespace yet; None for an empty text."""
    from AgentOperatingSystem.api.v1alpha1 import RuntimeKind  # noqa: PLC0415
    from AgentOperatingSystem.reconcile.resource import RuntimeKey  # noqa: PLC0415

    if not text:
        return None
    kind, _, name = text.partition("/")
    if kind not in tuple(RuntimeKind) or not name:
        raise ConfigurationError("--to", f"must be {' or '.join(f'{kind}/NAME' for kind in RuntimeKind)}.")
    return RuntimeKey(RuntimeKind(kind), "", name)


@app.command()
def ask(
    name: Annotated[str, typer.Argument(help="The resource's name.")],
    question: Annotated[str, typer.Argument(help="What to ask the agent.")],
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="The resource's namespace.")
    ] = "default",
) -> None:
    """Ask an agent a question on its thread and print the answer.

    Reads the resource and its runtime with KUBECONFIG and speaks to the project as yourself, if its host is
    one that AOS_ALLOWED_ENDPOINTS allows.
    """
    from AgentOperatingSystem.kube.asking import ask_agent  # noqa: PLC0415
    from AgentOperatingSystem.reconcile.resource import ObjectKey  # noqa: PLC0415
    from AgentOperatingSystem.runtime.config import RuntimeConfig  # noqa: PLC0415

    key = ObjectKey(namespace, name)
    result = asyncio.run(ask_agent(RuntimeConfig.from_env(), _tenancy(), key, question))
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
    deployment: Annotated[
        list[str] | None,
        typer.Option(help="A deployment that Foundry has; repeat for more. By default the examples' ones."),
    ] = None,
    only: Annotated[
        SandboxPart | None, typer.Option(help="Start this one alone, without the Kubernetes API.")
    ] = None,
) -> None:
    """Start an embedded Kubernetes API and an embedded Foundry on this machine, until Ctrl-C.

    Both live in memory, on loopback. Needs the extra `sandbox`.
    """
    from AgentOperatingSystem.sandbox.command import DEPLOYMENTS, run_foundry, run_sandbox  # noqa: PLC0415

    deployments = tuple(deployment or DEPLOYMENTS)
    if only is SandboxPart.FOUNDRY:
        run_foundry(foundry_port=foundry_port, deployments=deployments)
        return
    run_sandbox(
        kubernetes_port=kubernetes_port,
        foundry_port=foundry_port,
        directory=directory,
        deployments=deployments,
    )


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
