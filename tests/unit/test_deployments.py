"""Which deployments a project has: shared, soon corrected, and with the names most like a missing one."""

from __future__ import annotations

import asyncio

from AgentOperatingSystem.model.facts import ModelFinding
from AgentOperatingSystem.runtime.deployments import DOUBT_SECONDS, Deployments


class Project:
    """A project that counts how often it is asked; `unlisted` are found by name only."""

    def __init__(self, *names: str, unlisted: str = "") -> None:
        self.names = set(names)
        self.unlisted = unlisted
        self.listings = 0
        self.lookups = 0
        self.now = 1000.0

    async def list_all(self) -> frozenset[str]:
        self.listings += 1
        await asyncio.sleep(0)
        return frozenset(self.names)

    async def exists(self, name: str) -> bool:
        self.lookups += 1
        return name == self.unlisted

    def deployments(self) -> Deployments:
        return Deployments(self.list_all, self.exists, max_age=60, clock=lambda: self.now)


async def test_many_who_ask_at_once_share_one_listing() -> None:
    project = Project("llama", "llama-ceo")
    deployments = project.deployments()
    findings = await asyncio.gather(*(deployments.find("llama-ceo") for _ in range(50)))
    assert all(finding.available for finding in findings)
    assert (project.listings, project.lookups) == (1, 0)


async def test_a_missing_one_is_told_with_the_three_nearest_names() -> None:
    project = Project("llama-3.3-70b", "llama-3.3-70b-ceo", "llama-3.3-70b-cfo", "gpt-4.1")
    finding = await project.deployments().find("llama-3.3-70b-cto")
    assert not finding.available
    assert len(finding.nearest) == 3
    assert set(finding.nearest[:2]) == {"llama-3.3-70b-ceo", "llama-3.3-70b-cfo"}


async def test_a_project_without_any_has_no_nearest() -> None:
    assert await Project().deployments().find("llama") == ModelFinding(available=False)


async def test_one_that_the_listing_leaves_out_is_found_by_its_name() -> None:
    project = Project("llama", unlisted="llama-ceo")
    assert (await project.deployments().find("llama-ceo")).available
    assert project.lookups == 1


async def test_one_that_is_deployed_meanwhile_is_found_soon() -> None:
    project = Project("llama")
    deployments = project.deployments()
    assert not (await deployments.find("llama-ceo")).available
    project.names.add("llama-ceo")
    project.now += DOUBT_SECONDS + 1
    assert (await deployments.find("llama-ceo")).available, "long before the listing is old"
