"""Who may ask the runtime: a slot, the pace, the guard; and nobody waits once the operator stops."""

from __future__ import annotations

import asyncio
import time

import pytest

from AgentOperatingSystem.model.errors import LeadershipLost, Stopping
from AgentOperatingSystem.model.guard import Guard, unguarded
from AgentOperatingSystem.runtime.pace import Pace
from AgentOperatingSystem.runtime.turns import Turns


def turns_of(slots: int = 1, *, rate: float = 1000.0, guard: Guard = unguarded) -> tuple[Turns, Pace]:
    pace = Pace(rate, burst=2 * rate, clock=time.monotonic)
    return Turns(slots, pace, guard), pace


def refuse() -> None:
    raise LeadershipLost("no")


async def ask(turns: Turns, until: asyncio.Event) -> None:
    async with turns.turn(writes=False):
        await until.wait()


async def begun(turns: Turns, until: asyncio.Event) -> asyncio.Task[None]:
    task = asyncio.ensure_future(ask(turns, until))
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def test_the_guard_is_asked_for_a_write_alone_and_keeps_no_slot() -> None:
    turns, _ = turns_of(guard=refuse)
    for _ in range(3):
        with pytest.raises(LeadershipLost):
            async with turns.turn(writes=True):
                raise AssertionError("it was sent")
    async with turns.turn(writes=False):
        pass


async def test_those_who_wait_for_a_slot_give_up_and_the_one_under_way_ends() -> None:
    turns, _ = turns_of(slots=1)
    done = asyncio.Event()
    running = await begun(turns, done)
    waiting = [await begun(turns, done) for _ in range(3)]
    turns.stop_waiting()
    turns.stop_waiting()
    for task in waiting:
        with pytest.raises(Stopping):
            await task
    assert not running.done()
    done.set()
    await running


async def test_those_who_wait_for_the_pace_give_up_and_leave_their_slots() -> None:
    turns, pace = turns_of(slots=4)
    pace.throttled(300.0)
    waiting = [await begun(turns, asyncio.Event()) for _ in range(4)]
    turns.stop_waiting()
    for task in waiting:
        with pytest.raises(Stopping):
            await task
    assert turns._slots._value == 4
    with pytest.raises(Stopping):
        await ask(turns, asyncio.Event())


async def test_a_pass_in_flight_still_sends_what_need_not_wait() -> None:
    turns, _ = turns_of(slots=2)
    turns.stop_waiting()
    done = asyncio.Event()
    done.set()
    for _ in range(5):
        await ask(turns, done)


async def test_somebody_elses_timeout_is_not_taken_for_the_stop() -> None:
    turns, _ = turns_of(slots=1)
    running = await begun(turns, asyncio.Event())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await ask(turns, asyncio.Event())
    with pytest.raises(TimeoutError):
        async with turns_of()[0].turn(writes=False):
            raise TimeoutError
    running.cancel()
