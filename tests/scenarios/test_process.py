"""The operator as a process: how it starts, stops, dies and comes back."""

import time
import urllib.request
from collections.abc import Callable

from tests.harness.polling import eventually
from tests.harness.process import free_port
from tests.harness.stage import Stage, is_about, manifest

from AgentOperatingSystem.sandbox.foundry import Fault


def healthz(port: int) -> int:
    """The status that the liveness endpoint answers with; 0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return int(answer.status)
    except OSError:
        return 0


def test_it_is_alive_when_its_liveness_endpoint_says_so(shared: Stage) -> None:
    assert eventually(lambda: healthz(shared.operator.liveness_port)) == 200


def test_on_sigterm_the_pass_in_flight_ends_first_and_a_restart_makes_no_version(stage: Stage) -> None:
    stage.operator.start(AOS_DRIFT_INTERVAL="1")
    with stage.fault(Fault(operation="create_version", delay=3)):
        stage.kubectl.apply(manifest("ceo"))
        eventually(lambda: stage.runtime_requests("create_version"), what="the version is being made")
        assert stage.versions("ceo") == 0
        assert stage.operator.stop() == 0
    assert stage.versions("ceo") == 1
    ended = stage.read("ceo")
    assert ended is not None
    assert is_about(ended, "Running")

    stage.operator.start(AOS_DRIFT_INTERVAL="1")
    stage.passes_go_by(2)
    assert stage.versions("ceo") == 1
    again = stage.ready("ceo")
    assert again["metadata"]["resourceVersion"] == ended["metadata"]["resourceVersion"]


def test_a_crash_in_the_middle_of_a_creation_leaves_nothing_twice(
    stage: Stage, report: Callable[[str], None]
) -> None:
    # Without the Lease, for which the next one would wait: see tests/reliability/test_leadership.py.
    alone = {"AOS_DRIFT_INTERVAL": "1", "AOS_LEADER_ELECTION": "false"}
    stage.operator.start(**alone)
    with stage.fault(Fault(operation="create_version", delay_after=3)):
        stage.kubectl.apply(manifest("ceo"))
        eventually(lambda: stage.versions("ceo"), what="the agent is made, and the answer still due")
        stage.operator.kill()

    port, began = free_port(), time.monotonic()
    stage.operator.start(liveness_port=port, **alone)
    eventually(lambda: healthz(port), what="the operator is alive")
    report(f"the operator's start until it is alive: {time.monotonic() - began:.1f} s")
    item = stage.ready("ceo")
    stage.passes_go_by(1)
    assert stage.versions("ceo") == 1
    assert list(stage.foundry.conversations()) == [item["status"]["runtime"]["threadId"]]
