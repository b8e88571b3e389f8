"""The triggers of the runtimes' own resources: a change wakes the agents that name one, none goes in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kopf

from AgentOperatingSystem.api.v1alpha1 import GROUP, VERSION, RuntimeKind
from AgentOperatingSystem.kube.runtimes.pool import RuntimePool
from AgentOperatingSystem.kube.runtimes.reading import PLURALS
from AgentOperatingSystem.kube.runtimes.tending import Tending
from AgentOperatingSystem.reconcile.resource import RuntimeKey

# How soon a runtime in use is asked again whether it may go: each time is a write, so ever more seldom.
IN_USE_SECONDS, LONGEST_SECONDS = 2.0, 30.0


def register(
    registry: kopf.OperatorRegistry,
    kind: RuntimeKind,
    tending: Tending,
    pool: RuntimePool,
    wake: Callable[[RuntimeKey], None],
) -> None:
    """Put the triggers of one kind into kopf's `registry`; `wake` has the agents of a runtime looked at."""
    resource = (GROUP, VERSION, PLURALS[kind])

    @kopf.on.event(*resource, registry=registry, id="watch-runtime")
    async def on_event(memo: Any, namespace: str | None, name: str, meta: kopf.Meta, **_: Any) -> None:
        key = RuntimeKey(kind, namespace or "", name)
        # A status that we wrote ourselves changes nothing for the agents.
        seen = (meta["uid"], meta.get("generation"), "deletionTimestamp" in meta)
        if memo.get("seen") == seen:
            return
        memo["seen"] = seen
        pool.forget(key)
        wake(key)

    @kopf.daemon(*resource, registry=registry, id="tend-runtime", cancellation_polling=1.0)
    async def on_due(namespace: str | None, name: str, stopped: Any, **_: Any) -> None:
        key = RuntimeKey(kind, namespace or "", name)
        while not stopped:
            tended = await tending.tend(key)
            if tended.mended:
                wake(key)
            await stopped.wait(tended.delay)

    @kopf.on.update(*resource, registry=registry, id="changed-runtime", field="spec")
    async def on_update(namespace: str | None, name: str, **_: Any) -> None:
        await tending.tend(RuntimeKey(kind, namespace or "", name))

    @kopf.on.delete(*resource, registry=registry, id="release-runtime")
    async def on_delete(namespace: str | None, name: str, retry: int, **_: Any) -> None:
        key = RuntimeKey(kind, namespace or "", name)
        if await tending.is_used(key):
            await tending.tend(key)
            delay = min(LONGEST_SECONDS, IN_USE_SECONDS * (retry + 1))
            raise kopf.TemporaryError("Agents are still on the runtime.", delay=delay)
        await tending.part_with(key)
