"""Drift: an edit in the runtime is repaired or reported, and what a service normalises is neither."""

from __future__ import annotations

from typing import Any

import pytest
from tests.reconcile.desk import CEO, SPEC, Desk, open_desk

from AgentOperatingSystem.reconcile.resource import ObjectKey
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry, Fault

FULL: dict[str, Any] = {
    **SPEC,
    "mcpTools": [
        {"serverName": "erp", "toolName": "read", "inputSchema": {"type": "object", "properties": {}}},
        {"serverName": "crm", "toolName": "find", "description": "Finds a customer."},
    ],
    "tools": {"codeInterpreter": {"fileIds": ["f1"]}, "fileSearch": {"vectorStoreIds": ["vs_1", "vs_2"]}},
    "runtimeMetadata": {"team": "board"},
}
FUNCTION = {"type": "function", "parameters": {"type": "object"}, "strict": False, "description": "d"}

EDITS: tuple[tuple[dict[str, Any], set[str], str], ...] = (
    ({"model": "gpt-4.1"}, {"deployment"}, "another deployment"),
    ({"instructions": "Sell at any price."}, {"instructions"}, "other instructions"),
    (
        {"tools": []},
        {"tools.erp__read", "tools.crm__find", "tools.code_interpreter", "tools.file_search"},
        "the tools gone",
    ),
    (
        {
            "model": "gpt-4.1",
            "instructions": "x",
            "tools": [{**FUNCTION, "name": "extra"}, {"type": "web_search"}],
        },
        {
            "deployment",
            "instructions",
            "tools.extra",
            "tools.web_search",
            "tools.erp__read",
            "tools.crm__find",
            "tools.code_interpreter",
            "tools.file_search",
        },
        "everything at once",
    ),
)


@pytest.mark.parametrize(("edit", "paths", "reason"), EDITS, ids=[row[2] for row in EDITS])
async def test_an_edit_is_repaired_by_one_version(
    desk: Desk, edit: dict[str, Any], paths: set[str], reason: str
) -> None:
    desk.cluster.put(CEO, FULL)
    await desk.pass_over()
    right = desk.foundry.agents()["ceo"].latest.definition
    desk.foundry.edit_agent("ceo", **edit)
    await desk.pass_over()
    agent = desk.foundry.agents()["ceo"]
    assert agent.latest.definition == right, reason
    assert [version.number for version in agent.versions] == [1, 2, 3]
    assert desk.cluster.notices[-1].reason == "DriftCorrected"
    assert all(path in desk.cluster.notices[-1].message for path in paths)
    assert (desk.says("InSync"), desk.status().drift) == ("True/InSync", [])


@pytest.mark.parametrize(("edit", "paths", "reason"), EDITS, ids=[row[2] for row in EDITS])
async def test_under_report_an_edit_is_told_and_left(
    desk: Desk, edit: dict[str, Any], paths: set[str], reason: str
) -> None:
    desk.cluster.put(CEO, {**FULL, "driftPolicy": "Report"})
    await desk.pass_over()
    desk.foundry.edit_agent("ceo", **edit)
    await desk.pass_over()
    assert {drift.path for drift in desk.status().drift} == paths, reason
    assert (desk.says(), desk.says("InSync")) == ("True/Running", "False/Drifted")
    assert len(desk.foundry.agents()["ceo"].versions) == 2, "nothing was written"

    since = {drift.path: drift.since for drift in desk.status().drift}
    desk.cluster.writes.clear()
    desk.later(minutes=3)
    await desk.pass_over()
    assert desk.cluster.writes == [], "the same drift is no news"
    assert {drift.path: drift.since for drift in desk.status().drift} == since

    desk.cluster.put(CEO, {**FULL, "driftPolicy": "Correct"})
    await desk.pass_over()
    assert desk.status().drift == []


async def test_under_report_a_changed_spec_is_written_all_the_same(desk: Desk) -> None:
    spec = {**FULL, "driftPolicy": "Report"}
    desk.cluster.put(CEO, spec)
    await desk.pass_over()
    desk.cluster.put(CEO, {**spec, "purpose": "Another"})
    await desk.pass_over()
    agent = desk.foundry.agents()["ceo"]
    assert "Another" in agent.latest.instructions
    assert len(agent.versions) == 2


async def test_an_edit_of_our_pairs_is_repaired(desk: Desk) -> None:
    desk.cluster.put(CEO, FULL)
    await desk.pass_over()
    metadata = dict(desk.foundry.agents()["ceo"].latest.metadata)
    desk.foundry.edit_agent("ceo", metadata={**metadata, "team": "sales", "extra": "pair"})
    await desk.pass_over()
    assert desk.foundry.agents()["ceo"].latest.metadata == metadata


async def test_what_a_service_normalises_is_no_drift(desk: Desk) -> None:
    desk.foundry.behave(normalise=True)
    desk.cluster.put(CEO, FULL)
    await desk.pass_over()
    desk.cluster.writes.clear()
    for _ in range(3):
        await desk.pass_over()
    assert len(desk.foundry.agents()["ceo"].versions) == 1
    assert desk.cluster.writes == []


async def test_an_agent_deleted_behind_our_back_is_made_again_on_its_thread(desk: Desk) -> None:
    desk.cluster.put(CEO, FULL)
    await desk.pass_over()
    thread = desk.status().runtime.thread_id if desk.status().runtime else None
    desk.foundry.remove_agent("ceo")
    await desk.pass_over()
    assert desk.says() == "True/Running"
    runtime = desk.status().runtime
    assert runtime is not None
    assert runtime.thread_id == thread
    assert len(desk.foundry.conversations()) == 1


async def test_an_agent_disabled_behind_our_back_is_enabled_again(desk: Desk) -> None:
    desk.cluster.put(CEO, FULL)
    await desk.pass_over()
    behind_our_back = desk.runtime._connected()[0]
    observed = await behind_our_back.get("ceo")
    assert observed is not None
    await behind_our_back.disable(observed)
    await desk.pass_over()
    assert desk.foundry.agents()["ceo"].enabled
    assert len(desk.foundry.agents()["ceo"].versions) == 1


async def test_a_thousand_agents_with_one_drifted_cost_one_listing_and_one_repair(
    foundry: EmbeddedFoundry,
) -> None:
    keys = [ObjectKey("boardroom", f"agent-{number:04}") for number in range(1000)]
    async with open_desk(foundry, requests_per_second=100_000.0, listing_age=300.0) as desk:
        for key in keys:
            desk.cluster.put(key, {"purpose": "Strategy", "thread": {"scope": "Event"}})
            await desk.pass_over(key)
    foundry.edit_agent("agent-0500", instructions="Sell at any price.")
    foundry.clear_requests()
    # The next interval of a process that has no listing yet; so is a restart.
    async with open_desk(foundry, requests_per_second=100_000.0, listing_age=300.0) as later:
        later.cluster.resources = desk.cluster.resources
        for key in keys:
            await later.pass_over(key)
        reads = [operation for operation in later.operations() if operation == "list_agents"]
        others = [operation for operation in later.operations() if operation != "list_agents"]
        assert len(reads) <= len(keys) / 100 + 1
        assert others.count("create_version") == 1
        assert set(others) == {"get_agent", "create_version", "list_deployments", "list_versions"}
        assert len(others) <= 5, "a fresh look, the model, the repair, and a look at the versions"
        assert later.cluster.writes == ["patch_status", "emit"]


async def test_a_throttling_service_is_not_stormed(foundry: EmbeddedFoundry) -> None:
    keys = [ObjectKey("boardroom", f"agent-{number:03}") for number in range(60)]
    foundry.faults.add(Fault("*", per_second=20, status=429, retry_after=1))
    async with open_desk(foundry, requests_per_second=200.0, max_in_flight=16) as desk:
        for key in keys:
            desk.cluster.put(key, {"purpose": "Strategy", "thread": {"scope": "Event"}})
        waiting = list(keys)
        for _ in range(20):
            for key in waiting:
                await desk.pass_over(key)
            waiting = [key for key in waiting if desk.says(key=key) != "True/Running"]
            if not waiting:
                break
        assert waiting == []
        refused = [request for request in foundry.requests if request.status == 429]
        assert len(refused) < len(foundry.requests) / 5, (
            "the pace gives way instead of asking again and again"
        )
