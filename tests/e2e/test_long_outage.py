"""The runtime away for a minute: longer than any client tries, so that the operator itself must come back."""

import time
from collections.abc import Callable

import pytest
from tests.harness.polling import eventually
from tests.harness.stage import FINALIZER, Stage, manifest

from AgentOperatingSystem.sandbox.foundry import Fault

pytestmark = pytest.mark.timeout(1800)

OUTAGE_SECONDS = 60.0
# The longest pause between two tries is 30 s.
WITHIN = 150.0
IN_FLIGHT = ("create_version", "disable_agent", "delete_agent")


def test_a_minute_in_the_middle_of_create_update_disable_and_delete_is_made_up_for(
    stage: Stage, report: Callable[[str], None]
) -> None:
    stage.operator.start()
    living = ("updated", "disabled", "deleted")
    stage.kubectl.apply(*(manifest(name) for name in living))
    for name in living:
        stage.ready(name)
    # In the middle: each write has reached the runtime, and its answer never comes.
    for operation in IN_FLIGHT:
        stage.foundry.faults.add(Fault(operation=operation, delay_after=4))
    stage.foundry.clear_requests()
    stage.kubectl("delete", "pda", "deleted", "--wait=false")
    stage.kubectl.apply(
        manifest("created"),
        manifest("updated", purpose="Another purpose"),
        manifest("disabled", enabled=False),
    )
    eventually(
        lambda: [one.operation for one in stage.runtime_requests(*IN_FLIGHT)],
        lambda seen: len(seen) == 4,
        what="all four writes are in flight",
        within=4.0,
    )
    stage.foundry.down(OUTAGE_SECONDS)
    stage.foundry.faults.clear()
    began = time.monotonic()
    stage.reason("created", "RuntimeUnavailable")
    held = stage.read("deleted")
    assert held is not None
    assert held["metadata"]["finalizers"] == [FINALIZER]

    stage.ready("created", within=WITHIN)
    stage.ready("updated", within=WITHIN)
    stage.reason("disabled", "Disabled", within=WITHIN)
    stage.gone("deleted", within=WITHIN)
    report(
        f"the runtime down for {OUTAGE_SECONDS:.0f} s: all four right {time.monotonic() - began:.0f} s later"
    )
    agents = stage.foundry.agents()
    assert {name: (len(agent.versions), agent.enabled) for name, agent in agents.items()} == {
        "created": (1, True),
        "updated": (2, True),
        "disabled": (1, False),
    }
    threads = {item["status"]["runtime"]["threadId"] for item in stage.read_all()}
    assert set(stage.foundry.conversations()) == threads
