"""One listing of a project, shared by all its agents, instead of one read for each.

What we wrote since a listing began is laid over it, since the listing may not show it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

from AgentOperatingSystem.model.definition import ObservedAgent
from AgentOperatingSystem.model.stamp import AgentIdentity, Owner
from AgentOperatingSystem.runtime.shared import Reading, SharedRead


@dataclass(frozen=True, slots=True)
class _Write:
    at: float
    observed: ObservedAgent | None


class Listing:
    """The agents of one project, the oldest first. By name where a name is a key, else by stamp too."""

    def __init__(self, agents: Iterable[ObservedAgent], *, names_are_keys: bool) -> None:
        self.agents = tuple(agents)
        self._names_are_keys = names_are_keys
        self._named: dict[str, list[ObservedAgent]] = {}
        self._owned: dict[tuple[Owner, str], list[ObservedAgent]] = {}
        for agent in self.agents:
            self._named.setdefault(agent.name, []).append(agent)
            if agent.stamp is not None:
                self._owned.setdefault((agent.stamp.owner, agent.stamp.agent_id), []).append(agent)

    def find(self, identity: AgentIdentity, known_id: str = "") -> ObservedAgent | None:
        """The agent of that identity; else one of its name, whoever has it, since that name is taken.

        Where names are no keys, it is the one with `known_id`, else the oldest; the others that bear the
        identity's stamp are its twins, and those that only share its name its namesakes.
        """
        named = self._named.get(identity.name, [])
        if self._names_are_keys:
            return named[0] if named else None
        if owned := self._owned.get((identity.owner, identity.agent_id)):
            ours, *twins = _first(owned, known_id)
            return replace(ours, twins=tuple(twin.agent_id for twin in twins))
        if not named:
            return None
        theirs, *namesakes = _first(named, known_id)
        return replace(theirs, namesakes=tuple(namesakes))

    def still_there(self, identity: AgentIdentity) -> bool:
        """True when an agent of that identity exists, under its name or, where names repeat, any other."""
        found = self.find(identity)
        return found is not None and identity.owns(found.stamp)


def _first(agents: list[ObservedAgent], known_id: str) -> list[ObservedAgent]:
    """The one with `known_id` before the others, which stay in their order."""
    return sorted(agents, key=lambda agent: agent.agent_id != known_id)


class Inventory:
    """The agents of one project as of at most `max_age` seconds ago.

    `list_all` reads the whole project; `clock` gives seconds that never go back.
    """

    def __init__(
        self,
        list_all: Callable[[], Awaitable[list[ObservedAgent]]],
        *,
        names_are_keys: bool,
        max_age: float,
        clock: Callable[[], float],
    ) -> None:
        async def read() -> Listing:
            return Listing(await list_all(), names_are_keys=names_are_keys)

        self._listing = SharedRead(read, clock=clock)
        self._max_age = max_age
        self._clock = clock
        self._writes: dict[AgentIdentity, _Write] = {}
        self._cleared = 0

    async def lookup(self, identity: AgentIdentity, known_id: str = "") -> ObservedAgent | None:
        """The agent as the newest listing, or our own later write, shows it."""
        listing = await self._listing.at_most(self._max_age)
        write = self._later_writes(listing).get(identity)
        return write.observed if write is not None else listing.value.find(identity, known_id)

    async def lookup_since_now(self, identity: AgentIdentity, known_id: str = "") -> ObservedAgent | None:
        """The agent as a listing that begins after this call shows it."""
        return (await self.since_now()).find(identity, known_id)

    async def since_now(self) -> Listing:
        """A listing that begins after this call."""
        return (await self._listing.since_now()).value

    async def owned(self, cluster: str) -> set[AgentIdentity]:
        """Which agents of the project belong to resources of `cluster`, our own later writes counted in."""
        listing = await self._listing.at_most(self._max_age)
        found = {
            AgentIdentity(agent.name, agent.stamp.owner, agent.stamp.agent_id)
            for agent in listing.value.agents
            if agent.stamp is not None and agent.stamp.owner.cluster == cluster
        }
        for identity, write in self._later_writes(listing).items():
            ours = write.observed is not None and identity.owns(write.observed.stamp)
            (found.add if ours else found.discard)(identity)
        return found

    def note(self, identity: AgentIdentity, observed: ObservedAgent | None) -> None:
        """Remember what a read or a write of a single agent just showed."""
        self._writes[identity] = _Write(self._clock(), observed)

    def _later_writes(self, listing: Reading[Listing]) -> dict[AgentIdentity, _Write]:
        """What the listing may not show; what ended before it began it does, and that is forgotten."""
        if self._cleared != listing.number:
            self._cleared = listing.number
            self._writes = {key: write for key, write in self._writes.items() if write.at >= listing.begun}
        return self._writes
