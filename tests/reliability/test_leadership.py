"""One writer: two operators for the same agents, whatever becomes of the one that leads.

Here with a Lease of 6 s; tests/e2e/test_one_writer.py has the same with the default, on a real control plane.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from tests.harness.polling import eventually
from tests.harness.rivals import Rivals, open_rivals
from tests.harness.stage import Stage

SHORT = {"AOS_LEASE_SECONDS": "6"}


@pytest.fixture
def rivals(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rivals]:
    """The first one leads, the second one stands by."""
    with open_rivals(stage, tmp_path_factory.mktemp("rivals")) as pair:
        pair.first.start(**SHORT)
        pair.first.becomes("leader")
        pair.second.start(**SHORT)
        pair.second.becomes("standing by")
        yield pair


def test_a_clean_stop_hands_the_lease_over_at_once(rivals: Rivals, report: Callable[[str], None]) -> None:
    with rivals.edited():
        rivals.goes_on_writing(rivals.first)
        asked = time.time()
        assert rivals.first.operator.stop() == 0
        stopped = time.time()
        first_write = rivals.begins_to_write(rivals.second)
    assert rivals.first.writes()[-1] < first_write
    report(
        f"a leader that is stopped: it ended after {stopped - asked:.1f} s, "
        f"the other wrote {first_write - asked:.1f} s after the signal"
    )
    rivals.converge()
    assert rivals.second.operator.stop() == 0
    assert rivals.holder() == ""


def test_a_leader_that_was_paused_never_writes_again(rivals: Rivals, report: Callable[[str], None]) -> None:
    with rivals.edited():
        rivals.goes_on_writing(rivals.first)
        rivals.first.operator.pause()
        paused = time.time()
        first_write = rivals.begins_to_write(rivals.second)
        rivals.first.operator.go_on()
        assert rivals.first.operator.ended(5) == 1
        rivals.goes_on_writing(rivals.second)
    assert rivals.first.writes()[-1] < first_write
    assert rivals.first.link.writes[-1] < first_write
    assert rivals.first.operator.log.count("the Lease is lost") == 1
    report(
        f"a leader that is paused, with a Lease of 6 s: the other wrote {first_write - paused:.1f} s later"
    )
    rivals.converge()


def test_a_leader_that_is_cut_off_ends_before_another_writes(
    rivals: Rivals, report: Callable[[str], None]
) -> None:
    with rivals.edited():
        rivals.goes_on_writing(rivals.first)
        rivals.first.link.cut()
        cut = time.time()
        assert rivals.first.operator.ended(10) == 1
        ended = time.time()
        first_write = rivals.begins_to_write(rivals.second)
    assert ended < first_write
    assert rivals.first.writes()[-1] < ended
    assert "could not be renewed within" in rivals.first.operator.log
    report(
        f"a leader that is cut off, with a Lease of 6 s: it ended after {ended - cut:.1f} s, "
        f"the other wrote after {first_write - cut:.1f} s"
    )
    rivals.converge()


def test_one_that_stands_by_ends_cleanly_and_leaves_the_lease_alone(rivals: Rivals) -> None:
    holder = rivals.holder()
    assert rivals.second.operator.stop() == 0
    assert rivals.holder() == holder
    assert rivals.second.writes() == []
    eventually(lambda: rivals.first.probe("healthz")[0] == 200)
