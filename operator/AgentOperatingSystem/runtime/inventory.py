"""One listing of a project, shared by all its agents, instead of one read for each.

A listing is made when somebody asks and the last one is too old; whoever asks meanwhile waits for the
same one. What we wrote since a listing began is laid over it, since the listing may not show it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from AgentOperatingSystem.model.definition import ObservedAgent


@dataclass(frozen=True, slots=True)
class _Listing:
    begun: float
    agents: dict[str, ObservedAgent]


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
        self._lock = asyncio.Lock()
        self._listing: _Listing | None = None
        self._writes: dict[str, _Write] = {}

    async def lookup(self, name: str) -> ObservedAgent | None:
        """The agent named `name` as the newest listing, or our own later write, shows it."""
        listing = await self._listing_since(self._clock() - self._max_age)
        if name in self._writes:
            return self._writes[name].observed
        return listing.agents.get(name)

    async def list_since_now(self) -> dict[str, ObservedAgent]:
        """Every agent by name, from a listing that begins after this call."""
        return (await self._listing_since(self._clock())).agents

    def note(self, name: str, observed: ObservedAgent | None) -> None:
        """Remember what a read or a write of a single agent just showed."""
        self._writes[name] = _Write(self._clock(), observed)

    async def _listing_since(self, moment: float) -> _Listing:
        async with self._lock:
            if self._listing is not None and self._listing.begun >= moment:
                return self._listing
            begun = self._clock()
            agents = {agent.name: agent for agent in await self._list_all()}
            # A write that ended before the listing began is in it; one that came meanwhile may not be.
            self._writes = {name: write for name, write in self._writes.items() if write.at >= begun}
            self._listing = _Listing(begun, agents)
            return self._listing
