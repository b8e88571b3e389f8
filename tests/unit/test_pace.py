"""The pace of requests: never above the rate, slower when the service asks, and back up again."""

from __future__ import annotations

import asyncio
import random

import pytest

from AgentOperatingSystem.runtime.pace import LONGEST_WAIT, SLOWEST, Pace


class Time:
    """A clock that only sleeping moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr("AgentOperatingSystem.runtime.pace.asyncio.sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


async def test_a_burst_passes_at_once_and_the_rest_at_the_rate(time: Time) -> None:
    pace = Pace(10, burst=20, clock=time)
    for _ in range(20):
        await pace.wait()
    assert time.now == 0.0
    for _ in range(30):
        await pace.wait()
    assert time.now == pytest.approx(3.0)


async def test_a_throttled_service_is_left_alone_for_as_long_as_it_wishes(time: Time) -> None:
    pace = Pace(10, burst=20, clock=time)
    pace.throttled(4.0)
    await pace.wait()
    assert time.now == pytest.approx(4.0)


async def test_requests_that_are_refused_together_halve_the_rate_once(time: Time) -> None:
    pace = Pace(64, burst=64, clock=time)
    for _ in range(32):
        pace.throttled(1.0)
    assert pace.rate == 32
    time.now += 2.0
    pace.throttled(1.0)
    assert pace.rate == 16


async def test_the_rate_never_falls_to_nothing(time: Time) -> None:
    pace = Pace(10, burst=20, clock=time)
    for _ in range(50):
        pace.throttled(1.0)
        time.now += 2.0
    assert pace.rate == SLOWEST


async def test_answers_let_the_rate_grow_back_to_what_is_configured(time: Time) -> None:
    pace = Pace(10, burst=20, clock=time)
    pace.throttled(0.0)
    assert pace.rate == 5
    for _ in range(100):
        pace.answered()
    assert pace.rate == 10


@pytest.mark.parametrize("seed", range(5))
async def test_refusals_by_chance_do_not_hold_the_rate_down(time: Time, seed: int) -> None:
    """One answer in twenty is a 429 whatever the rate: the mean stays above half of what is configured."""
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    pace = Pace(50, burst=100, clock=time)
    rates: list[float] = []
    for _ in range(3000):
        await pace.wait()
        time.now += 0.02
        if chance.random() < 0.05:
            pace.throttled(0.02)
        else:
            pace.answered()
        rates.append(pace.rate)
    assert sum(rates) / len(rates) > 25


async def test_a_limit_is_found_and_not_run_against_again_and_again(time: Time) -> None:
    """A service that bears ten a second, with ten in hand, and wishes for a second after each refusal."""
    pace = Pace(50, burst=100, clock=time)
    borne, since, refused, asked = 10.0, 0.0, 0, 2000
    for _ in range(asked):
        await pace.wait()
        borne, since = min(10.0, borne + (time.now - since) * 10), time.now
        if borne < 1:
            refused += 1
            pace.throttled(1.0)
        else:
            borne -= 1
            pace.answered()
        time.now += 0.02
    assert refused < asked / 10
    assert (asked - refused) / time.now > 9, "and the limit is made use of"


async def test_no_wish_holds_requests_back_for_ever(time: Time) -> None:
    pace = Pace(10, burst=20, clock=time)
    pace.throttled(86_400.0)
    await pace.wait()
    assert time.now <= LONGEST_WAIT + 1


async def test_those_who_wait_are_served_in_order(time: Time) -> None:
    pace = Pace(1, burst=1, clock=time)
    served: list[int] = []

    async def one(number: int) -> None:
        await pace.wait()
        served.append(number)

    await asyncio.gather(*(one(number) for number in range(5)))
    assert served == [0, 1, 2, 3, 4]
