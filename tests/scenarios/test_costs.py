"""What an agent costs: counted where the requests arrive, not where they are sent."""

from collections.abc import Callable

from tests.harness.polling import eventually
from tests.harness.process import resident_megabytes
from tests.harness.stage import Stage, manifest

WRITES_ALLOWED = 5
RUNTIME_CALLS_ALLOWED = 4


def test_an_agent_is_ready_after_at_most_five_writes_and_four_calls(
    shared: Stage, report: Callable[[str], None]
) -> None:
    shared.foundry.clear_requests()
    before = len(shared.requests())
    shared.kubectl.apply(manifest("counted", adapterName="ceo"))
    shared.ready("counted")

    def writes() -> list[str]:
        return [str(one) for one in shared.requests()[before:] if one.writes]

    # The Event comes last.
    made = eventually(writes, lambda seen: "create events" in seen, what="the Event is posted", every=0.3)
    calls = [one.operation for one in shared.runtime_requests()]
    report(f"one agent to Ready on {shared.plane.name}: {', '.join(made)}; runtime: {', '.join(calls)}")
    assert len(made) <= WRITES_ALLOWED
    assert len(calls) <= RUNTIME_CALLS_ALLOWED
    assert "update purposedrivenagents" not in made
    read = [str(one) for one in shared.requests()[before:] if one.name == "counted" and not one.writes]
    assert read == ["get purposedrivenagents"], "what our own note makes the watch bring is not read again"


def test_a_pass_with_nothing_to_do_writes_nothing_anywhere(
    stage: Stage, report: Callable[[str], None]
) -> None:
    names = ("ceo", "cfo", "cmo", "coo")
    stage.operator.start(AOS_DRIFT_INTERVAL="1")
    stage.kubectl.apply(*(manifest(name, adapterName=name) for name in names))
    for name in names:
        stage.ready(name)
    eventually(
        lambda: [str(one) for one in stage.requests()].count("create events"),
        lambda count: count == len(names),
        what="the last Event is posted",
        every=0.3,
    )
    stage.passes_go_by(1)
    before = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in stage.read_all()}
    asked, told = len(stage.requests()), len(stage.runtime_requests())

    stage.passes_go_by(3)

    assert [str(one) for one in stage.requests()[asked:] if one.writes] == []
    assert {one.operation for one in stage.runtime_requests()[told:]} == {"list_agents"}
    after = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in stage.read_all()}
    assert after == before
    assert {name: stage.versions(name) for name in names} == dict.fromkeys(names, 1)
    memory = resident_megabytes(stage.operator.pid)
    if memory is not None:
        report(f"the operator at rest with {len(names)} agents on {stage.plane.name}: {memory:.0f} MB")
