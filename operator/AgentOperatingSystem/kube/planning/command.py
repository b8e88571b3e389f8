"""The story of `aos plan`: read the files, check them, look at the runtime, tell.

What is wrong with the files is all told before anything is asked of the runtime.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import typer
from rich.console import Console
from rich.text import Text

from AgentOperatingSystem.api.v1alpha1 import KIND, PurposeDrivenAgentStatus
from AgentOperatingSystem.kube.client import KubernetesCluster, connect
from AgentOperatingSystem.kube.planning import admission
from AgentOperatingSystem.kube.planning.manifests import Manifest, Reading, read_manifests
from AgentOperatingSystem.kube.planning.problems import Problem
from AgentOperatingSystem.kube.planning.rendering import Drafted, Line, as_json, as_lines, visible
from AgentOperatingSystem.model.errors import ConfigurationError, SpecRejected
from AgentOperatingSystem.model.facts import RuntimeFacts
from AgentOperatingSystem.reconcile.desired import desired_state
from AgentOperatingSystem.reconcile.preview import preview
from AgentOperatingSystem.reconcile.resource import ObjectKey, Resource
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.provider import AgentRuntimeProvider

UNCHANGED, FAILED, CHANGES = 0, 1, 2


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What the command line says: `namespace` is for resources without one, `cluster_id` may be empty."""

    sources: Sequence[str]
    namespace: str = "default"
    cluster_id: str = ""
    json: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A checked resource and its file."""

    file: str
    resource: Resource


async def run_plan(config: RuntimeConfig, options: PlanOptions) -> int:
    """Print the plan; the exit code: 0 nothing to do, 2 changes, 1 something is wrong.

    Raises from the error tree when the runtime or the cluster id cannot be had.
    """
    reading = read_manifests(options.sources, sys.stdin.read)
    _tell_ignored(reading)
    asked, problems = check(reading, options.namespace, config)
    if problems:
        return _tell_problems(problems, options)
    facts, drafts = await _look(config, options, asked)
    if options.json:
        typer.echo(as_json(facts, drafts, ()))
    else:
        _print(as_lines(facts, drafts))
    if any(drafted.preview.refusal for drafted in drafts):
        return FAILED
    return CHANGES if any(drafted.preview.steps for drafted in drafts) else UNCHANGED


def check(reading: Reading, namespace: str, config: RuntimeConfig) -> tuple[list[Asked], list[Problem]]:
    """The resources that are right in themselves and beside each other, and all that is wrong."""
    asked, problems = [], list(reading.problems)
    # What can be wrong with a spec depends on neither project nor cluster: it is told before either is had.
    facts = RuntimeFacts(config.type, "", config.model_deployment, "", lora_adapters=config.lora_adapters)
    for read in reading.manifests:
        body, wrong = admission.admit(read.body)
        manifest = replace(read, body=body)
        found = _problems(manifest, wrong, namespace, facts)
        problems += found
        if not found:
            asked.append(Asked(manifest.file, _resource(manifest, namespace)))
    return asked, problems + _conflicts(asked)


def _problems(
    manifest: Manifest, wrong: Sequence[tuple[str, str]], namespace: str, facts: RuntimeFacts
) -> list[Problem]:
    """What is wrong with one resource: what the API server refuses, else what the operator would."""
    name = _name(manifest, namespace)
    if wrong:
        return [Problem(manifest.file, message, name, field) for field, message in wrong]
    try:
        desired_state(_resource(manifest, namespace), facts)
    except SpecRejected as error:
        return [Problem(manifest.file, str(error).removeprefix(f"{error.field}: "), name, error.field)]
    return []


def _name(manifest: Manifest, namespace: str) -> str:
    """What to call a resource that may lack even its name."""
    metadata = manifest.body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not name:
        return f"{KIND} (object {manifest.number})"
    return f"{KIND} {metadata.get('namespace') or namespace}/{name}"


def _resource(manifest: Manifest, namespace: str) -> Resource:
    """The resource as it will be on the cluster, without what only a cluster gives."""
    metadata = manifest.body["metadata"]
    return Resource(
        key=ObjectKey(metadata.get("namespace") or namespace, metadata["name"]),
        uid="",
        resource_version="",
        generation=0,
        deleting=False,
        finalizers=(),
        annotations=metadata.get("annotations") or {},
        spec=manifest.body["spec"],
        status=PurposeDrivenAgentStatus(),
    )


def _conflicts(asked: Sequence[Asked]) -> list[Problem]:
    """Resources that stand in one another's way: of one name, or asking for one agent."""
    problems = []
    by_key: dict[ObjectKey, Asked] = {}
    by_agent: dict[str, Asked] = {}
    for one in asked:
        key, agent = one.resource.key, one.resource.agent_name
        name = f"{KIND} {key}"
        twin, rival = by_key.setdefault(key, one), by_agent.setdefault(agent, one)
        if twin is not one:
            message = f"is in {twin.file} too; keep one of the two."
            problems.append(Problem(one.file, message, name, "metadata.name"))
        elif rival is not one:
            message = (
                f"the agent {agent} is asked for by {rival.resource.key} in {rival.file} too, and a project "
                "has one agent of a name; choose another spec.agentId for one of the two."
            )
            problems.append(Problem(one.file, message, name, "spec.agentId"))
    return problems


async def _look(
    config: RuntimeConfig, options: PlanOptions, asked: Sequence[Asked]
) -> tuple[RuntimeFacts, list[Drafted]]:
    """Every resource's preview, in the order given."""
    config.facts()  # without a project there is nothing to look at, nor a reason to ask a cluster
    cluster_id = options.cluster_id or config.cluster_id or await _cluster_id()
    async with AgentRuntimeProvider(replace(config, cluster_id=cluster_id)) as runtime:
        facts = runtime.facts()
        previews = await asyncio.gather(
            *(preview(one.resource, facts, desired_state(one.resource, facts), runtime) for one in asked)
        )
    return facts, [Drafted(one.file, known) for one, known in zip(asked, previews, strict=True)]


async def _cluster_id() -> str:
    """The cluster's own name, as the operator takes it. Raises ConfigurationError, naming the setting."""
    try:
        async with await connect() as api:
            return await KubernetesCluster(api).cluster_id()
    except ConfigurationError as error:
        if error.setting == "AOS_CLUSTER_ID":
            raise
        raise ConfigurationError(
            "AOS_CLUSTER_ID",
            "not set, and no cluster can be asked in its place: set it, or --cluster-id, to what the "
            f"operator has, since it says which agents are its own ({error}).",
        ) from error


def _tell_ignored(reading: Reading) -> None:
    for file, kinds in reading.ignored.items():
        told = ", ".join(f"{count} {visible(kind)}" for kind, count in sorted(kinds.items()))
        typer.echo(f"aos plan: {visible(file)}: ignored {told}", err=True)


def _tell_problems(problems: Sequence[Problem], options: PlanOptions) -> int:
    for problem in problems:
        typer.echo(f"aos plan: {visible(str(problem))}", err=True)
    count = f"{len(problems)} errors" if len(problems) > 1 else "1 error"
    typer.echo(f"aos plan: {count}; nothing was planned.", err=True)
    if options.json:
        typer.echo(as_json(None, (), problems))
    return FAILED


def _print(lines: Iterable[Line]) -> None:
    """Write to standard output, never wrapped; with colours where that is a terminal."""
    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(Text(line.text, line.style), soft_wrap=True)
