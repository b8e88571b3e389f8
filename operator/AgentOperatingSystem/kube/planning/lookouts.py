"""The runtimes and the cluster for a command that only looks: nothing that it opens can write.

Whoever looks does so as the runtime's own identity, or with their own credentials where they say so: never as
anybody else.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from AgentOperatingSystem.kube.client import KubernetesCluster, connect
from AgentOperatingSystem.kube.runtimes.pool import RuntimePool, Tenancy
from AgentOperatingSystem.kube.runtimes.reading import Reader
from AgentOperatingSystem.model.errors import ConfigurationError, NotAuthorized
from AgentOperatingSystem.model.guard import Guard
from AgentOperatingSystem.reconcile.offer import RuntimeResource
from AgentOperatingSystem.reconcile.resource import RuntimeKey
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.identity import OwnIdentity
from AgentOperatingSystem.runtime.provider import AgentRuntimeProvider

AS_ME = "--as-me"


def nothing_is_written() -> None:
    """The guard of a command that promised to write nothing: what would write is a bug of ours."""
    raise AssertionError("a command that only looks was about to write")


class Nowhere(KubernetesCluster):
    """In the cluster's place where none can be had: whatever is asked of it fails with the reason."""

    def __init__(self, reason: ConfigurationError) -> None:
        self._reason = reason

    async def _send(self, *_asked: object, **_options: object) -> Any:
        raise self._reason


@asynccontextmanager
async def cluster_to_look_at() -> AsyncIterator[KubernetesCluster]:
    """The cluster of KUBECONFIG, or Nowhere."""
    # The client complains of a kubeconfig that is not there; for whoever plans without one nothing is wrong.
    logging.getLogger("kubernetes.aio.config").setLevel(logging.ERROR)
    try:
        api = await connect()
    except ConfigurationError as error:
        yield Nowhere(error)
        return
    async with api:
        yield KubernetesCluster(api, guard=nothing_is_written)


async def cluster_id(cluster: KubernetesCluster) -> str:
    """The cluster's own name, as the operator takes it. Raises ConfigurationError, naming the setting."""
    try:
        return await cluster.cluster_id()
    except ConfigurationError as error:
        if error.setting == "AOS_CLUSTER_ID":
            raise
        raise ConfigurationError(
            "AOS_CLUSTER_ID",
            "not set, and no cluster can be asked in its place: set it, or --cluster-id, to what the "
            f"operator has, since it says which agents are its own ({error}).",
        ) from error


class DraftReader(Reader):
    """Reads the runtimes that are about to be applied first, and the cluster's with one's own rights.

    With `as_me` a Secret that may not be read, or cannot be, is no hindrance: it would not be used.
    """

    def __init__(
        self,
        cluster: KubernetesCluster,
        clock: Callable[[], float],
        *,
        drafts: Mapping[RuntimeKey, RuntimeResource],
        as_me: bool,
    ) -> None:
        super().__init__(cluster, clock)
        self._drafts = drafts
        self._as_me = as_me

    async def runtime(self, key: RuntimeKey, *, age: float) -> RuntimeResource | None:
        return self._drafts.get(key) or await super().runtime(key, age=age)

    async def secret(self, namespace: str, name: str, key: str, *, age: float) -> str:
        try:
            return await super().secret(namespace, name, key, age=age)
        except (NotAuthorized, ConfigurationError) as error:
            if self._as_me:
                return ""
            raise NotAuthorized(
                f"The Secret {name} in {namespace} cannot be read ({_because(error)}), and its runtime is "
                f"looked at as nobody else: have the right to `get` secrets there, or look with your own "
                f"credentials: {AS_ME}."
            ) from error

    async def labels(self, namespace: str, *, age: float) -> Mapping[str, str]:
        try:
            return await super().labels(namespace, age=age)
        except NotAuthorized as error:
            raise NotAuthorized(
                f"The namespace {namespace} may not be read, whose labels a runtime's "
                "allowedNamespaces.selector asks for: have the right to `get` namespaces."
            ) from error


def _because(error: NotAuthorized | ConfigurationError) -> str:
    return "you may not" if isinstance(error, NotAuthorized) else str(error).rstrip(".")


@asynccontextmanager
async def pool_to_look_at(
    config: RuntimeConfig, reader: Reader, tenancy: Tenancy, *, as_me: bool
) -> AsyncIterator[RuntimePool]:
    """The runtimes that resources name, connected on use, until the context ends."""

    def connected(config: RuntimeConfig, *, guard: Guard) -> AgentRuntimeProvider:
        seen_as = replace(config, identity=OwnIdentity()) if as_me else config
        return AgentRuntimeProvider(seen_as, guard=guard)

    pool = RuntimePool(config, reader, tenancy, guard=nothing_is_written, connect=connected)
    try:
        yield pool
    finally:
        await pool.close()
