"""The shared listing: how seldom it is read, how old it may be, and that our own writes are seen in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

import pytest
from tests.unit.samples import OBSERVED

from AgentOperatingSystem.model.definition import ObservedAgent
from AgentOperatingSystem.model.errors import RuntimeUnavailable
from AgentOperatingSystem.model.stamp import AgentIdentity, Owner, OwnerKind
from AgentOperatingSystem.runtime.inventory import Inventory

MAX_AGE = 60.0
OWNER = Owner(OwnerKind.RESOURCE, "c1", "boardroom", "ceo")


class Project:
    """A project whose listings are counted, take no time, and can be held up or fail."""

    def __init__(self, *agents: ObservedAgent) -> None:
        self.agents = list(agents)
        self.now = 1000.0
        self.listings = 0
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None

    async def list_all(self) -> list[ObservedAgent]:
        self.listings += 1
        seen = list(self.agents)
        await asyncio.sleep(0)
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return seen

    def inventory(self) -> Inventory:
        return Inventory(self.list_all, names_are_keys=True, max_age=MAX_AGE, clock=lambda: self.now)


def agent(name: str, version: str = "1") -> ObservedAgent:
    return replace(OBSERVED, name=name, agent_id=name, version=version)


def identity(name: str) -> AgentIdentity:
    return AgentIdentity(name, OWNER, name)


async def by_name(inventory: Inventory) -> dict[str, ObservedAgent]:
    return {agent.name: agent for agent in (await inventory.since_now()).agents}


async def begun(awaitable: Awaitable[object]) -> asyncio.Task[object]:
    """A task that has run as far as it could."""
    task = asyncio.ensure_future(awaitable)
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def test_a_thousand_lookups_are_one_listing() -> None:
    project = Project(agent("ceo"), agent("cfo"))
    inventory = project.inventory()
    found = await asyncio.gather(*(inventory.lookup(identity(name)) for name in ("ceo", "cfo", "cmo") * 333))
    assert found[:3] == [agent("ceo"), agent("cfo"), None]
    assert project.listings == 1


async def test_who_asks_during_a_listing_waits_for_that_one() -> None:
    project = Project(agent("ceo"))
    inventory = project.inventory()
    project.open.clear()
    first = await begun(inventory.lookup(identity("ceo")))
    project.now += 10
    second = await begun(inventory.lookup(identity("ceo")))
    project.open.set()
    assert await first == await second == agent("ceo")
    assert project.listings == 1


@pytest.mark.parametrize(
    ("later", "listings", "reason"),
    [(MAX_AGE, 1, "just young enough"), (MAX_AGE + 1, 2, "too old")],
)
async def test_a_listing_is_read_again_when_it_is_too_old(later: float, listings: int, reason: str) -> None:
    project = Project(agent("ceo"))
    inventory = project.inventory()
    await inventory.lookup(identity("ceo"))
    project.now += later
    await inventory.lookup(identity("ceo"))
    assert project.listings == listings, reason


async def test_the_age_counts_from_the_beginning_of_a_listing() -> None:
    """What a listing that took long shows may be as old as its beginning."""
    project = Project(agent("ceo"))
    inventory = project.inventory()
    project.open.clear()
    first = await begun(inventory.lookup(identity("ceo")))
    project.now += MAX_AGE - 1
    project.open.set()
    await first
    project.now += 2
    await inventory.lookup(identity("ceo"))
    assert project.listings == 2


@pytest.mark.parametrize(
    ("noted", "reason"),
    [(agent("ceo", "2"), "a new version"), (None, "deleted")],
)
async def test_our_own_write_is_seen_at_once(noted: ObservedAgent | None, reason: str) -> None:
    project = Project(agent("ceo"))
    inventory = project.inventory()
    await inventory.lookup(identity("ceo"))
    project.now += 1
    inventory.note(identity("ceo"), noted)
    assert await inventory.lookup(identity("ceo")) == noted, reason
    assert project.listings == 1


async def test_a_write_during_a_listing_is_not_lost() -> None:
    """The page that holds the agent may have been read before the write."""
    project = Project(agent("ceo", "1"))
    inventory = project.inventory()
    project.open.clear()
    looking = await begun(inventory.lookup(identity("ceo")))
    project.now += 1
    inventory.note(identity("ceo"), agent("ceo", "2"))
    project.open.set()
    assert await looking == agent("ceo", "2")
    assert await inventory.lookup(identity("ceo")) == agent("ceo", "2")


async def test_a_later_listing_wins_over_an_older_write() -> None:
    """Else somebody else's edit after our write would never be seen."""
    project = Project(agent("ceo", "3"))
    inventory = project.inventory()
    inventory.note(identity("ceo"), agent("ceo", "2"))
    project.now += 1
    assert await inventory.lookup(identity("ceo")) == agent("ceo", "3")


async def test_a_listing_since_now_is_never_an_old_one() -> None:
    project = Project(agent("ceo"))
    inventory = project.inventory()
    await inventory.lookup(identity("ceo"))
    project.agents.clear()
    project.now += 1
    assert await by_name(inventory) == {}
    assert project.listings == 2


async def test_a_listing_since_now_is_not_the_one_in_flight() -> None:
    """The one in flight may have passed the agent's page already: it proves nothing."""
    project = Project(agent("ceo"))
    inventory = project.inventory()
    project.open.clear()
    looking = await begun(inventory.lookup(identity("ceo")))
    project.now += 1
    project.agents.clear()
    proving = await begun(by_name(inventory))
    project.open.set()
    assert await looking == agent("ceo")
    assert await proving == {}
    assert project.listings == 2


async def test_a_coarse_clock_does_not_weaken_a_proof() -> None:
    project = Project(agent("ceo"))
    inventory = project.inventory()
    await inventory.lookup(identity("ceo"))
    project.agents.clear()
    assert await by_name(inventory) == {}


async def test_a_proof_is_the_service_s_word_and_not_our_own() -> None:
    project = Project(agent("ceo"))
    inventory = project.inventory()
    await inventory.lookup(identity("ceo"))
    project.now += 1
    inventory.note(identity("ceo"), None)
    project.now += 1
    assert await by_name(inventory) == {"ceo": agent("ceo")}


async def test_after_a_failed_listing_the_next_one_is_tried() -> None:
    project = Project(agent("ceo"))
    inventory = project.inventory()
    project.error = RuntimeUnavailable("down")
    with pytest.raises(RuntimeUnavailable):
        await inventory.lookup(identity("ceo"))
    project.error = None
    assert await inventory.lookup(identity("ceo")) == agent("ceo")


async def test_a_failed_listing_fails_all_who_waited_for_it() -> None:
    """Else a thousand agents wait for a thousand time-outs in a row while the runtime is down."""
    project = Project(agent("ceo"))
    inventory = project.inventory()
    project.error = RuntimeUnavailable("down")
    outcomes = await asyncio.gather(
        *(inventory.lookup(identity("ceo")) for _ in range(10)), return_exceptions=True
    )
    assert all(isinstance(outcome, RuntimeUnavailable) for outcome in outcomes)
    assert project.listings == 1


async def test_who_stops_waiting_does_not_stop_the_others() -> None:
    project = Project(agent("ceo"))
    inventory = project.inventory()
    project.open.clear()
    first = await begun(inventory.lookup(identity("ceo")))
    second = await begun(inventory.lookup(identity("ceo")))
    first.cancel()
    project.open.set()
    assert await second == agent("ceo")
