"""SIGTERM in every phase: a clean end, soon, with the Lease given back, and nothing torn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from tests.harness.polling import eventually
from tests.harness.rivals import Rival, Rivals, open_rivals
from tests.harness.stage import Stage, condition, manifest

from AgentOperatingSystem.sandbox.foundry import Fault

# A pod that is deleted is killed after 30 s.
SOON = 8.0


@pytest.fixture
def rivals(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rivals]:
    """Of the two only the first is started."""
    with open_rivals(stage, tmp_path_factory.mktemp("rivals")) as pair:
        yield pair


def test_while_it_starts_without_an_api_server(rivals: Rivals) -> None:
    rivals.first.link.cut()
    rivals.first.start()
    eventually(lambda: rivals.first.probe("healthz")[0] == 200, what="it is alive")
    status, body = rivals.first.probe("readyz")
    assert (status, body["status"]) == (503, "failing")
    assert ended(rivals.first) == 0


def test_while_passes_wait_for_the_runtime_for_minutes(
    rivals: Rivals, stage: Stage, report: Callable[[str], None]
) -> None:
    names = [f"agent-{number}" for number in range(12)]
    with stage.fault(Fault(status=429, retry_after=200)):
        rivals.first.start(AOS_DRIFT_INTERVAL="1")
        stage.kubectl.apply(*(manifest(name) for name in names))
        eventually(stage.runtime_requests, what="the runtime asks for silence")
        stage.kubectl.apply(*(manifest(name, purpose="Another purpose.") for name in names))
        time.sleep(1)
        asked = len(stage.runtime_requests())
        began = time.monotonic()
        assert ended(rivals.first) == 0
        report(f"stopped while {len(names)} passes waited: {time.monotonic() - began:.1f} s")
    assert len(stage.runtime_requests()) == asked
    assert rivals.holder() == ""
    # They said nothing that was not true: a pass that gives up leaves no status behind.
    told = {condition(item, "Ready").get("reason") for item in stage.read_all()}
    assert told <= {"Throttled", None}


def test_while_an_agent_is_deleted(rivals: Rivals, stage: Stage) -> None:
    rivals.first.start()
    stage.kubectl.apply(manifest("ceo"))
    stage.ready("ceo")
    with stage.fault(Fault(operation="delete_agent", delay=2)):
        stage.kubectl("delete", "pda", "ceo", "--wait=false")
        eventually(lambda: stage.runtime_requests("delete_agent"), what="the deletion is under way")
        assert ended(rivals.first) == 0
    assert stage.versions("ceo") == 0
    assert rivals.holder() == ""
    rivals.second.start()
    stage.gone("ceo")


def test_a_second_signal_ends_it_at_once(rivals: Rivals, stage: Stage) -> None:
    rivals.first.start()
    with stage.fault(Fault(operation="create_version", delay=15)):
        stage.kubectl.apply(manifest("ceo"))
        eventually(lambda: stage.runtime_requests("create_version"), what="the pass is under way")
        rivals.first.operator.terminate()
        eventually(lambda: "passes in flight end first" in rivals.first.operator.log, what="it is asked")
        rivals.first.operator.terminate()
        assert rivals.first.operator.ended(2) == 1


def ended(rival: Rival) -> int:
    """SIGTERM; the exit code of what must end soon."""
    rival.operator.terminate()
    return rival.operator.ended(SOON)
