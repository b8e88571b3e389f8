"""The runtimes' own resources: what is told on each, who is woken when one changes, and when one may go."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import datetime

from AgentOperatingSystem.api.conditions import broken_rules
from AgentOperatingSystem.kube.client import KubernetesCluster, merged
from AgentOperatingSystem.kube.runtimes.pool import RuntimePool
from AgentOperatingSystem.kube.runtimes.reading import Reader, runtime_path
from AgentOperatingSystem.model.errors import AOSError, PassAbandoned
from AgentOperatingSystem.reconcile.offer import RuntimeResource
from AgentOperatingSystem.reconcile.ports import ClusterFailure
from AgentOperatingSystem.reconcile.resource import RuntimeKey
from AgentOperatingSystem.reconcile.runtime_status import Sight, make_runtime_status
from AgentOperatingSystem.reconcile.verdict import Retry, verdict_on

logger = logging.getLogger(__name__)

SOON_SECONDS = 5.0
JITTER = 0.1


class Users:
    """Which agents name which runtime, as the watch tells."""

    def __init__(self) -> None:
        self._named: dict[str, RuntimeKey] = {}

    def note(self, uid: str, key: RuntimeKey | None) -> None:
        """The agent names this runtime; None for the operator's own, or for an agent that is gone."""
        if key is None:
            self._named.pop(uid, None)
        else:
            self._named[uid] = key

    def count(self, key: RuntimeKey) -> int:
        """How many agents name the runtime."""
        return sum(named == key for named in self._named.values())


class Tending:
    """Looks after the runtimes' resources. `clock` gives the time, with a time zone."""

    def __init__(
        self,
        cluster: KubernetesCluster,
        reader: Reader,
        pool: RuntimePool,
        users: Users,
        *,
        served: tuple[str, ...],
        clock: Callable[[], datetime],
    ) -> None:
        self._cluster = cluster
        self._reader = reader
        self._pool = pool
        self._users = users
        self._served = served
        self._clock = clock

    async def tend(self, key: RuntimeKey) -> float:
        """Look at the project and say on the resource what is true; seconds until the next look."""
        try:
            runtime = await self._reader.runtime(key, age=0.0)
            if runtime is None:
                return SOON_SECONDS
            sight = await self._look(runtime)
            await self._tell(runtime, sight)
        except (ClusterFailure, PassAbandoned) as error:
            logger.warning("%s: %s; it is tried again", key, error)
            return SOON_SECONDS
        if sight.error is not None and verdict_on(sight.error).retry is Retry.SOON:
            return SOON_SECONDS
        interval = sight.facts.interval if sight.facts else SOON_SECONDS * 12
        return interval * (1 + JITTER * (2 * random.random() - 1))  # noqa: S311 - no secret, a spread

    async def is_used(self, key: RuntimeKey) -> bool:
        """True while an agent names the runtime, by what the watch told or by the API server's own word."""
        return self._users.count(key) > 0 or await self._reader.is_used(key, self._served)

    async def part_with(self, key: RuntimeKey) -> None:
        """The runtime goes: nothing is connected for it any more."""
        await self._pool.discard(key)

    async def _look(self, runtime: RuntimeResource) -> Sight:
        agents = self._users.count(runtime.key)
        try:
            async with self._pool.open_named(runtime) as provider:
                return Sight(agents, provider.facts(), await provider.deployments())
        except (ClusterFailure, PassAbandoned):
            raise
        except AOSError as error:
            return Sight(agents, error=error)

    async def _tell(self, runtime: RuntimeResource, sight: Sight) -> None:
        status = make_runtime_status(runtime, sight, self._clock())
        if status == runtime.status:
            return
        if problems := broken_rules(status):
            raise AssertionError(f"a status of {runtime.key} breaks the rules: {'; '.join(problems)}")
        patch = merged(
            runtime.status.model_dump(mode="json", by_alias=True, exclude_none=True),
            status.model_dump(mode="json", by_alias=True, exclude_none=True),
        )
        await self._cluster.patch_runtime_status(runtime_path(runtime.key), runtime.uid, patch)
