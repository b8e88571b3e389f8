"""Which deployments a project has: one listing, shared by all that ask within its age."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Awaitable, Callable

from AgentOperatingSystem.model.facts import ModelFinding

NEAREST = 3
# A listing in which a name is missing is believed this long: a deployment made meanwhile is found soon.
DOUBT_SECONDS = 5.0


class Deployments:
    """The deployments' names. `exists` asks for a single one, in case the listing leaves some out."""

    def __init__(
        self,
        list_all: Callable[[], Awaitable[frozenset[str]]],
        exists: Callable[[str], Awaitable[bool]],
        *,
        max_age: float,
        clock: Callable[[], float],
    ) -> None:
        self._list_all = list_all
        self._exists = exists
        self._max_age = max_age
        self._clock = clock
        self._lock = asyncio.Lock()
        self._names: frozenset[str] = frozenset()
        self._listed_at: float | None = None

    async def find(self, name: str) -> ModelFinding:
        """Whether the project has the deployment `name`, and if not the names most like it."""
        if name in await self._listing(self._max_age) or name in await self._listing(DOUBT_SECONDS):
            return ModelFinding(available=True)
        if await self._exists(name):
            return ModelFinding(available=True)
        nearest = difflib.get_close_matches(name, sorted(self._names), n=NEAREST, cutoff=0.0)
        return ModelFinding(available=False, nearest=tuple(nearest))

    async def _listing(self, max_age: float) -> frozenset[str]:
        async with self._lock:
            if self._listed_at is None or self._clock() - self._listed_at > max_age:
                begun = self._clock()
                self._names = await self._list_all()
                self._listed_at = begun
            return self._names
