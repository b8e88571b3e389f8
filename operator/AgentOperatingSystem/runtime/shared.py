"""One read for many who ask for the same thing at once.

Whoever asks while a read is under way waits for it and shares its failure, so that a service that is
down is asked once for all and not once for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from AgentOperatingSystem.model.errors import AOSError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What was read, and when the read began; a later read has a higher number."""

    number: int
    begun: float
    value: T


@dataclass(frozen=True, slots=True)
class _Flight:
    """A read under way: its number, and what its waiters wait for."""

    number: int
    landed: asyncio.Future[None]


class SharedRead(Generic[T]):
    """The newest reading of `read`, made when somebody asks. `clock` gives seconds that never go back."""

    def __init__(self, read: Callable[[], Awaitable[T]], *, clock: Callable[[], float]) -> None:
        self._read = read
        self._clock = clock
        self._begun = 0
        self._flight: _Flight | None = None
        self._newest: Reading[T] | None = None

    async def at_most(self, age: float) -> Reading[T]:
        """A reading that began at most `age` seconds ago, or the one under way, or a new one."""
        if self._newest is not None and self._clock() - self._newest.begun <= age:
            return self._newest
        return await self._numbered(self._begun if self._flight is not None else self._begun + 1)

    async def since_now(self) -> Reading[T]:
        """A reading that begins after this call."""
        return await self._numbered(self._begun + 1)

    async def _numbered(self, number: int) -> Reading[T]:
        """The newest reading, once it has this number."""
        while self._newest is None or self._newest.number < number:
            if self._flight is None:
                await self._fly()
            else:
                await self._wait_for(self._flight, number)
        return self._newest

    async def _wait_for(self, flight: _Flight, number: int) -> None:
        """Wait until a read has landed; its failure is ours only if it is the one we wanted."""
        try:
            await asyncio.shield(flight.landed)
        except AOSError:
            if flight.number >= number:
                raise
        except asyncio.CancelledError:
            if not flight.landed.cancelled():
                raise  # it is we who were cancelled, not the one that was reading

    async def _fly(self) -> None:
        self._begun += 1
        begun = self._clock()
        flight = _Flight(self._begun, asyncio.get_running_loop().create_future())
        self._flight = flight
        try:
            value = await self._read()
        except AOSError as error:
            flight.landed.set_exception(error)
            flight.landed.exception()  # it may be that nobody waits
            raise
        else:
            self._newest = Reading(flight.number, begun, value)
            flight.landed.set_result(None)
        finally:
            flight.landed.cancel()  # nothing happens to one that has landed
            self._flight = None
