"""A call that failed, took too long or broke off, whether or not it was done: the promises of a crash hold.

Each action is played once undisturbed, to see which calls it makes; then once for each of them and for each
way in which a call can go wrong.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import aiohttp
import pytest
from tests.harness.crashing import At, CrashPoint, points_in, watched
from tests.harness.planes import EmbeddedPlane
from tests.harness.stage import FINALIZER
from tests.reliability.actions import ACTIONS, CLASSIC_ACTIONS, Action
from tests.reliability.subjects import broken_promises
from tests.reliability.workbench import TIMEOUT_SECONDS, Workbench

from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry, Fault

AT_ONCE = 4
# Long enough for a busy machine to answer what is not meant to be late.
SHORT_SECONDS = 2.0
TOO_LONG = 1.5 * SHORT_SECONDS


@dataclass(frozen=True)
class Loss:
    """A way to lose an answer. `done`: the call took effect all the same, `late`: after the client left."""

    reason: str
    fault: Fault
    done: bool
    late: bool = False
    timeout: float = TIMEOUT_SECONDS


LOSSES = (
    Loss("a 500, and nothing was done", Fault(status=500), done=False),
    Loss("a 500, though it was done", Fault(status=500, lost=True), done=True),
    Loss("the connection breaks before", Fault(drop=True), done=False),
    Loss("the connection breaks after", Fault(lost=True), done=True),
    Loss(
        "done when the client has long left",
        Fault(delay=TOO_LONG),
        done=True,
        late=True,
        timeout=SHORT_SECONDS,
    ),
    Loss("done at once, answered too late", Fault(delay_after=TOO_LONG), done=True, timeout=SHORT_SECONDS),
)


BOTH = (*ACTIONS, *CLASSIC_ACTIONS)
CREATE_THREAD = ("create_conversation", "create_classic_thread")

each_action = pytest.mark.parametrize(
    "action", [pytest.param(action, id=f"{action.generation}-{action.name}") for action in BOTH]
)


@dataclass(frozen=True)
class Call:
    """The `occurrence`-th time (from 1) that the runtime is asked for an operation."""

    operation: str
    occurrence: int


@pytest.mark.timeout(600)
@each_action
async def test_a_lost_answer_ends_in_exactly_one_agent_as_asked_for(
    embedded_plane: EmbeddedPlane,
    projects: EmbeddedFoundry,
    action: Action,
    pytestconfig: pytest.Config,
    report: Callable[[str], None],
) -> None:
    calls = await calls_of(Workbench(embedded_plane, projects, generation=action.generation), action)
    cases = [(call, loss) for call in calls for loss in LOSSES]
    if not pytestconfig.getoption("--all-crash-points", default=False):
        # One way for each call, and over all actions every way for almost every call.
        cases = cases[BOTH.index(action) % len(LOSSES) :: len(LOSSES) + 1]
    turns = asyncio.Semaphore(AT_ONCE)

    async def play(call: Call, loss: Loss) -> list[str]:
        async with turns:
            bench = Workbench(embedded_plane, projects, timeout=loss.timeout, generation=action.generation)
            broken = await broken_by(bench, action, call, loss)
        return [f"{call.operation} #{call.occurrence}, {loss.reason}: {problem}" for problem in broken]

    played = await asyncio.gather(*(play(call, loss) for call, loss in cases))
    story = f"{action.generation}: {action.name}"
    report(f"lost answers on {story} with {len(cases)} of {len(calls) * len(LOSSES)} losses")
    assert [problem for broken in played for problem in broken] == []


@pytest.mark.timeout(600)
@each_action
async def test_an_answer_of_the_api_server_that_is_lost_ends_so_too(
    embedded_plane: EmbeddedPlane, projects: EmbeddedFoundry, action: Action, pytestconfig: pytest.Config
) -> None:
    generation = action.generation
    points = await points_of(Workbench(embedded_plane, projects, generation=generation), action)
    if not pytestconfig.getoption("--all-crash-points", default=False):
        points = points[BOTH.index(action) % 3 :: 3]
    broken = [
        f"{point}: {problem}"
        for point in points
        for problem in await broken_at(
            Workbench(embedded_plane, projects, generation=generation), action, point
        )
    ]
    assert broken == []


@pytest.mark.parametrize(
    ("generation", "operation"),
    [
        (RuntimeType.FOUNDRY, "create_version"),
        (RuntimeType.FOUNDRY, "create_conversation"),
        (RuntimeType.FOUNDRY_CLASSIC, "create_assistant"),
        (RuntimeType.FOUNDRY_CLASSIC, "create_classic_thread"),
    ],
)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(status=500), id="the client library would repeat a POST that got a 500"),
        pytest.param(Fault(status=503, retry_after=0), id="and all the more when it is told when"),
        pytest.param(Fault(status=429, retry_after=0), id="and one that came too often"),
        pytest.param(Fault(lost=True), id="and one whose connection broke"),
    ],
)
async def test_nothing_is_created_again_before_somebody_looked(
    embedded_plane: EmbeddedPlane,
    projects: EmbeddedFoundry,
    generation: RuntimeType,
    operation: str,
    fault: Fault,
) -> None:
    async with Workbench(embedded_plane, projects, generation=generation) as workbench:
        subject = workbench.subject("ceo")
        subject.put({})
        armed = workbench.foundry.faults.add(
            replace(fault, operation=operation, project=workbench.project.name)
        )
        await workbench.pass_over(subject)
        workbench.foundry.faults.remove(armed)
        assert workbench.requests().count(operation) == 1


async def test_that_the_runtime_knows_no_such_agent_is_no_proof_that_it_is_gone(workbench: Workbench) -> None:
    async with workbench:
        subject = await workbench.put("ceo")
        subject.delete()
        # As from a project that is not the one, or a cache that does not know it yet.
        unknown = Fault(operation="get_agent", project=workbench.project.name, status=404)
        armed = workbench.foundry.faults.add(unknown)
        for _ in range(3):
            await workbench.pass_over(subject)
        assert subject.item["metadata"]["finalizers"] == [FINALIZER]
        workbench.foundry.faults.remove(armed)
        await workbench.settle(subject)
        assert subject.read() is None
    assert workbench.project.agents() == {}


async def points_of(bench: Workbench, action: Action) -> list[CrashPoint]:
    """The points at which the action's calls of the API server can break off."""
    lines: list[str] = []
    async with bench:
        subject = bench.subject(f"{action.name}-agent", action)
        await bench.bring_about(subject)
        subject.ask()
        with watched(lambda name, moment: lines.append(f"{name} {moment}")):
            await bench.pass_over(subject)
    return [point for point in points_in(lines) if point.crossing.startswith("cluster.")]


async def broken_at(bench: Workbench, action: Action, point: CrashPoint) -> list[str]:
    """The promises that are broken when the connection breaks off there."""
    async with bench:
        subject = bench.subject(f"{action.name}-agent", action)
        await bench.bring_about(subject)
        subject.ask()
        breaks = At(point, aiohttp.ServerDisconnectedError())
        with watched(breaks):
            await bench.settle(subject)
        return [*([] if breaks.came else ["it was never reached"]), *broken_promises(subject, subject.see())]


async def calls_of(bench: Workbench, action: Action) -> list[Call]:
    """The calls that the action makes when nothing goes wrong."""
    async with bench:
        subject = bench.subject(f"{action.name}-agent", action)
        await bench.bring_about(subject)
        before = len(bench.requests())
        subject.ask()
        await bench.pass_over(subject)
        calls = _numbered(bench.requests()[before:])
        await bench.settle(subject)
        assert broken_promises(subject, subject.see()) == []
    return calls


async def broken_by(bench: Workbench, action: Action, call: Call, loss: Loss) -> list[str]:
    """The promises that are broken when that call goes wrong in that way."""
    async with bench:
        subject = bench.subject(f"{action.name}-agent", action)
        await bench.bring_about(subject)
        fault = bench.foundry.faults.add(
            replace(
                loss.fault,
                operation=call.operation,
                project=bench.project.name,
                skip=call.occurrence - 1,
                times=1,
            )
        )
        subject.ask()
        if loss.late and action.generation is RuntimeType.FOUNDRY_CLASSIC:
            # Else the clock in hand would run away from the server's: a creation is waited for.
            await bench.pass_over(subject)
            await _until(bench.requests_are_answered)
        await bench.settle(subject)
        struck = bench.foundry.faults.struck()[fault]
        bench.foundry.faults.remove(fault)
        if loss.late:
            # The effect comes when all is settled: it has to be found and made good.
            await _until(bench.requests_are_answered)
            await bench.settle(subject)
        broken = broken_promises(
            subject,
            subject.see(),
            lost_conversations=int(loss.done and call.operation in CREATE_THREAD),
            # An agent that was let go is nobody's to prune.
            surplus_versions=int(
                loss.late and not action.expected.ours and call.operation == "create_version"
            ),
        )
        return [*([] if struck == 1 else [f"the fault struck {struck} times"]), *broken]


def _numbered(operations: list[str]) -> list[Call]:
    seen: Counter[str] = Counter()
    calls = []
    for operation in operations:
        seen[operation] += 1
        calls.append(Call(operation, seen[operation]))
    return calls


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10 * TOO_LONG):
        while not holds():  # noqa: ASYNC110 - a server in another thread is asked
            await asyncio.sleep(0.1)
