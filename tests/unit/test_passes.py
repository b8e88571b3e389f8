"""When passes run: one at a time, soon after a failure, not before the runtime wishes, none after a stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from AgentOperatingSystem.kube import passes as module
from AgentOperatingSystem.kube.passes import FIRST_DELAY, LONGEST_DELAY, LONGEST_WISH, Passes, Turn
from AgentOperatingSystem.reconcile.ports import ClusterFailure, ResourceChanged
from AgentOperatingSystem.reconcile.reconciler import Reconciler, Result
from AgentOperatingSystem.reconcile.resource import ObjectKey
from AgentOperatingSystem.reconcile.verdict import Retry

CEO, CFO = ObjectKey("boardroom", "ceo"), ObjectKey("boardroom", "cfo")
SOON, INTERVAL = Result(Retry.SOON), Result(Retry.INTERVAL)
MIDDLE, MOST, LEAST = 0.5, 1.0, 0.0


class Fake:
    """A reconciler that ends each pass as it is told, and is held up while `gate` is shut."""

    def __init__(self, *results: Result | Exception | None) -> None:
        self.results = list(results)
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun: list[ObjectKey] = []
        self.due: list[bool] = []
        self.running = 0
        self.most_running = 0

    async def reconcile(self, key: ObjectKey, *, due: bool) -> Result:
        self.due.append(due)
        result = await self.finalize(key)
        return result or INTERVAL

    async def finalize(self, key: ObjectKey) -> Result | None:
        self.begun.append(key)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
        finally:
            self.running -= 1
        result = self.results.pop(0) if self.results else None
        if isinstance(result, Exception):
            raise result
        return result


def passes_of(fake: Fake, *, interval: float = 60.0, random: float = MIDDLE) -> Passes:
    return Passes(cast("Reconciler", fake), interval=interval, random=lambda: random)


async def begun(awaitable: Awaitable[Any]) -> asyncio.Task[Any]:
    """A task that has run as far as it could."""
    task = asyncio.ensure_future(awaitable)
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def delay_after(passes: Passes, turn: Turn, key: ObjectKey = CEO) -> float:
    """Run a pass; the seconds until the next one is due."""
    await passes.run(key, turn)
    return turn.due - asyncio.get_running_loop().time()


def about(seconds: float) -> Any:
    """`seconds`, but for the time that the test itself takes."""
    return pytest.approx(seconds, abs=0.1)


async def test_one_object_has_one_pass_at_a_time() -> None:
    fake = Fake()
    passes = passes_of(fake)
    turn = passes.turn()
    await asyncio.gather(*(passes.run(CEO, turn) for _ in range(5)), passes.finalize(CEO, passes.turn()))
    assert fake.begun == [CEO] * 6
    fake.most_running = 0
    await asyncio.gather(*(passes.run(CEO, turn) for _ in range(5)))
    assert fake.most_running == 1


async def test_two_objects_do_not_wait_for_each_other() -> None:
    fake = Fake()
    passes = passes_of(fake)
    await asyncio.gather(passes.run(CEO, passes.turn()), passes.run(CFO, passes.turn()))
    assert fake.most_running == 2


async def test_a_deletion_waits_for_the_pass_in_flight_and_no_pass_follows() -> None:
    fake = Fake()
    passes = passes_of(fake)
    turn = passes.turn()
    fake.gate.clear()
    running = await begun(passes.run(CEO, turn))
    deleting = await begun(passes.finalize(CEO, turn))
    waiting = await begun(passes.run(CEO, turn))
    assert len(fake.begun) == 1
    fake.gate.set()
    await asyncio.gather(running, deleting, waiting)
    assert len(fake.begun) == 2
    assert fake.most_running == 1
    assert turn.ended


@pytest.mark.parametrize(
    ("random", "factor", "reason"),
    [(MOST, 1.0, "at most the whole"), (LEAST, 0.5, "at least the half"), (MIDDLE, 0.75, "between")],
)
async def test_the_delay_doubles_with_each_failure_up_to_a_bound(
    random: float, factor: float, reason: str
) -> None:
    passes = passes_of(Fake(*[SOON] * 20), random=random)
    turn = passes.turn()
    delays = [await delay_after(passes, turn) for _ in range(20)]
    expected = [min(LONGEST_DELAY, FIRST_DELAY * 2**number) * factor for number in range(20)]
    assert delays == [about(seconds) for seconds in expected], reason


async def test_a_pass_that_went_well_ends_the_failures() -> None:
    passes = passes_of(Fake(SOON, SOON, SOON, INTERVAL, SOON), random=MOST)
    turn = passes.turn()
    delays = [await delay_after(passes, turn) for _ in range(5)]
    assert delays == [about(0.5), about(1.0), about(2.0), about(66.0), about(0.5)]


@pytest.mark.parametrize(
    ("random", "seconds", "reason"),
    [(LEAST, 54.0, "a tenth sooner"), (MIDDLE, 60.0, "on time"), (MOST, 66.0, "a tenth later")],
)
async def test_the_interval_is_spread_so_that_agents_do_not_march_in_step(
    random: float, seconds: float, reason: str
) -> None:
    passes = passes_of(Fake(INTERVAL), random=random)
    assert await delay_after(passes, passes.turn()) == about(seconds), reason


async def test_an_interval_is_as_long_as_it_was_set() -> None:
    passes = passes_of(Fake(INTERVAL), interval=3600.0)
    assert await delay_after(passes, passes.turn()) == about(3600.0)


@pytest.mark.parametrize(
    ("wish", "seconds", "reason"),
    [
        (None, 0.5, "no wish: our own back-off"),
        (0.0, 0.5, "at once is not a wish to be hurried to"),
        (0.1, 0.5, "our own patience is longer"),
        (20.0, 22.0, "never before the runtime's own wish, and spread after it"),
        (100_000.0, LONGEST_WISH * 1.1, "but not until tomorrow"),
    ],
)
async def test_the_wish_of_the_runtime_is_heeded(wish: float | None, seconds: float, reason: str) -> None:
    passes = passes_of(Fake(Result(Retry.SOON, wish)), random=MOST)
    assert await delay_after(passes, passes.turn()) == about(seconds), reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ClusterFailure("down"), "the API server cannot be reached"),
        (ResourceChanged("changed"), "somebody wrote meanwhile"),
    ],
)
async def test_a_pass_that_could_say_nothing_is_tried_again_soon(error: Exception, reason: str) -> None:
    passes = passes_of(Fake(error), random=MOST)
    assert await delay_after(passes, passes.turn()) == about(0.5), reason


@pytest.mark.parametrize(
    ("result", "delay", "reason"),
    [
        (None, None, "done: the finalizer may go"),
        (SOON, 0.5, "not proved yet"),
        (ClusterFailure("down"), 0.5, "nobody could be asked"),
        (INTERVAL, LONGEST_DELAY, "somebody has to help: it is still looked for often"),
    ],
)
async def test_a_deletion_says_when_to_try_again(
    result: Result | Exception | None, delay: float | None, reason: str
) -> None:
    passes = passes_of(Fake(result), random=MOST)
    assert await passes.finalize(CEO, passes.turn()) == delay, reason


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the passes tell nobody what they do
            await asyncio.sleep(0.001)


async def test_a_repetition_runs_each_pass_that_is_due_until_the_turn_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FIRST_DELAY", 0.002)
    fake = Fake(SOON, SOON, SOON)
    passes = passes_of(fake)
    turn = passes.turn()
    repeating = await begun(passes.repeat(CEO, turn))
    assert fake.begun == [], "nothing is due before the first trigger"
    await passes.run(CEO, turn)
    await until(lambda: len(fake.begun) == 4)
    turn.end()
    await asyncio.wait_for(repeating, 5)
    assert len(fake.begun) == 4


async def test_a_changed_wish_makes_a_pass_due_at_once() -> None:
    fake = Fake()
    passes = passes_of(fake)
    turn = passes.turn()
    repeating = await begun(passes.repeat(CEO, turn))
    turn.wish((None,))
    await asyncio.sleep(0.01)
    assert fake.begun == [], "the first sight of an object is no change"
    turn.wish(("skip",))
    await until(lambda: fake.begun == [CEO])
    turn.wish(("skip",))
    await asyncio.sleep(0.01)
    assert fake.begun == [CEO], "the same wish again is no change"
    turn.end()
    await repeating


async def test_a_wish_that_comes_during_a_pass_is_not_lost() -> None:
    """The pass has read the object already."""
    fake = Fake()
    passes = passes_of(fake)
    turn = passes.turn()
    turn.wish((None,))
    fake.gate.clear()
    running = await begun(passes.run(CEO, turn))
    turn.wish(("skip",))
    fake.gate.set()
    await running
    assert turn.due <= asyncio.get_running_loop().time()
    assert await delay_after(passes, turn) == about(60.0), "and is fulfilled once"


async def test_closing_waits_for_the_passes_in_flight() -> None:
    fake = Fake()
    passes = passes_of(fake)
    idle: list[str] = []
    fake.gate.clear()
    running = [await begun(passes.run(key, passes.turn())) for key in (CEO, CFO)]
    passes.close(lambda: idle.append("idle"))
    assert idle == []
    fake.gate.set()
    await asyncio.gather(*running)
    assert idle == ["idle"]


async def test_closing_when_nothing_runs_is_told_at_once() -> None:
    idle: list[str] = []
    passes = passes_of(Fake())
    passes.close(lambda: idle.append("idle"))
    passes.close(lambda: idle.append("twice"))
    assert idle == ["idle"]


async def test_after_closing_no_pass_begins() -> None:
    fake = Fake()
    passes = passes_of(fake)
    turn = passes.turn()
    repeating = await begun(passes.repeat(CEO, turn))
    fake.gate.clear()
    running = await begun(passes.run(CEO, turn))
    waiting = await begun(passes.run(CEO, turn))
    passes.close(lambda: None)
    fake.gate.set()
    await asyncio.gather(running, waiting, repeating)
    await passes.run(CFO, passes.turn())
    assert await passes.finalize(CEO, turn) == FIRST_DELAY, "the finalizer stays, for the next operator"
    assert fake.begun == [CEO]


async def test_an_error_that_nobody_foresaw_does_not_keep_the_operator_from_stopping() -> None:
    fake = Fake(KeyError("bug"))
    passes = passes_of(fake)
    idle: list[str] = []
    fake.gate.clear()
    running = await begun(passes.run(CEO, passes.turn()))
    passes.close(lambda: idle.append("idle"))
    fake.gate.set()
    with pytest.raises(KeyError):
        await running
    assert idle == ["idle"]


async def test_a_trigger_between_two_passes_is_told_that_none_is_due() -> None:
    fake = Fake()
    passes = passes_of(fake)
    turn = passes.turn()
    await passes.run(CEO, turn)
    await passes.run(CEO, turn)
    assert fake.due == [True, False], "the first trigger of all is due, one soon after it is not"


async def test_a_pass_that_was_not_made_leaves_the_next_one_where_it_was() -> None:
    fake = Fake(INTERVAL, Result(Retry.AS_PLANNED))
    passes = passes_of(fake)
    turn = passes.turn()
    await passes.run(CEO, turn)
    planned = turn.due
    await passes.run(CEO, turn)
    assert turn.due == planned


async def test_the_echo_of_our_own_note_is_not_read_between_two_passes() -> None:
    fake = Fake(INTERVAL, SOON)
    passes = passes_of(fake, random=MOST)
    turn = passes.turn()
    await passes.run(CEO, turn, echo=True)
    assert fake.begun == [CEO], "the first trigger of all makes a pass, whatever it shows"
    planned = turn.due
    await passes.run(CEO, turn, echo=True)
    assert fake.begun == [CEO]
    assert turn.due == planned
    turn.due = 0.0
    await passes.run(CEO, turn, echo=True)
    assert fake.begun == [CEO, CEO], "one that is due is made"


async def test_a_wish_outlives_an_echo() -> None:
    fake = Fake()
    passes = passes_of(fake)
    turn = passes.turn()
    turn.wish((None,))
    await passes.run(CEO, turn)
    turn.wish(("skip",))
    await passes.run(CEO, turn, echo=True)
    assert fake.begun == [CEO, CEO]
