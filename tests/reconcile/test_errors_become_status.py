"""Each row of the design's table of errors, end to end: the service answers so, the resource says so."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.reconcile.desk import CEO, SPEC, Desk, open_desk

from AgentOperatingSystem.model.facts import ModelCheck
from AgentOperatingSystem.reconcile.resource import DETACH, POLICY_ANNOTATION, REQUEST_ANNOTATION, SKIP
from AgentOperatingSystem.reconcile.verdict import Retry
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry, Fault

EVERY_AGENT_CALL = "*agent*"
MISSING = ("False/ModelNotFound", "False/DeploymentNotFound")


@dataclass(frozen=True)
class Row:
    """A fault, and what the resource says of it when there is no agent yet."""

    fault: Fault
    ready: str
    why: str
    retry: Retry
    words: tuple[str, ...]
    reason: str


FIRST_PASS = (
    Row(
        Fault(EVERY_AGENT_CALL, status=429, retry_after=7),
        "False/Throttled",
        "Reconciling",
        Retry.SOON,
        ("fewer requests",),
        "429",
    ),
    Row(
        Fault(EVERY_AGENT_CALL, status=503),
        "False/RuntimeUnavailable",
        "Reconciling",
        Retry.SOON,
        ("503",),
        "5xx",
    ),
    Row(
        Fault(EVERY_AGENT_CALL, drop=True),
        "False/RuntimeUnavailable",
        "Reconciling",
        Retry.SOON,
        ("no connection",),
        "the connection is dropped",
    ),
    Row(
        Fault(EVERY_AGENT_CALL, status=401),
        "False/NotAuthorized",
        "Stalled",
        Retry.INTERVAL,
        ("Foundry User", "Azure AI User", "AZURE_CLIENT_ID"),
        "the identity is unknown",
    ),
    Row(
        Fault(EVERY_AGENT_CALL, status=403),
        "False/NotAuthorized",
        "Stalled",
        Retry.INTERVAL,
        ("Foundry User", "Azure AI User"),
        "a role is missing",
    ),
    Row(
        Fault("create_version", status=400, message="instructions are not allowed here"),
        "False/DefinitionRejected",
        "Stalled",
        Retry.INTERVAL,
        ("instructions are not allowed here", "Change the spec"),
        "the definition is refused",
    ),
    Row(
        Fault("create_version", status=500),
        "False/RuntimeUnavailable",
        "Reconciling",
        Retry.SOON,
        ("500",),
        "a create fails",
    ),
    Row(
        Fault("list_deployments", status=403),
        "False/NotAuthorized",
        "Stalled",
        Retry.INTERVAL,
        ("list_deployments",),
        "the deployments may not be read",
    ),
)


@pytest.mark.parametrize("row", FIRST_PASS, ids=lambda row: row.reason)
async def test_an_error_is_told_as_it_is_and_recovers_by_itself(desk: Desk, row: Row) -> None:
    desk.cluster.put(CEO, SPEC)
    desk.foundry.faults.add(row.fault)
    result = await desk.pass_over()
    assert desk.says() == row.ready
    assert desk.says(row.why).startswith("True/")
    assert result.retry is row.retry
    ready = desk.condition("Ready")
    assert ready is not None
    assert all(word in ready.message for word in row.words), ready.message
    assert [notice.reason for notice in desk.cluster.notices] == [ready.reason], "told once, by an Event"

    desk.foundry.faults.clear()
    desk.cluster.annotate_by_hand(CEO, {REQUEST_ANNOTATION: "now"})
    await desk.pass_over()
    assert desk.says() == "True/Running"
    assert len(desk.foundry.agents()["ceo"].versions) == 1


async def test_a_wish_for_time_is_handed_on(desk: Desk) -> None:
    desk.cluster.put(CEO, SPEC)
    desk.foundry.faults.add(Fault(EVERY_AGENT_CALL, status=429, retry_after=7))
    assert (await desk.pass_over()).retry_after == 7


async def test_the_same_failure_again_writes_nothing(desk: Desk) -> None:
    desk.cluster.put(CEO, SPEC)
    desk.foundry.faults.add(Fault(EVERY_AGENT_CALL, status=503))
    await desk.pass_over()
    desk.cluster.writes.clear()
    for _ in range(5):
        desk.later(seconds=10)
        await desk.pass_over()
    assert desk.cluster.writes == []


async def test_a_short_outage_does_not_move_ready_of_an_agent_that_serves(desk: Desk) -> None:
    desk.cluster.put(CEO, SPEC)
    await desk.pass_over()
    before = desk.condition("Ready")
    desk.foundry.faults.add(Fault(EVERY_AGENT_CALL, status=503))
    for _ in range(3):
        desk.later(seconds=5)
        await desk.pass_over()
        assert desk.condition("Ready") == before
        assert desk.says("InSync") == "Unknown/RuntimeUnavailable"
    desk.foundry.faults.clear()
    await desk.pass_over()
    assert desk.condition("Ready") == before
    assert desk.says("InSync") == "True/InSync"


async def test_a_long_outage_moves_ready_and_its_end_moves_it_back(desk: Desk) -> None:
    desk.cluster.put(CEO, SPEC)
    await desk.pass_over()
    desk.foundry.faults.add(Fault(EVERY_AGENT_CALL, status=503))
    await desk.pass_over()
    desk.later(minutes=6)
    await desk.pass_over()
    assert desk.says() == "False/RuntimeUnavailable"
    desk.foundry.faults.clear()
    await desk.pass_over()
    assert desk.says() == "True/Running"


async def test_a_refused_definition_is_not_sent_again_before_the_spec_changes(desk: Desk) -> None:
    desk.cluster.put(CEO, SPEC)
    desk.foundry.faults.add(Fault("create_version", status=400))
    await desk.pass_over()
    desk.foundry.clear_requests()
    for _ in range(3):
        desk.later(minutes=1)
        await desk.pass_over()
    assert desk.operations() == []
    desk.foundry.faults.clear()
    desk.cluster.put(CEO, {**SPEC, "purpose": "Another"})
    await desk.pass_over()
    assert desk.says() == "True/Running"


async def test_a_missing_deployment_is_told_with_the_nearest_names_and_recovers(desk: Desk) -> None:
    desk.cluster.put(CEO, {**SPEC, "adapterName": "cto"})
    await desk.pass_over()
    assert desk.says() == "False/ModelNotFound"
    assert desk.says("Stalled") == "True/ModelNotFound"
    assert desk.says("ModelAvailable") == "False/DeploymentNotFound"
    ready = desk.condition("Ready")
    assert ready is not None
    for word in ("llama-3.3-70b-cto", "llama-3.3-70b-ceo", "llama-3.3-70b-cfo", "az cognitiveservices"):
        assert word in ready.message
    assert desk.foundry.agents() == {}, "no agent is made on a deployment that is not there"


async def test_a_deployment_that_appears_is_found(foundry: EmbeddedFoundry) -> None:
    async with open_desk(foundry) as desk:
        desk.cluster.put(CEO, {**SPEC, "adapterName": "cto"})
        await desk.pass_over()
    foundry.deployments.add("llama-3.3-70b-cto")
    async with open_desk(foundry) as later:
        later.cluster.resources = desk.cluster.resources
        await later.pass_over()
        assert later.says() == "True/Running"
        assert later.says("ModelAvailable") == "True/DeploymentFound"


@pytest.mark.parametrize(
    ("mode", "model", "says", "reason"),
    [
        (ModelCheck.WARN, "llama-9", MISSING, "the service has the last word"),
        (ModelCheck.OFF, "llama-9", MISSING, "the service says it alone"),
        (ModelCheck.ENFORCE, "conn/llama-9", ("True/Running", "-"), "a connected model is not looked up"),
        (ModelCheck.OFF, "llama-3.3-70b", ("True/Running", "-"), "nothing is looked up"),
        (ModelCheck.WARN, "llama-3.3-70b", ("True/Running", "True/DeploymentFound"), "it is there"),
    ],
)
async def test_how_strict_the_model_check_is_can_be_chosen(
    foundry: EmbeddedFoundry, mode: ModelCheck, model: str, says: tuple[str, str], reason: str
) -> None:
    async with open_desk(foundry, model_check=mode) as desk:
        desk.cluster.put(CEO, {"purpose": "Strategy", "model": model})
        await desk.pass_over()
        assert (desk.says(), desk.says("ModelAvailable")) == says, reason


async def test_without_lora_adapters_the_base_model_is_used(foundry: EmbeddedFoundry) -> None:
    async with open_desk(foundry, lora_adapters=False) as desk:
        desk.cluster.put(CEO, SPEC)
        await desk.pass_over()
        assert desk.foundry.agents()["ceo"].latest.model == "llama-3.3-70b"


async def test_no_endpoint_is_told_with_the_setting(foundry: EmbeddedFoundry) -> None:
    async with open_desk(foundry, project_endpoint=None) as desk:
        desk.cluster.put(CEO, SPEC)
        await desk.pass_over()
        assert desk.says() == "False/EndpointNotConfigured"
        ready = desk.condition("Ready")
        assert ready is not None
        assert "AZURE_AI_PROJECT_ENDPOINT" in ready.message


async def test_a_version_that_is_still_prepared_is_not_called_ready(desk: Desk) -> None:
    desk.foundry.behave(creating_seconds=60)
    desk.cluster.put(CEO, SPEC)
    result = await desk.pass_over()
    assert (desk.says(), result.retry) == ("False/Provisioning", Retry.SOON)


async def test_a_version_that_failed_is_told(desk: Desk) -> None:
    desk.foundry.behave(versions_fail=True)
    desk.cluster.put(CEO, SPEC)
    await desk.pass_over()
    assert desk.says() == "False/VersionFailed"
    assert desk.says("Stalled").startswith("True/")


async def test_a_paused_resource_is_left_alone_even_in_deletion(desk: Desk) -> None:
    desk.cluster.put(CEO, SPEC)
    await desk.pass_over()
    desk.cluster.annotate_by_hand(CEO, {POLICY_ANNOTATION: SKIP})
    desk.cluster.put(CEO, {**SPEC, "purpose": "Another"})
    desk.cluster.writes.clear()
    desk.foundry.clear_requests()
    await desk.pass_over()
    assert (desk.cluster.writes, desk.operations()) == ([], [])
    desk.cluster.delete(CEO)
    assert await desk.reconciler.finalize(CEO) is not None
    assert desk.says() == "False/Paused"
    assert "ceo" in desk.foundry.agents()
    desk.cluster.annotate_by_hand(CEO, {POLICY_ANNOTATION: DETACH})
    assert await desk.reconciler.finalize(CEO) is None
    assert "ceo" in desk.foundry.agents()


async def test_many_deletions_are_slowed_and_say_so(desk: Desk) -> None:
    keys = [type(CEO)("boardroom", f"agent-{number}") for number in range(31)]
    for key in keys:
        desk.cluster.put(key, {"purpose": "Strategy", "thread": {"scope": "Event"}})
        await desk.pass_over(key)
        desk.cluster.delete(key)
    outcomes = [await desk.reconciler.finalize(key) for key in keys]
    assert outcomes[:30] == [None] * 30
    last = outcomes[30]
    assert last is not None
    assert last.retry_after is not None
    assert 0 < last.retry_after <= 60
    assert desk.says(key=keys[30]) == "False/DeletionSlowed"
    assert desk.cluster.notices[-1].reason == "DeletionSlowed"
    desk.later(minutes=1)
    assert await desk.reconciler.finalize(keys[30]) is None
    assert desk.foundry.agents() == {}
