"""`python -m tests.benchmarks.tenants`: the operator's memory with 100 agents in a project, and by project.

Each project is a namespace with an AgentRuntime, its own Secret and an agent, so that the operator has a
connection, a credential and a token for each. Memory is what Linux counts as resident, at rest.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.harness.process import resident_megabytes
from tests.harness.tenants import Tenants, agent, open_tenants, own_runtime, secret_manifest

AGENTS = 100
PROJECTS = (1, 2, 5, 10)
WITHIN_SECONDS = 120.0
# Until connections that were idle are closed, and the workers of kopf gone.
REST_SECONDS = 30.0
LIMIT_MEGABYTES = 130


@dataclass(frozen=True)
class Sample:
    """Resident memory in MB with that many projects and agents."""

    projects: int
    agents: int
    resident: float


def measure(tenants: Tenants, agents: int, counts: tuple[int, ...]) -> list[Sample]:
    """A sample at start, and for each count of projects: the first has `agents`, each further one has one."""
    samples = [_sample(tenants, 0, 0)]
    for number in range(1, max(counts) + 1):
        _add_project(tenants, number, agents if number == 1 else 1)
        if number in counts:
            samples.append(_sample(tenants, number, agents + number - 1))
    return samples


def _add_project(tenants: Tenants, number: int, agents: int) -> None:
    team, stage = f"team-{number}", tenants.namespace()
    project = tenants.project(team, team)
    names = [f"agent-{index}" for index in range(agents)]
    stage.kubectl.apply(
        secret_manifest(tenants.principal(team)),
        own_runtime("own", project.endpoint, team),
        *(agent(name, "own") for name in names),
    )
    for name in names:
        stage.ready(name, within=WITHIN_SECONDS)


def _sample(tenants: Tenants, projects: int, agents: int) -> Sample:
    time.sleep(REST_SECONDS)
    resident = resident_megabytes(tenants.operator.pid)
    assert resident is not None, "the system does not tell"
    return Sample(projects, agents, resident)


def print_samples(samples: list[Sample], plane: str) -> None:
    """As a table; the increment is from the sample before."""
    table = Table(title=f"The operator's memory on the {plane} control plane", title_justify="left")
    for head in ("projects", "agents", "MB", "MB a further project"):
        table.add_column(head, justify="right")
    before: Sample | None = None
    for one in samples:
        further = one.projects - before.projects if before is not None and before.projects else 0
        each = f"{(one.resident - before.resident) / further:.2f}" if before is not None and further else ""
        table.add_row(str(one.projects), str(one.agents), f"{one.resident:.1f}", each)
        before = one
    Console().print(table)


def main() -> int:
    """1 when the operator with all its agents in one project is over the limit."""
    parser = argparse.ArgumentParser(prog="tenants", description="The operator's memory by project.")
    parser.add_argument("--control-plane", choices=("embedded", "real"), default="real")
    parser.add_argument("--agents", type=int, default=AGENTS, help="agents in the first project")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tenants-"))
    with open_tenants(given.control_plane, folder, log_level="info") as tenants:
        samples = measure(tenants, given.agents, PROJECTS)
    print_samples(samples, given.control_plane)
    return int(samples[1].resident >= LIMIT_MEGABYTES)


if __name__ == "__main__":
    sys.exit(main())
