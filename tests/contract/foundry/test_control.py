"""The control surface: what a test or a demo does behind the operator's back, from any process."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
from azure.ai.projects.aio import AIProjectClient
from azure.ai.projects.models import PromptAgentDefinition

from AgentOperatingSystem.sandbox.foundry import ControlRefused, EmbeddedFoundry, FoundryControl

MODEL = "llama-3.3-70b-ceo"
STAMP = {"aos_name": "ceo"}


async def test_a_portal_edit_makes_a_version_and_keeps_the_stamp(
    foundry: EmbeddedFoundry, project: AIProjectClient
) -> None:
    definition = PromptAgentDefinition(model=MODEL, instructions="lead", temperature=0.1)
    await project.agents.create_version("ceo", definition=definition, metadata=STAMP, description="d")
    assert foundry.edit_agent("ceo", instructions="follow", temperature=None) == 2
    latest = (await project.agents.get("ceo")).versions.latest
    assert latest.definition == PromptAgentDefinition(model=MODEL, instructions="follow")
    assert (latest.metadata, latest.description) == (STAMP, "d")


async def test_a_foreign_agent_can_appear_and_any_can_vanish(
    foundry: EmbeddedFoundry, project: AIProjectClient
) -> None:
    foundry.add_agent("theirs", "unknown-model", metadata={"team": "other"}, instructions="x")
    assert (await project.agents.get("theirs")).versions.latest.metadata == {"team": "other"}
    foundry.remove_agent("theirs")
    assert foundry.agents() == {}
    with pytest.raises(ControlRefused, match="theirs"):
        foundry.remove_agent("theirs")


def test_deployments_come_and_go(foundry: EmbeddedFoundry) -> None:
    foundry.deployments.add("llama-3.3-70b-cfo")
    foundry.deployments.remove("llama-3.3-70b")
    assert foundry.deployments.names() == ("llama-3.3-70b-ceo", "llama-3.3-70b-cfo")
    with pytest.raises(ControlRefused):
        foundry.deployments.remove("llama-3.3-70b")


async def test_a_thread_can_vanish(foundry: EmbeddedFoundry, project: AIProjectClient) -> None:
    async with project.get_openai_client(max_retries=0) as client:
        thread = (await client.conversations.create()).id
    foundry.remove_conversation(thread)
    assert foundry.conversations() == {}


async def test_records_are_snapshots(foundry: EmbeddedFoundry, project: AIProjectClient) -> None:
    foundry.add_agent("ceo", MODEL)
    await project.agents.get("ceo")
    before = foundry.requests
    await project.agents.get("ceo")
    assert (len(before), len(foundry.requests)) == (1, 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        before[0].status = 500
    foundry.clear_requests()
    assert foundry.requests == ()


def test_a_switch_that_does_not_exist_is_refused(foundry: EmbeddedFoundry) -> None:
    with pytest.raises(ControlRefused, match="nonsense"):
        foundry.behave(nonsense=True)


def test_another_process_has_the_same_control(foundry: EmbeddedFoundry) -> None:
    script = (
        "import sys; from AgentOperatingSystem.sandbox.foundry import Fault, FoundryControl as C;"
        "c = C(sys.argv[1]); c.add_agent('ceo', 'm'); c.faults.add(Fault(status=503)); c.down()"
    )
    subprocess.run([sys.executable, "-c", script, foundry.base_url], check=True, timeout=30)
    state = FoundryControl(foundry.base_url).state()
    assert state["down"] is True
    assert [fault["status"] for fault in state["faults"]] == [503]
    assert set(foundry.agents()) == {"ceo"}


def test_a_port_that_is_taken_says_so(foundry: EmbeddedFoundry) -> None:
    taken = int(foundry.base_url.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"), EmbeddedFoundry(port=taken, environ={}):
        pass
