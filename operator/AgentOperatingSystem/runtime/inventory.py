"""One listing of a project, shared by all its agents, instead of one read for each.

A listing is made when somebody asks and the last one is too old; whoever asks meanwhile waits for the
same one, and shares its failure too. What we wrote since a listing began is laid over it, since the
listing may not show it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from AgentOperatingSystem.model.definition import ObservedAgent
from AgentOperatingSystem.model.errors import AOSError


@dataclass(frozen=True, slots=True)
class _Listing:
    number: int
    begun: float
    agents: dict[str, ObservedAgent]


@dataclass(frozen=True, slots=True)
class _Flight:
    """A listing under way: its number, and what its waiters wait for."""

    number: int
    landed: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class _Write:
    at: float
    observed: ObservedAgent | None


class Inventory:
    """The agents of one project, by name, as of at most `max_age` seconds ago.

    `list_all` reads the whole project; `clock` gives seconds that never go back.
    """

    def __init__(
        self,
        list_all: Callable[[], Awaitable[list[ObservedAgent]]],
        *,
        max_age: float,
        clock: Callable[[], float],
    ) -> None:
        self._list_all = list_all
        self._max_age = max_age
        self._clock = clock
        self._begun = 0
        self._flight: _Flight | None = None
        self._listing: _Listing | None = None
        self._writes: dict[str, _Write] = {}

    async def lookup(self, name: str) -> ObservedAgent | None:
        """The agent named `name` as the newest listing, or our own later write, shows it."""
        listing = self._listing
        if listing is None or self._clock() - listing.begun > self._max_age:
            under_way = self._flight is not None
            listing = await self._listing_from(self._begun if under_way else self._begun + 1)
        if name in self._writes:
            return self._writes[name].observed
        return listing.agents.get(name)

    async def list_since_now(self) -> dict[str, ObservedAgent]:
        """Every agent by name, from a listing that begins after this call."""
        return (await self._listing_from(self._begun + 1)).agents

    def note(self, name: str, observed: ObservedAgent | None) -> None:
        """Remember what a read or a write of a single agent just showed."""
        self._writes[name] = _Write(self._clock(), observed)

    async def _listing_from(self, number: int) -> _Listing:
        """The newest listing, once it has this number: one that begins now, or one that is under way."""
        while self._listing is None or self._listing.number < number:
            if self._flight is None:
                await self._fly()
            else:
                await self._wait_for(self._flight, number)
        return self._listing

    async def _wait_for(self, flight: _Flight, number: int) -> None:
        """Wait until a listing has landed; its failure is ours only if it is the one we wanted."""
        try:
            await asyncio.shield(flight.landed)
        except AOSError:
            if flight.number >= number:
                raise
        except asyncio.CancelledError:
            if not flight.landed.cancelled():
                raise  # it is we who were cancelled, not the one that was listing

    async def _fly(self) -> None:
        self._begun += 1
        begun = self._clock()
        flight = _Flight(self._begun, asyncio.get_running_loop().create_future())
        self._flight = flight
        try:
            agents = {agent.name: agent for agent in await self._list_all()}
        except AOSError as error:
            flight.landed.set_exception(error)
            flight.landed.exception()  # it may be that nobody waits
            raise
        else:
            # A write that ended before the listing began is in it; one that came meanwhile may not be.
            self._writes = {name: write for name, write in self._writes.items() if write.at >= begun}
            self._listing = _Listing(flight.number, begun, agents)
            flight.landed.set_result(None)
        finally:
            flight.landed.cancel()  # nothing happens to one that has landed
            self._flight = None
