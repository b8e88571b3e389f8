"""One embedded Foundry for all, and a desk for each test with a project of its own time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.reconcile.desk import DEPLOYMENTS, Desk, open_desk

from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry


@pytest.fixture
def foundry() -> Iterator[EmbeddedFoundry]:
    with EmbeddedFoundry(deployments=DEPLOYMENTS) as started:
        started.add_file("f1")
        for store in ("vs_1", "vs_2"):
            started.add_vector_store(store)
        yield started


@pytest.fixture
async def desk(foundry: EmbeddedFoundry) -> AsyncIterator[Desk]:
    async with open_desk(foundry) as opened:
        yield opened
