"""The judge is judged: what is right passes, and each way of being wrong is told under its promise."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.chaos.plan import Blow, Verb, make_plan
from tests.chaos.promises import Sight, breaches

from AgentOperatingSystem.sandbox.foundry import Agent, AgentVersion, Conversation

NAMESPACE = "there"
SPEC = {"enabled": True, "purpose": "Be ceo, edition 1.", "adapterName": "ceo", "thread": {"scope": "Agent"}}
EXPECTED = {"ceo": SPEC}


def _mark(name: str) -> dict[str, str]:
    return {"aos_namespace": NAMESPACE, "aos_name": name}


def _agent(name: str, owner: str) -> Agent:
    definition = {"model": "llama-3.3-70b-ceo", "instructions": "Be ceo, edition 1."}
    version = AgentVersion(name, 1, 0.0, definition, _mark(owner))
    return Agent(name, 1, (version,), 2)


def _right() -> Sight:
    resource: dict[str, Any] = {
        "metadata": {"name": "ceo", "generation": 1},
        "spec": SPEC,
        "status": {
            "observedGeneration": 1,
            "conditions": [{"type": "Ready", "status": "True", "reason": "Running"}],
            "runtime": {"version": "1", "deployment": "llama-3.3-70b-ceo", "threadId": "conv_1"},
        },
    }
    return Sight({"ceo": resource}, {"ceo": _agent("ceo", "ceo")}, {"conv_1": _conversation("ceo")})


def _conversation(owner: str) -> Conversation:
    return Conversation("conv_1", 0.0, _mark(owner))


def _with_status(**changes: Any) -> Callable[[Sight], Sight]:
    def change(sight: Sight) -> Sight:
        resource: Any = copy.deepcopy(sight.resources["ceo"])
        resource["status"] |= changes
        return replace(sight, resources={"ceo": resource})

    return change


def _with_agents(**agents: Agent) -> Callable[[Sight], Sight]:
    return lambda sight: replace(sight, agents={**sight.agents, **agents})


@dataclass(frozen=True)
class Wrong:
    """One thing that is wrong, and the promise that it breaks."""

    reason: str
    change: Callable[[Sight], Sight]
    promise: str


WRONGS = (
    Wrong("the resource is gone", lambda sight: replace(sight, resources={}), "0 lost"),
    Wrong("its agent is gone", lambda sight: replace(sight, agents={}), "0 lost"),
    Wrong(
        "its agent is disabled",
        lambda sight: replace(sight, agents={"ceo": replace(sight.agents["ceo"], enabled=False)}),
        "0 lost",
    ),
    Wrong("a second agent has its owner", _with_agents(twin=_agent("twin", "ceo")), "0 duplicates"),
    Wrong("an agent's owner is not there", _with_agents(cfo=_agent("cfo", "cfo")), "0 orphans"),
    Wrong("the status is of an older spec", _with_status(observedGeneration=0), "the status is true"),
    Wrong("the status is not ready", _with_status(conditions=[]), "the status is true"),
    Wrong("drift is told of", _with_status(drift=[{"path": "instructions"}]), "the status is true"),
    Wrong(
        "the conversation is not there",
        lambda sight: replace(sight, conversations={}),
        "the status is true",
    ),
    Wrong(
        "the conversation is another's",
        lambda sight: replace(sight, conversations={"conv_1": _conversation("cfo")}),
        "the status is true",
    ),
)


def test_what_is_right_breaks_nothing() -> None:
    assert breaches(_right(), EXPECTED, NAMESPACE) == []


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda wrong: wrong.reason)
def test_what_is_wrong_is_told(wrong: Wrong) -> None:
    broken = breaches(wrong.change(_right()), EXPECTED, NAMESPACE)
    assert wrong.promise in {breach.promise for breach in broken}


def test_a_deleted_resource_that_is_still_there_is_told() -> None:
    assert {breach.promise for breach in breaches(_right(), {}, NAMESPACE)} == {"the deleted are gone"}


def test_a_seed_brings_the_same_in_every_run() -> None:
    assert make_plan(7, resources=50, seconds=30) == make_plan(7, resources=50, seconds=30)
    assert make_plan(7, resources=50, seconds=30) != make_plan(8, resources=50, seconds=30)


@pytest.mark.parametrize("seed", range(20))
def test_a_plan_is_whole(seed: int) -> None:
    plan = make_plan(seed, resources=50, seconds=30)
    blows = [strike.blow for strike in plan.strikes]
    assert (blows.count(Blow.KILL_OPERATOR), blows.count(Blow.RESTART_API)) == (5, 1)
    assert {act.verb for act in plan.acts} == set(Verb)
    assert max(act.at for act in plan.acts) <= 30
    alive: set[str] = set()
    for act in plan.acts:
        assert (act.name in alive) is (act.verb is not Verb.CREATE)
        (alive.discard if act.verb is Verb.DELETE else alive.add)(act.name)
    assert alive == plan.expected().keys()
    assert not alive & plan.deleted()
