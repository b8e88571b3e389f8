"""How fast requests go to one project: a token bucket that gives way when the service asks for it.

A 429 halves the rate and holds every request back for as long as the service wishes, so that a thousand
resources do not each find out for themselves; answers let the rate grow back to what is configured.

How fast it grows is learned. A service with a limit refuses what is above it: then it is near the limit that
the rate should grow slowly. One that refuses now and then, whatever the rate, is served by no slowness: one
answer in twenty refused would hold any rate near four a second. What tells them apart is where a refusal
comes: at the rate that went well before, or well below it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

SLOWEST = 1.0
# Requests a second by which an answer raises the rate at the least, and the share of the rate at the most.
STEP = 0.1
FASTEST = 1 / 8
FIRST_SHARE = 1 / 64
# A refusal below what went well makes growth so much faster, and one there so much slower.
FASTER, SLOWER = 4, 2
# What went well is believed a little less after a refusal below it: the limit may have come down.
EASE = 0.95
# Where nothing is known to have gone well the rate grows more carefully.
CARE = 6
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
        self._went_well = rate
        self._share = 0.0
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
        known = self._rate < self._went_well
        share = self._share if known else self._share / CARE
        self._rate = min(self._went_well if known else self._top, self._rate + max(STEP, share * self._rate))
        self._went_well = max(self._went_well, self._rate)

    def throttled(self, retry_after: float | None) -> None:
        """The service asked for fewer requests: halve the rate, and send none before it wishes.

        Requests that were under way together are refused together, and count once.
        """
        wait = DEFAULT_WAIT if retry_after is None else min(LONGEST_WAIT, retry_after)
        self._refill()
        now = self._clock()
        if now >= self._heeded_until:
            self._learn()
            self._rate = max(SLOWEST, self._rate / 2)
        self._heeded_until = max(self._heeded_until, now + wait)
        self._tokens = min(self._tokens, 1 - wait * self._rate)

    def _learn(self) -> None:
        """What the place of a refusal says of the service: it has a limit here, or it refuses by chance."""
        if self._rate >= self._went_well:
            self._share /= SLOWER
        else:
            self._share = min(FASTEST, max(FIRST_SHARE, self._share * FASTER))
            self._went_well = max(self._rate, self._went_well * EASE)

    def _delay(self) -> float:
        self._refill()
        missing = 1 - self._tokens
        return missing / self._rate if missing > ROUNDING else 0.0

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._counted_at) * self._rate)
        self._counted_at = now
