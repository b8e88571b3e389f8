"""A Foundry that plays Azure, for each generation, and plays of the steps on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.contract.smoke.otherwise import DEPLOYMENT, MARK, OtherFoundry

from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.runtime import RuntimeConfig, foundry_classic


@pytest.fixture(params=list(RuntimeType), ids=str)
def generation(request: pytest.FixtureRequest) -> RuntimeType:
    chosen: RuntimeType = request.param
    return chosen


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtherFoundry]:
    monkeypatch.setattr(foundry_classic, "FIRST_LOOK", 0.005)
    with OtherFoundry(deployments=(DEPLOYMENT,), environ={}) as running:
        yield running


@pytest.fixture
def config(azure: OtherFoundry, generation: RuntimeType) -> RuntimeConfig:
    """Of a project whose name must not be told either."""
    endpoint = azure.project(f"board-{MARK}").endpoint
    return RuntimeConfig(
        project_endpoint=endpoint, type=generation, model_deployment=DEPLOYMENT, requests_per_second=1000.0
    )
