"""How fast requests go to one project: a token bucket that gives way when the service asks for it.

A 429 halves the rate and holds every request back for as long as the service wishes, so that a thousand
resources do not each find out for themselves; answers let the rate grow back to what is configured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

SLOWEST = 1.0
# How many answers it takes to grow back by one request a second.
ANSWERS_PER_STEP = 10
DEFAULT_WAIT = 1.0
# A service that asks for more is asked again all the same: it may have changed its mind.
LONGEST_WAIT = 300.0
# Less of a token than this is missing only because floats are rounded.
ROUNDING = 1e-6


class Pace:
    """At most `rate` requests a second, `burst` of them at once. `clock` gives seconds."""

    def __init__(self, rate: float, *, burst: float, clock: Callable[[], float]) -> None:
        self._top = rate
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._counted_at = clock()
        self._heeded_until = clock()
        self._turn = asyncio.Lock()

    @property
    def rate(self) -> float:
        """Requests a second that are let through now."""
        return self._rate

    async def wait(self) -> None:
        """Return when the next request may be sent; those who wait are served in order."""
        async with self._turn:
            while (delay := self._delay()) > 0:  # noqa: ASYNC110 - what is waited for is time
                await asyncio.sleep(delay)
            self._tokens -= 1

    def answered(self) -> None:
        """The service answered: grow back a little."""
        self._rate = min(self._top, self._rate + 1 / ANSWERS_PER_STEP)

    def throttled(self, retry_after: float | None) -> None:
        """The service asked for fewer requests: halve the rate, and send none before it wishes.

        Requests that were under way together are refused together, and count once.
        """
        wait = DEFAULT_WAIT if retry_after is None else min(LONGEST_WAIT, retry_after)
        self._refill()
        now = self._clock()
        if now >= self._heeded_until:
            self._rate = max(SLOWEST, self._rate / 2)
        self._heeded_until = max(self._heeded_until, now + wait)
        self._tokens = min(self._tokens, 1 - wait * self._rate)

    def _delay(self) -> float:
        self._refill()
        missing = 1 - self._tokens
        return missing / self._rate if missing > ROUNDING else 0.0

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._counted_at) * self._rate)
        self._counted_at = now
