"""The story of `aos migrate --dry-run`: read the cluster, look at the projects, tell."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import typer
from rich.console import Console

from AgentOperatingSystem.kube.migrating.rendering import as_json, as_report
from AgentOperatingSystem.kube.migrating.survey import make_survey
from AgentOperatingSystem.kube.planning.lookouts import (
    DraftReader,
    cluster_id,
    cluster_to_look_at,
    pool_to_look_at,
)
from AgentOperatingSystem.kube.planning.rendering import visible
from AgentOperatingSystem.kube.runtimes.pool import Tenancy
from AgentOperatingSystem.reconcile.resource import RuntimeKey
from AgentOperatingSystem.runtime.config import RuntimeConfig

NOTHING, FAILED, TO_MOVE = 0, 1, 2
# A table that goes to a file has no width of its own.
FILE_WIDTH = 160


@dataclass(frozen=True, slots=True)
class MigrateOptions:
    """What the command line says: `namespace` empty for all, `to` None for whatever runtime fits."""

    tenancy: Tenancy
    namespace: str = ""
    to: RuntimeKey | None = None
    cluster_id: str = ""
    json: bool = False
    as_me: bool = False


async def run_migrate(config: RuntimeConfig, options: MigrateOptions) -> int:
    """Print the survey; the exit code: 0 nothing on classic, 2 something to move, 1 not all could be seen.

    Raises ConfigurationError and ClusterFailure when the cluster cannot be read.
    """
    async with cluster_to_look_at() as cluster:
        named = options.cluster_id or config.cluster_id or await cluster_id(cluster)
        reader = DraftReader(cluster, time.monotonic, drafts={}, as_me=options.as_me)
        own = replace(config, cluster_id=named)
        async with pool_to_look_at(own, reader, options.tenancy, as_me=options.as_me) as pool:
            survey = await make_survey(cluster, pool, namespace=options.namespace, to=options.to)
    if survey.unread:
        typer.echo(f"aos migrate: not all runtimes can be listed: {visible(survey.unread)}", err=True)
    if options.json:
        typer.echo(as_json(survey.findings))
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=FILE_WIDTH)
        console.print(as_report(survey.findings))
    if any(finding.problem for finding in survey.findings):
        return FAILED
    return TO_MOVE if survey.findings else NOTHING
