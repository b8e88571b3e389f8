"""Whatever happens in whichever step, nothing of a run is left in the project."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.contract.smoke.otherwise import MARK, OtherFoundry
from tests.smoke.play import HASTY, Outcome, Patience, Scene, Step, open_scene, play, steps
from tests.smoke.settings import as_the_operator, new_name
from tests.smoke.wire import Wire, listening

from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.runtime import RuntimeConfig
from AgentOperatingSystem.sandbox.foundry import Fault

ALL = steps(asks=True)
OPERATIONS = {
    RuntimeType.FOUNDRY: ("create_conversation", "create_version", "disable_agent", "delete_agent"),
    RuntimeType.FOUNDRY_CLASSIC: ("create_classic_thread", "create_assistant", "delete_assistant"),
}


async def played(
    config: RuntimeConfig, chosen: tuple[Step, ...], patience: Patience = HASTY
) -> tuple[list[Outcome], list[str]]:
    name = new_name()
    wire = Wire(config.facts().endpoint)
    with listening(wire, config.type):
        async with open_scene(as_the_operator(config, name), name, wire, patience) as scene:
            return await play(scene, chosen, lambda _outcome: None)


def left_in(azure: OtherFoundry) -> list[str]:
    project = azure.project(f"board-{MARK}")
    held = (project.agents(), project.conversations(), project.assistants(), project.threads())
    return [key for one in held for key in one]


def then(step: Step, after: Callable[[Scene], Awaitable[None]]) -> Step:
    """The step, and something else at its end."""

    async def do(scene: Scene) -> None:
        await step.do(scene)
        await after(scene)

    return Step(step.name, step.shows, do)


@pytest.mark.parametrize("place", range(len(ALL)), ids=[step.name for step in ALL])
async def test_a_failure_after_any_step_leaves_nothing(
    azure: OtherFoundry, config: RuntimeConfig, place: int
) -> None:
    async def fail(_scene: Scene) -> None:
        raise RuntimeError("nobody foresaw this")

    chosen = (*ALL[:place], then(ALL[place], fail), *ALL[place + 1 :])
    outcomes, left = await played(config, chosen)
    assert [one.problem for one in outcomes if one.problem] == ["RuntimeError: nobody foresaw this"]
    assert outcomes[-1].step == ALL[place].name, "no step after it is played"
    assert (left, left_in(azure)) == ([], [])


@pytest.mark.parametrize("place", range(1, len(ALL)), ids=[step.name for step in ALL[1:]])
async def test_breaking_off_in_any_step_leaves_nothing(
    azure: OtherFoundry, config: RuntimeConfig, place: int
) -> None:
    reached = asyncio.Event()

    async def hang(_scene: Scene) -> None:
        reached.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(played(config, (*ALL[:place], then(ALL[place], hang))))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left_in(azure) == []


@pytest.mark.parametrize("how", ["refused", "lost", "dropped", "slow"])
async def test_whatever_befalls_a_write_nothing_is_left(
    azure: OtherFoundry, config: RuntimeConfig, how: str
) -> None:
    """A thread whose create was answered by nothing is the one thing that nobody can find again."""
    faults = {
        "refused": {"status": 400},
        "lost": {"lost": True, "status": 500},
        "dropped": {"drop": True},
        "slow": {"delay": 0.3},
    }
    for operation in OPERATIONS[config.type]:
        if how == "lost" and operation in ("create_conversation", "create_classic_thread"):
            continue
        azure.faults.add(Fault(operation, times=1, **faults[how]))  # type: ignore[arg-type]
    _, left = await played(config, ALL, Patience(2.0, 0.02))
    assert (left, left_in(azure)) == ([], [])


async def test_what_cannot_be_deleted_is_named(azure: OtherFoundry, config: RuntimeConfig) -> None:
    azure.faults.add(Fault("delete_*", status=403))
    outcomes, left = await played(config, ALL, Patience(0.5, 0.02))
    assert outcomes[-1].problem
    assert {one.rpartition(" ")[2] for one in left} == set(left_in(azure)) != set()


async def test_a_run_that_wrote_nothing_has_nothing_to_clean_up(
    azure: OtherFoundry, config: RuntimeConfig
) -> None:
    azure.faults.add(Fault(status=401))
    outcomes, left = await played(config, ALL)
    assert ([one.kind for one in outcomes], left) == (["NotAuthorized"], [])
    assert {one.method for one in azure.requests} == {"GET"}
