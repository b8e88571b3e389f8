"""Disabled and enabled again, deleted, or left on purpose: nothing more is lost than was asked."""

from tests.harness.polling import eventually
from tests.harness.stage import FINALIZER, Stage, manifest

from AgentOperatingSystem.model.stamp import STAMP_KEYS
from AgentOperatingSystem.sandbox.foundry import Fault


def test_a_disabled_agent_keeps_its_thread_and_versions_and_comes_back(shared: Stage) -> None:
    shared.kubectl.apply(manifest("pausing"))
    thread = shared.ready("pausing")["status"]["runtime"]["threadId"]
    shared.kubectl.apply(manifest("pausing", enabled=False))
    disabled = shared.reason("pausing", "Disabled")
    assert not shared.agent("pausing").enabled
    assert shared.versions("pausing") == 1
    assert disabled["status"]["runtime"]["threadId"] == thread
    shared.kubectl.apply(manifest("pausing", enabled=True))
    enabled = shared.ready("pausing")
    assert shared.agent("pausing").enabled
    assert enabled["status"]["runtime"]["threadId"] == thread
    assert thread in shared.foundry.conversations()
    assert shared.versions("pausing") == 1


def test_what_is_born_disabled_is_made_when_it_is_enabled(shared: Stage) -> None:
    shared.kubectl.apply(manifest("unborn", enabled=False))
    shared.reason("unborn", "Disabled")
    assert shared.versions("unborn") == 0
    shared.kubectl.apply(manifest("unborn", enabled=True))
    shared.ready("unborn")
    assert shared.versions("unborn") == 1


def test_a_deleted_resource_takes_its_agent_and_thread_with_it(shared: Stage) -> None:
    shared.kubectl.apply(manifest("fleeting"))
    thread = shared.ready("fleeting")["status"]["runtime"]["threadId"]
    shared.kubectl("delete", "pda", "fleeting")
    assert "fleeting" not in shared.foundry.agents()
    assert thread not in shared.foundry.conversations()


def test_the_finalizer_goes_only_after_a_listing_proved_the_agent_gone(shared: Stage) -> None:
    shared.kubectl.apply(manifest("proved"))
    shared.ready("proved")
    shared.foundry.clear_requests()
    with shared.fault(Fault(operation="list_agents", delay=1.5)):
        shared.kubectl("delete", "pda", "proved", "--wait=false")
        eventually(lambda: "proved" not in shared.foundry.agents(), what="the agent is gone")
        eventually(lambda: shared.runtime_requests("list_agents"), what="the listing has begun")
        held = shared.read("proved")
        assert held is not None
        assert held["metadata"]["finalizers"] == [FINALIZER]
        shared.gone("proved")
    order = [one.operation for one in shared.runtime_requests("delete_agent", "list_agents")]
    assert order.index("delete_agent") < order.index("list_agents")


def test_an_orphaned_agent_stays_without_our_stamp(shared: Stage) -> None:
    shared.kubectl.apply(manifest("left", deletionPolicy="Orphan", runtimeMetadata={"team": "board"}))
    shared.ready("left")
    assert STAMP_KEYS & shared.agent("left").metadata.keys()
    shared.kubectl("delete", "pda", "left")
    left = shared.agent("left")
    assert left.enabled
    assert left.metadata == {"team": "board"}
