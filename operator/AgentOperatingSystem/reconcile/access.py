"""Work in a resource's runtime, for which credentials that were renewed meanwhile are no failure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from AgentOperatingSystem.model.errors import NotAuthorized
from AgentOperatingSystem.reconcile.ports import Runtime, Runtimes
from AgentOperatingSystem.reconcile.resource import Resource

R = TypeVar("R")


async def in_runtime(runtimes: Runtimes, resource: Resource, work: Callable[[Runtime], Awaitable[R]]) -> R:
    """Do `work` on the resource's runtime; once more when its credentials were renewed meanwhile."""
    async with runtimes.open(resource) as runtime:
        try:
            return await work(runtime)
        except NotAuthorized:
            if not await runtimes.renewed(resource, runtime):
                raise
    async with runtimes.open(resource) as runtime:
        return await work(runtime)
