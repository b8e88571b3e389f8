"""Alive means working: what the probes say of an operator that works, that waits, and that hears nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from tests.harness.planes import EmbeddedPlane, embedded_plane
from tests.harness.polling import eventually
from tests.harness.process import free_port
from tests.harness.rivals import probe
from tests.harness.stage import Stage, manifest

from AgentOperatingSystem.sandbox.foundry import Fault

LOOK_SECONDS = 1


@pytest.fixture(scope="module")
def control_plane() -> Iterator[EmbeddedPlane]:
    """An embedded one of its own: its watches fall silent for everybody."""
    with embedded_plane() as plane:
        yield plane


def test_a_silent_watch_turns_the_probe_red_and_a_restart_catches_up(
    stage: Stage, control_plane: EmbeddedPlane, report: Callable[[str], None]
) -> None:
    port = started(stage)
    stage.kubectl.apply(manifest("ceo"))
    stage.ready("ceo")
    control_plane.server.mute_watches(True)
    stage.kubectl.apply(manifest("ceo", purpose="Nobody hears of this."))
    began = time.monotonic()
    _, body = eventually(lambda: probe(port, "healthz"), lambda seen: seen[0] == 503, what="it turns red")
    report(f"a silent watch, looked at every {LOOK_SECONDS} s: red after {time.monotonic() - began:.1f} s")
    assert "the watch is silent since" in body["checks"]["watch"]
    assert body["checks"]["loop"] == "ok"
    assert probe(port, "readyz")[0] == 200
    assert stage.operator.log.count("the watch is silent") == 1

    assert stage.operator.stop() == 0
    control_plane.server.mute_watches(False)
    port = started(stage)
    stage.ready("ceo")
    assert "Nobody hears of this." in stage.agent("ceo").versions[-1].definition["instructions"]
    time.sleep(2 * LOOK_SECONDS + 0.5)
    assert probe(port, "healthz")[0] == 200


def test_a_long_pass_is_not_mistaken_for_a_silent_watch(stage: Stage) -> None:
    port = started(stage)
    with stage.fault(Fault(operation="create_version", delay=5, times=1)):
        stage.kubectl.apply(manifest("ceo"))
        eventually(lambda: stage.runtime_requests("create_version"), what="the pass is under way")
        stage.kubectl.apply(manifest("ceo", purpose="Changed during the pass."))
        seen = set()
        while not stage.versions("ceo"):
            seen.add(probe(port, "healthz")[0])
            time.sleep(0.2)
    assert seen == {200}
    stage.ready("ceo")


def started(stage: Stage) -> int:
    """Start the operator and wait until it leads; its port of probes."""
    port = free_port()
    stage.operator.start(liveness_port=port, AOS_WATCH_CHECK=str(LOOK_SECONDS))
    eventually(lambda: probe(port, "readyz")[1].get("role") == "leader", what="it leads")
    return port
