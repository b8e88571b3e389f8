"""The runtime away, slow or forgetful: nothing is lost, nothing is made twice, and it converges."""

from itertools import pairwise

import pytest
from tests.harness.stage import FINALIZER, Stage, condition, manifest

from AgentOperatingSystem.sandbox.foundry import Fault

OUTAGE_SECONDS = 5.0
WITHIN = 40.0


def test_an_outage_of_five_seconds_during_each_step_is_made_up_for(stage: Stage) -> None:
    stage.operator.start()
    stage.kubectl.apply(
        *(manifest(name) for name in ("updated", "disabled", "deleted")), manifest("enabled", enabled=False)
    )
    for name in ("updated", "disabled", "deleted"):
        stage.ready(name)
    stage.reason("enabled", "Disabled")

    stage.foundry.down(OUTAGE_SECONDS)
    stage.kubectl("delete", "pda", "deleted", "--wait=false")
    stage.kubectl.apply(
        manifest("created"),
        manifest("updated", purpose="Another purpose"),
        manifest("disabled", enabled=False),
        manifest("enabled"),
    )
    waiting = stage.reason("created", "RuntimeUnavailable")
    assert condition(waiting, "Reconciling")["status"] == "True"
    held = stage.read("deleted")
    assert held is not None
    assert held["metadata"]["finalizers"] == [FINALIZER]

    for name in ("created", "updated", "enabled"):
        stage.ready(name, within=WITHIN)
    stage.reason("disabled", "Disabled", within=WITHIN)
    stage.gone("deleted", within=WITHIN)
    agents = stage.foundry.agents()
    assert {name: (len(agent.versions), agent.enabled) for name, agent in agents.items()} == {
        "created": (1, True),
        "updated": (2, True),
        "disabled": (1, False),
        "enabled": (1, True),
    }
    threads = {item["status"]["runtime"]["threadId"] for item in stage.read_all()}
    assert set(stage.foundry.conversations()) == threads
    assert len(threads) == 4


@pytest.mark.parametrize("operation", ["create_version", "create_conversation"])
def test_a_lost_answer_never_makes_a_second_version(shared: Stage, operation: str) -> None:
    name = f"lost-{operation.replace('_', '-')}"
    with shared.fault(Fault(operation=operation, lost=True, times=1)):
        shared.kubectl.apply(manifest(name))
        shared.ready(name)
    assert shared.versions(name) == 1


def test_a_throttled_runtime_is_asked_again_no_sooner_than_it_wished(shared: Stage) -> None:
    shared.foundry.clear_requests()
    with shared.fault(Fault(operation="create_version", status=429, retry_after=2, times=1)):
        shared.kubectl.apply(manifest("throttled"))
        shared.reason("throttled", "Throttled")
        shared.ready("throttled")
    attempts = [one.at for one in shared.runtime_requests("create_version")]
    assert [later - earlier >= 2 for earlier, later in pairwise(attempts)] == [True]
    assert shared.versions("throttled") == 1
