"""Which deployments a project has: one listing, shared by all that ask within its age."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable

from AgentOperatingSystem.model.facts import ModelFinding
from AgentOperatingSystem.runtime.shared import SharedRead

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
        self._listing = SharedRead(list_all, clock=clock)
        self._exists = exists
        self._max_age = max_age

    async def names(self) -> frozenset[str]:
        """The names of the deployments."""
        return (await self._listing.at_most(self._max_age)).value

    async def find(self, name: str) -> ModelFinding:
        """Whether the project has the deployment `name`, and if not the names most like it."""
        if name in (await self._listing.at_most(self._max_age)).value:
            return ModelFinding(available=True)
        names = (await self._listing.at_most(DOUBT_SECONDS)).value
        if name in names or await self._exists(name):
            return ModelFinding(available=True)
        nearest = difflib.get_close_matches(name, sorted(names), n=NEAREST, cutoff=0.0)
        return ModelFinding(available=False, nearest=tuple(nearest))
