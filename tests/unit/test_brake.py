"""The brake on deletions: a mistake that empties a namespace leaves time to notice it."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from tests.unit.samples import NOW

from AgentOperatingSystem.model.errors import DeletionSlowed
from AgentOperatingSystem.reconcile.brake import DeletionBrake

SECOND = timedelta(seconds=1)

_uids = itertools.count()


def fresh_uid() -> str:
    """The uid of a resource that was not seen before."""
    return f"uid-{next(_uids)}"


def test_so_many_deletions_pass_in_a_minute_and_no_more() -> None:
    brake = DeletionBrake(2)
    brake.take(NOW, fresh_uid())
    brake.take(NOW + 10 * SECOND, fresh_uid())
    with pytest.raises(DeletionSlowed, match="AOS_MAX_DELETES_PER_MINUTE") as caught:
        brake.take(NOW + 20 * SECOND, fresh_uid())
    assert caught.value.retry_after == 40.0, "until the first of them is a minute old"


@pytest.mark.parametrize(("later", "passes"), [(59, False), (60, True), (61, True)])
def test_a_deletion_counts_for_a_minute(later: int, passes: bool) -> None:
    brake = DeletionBrake(1)
    brake.take(NOW, fresh_uid())
    try:
        brake.take(NOW + later * SECOND, fresh_uid())
    except DeletionSlowed:
        assert not passes
    else:
        assert passes


def test_one_that_was_held_back_does_not_count() -> None:
    brake = DeletionBrake(1)
    brake.take(NOW, fresh_uid())
    for second in range(1, 60):
        with pytest.raises(DeletionSlowed):
            brake.take(NOW + second * SECOND, fresh_uid())
    brake.take(NOW + 60 * SECOND, fresh_uid())


def test_the_tries_for_one_agent_count_once() -> None:
    brake = DeletionBrake(1)
    for second in range(30):
        brake.take(NOW + second * SECOND, "the same")
    with pytest.raises(DeletionSlowed):
        brake.take(NOW + 30 * SECOND, "another")
