"""Behind our back: what others do to agents in the portal, and what becomes of it within an interval."""

from collections.abc import Iterator

import pytest
from tests.harness.planes import Plane
from tests.harness.polling import eventually
from tests.harness.stage import Stage, condition, manifest, open_stage


@pytest.fixture(scope="module")
def watchful(control_plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage whose operator looks every second."""
    with open_stage(control_plane, tmp_path_factory.mktemp("watchful")) as opened:
        opened.operator.start(AOS_DRIFT_INTERVAL="1")
        yield opened


def test_an_edit_in_the_portal_is_repaired_exactly_once(watchful: Stage) -> None:
    watchful.kubectl.apply(manifest("edited", adapterName="ceo"))
    watchful.ready("edited")
    wanted = watchful.agent("edited").latest.instructions
    watchful.foundry.edit_agent("edited", instructions="Do as you like.", model="llama-3.3-70b")
    eventually(lambda: watchful.versions("edited"), lambda count: count == 3, what="the repair")
    watchful.passes_go_by(3)
    repaired = watchful.agent("edited")
    assert len(repaired.versions) == 3
    assert (repaired.latest.instructions, repaired.latest.model) == (wanted, "llama-3.3-70b-ceo")
    item = eventually(
        lambda: watchful.ready("edited"),
        lambda seen: seen["status"]["runtime"]["version"] == "3",
        what="the status tells of the repair",
    )
    assert condition(item, "InSync")["status"] == "True"
    watchful.told("edited", "Created", "DriftCorrected")


def test_an_agent_removed_in_the_portal_is_made_again(watchful: Stage) -> None:
    watchful.kubectl.apply(manifest("removed"))
    thread = watchful.ready("removed")["status"]["runtime"]["threadId"]
    watchful.foundry.remove_agent("removed")
    eventually(lambda: watchful.versions("removed"), what="the agent is there again")
    assert watchful.ready("removed")["status"]["runtime"]["threadId"] == thread
    assert watchful.versions("removed") == 1


def test_somebody_elses_agent_is_left_as_it_is(watchful: Stage) -> None:
    watchful.foundry.add_agent("theirs", "llama-3.3-70b", instructions="Mine.")
    before = watchful.agent("theirs")
    watchful.kubectl.apply(manifest("theirs"))
    refused = watchful.reason("theirs", "AdoptionRequired")
    assert condition(refused, "Stalled")["status"] == "True"
    assert "theirs" in condition(refused, "Ready")["message"]
    watchful.passes_go_by(2)
    assert watchful.agent("theirs") == before
    watchful.kubectl("delete", "pda", "theirs")
    assert watchful.agent("theirs") == before


def test_an_agent_that_serves_stays_ready_while_the_runtime_is_away(watchful: Stage) -> None:
    watchful.kubectl.apply(manifest("serving"))
    watchful.ready("serving")
    watchful.foundry.down()
    try:
        doubted = eventually(
            lambda: watchful.ready("serving"),
            lambda item: condition(item, "InSync")["status"] == "Unknown",
            what="InSync is Unknown",
        )
    finally:
        watchful.foundry.up()
    assert condition(doubted, "Ready")["status"] == "True"
    eventually(
        lambda: watchful.ready("serving"),
        lambda item: condition(item, "InSync")["status"] == "True",
        what="InSync is True again",
    )
    assert watchful.versions("serving") == 1
