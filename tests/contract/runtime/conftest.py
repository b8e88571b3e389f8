"""The suite runs once for each generation, with the real SDK against a service of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.contract.runtime.bench import CLASSIC, FOUNDRY, Bench, Generation

from AgentOperatingSystem.runtime import foundry_classic
from AgentOperatingSystem.runtime.adapter import RuntimeAdapter
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry


@pytest.fixture(params=[FOUNDRY, CLASSIC], ids=lambda generation: generation.name)
def generation(request: pytest.FixtureRequest) -> Generation:
    chosen: Generation = request.param
    return chosen


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedFoundry]:
    monkeypatch.setattr(foundry_classic, "FIRST_LOOK", 0.005)
    with EmbeddedFoundry(deployments=("llama-3.3-70b", "llama-3.3-70b-ceo"), environ={}) as running:
        yield running


@pytest.fixture
async def bench(generation: Generation, service: EmbeddedFoundry) -> AsyncIterator[Bench]:
    bench = Bench(generation, service)
    yield bench
    await bench.close()


@pytest.fixture
async def adapter(bench: Bench) -> RuntimeAdapter:
    return bench.adapter()


@pytest.fixture
async def classic(service: EmbeddedFoundry) -> AsyncIterator[Bench]:
    """For what only the classic generation can have."""
    bench = Bench(CLASSIC, service)
    yield bench
    await bench.close()


@pytest.fixture
async def foundry(service: EmbeddedFoundry) -> AsyncIterator[Bench]:
    """For what only the new generation can have."""
    bench = Bench(FOUNDRY, service)
    yield bench
    await bench.close()
