"""Fresh looks: one by one for a few, together for very many, and never older than the question."""

from __future__ import annotations

import asyncio
import itertools

from AgentOperatingSystem.model.errors import RuntimeUnavailable
from AgentOperatingSystem.runtime.looks import ALONE, Looks
from AgentOperatingSystem.runtime.shared import SharedRead


class Service:
    """A project that counts what it is asked; its listing takes a moment, and `down` fails."""

    def __init__(self, *, pages: int = 1) -> None:
        self.agents: dict[str, str] = {}
        self.asked: list[str] = []
        self.down = False
        tick = itertools.count()
        self._listing = SharedRead(self._list, clock=lambda: float(next(tick)))
        self.looks = Looks(self._get, self._everything, pages=lambda: pages)

    async def _get(self, key: str) -> str | None:
        self.asked.append(key)
        await asyncio.sleep(0.001)
        return self.agents.get(key)

    async def _everything(self) -> dict[str, str]:
        return (await self._listing.since_now()).value

    async def _list(self) -> dict[str, str]:
        self.asked.append("all")
        agents = dict(self.agents)
        await asyncio.sleep(0.001)
        if self.down:
            raise RuntimeUnavailable("down")
        return agents


async def test_a_few_are_asked_for_one_by_one() -> None:
    service = Service()
    service.agents["a0"] = "CEO"
    found = await asyncio.gather(*(service.looks.look(f"a{number}") for number in range(ALONE)))
    assert found == ["CEO"] + [None] * (ALONE - 1)
    assert "all" not in service.asked


async def test_a_thousand_share_two_listings() -> None:
    service = Service()
    service.agents["a999"] = "CFO"
    found = await asyncio.gather(*(service.looks.look(f"a{number}") for number in range(1000)))
    assert found == [None] * 999 + ["CFO"]
    assert len(service.asked) == ALONE + 1 + 2, "the first listing began before the others asked"


async def test_a_long_listing_is_not_made_for_less_than_it_costs() -> None:
    service = Service(pages=50)
    await asyncio.gather(*(service.looks.look(f"a{number}") for number in range(50)))
    assert "all" not in service.asked


async def test_what_is_made_before_the_question_is_always_seen() -> None:
    service = Service()
    crowd = asyncio.gather(*(service.looks.look(f"a{number}") for number in range(100)))
    await asyncio.sleep(0)
    service.agents["late"] = "COO"
    assert await service.looks.look("late") == "COO", "a listing that had begun would not show it"
    await crowd


async def test_one_by_one_again_when_the_crowd_is_gone() -> None:
    service = Service()
    await asyncio.gather(*(service.looks.look(f"a{number}") for number in range(100)))
    service.asked.clear()
    await service.looks.look("a1")
    assert service.asked == ["a1"]


async def test_a_failed_listing_fails_those_who_wait_for_it_and_nobody_later() -> None:
    service = Service()
    service.down = True
    found = await asyncio.gather(
        *(service.looks.look(f"a{number}") for number in range(100)), return_exceptions=True
    )
    assert sum(isinstance(one, RuntimeUnavailable) for one in found) == 100 - ALONE - 1
    service.down = False
    found = await asyncio.gather(*(service.looks.look(f"a{number}") for number in range(100)))
    assert found == [None] * 100
