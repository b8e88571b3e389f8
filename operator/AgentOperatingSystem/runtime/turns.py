"""Whose turn it is to ask the runtime: a free slot, the pace, and for a write the guard's word.

Whoever waits here has sent nothing yet. So when the operator stops they give up, all at once: a service that
wishes for five minutes of silence must not hold the end of the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from AgentOperatingSystem.model.errors import Stopping
from AgentOperatingSystem.model.guard import Guard
from AgentOperatingSystem.runtime.pace import Pace


class Turns:
    """`slots` requests at once, as fast as `pace` lets them; a write asks `guard` last of all."""

    def __init__(self, slots: int, pace: Pace, guard: Guard) -> None:
        self._slots = asyncio.Semaphore(slots)
        self._pace = pace
        self._guard = guard
        self._waiting: set[asyncio.Timeout] = set()
        self._stopped = False

    @asynccontextmanager
    async def turn(self, *, writes: bool) -> AsyncIterator[None]:
        """The body is one request. Raises Stopping, and LeadershipLost for a write."""
        await self._wait()
        try:
            if writes:
                self._guard()
            yield
        finally:
            self._slots.release()

    def stop_waiting(self) -> None:
        """From now on a request that cannot be sent at once is not sent."""
        if self._stopped:
            return
        self._stopped = True
        now = asyncio.get_running_loop().time()
        for patience in self._waiting:
            patience.reschedule(now)

    async def _wait(self) -> None:
        """Return with a slot taken."""
        try:
            async with asyncio.timeout(0 if self._stopped else None) as patience:
                self._waiting.add(patience)
                try:
                    await self._take()
                finally:
                    self._waiting.discard(patience)
        except TimeoutError:
            raise Stopping("The operator stops, and does not wait for the runtime's turn.") from None

    async def _take(self) -> None:
        await self._slots.acquire()
        try:
            await self._pace.wait()
        except BaseException:
            self._slots.release()
            raise
