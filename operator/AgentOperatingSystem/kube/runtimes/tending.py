"""The runtimes' own resources: what is told on each, who is woken when one changes, and when one may go."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from AgentOperatingSystem.api.conditions import READY, broken_rules
from AgentOperatingSystem.api.v1alpha1 import ConditionStatus
from AgentOperatingSystem.kube.client import KubernetesCluster, merged
from AgentOperatingSystem.kube.runtimes.pool import RuntimePool
from AgentOperatingSystem.kube.runtimes.reading import Reader, runtime_path
from AgentOperatingSystem.model.errors import AOSError, PassAbandoned, SpecRejected
from AgentOperatingSystem.reconcile.offer import RuntimeResource
from AgentOperatingSystem.reconcile.ports import ClusterFailure
from AgentOperatingSystem.reconcile.resource import RuntimeKey
from AgentOperatingSystem.reconcile.runtime_status import Sight, make_runtime_status
from AgentOperatingSystem.reconcile.verdict import Reason, Retry, verdict_on

logger = logging.getLogger(__name__)

SOON_SECONDS = 5.0
# For a runtime whose own interval cannot be read.
USUAL_SECONDS = 60.0
JITTER = 0.1
# After these the agents come back by themselves, and not all at once.
_PASSING = frozenset({Reason.RUNTIME_UNAVAILABLE, Reason.THROTTLED})


@dataclass(frozen=True, slots=True)
class Tended:
    """After a look: seconds until the next one, and whether what its agents were refused for is over."""

    delay: float
    mended: bool = False


class Users:
    """Which agents name which runtime, and which of them are made there, as the watch tells."""

    def __init__(self) -> None:
        self._named: dict[str, tuple[RuntimeKey, bool]] = {}

    def note(self, uid: str, key: RuntimeKey | None, *, made: bool) -> None:
        """The agent names this runtime; None for the operator's own, or for an agent that is gone."""
        if key is None:
            self._named.pop(uid, None)
        else:
            self._named[uid] = (key, made)

    def naming(self, key: RuntimeKey) -> int:
        """How many agents name the runtime, whether it lets them or not."""
        return sum(named == key for named, _ in self._named.values())

    def made(self, key: RuntimeKey) -> int:
        """How many agents are made on the runtime."""
        return sum(made and named == key for named, made in self._named.values())


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

    async def tend(self, key: RuntimeKey) -> Tended:
        """Look at the project and say on the resource what is true."""
        try:
            runtime = await self._reader.runtime(key, age=0.0)
            if runtime is None:
                return Tended(SOON_SECONDS)
            sight = await self._look(runtime)
            await self._tell(runtime, sight)
        except (ClusterFailure, PassAbandoned) as error:
            logger.warning("%s: %s; it is tried again", key, error)
            return Tended(SOON_SECONDS)
        if sight.error is not None and verdict_on(sight.error).retry is Retry.SOON:
            return Tended(SOON_SECONDS)
        spread = 1 + JITTER * (2 * random.random() - 1)  # noqa: S311 - no secret
        return Tended(_interval(runtime) * spread, sight.error is None and _was_refused(runtime))

    async def is_used(self, key: RuntimeKey) -> bool:
        """True while there is an agent, by the API server's own word, that needs the runtime to go."""
        async for resource in self._reader.users(key, self._served):
            if await self._pool.is_needed_by(resource):
                return True
        return False

    async def part_with(self, key: RuntimeKey) -> None:
        """The runtime goes: nothing is connected for it any more."""
        await self._pool.discard(key)

    async def _look(self, runtime: RuntimeResource) -> Sight:
        seen = Sight(self._users.made(runtime.key), self._users.naming(runtime.key))
        try:
            async with self._pool.open_named(runtime) as provider:
                return replace(seen, facts=provider.facts(), deployments=await provider.deployments())
        except (ClusterFailure, PassAbandoned):
            raise
        except AOSError as error:
            return replace(seen, error=error)

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


def _interval(runtime: RuntimeResource) -> float:
    try:
        return float(runtime.parsed().drift_interval_seconds)
    except SpecRejected:
        return USUAL_SECONDS


def _was_refused(runtime: RuntimeResource) -> bool:
    """True when the status tells of something that a person mends: until then no agent looks again soon."""
    ready = next((one for one in runtime.status.conditions if one.type == READY), None)
    return ready is not None and ready.status is ConditionStatus.FALSE and ready.reason not in _PASSING
