"""The whole run, on a Foundry that plays Azure and answers otherwise: what is found, told and left behind."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import pytest
from tests.contract.smoke.otherwise import DEPLOYMENT, MARK, OtherFoundry
from tests.harness.secrecy import secrets_in
from tests.smoke.comparing import Difference
from tests.smoke.play import HASTY, Outcome
from tests.smoke.run import run
from tests.smoke.settings import PREFIX, Settings
from tests.smoke.shapes import dumped

from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.runtime import RuntimeConfig
from AgentOperatingSystem.runtime.credentials import SANDBOX_TOKEN
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry, Fault

PERSONAL = frozenset({"11111111-aaaa-4aaa-8aaa-111111111111"})
STEPS = ["look", "create", "rest", "update", "drift", "correct", "disable", "enable", "ask", "delete"]


@dataclass
class Listener:
    """Keeps what a person would read."""

    outcomes: list[Outcome] = field(default_factory=list)
    found: list[Difference] = field(default_factory=list)

    def begins(self, where: str) -> None:
        """Nothing of interest."""

    def ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def compared(self, found: list[Difference], exchanges: int) -> None:
        self.found = found

    def problems(self) -> list[str]:
        return [f"{one.step}: {one.problem}" for one in self.outcomes if one.problem]


async def test_a_foundry_like_the_embedded_one_answers_nothing_otherwise(generation: RuntimeType) -> None:
    with EmbeddedFoundry(deployments=(DEPLOYMENT,), environ={}) as twin:
        config = RuntimeConfig(project_endpoint=twin.endpoint, type=generation, model_deployment=DEPLOYMENT)
        listener = Listener()
        all_well, document = await run(Settings(config, True, PERSONAL), listener, HASTY)
    assert listener.problems() == []
    assert all_well
    assert [one.step for one in listener.outcomes] == [*STEPS, *STEPS]
    assert listener.found == document["differences"] == []


async def test_each_difference_is_told_and_fails_nothing(azure: OtherFoundry, config: RuntimeConfig) -> None:
    listener = Listener()
    all_well, document = await run(Settings(config, True, PERSONAL), listener, HASTY)
    assert listener.problems() == []
    assert all_well
    classic = config.type is RuntimeType.FOUNDRY_CLASSIC
    got = "GET assistants/{id}" if classic else "GET agents/{id}"
    made = "POST assistants 200" if classic else "POST agents/{id}/versions 200"
    expected = {
        Difference(f"{got} 200", "temperature" if classic else "configuration_state", "-", "-"),
        Difference(f"{got} 200", "owner", "object", "-"),
        Difference(made, "created_at", "str", "int"),
        Difference(f"{got} 404", "error.code", "'ResourceNotFound'", "-"),
        Difference(f"{got} 404", "error.innererror", "object", "-"),
    }
    told = {(one.where, one.what) for one in listener.found}
    assert {(one.where, one.what) for one in expected} <= told
    assert Difference(made, "created_at", "str", "int") in listener.found
    if not classic:
        assert Difference("DELETE agents/{id}", "status", "202", "200") in listener.found
    assert len(document["differences"]) == len(listener.found)
    project = azure.project(f"board-{MARK}")
    held = (project.agents(), project.conversations(), project.assistants(), project.threads())
    assert not any(held)


async def test_nothing_written_tells_a_name_an_id_or_a_secret(
    azure: OtherFoundry, config: RuntimeConfig
) -> None:
    project = azure.project(f"board-{MARK}")
    project.add_agent(f"foreign-{MARK}", DEPLOYMENT, metadata={f"customer_{MARK}": MARK}, instructions=MARK)
    project.add_assistants(2, DEPLOYMENT, name=f"foreign-{MARK}", metadata={f"customer_{MARK}": MARK})
    listener = Listener()
    _, document = await run(Settings(config, True, PERSONAL), listener, HASTY)
    text = dumped(document)
    port = azure.base_url.rpartition(":")[2]
    names = (MARK, PREFIX, DEPLOYMENT, *PERSONAL, SANDBOX_TOKEN, "127.0.0.1", port, "look_around", "made_by")
    assert [name for name in (*names, "theirs", "foreign", "Bearer") if name.lower() in text.lower()] == []
    assert re.findall(r"(?:conv|thread|run|step|msg|resp|asst|file|vs)_[0-9a-f]{6}", text) == []
    assert list(secrets_in({"recording": text})) == []
    assert json.loads(text)["azure"]["exchanges"], "there is something in which to look"


async def test_without_a_wish_nothing_is_asked(azure: OtherFoundry, config: RuntimeConfig) -> None:
    listener = Listener()
    await run(Settings(config, False, PERSONAL), listener, HASTY)
    assert listener.problems() == []
    assert "ask" not in {one.step for one in listener.outcomes}
    assert not {"create_response", "create_run"} & {one.operation for one in azure.requests}


@pytest.mark.parametrize("status", [400, 403])
async def test_a_step_that_fails_ends_the_run_and_is_told(
    azure: OtherFoundry, config: RuntimeConfig, status: int
) -> None:
    azure.faults.add(Fault("create_*", status=status, message=f"not for {MARK}"))
    listener = Listener()
    all_well, document = await run(Settings(config, False, PERSONAL), listener, HASTY)
    assert not all_well
    first = next(one for one in listener.outcomes if one.problem)
    assert (first.step, MARK in dumped(document)) == ("create", False)
    assert any(one.what == "status" and str(status) in one.azure for one in listener.found)
