"""One writer with the times that ship, on a real control plane, and a watch that falls silent.

tests/reliability has the same with short times on the embedded API, and says more about each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from tests.harness.planes import embedded_plane
from tests.harness.polling import eventually
from tests.harness.process import free_port
from tests.harness.rivals import Rivals, open_rivals, probe
from tests.harness.stage import Stage, manifest, open_stage

pytestmark = pytest.mark.timeout(1800)

# A silent holder keeps the Lease for 15 s; it is looked at every 2 s, and a bit of chance.
TAKEN_OVER_WITHIN = 20.0
PAUSE_SECONDS = 30.0
RED_WITHIN = 120.0


@pytest.fixture
def rivals(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rivals]:
    """The first one leads, the second one stands by."""
    with open_rivals(stage, tmp_path_factory.mktemp("rivals")) as pair:
        pair.first.start()
        pair.first.becomes("leader")
        pair.second.start()
        pair.second.becomes("standing by")
        yield pair


def test_a_leader_that_is_stopped(rivals: Rivals, report: Callable[[str], None]) -> None:
    with rivals.edited():
        rivals.goes_on_writing(rivals.first)
        asked = time.time()
        assert rivals.first.operator.stop() == 0
        first_write = rivals.begins_to_write(rivals.second)
    assert rivals.first.writes()[-1] < first_write
    report(f"a leader that is stopped: another wrote {first_write - asked:.1f} s later")
    rivals.converge()


def test_a_leader_that_is_killed(rivals: Rivals, report: Callable[[str], None]) -> None:
    with rivals.edited():
        rivals.goes_on_writing(rivals.first)
        killed = time.time()
        rivals.first.operator.kill()
        first_write = rivals.begins_to_write(rivals.second)
    assert first_write - killed < TAKEN_OVER_WITHIN
    report(f"a leader that is killed: another wrote {first_write - killed:.1f} s later")
    rivals.converge()


def test_a_leader_that_is_paused_for_half_a_minute(rivals: Rivals, report: Callable[[str], None]) -> None:
    with rivals.edited():
        rivals.goes_on_writing(rivals.first)
        rivals.first.operator.pause()
        paused = time.time()
        first_write = rivals.begins_to_write(rivals.second)
        time.sleep(paused + PAUSE_SECONDS - time.time())
        rivals.first.operator.go_on()
        assert rivals.first.operator.ended(5) == 1
        rivals.goes_on_writing(rivals.second)
    assert rivals.first.writes()[-1] < first_write
    assert first_write - paused < TAKEN_OVER_WITHIN
    report(f"a leader that is paused: another wrote {first_write - paused:.1f} s later, it never again")
    rivals.converge()


def test_a_leader_that_is_cut_off(rivals: Rivals, report: Callable[[str], None]) -> None:
    with rivals.edited():
        rivals.goes_on_writing(rivals.first)
        rivals.first.link.cut()
        cut = time.time()
        assert rivals.first.operator.ended(15) == 1
        ended = time.time()
        first_write = rivals.begins_to_write(rivals.second)
    assert ended < first_write
    assert rivals.first.writes()[-1] < ended
    report(
        f"a leader that is cut off: it ended after {ended - cut:.1f} s, "
        f"another wrote after {first_write - cut:.1f} s"
    )
    rivals.converge()


def test_a_silent_watch_turns_the_probe_red_within_two_minutes(
    tmp_path_factory: pytest.TempPathFactory, report: Callable[[str], None]
) -> None:
    # Only the embedded API can be told to keep a watch open and silent.
    with embedded_plane() as plane, open_stage(plane, tmp_path_factory.mktemp("stage")) as stage:
        port = free_port()
        stage.operator.start(liveness_port=port)
        stage.kubectl.apply(manifest("ceo"))
        stage.ready("ceo")
        plane.server.mute_watches(True)
        stage.kubectl.apply(manifest("ceo", purpose="Nobody hears of this."))
        began = time.monotonic()
        eventually(
            lambda: probe(port, "healthz")[0], lambda status: status == 503, within=RED_WITHIN, every=1.0
        )
        report(f"a silent watch: red after {time.monotonic() - began:.0f} s")
        assert stage.operator.stop() == 0
        plane.server.mute_watches(False)
        stage.operator.start()
        stage.ready("ceo")
        assert "Nobody hears of this." in stage.agent("ceo").versions[-1].definition["instructions"]
