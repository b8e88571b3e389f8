"""One listing of a project, shared by all its agents, instead of one read for each.

What we wrote since a listing began is laid over it, since the listing may not show it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from AgentOperatingSystem.model.definition import ObservedAgent
from AgentOperatingSystem.runtime.shared import SharedRead


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
        async def by_name() -> dict[str, ObservedAgent]:
            return {agent.name: agent for agent in await list_all()}

        self._listing = SharedRead(by_name, clock=clock)
        self._max_age = max_age
        self._clock = clock
        self._writes: dict[str, _Write] = {}

    async def lookup(self, name: str) -> ObservedAgent | None:
        """The agent named `name` as the newest listing, or our own later write, shows it."""
        listing = await self._listing.at_most(self._max_age)
        write = self._writes.get(name)
        if write is not None and write.at >= listing.begun:
            return write.observed
        self._writes.pop(name, None)  # it ended before the listing began, which therefore shows it
        return listing.value.get(name)

    async def list_since_now(self) -> dict[str, ObservedAgent]:
        """Every agent by name, from a listing that begins after this call."""
        return (await self._listing.since_now()).value

    def note(self, name: str, observed: ObservedAgent | None) -> None:
        """Remember what a read or a write of a single agent just showed."""
        self._writes[name] = _Write(self._clock(), observed)
