"""The ways out: a resource whose runtime is gone for good can go, and a passing failure is waited out."""

from __future__ import annotations

import pytest
from tests.reconcile.desk import CEO, SPEC, Desk, open_desk

from AgentOperatingSystem.reconcile.resource import DETACH, POLICY_ANNOTATION, REQUEST_ANNOTATION
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry, Fault


async def test_a_detached_agent_loses_its_stamp_even_if_the_first_try_fails(desk: Desk) -> None:
    desk.cluster.put(CEO, SPEC)
    await desk.pass_over()
    desk.cluster.annotate_by_hand(CEO, {POLICY_ANNOTATION: DETACH})
    desk.cluster.delete(CEO)
    desk.foundry.faults.add(Fault("*agent*", status=503, times=1))
    assert await desk.reconciler.finalize(CEO) is not None
    assert await desk.reconciler.finalize(CEO) is None
    assert "aos_owner" not in desk.foundry.agents()["ceo"].latest.metadata


async def test_a_runtime_that_is_gone_for_good_lets_a_detached_resource_go(desk: Desk) -> None:
    desk.cluster.put(CEO, SPEC)
    await desk.pass_over()
    desk.cluster.annotate_by_hand(CEO, {POLICY_ANNOTATION: DETACH})
    desk.cluster.delete(CEO)
    desk.foundry.down()
    assert await desk.reconciler.finalize(CEO) is not None, "it may come back within a minute"
    desk.later(minutes=1)
    assert await desk.reconciler.finalize(CEO) is None
    assert desk.cluster.notices[-1].reason == "Detached"


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [("https://new.services.ai.azure.com/api/projects/p", "the operator was moved"), (None, "or has none")],
)
async def test_a_detached_resource_goes_though_the_operator_looks_elsewhere(
    foundry: EmbeddedFoundry, endpoint: str | None, reason: str
) -> None:
    async with open_desk(foundry) as desk:
        desk.cluster.put(CEO, SPEC)
        await desk.pass_over()
        desk.cluster.delete(CEO)
    async with open_desk(foundry, project_endpoint=endpoint) as moved:
        moved.cluster.resources = desk.cluster.resources
        assert await moved.reconciler.finalize(CEO) is not None
        assert moved.says() in ("False/RuntimeMoved", "False/EndpointNotConfigured")
        moved.cluster.annotate_by_hand(CEO, {POLICY_ANNOTATION: DETACH})
        assert await moved.reconciler.finalize(CEO) is None, reason


async def test_a_wish_of_any_length_is_fulfilled_once(desk: Desk) -> None:
    desk.cluster.put(CEO, SPEC)
    await desk.pass_over()
    desk.cluster.annotate_by_hand(CEO, {REQUEST_ANNOTATION: "now! " * 1000})
    desk.foundry.clear_requests()
    await desk.pass_over()
    await desk.pass_over()
    assert desk.operations().count("get_agent") == 1, "a fresh look for the wish, the listing after it"
