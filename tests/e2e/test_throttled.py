"""A thousand resources against a service that refuses what is above twenty requests a second.

It takes as long as three thousand requests take at that rate, which is why it is not among the quick tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from tests.reconcile.desk import DEPLOYMENTS, open_desk

from AgentOperatingSystem.kube.passes import Passes
from AgentOperatingSystem.reconcile.resource import ObjectKey
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry, Fault

AGENTS = 1000
PER_SECOND = 20.0


@pytest.mark.timeout(900)
async def test_a_thousand_resources_get_ready_without_a_storm(report: Callable[[str], None]) -> None:
    keys = [ObjectKey("boardroom", f"agent-{number:04}") for number in range(AGENTS)]
    with EmbeddedFoundry(deployments=DEPLOYMENTS, environ={}) as foundry:
        foundry.faults.add(Fault("*", per_second=PER_SECOND, status=429, retry_after=1))
        async with open_desk(foundry, timeout=60.0) as desk:
            passes = Passes(desk.reconciler, interval=3600.0, random=lambda: 0.5)
            for key in keys:
                desk.cluster.put(key, {"purpose": "Strategy", "thread": {"scope": "Event"}})

            async def until_ready(key: ObjectKey) -> None:
                turn = passes.turn()
                turn.due = 0.0
                repeated = asyncio.create_task(passes.repeat(key, turn))
                while desk.says(key=key) != "True/Running":  # noqa: ASYNC110 - the status is all there is to see
                    await asyncio.sleep(0.5)
                turn.end()
                await repeated

            async with asyncio.timeout(800):
                await asyncio.gather(*(until_ready(key) for key in keys))
        asked = foundry.requests
        refused = sum(request.status == 429 for request in asked)
        report(
            f"{AGENTS} agents at {PER_SECOND:g} requests a second: {len(asked)} requests, {refused} refused"
        )
        assert len(foundry.agents()) == AGENTS
        assert all(len(agent.versions) == 1 for agent in foundry.agents().values())
        assert refused < len(asked) / 10, "the pace gives way; nobody asks again and again"
