"""The story of `aos plan`: read the files, check them, look at the cluster and the runtimes, tell.

What is wrong with the files is all told before anything is asked of anybody; what keeps a runtime from being
looked at is told in place of a plan, since half a plan reads like a whole one.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import typer
from rich.console import Console
from rich.text import Text

from AgentOperatingSystem.kube.client import KubernetesCluster
from AgentOperatingSystem.kube.planning.checking import Asked, Checked, changed_for_good, check, told_once
from AgentOperatingSystem.kube.planning.live import as_applied
from AgentOperatingSystem.kube.planning.lookouts import (
    AS_ME,
    DraftReader,
    cluster_id,
    cluster_to_look_at,
    pool_to_look_at,
)
from AgentOperatingSystem.kube.planning.manifests import Reading, read_manifests
from AgentOperatingSystem.kube.planning.problems import Problem
from AgentOperatingSystem.kube.planning.rendering import Drafted, Line, as_json, as_lines, visible
from AgentOperatingSystem.kube.runtimes.pool import Tenancy
from AgentOperatingSystem.kube.runtimes.reading import Reader
from AgentOperatingSystem.model.errors import AOSError, ConfigurationError, NotAuthorized, OwnershipConflict
from AgentOperatingSystem.reconcile.ports import ClusterFailure
from AgentOperatingSystem.reconcile.preview import Lookouts, Preview, admitted, preview
from AgentOperatingSystem.reconcile.resource import ObjectKey, Resource
from AgentOperatingSystem.runtime.config import RuntimeConfig

UNCHANGED, FAILED, CHANGES = 0, 1, 2


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What the command line says: `namespace` is for resources without one, `cluster_id` may be empty.

    With `as_me` runtimes are looked at with one's own credentials instead of theirs.
    """

    sources: Sequence[str]
    tenancy: Tenancy
    namespace: str = "default"
    cluster_id: str = ""
    json: bool = False
    as_me: bool = False


async def run_plan(config: RuntimeConfig, options: PlanOptions) -> int:
    """Print the plan; the exit code: 0 nothing to do, 2 changes, 1 something is wrong.

    Raises from the error tree when the environment's runtime or the cluster id cannot be had.
    """
    reading = read_manifests(options.sources, sys.stdin.read)
    _tell_ignored(reading)
    checked = check(reading, options.namespace, config)
    if checked.problems:
        return _tell_problems(checked.problems, options)
    if any(one.resource.runtime_key is None for one in checked.asked):
        config.facts()  # without a project there is nothing to look at, nor a reason to ask a cluster
    async with cluster_to_look_at() as cluster:
        named = options.cluster_id or config.cluster_id or await cluster_id(cluster)
        drafts, problems = await _planned(replace(config, cluster_id=named), options, checked, cluster)
    if problems:
        return _tell_problems(problems, options)
    if options.json:
        typer.echo(as_json(drafts, ()))
    else:
        _print(as_lines(drafts))
    if any(drafted.preview.refusal for drafted in drafts):
        return FAILED
    changing = (drafted.preview.steps or drafted.preview.move for drafted in drafts)
    return CHANGES if any(changing) else UNCHANGED


async def _planned(
    config: RuntimeConfig, options: PlanOptions, checked: Checked, cluster: KubernetesCluster
) -> tuple[list[Drafted], list[Problem]]:
    """Every resource's preview, in the order given; or what kept some from being made."""
    problems = await _changed_for_good(checked, Reader(cluster, time.monotonic))
    if problems:
        return [], problems
    resources, why = await as_applied([one.resource for one in checked.asked], cluster)
    if why:
        told = (
            f"not all resources can be read in the cluster ({why}): annotations count as the files have them"
        )
        typer.echo(f"aos plan: {visible(told)}", err=True)
    runtimes = {key: draft.runtime for key, draft in checked.drafts.items()}
    reader = DraftReader(cluster, time.monotonic, drafts=runtimes, as_me=options.as_me)
    asked = [Asked(one.file, now) for one, now in zip(checked.asked, resources, strict=True)]
    async with pool_to_look_at(config, reader, options.tenancy, as_me=options.as_me) as pool:
        seen = await asyncio.gather(*(_seen(one.resource, pool, options) for one in asked))
        failures = [(one, told) for one, told in zip(asked, seen, strict=True) if isinstance(told, str)]
        if failures:
            return [], told_once(failures)
        previews = _without_rivals([one for one in seen if isinstance(one, Preview)])
        drafts = [
            Drafted(one.file, await admitted(one.resource, known, pool))
            for one, known in zip(asked, previews, strict=True)
        ]
    return drafts, []


async def _seen(resource: Resource, pool: Lookouts, options: PlanOptions) -> Preview | str:
    """The preview, or why none can be made."""
    try:
        return await preview(resource, pool)
    except (NotAuthorized, ConfigurationError) as error:
        helps = resource.runtime_key is not None and not options.as_me and AS_ME not in str(error)
        return f"{error} Or look with your own credentials: {AS_ME}." if helps else f"{error}"
    except AOSError as error:
        return f"{error}"


async def _changed_for_good(checked: Checked, reader: Reader) -> list[Problem]:
    """What may not be changed of runtimes that are there already, where the cluster can be asked."""
    problems: list[Problem] = []
    for key, draft in checked.drafts.items():
        try:
            live = await reader.runtime(key, age=math.inf)
        except (ClusterFailure, ConfigurationError):
            break
        problems += changed_for_good(draft, live) if live is not None else []
    return problems


def _without_rivals(previews: Sequence[Preview]) -> list[Preview]:
    """The previews with those refused whose agent another one before them asks for in the same project."""
    first: dict[tuple[str, str], ObjectKey] = {}
    judged = []
    for known in previews:
        facts = known.facts
        if facts is None or known.refusal is not None or facts.ids_are_given:
            judged.append(known)
            continue
        holder = first.setdefault((facts.endpoint, known.agent), known.key)
        problem = (
            f"The agent {known.agent} is asked for by {holder} too, and a project has one agent of a name; "
            "choose another spec.agentId for one of the two."
        )
        judged.append(known if holder == known.key else known.refused(OwnershipConflict(problem)))
    return judged


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
        typer.echo(as_json((), problems))
    return FAILED


def _print(lines: Iterable[Line]) -> None:
    """Write to standard output, never wrapped; with colours where that is a terminal."""
    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(Text(line.text, line.style), soft_wrap=True)
