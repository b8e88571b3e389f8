"""The operator as a process: what it connects, how it comes to lead, and how it stops.

`_stand_by_and_serve` is the story. On SIGTERM no further pass begins, those in flight end, then kopf stops
(by itself it would cancel a pass in the middle of a write), and the Lease is given back last of all. A Lease
that is lost ends the process on the spot: whatever it still did could only be refused, and any pass may be
the first after a crash.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import kopf
from kubernetes.aio import client

from AgentOperatingSystem.api.v1alpha1 import RuntimeKind
from AgentOperatingSystem.kube import handlers
from AgentOperatingSystem.kube.beside import Beside, beside
from AgentOperatingSystem.kube.client import COMPONENT, KubernetesCluster, connect
from AgentOperatingSystem.kube.delivery import LOOK_SECONDS, Deliveries
from AgentOperatingSystem.kube.echoes import Echoes
from AgentOperatingSystem.kube.health import Health, served_health
from AgentOperatingSystem.kube.leadership import Lease, lease_namespace
from AgentOperatingSystem.kube.login import login_over_few
from AgentOperatingSystem.kube.memory import settle_memory
from AgentOperatingSystem.kube.passes import Passes
from AgentOperatingSystem.kube.runtimes import handlers as runtime_handlers
from AgentOperatingSystem.kube.runtimes.pool import RuntimePool, Tenancy
from AgentOperatingSystem.kube.runtimes.reading import Reader
from AgentOperatingSystem.kube.runtimes.tending import Tending, Users
from AgentOperatingSystem.kube.stopping import StopRequests
from AgentOperatingSystem.model.errors import EndpointNotConfigured
from AgentOperatingSystem.model.guard import unguarded
from AgentOperatingSystem.reconcile.brake import DeletionBrake
from AgentOperatingSystem.reconcile.reconciler import Reconciler
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.endpoints import AllowedEndpoints
from AgentOperatingSystem.runtime.lastword import LastWord

# How long passes in flight may take to end; a pod's usual grace is 30 s, and kopf and the Lease need some.
STOP_SECONDS = 25.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OperatorOptions:
    """How this operator runs: `namespaces` empty for all; `liveness_port` None for no probes.

    `lease` None elects nobody; one without a namespace gets the one that `lease_namespace` finds.
    """

    namespaces: tuple[str, ...] = ()
    liveness_port: int | None = 8080
    lease: Lease | None = field(default_factory=Lease)
    watch_check_seconds: float = LOOK_SECONDS
    tenancy: Tenancy = field(default_factory=lambda: Tenancy(AllowedEndpoints.parse("")))


async def run_operator(config: RuntimeConfig, options: OperatorOptions) -> None:
    """Serve until a signal comes. Raises ConfigurationError when it cannot begin."""
    start = asyncio.current_task()
    stops = StopRequests(lambda: _give_up(start))
    stops.take_over()
    health = Health()
    try:
        with served_health(options.liveness_port, health):
            last_word = LastWord()
            async with beside(health) as side, await connect(last_word) as api:
                await _stand_by_and_serve(config, options, api, side, stops, last_word=last_word)
    except asyncio.CancelledError:
        if start is None or not stops.asked:
            raise
        start.uncancel()
    logger.info("stopped")


def _give_up(start: asyncio.Task[Any] | None) -> None:
    logger.info("stopping: nothing is served yet")
    if start is not None:
        start.cancel()


async def _stand_by_and_serve(
    config: RuntimeConfig,
    options: OperatorOptions,
    api: client.ApiClient,
    side: Beside,
    stops: StopRequests,
    *,
    last_word: LastWord,
) -> None:
    leadership = side.candidate(_located(options.lease, options.namespaces)) if options.lease else None
    guard = last_word.guard = leadership.guard if leadership else unguarded
    echoes = Echoes()
    cluster = KubernetesCluster(api, guard=guard, echoes=echoes)
    cluster_id = config.cluster_id or await cluster.cluster_id()
    # Reads are not retried inside a pass: the pass itself is run again, with growing patience.
    own = replace(config, cluster_id=cluster_id, max_retries=0)
    reader = Reader(cluster, time.monotonic)
    pool = RuntimePool(own, reader, options.tenancy, guard=guard)
    try:
        await _prepare(own, pool)
        settle_memory()
        async with side.leading(leadership):
            brake = DeletionBrake(config.max_deletes_per_minute)
            reconciler = Reconciler(cluster, pool, _now, brake)
            passes = Passes(reconciler, interval=config.listing_age, random=random.random)
            users = Users()
            tending = Tending(cluster, reader, pool, users, served=options.namespaces, clock=_now)
            parts = _Parts(passes, pool, tending, users, echoes)
            await _serve(parts, side, options, stops)
    finally:
        await pool.close()


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the handlers trigger and tell."""

    passes: Passes
    pool: RuntimePool
    tending: Tending
    users: Users
    echoes: Echoes


def _now() -> datetime:
    return datetime.now(UTC)


def _located(lease: Lease, served: tuple[str, ...]) -> Lease:
    return replace(lease, namespace=lease.namespace or lease_namespace(os.environ, served))


async def _prepare(config: RuntimeConfig, pool: RuntimePool) -> None:
    try:
        facts = config.facts()
    except EndpointNotConfigured as error:
        # Each resource that names no runtime says so too, which is where its author looks.
        logger.warning("%s", error)
    else:
        logger.info("cluster %s, runtime %s at %s", facts.cluster_id, facts.type, facts.endpoint)
        await pool.prepare()


async def _serve(parts: _Parts, side: Beside, options: OperatorOptions, stops: StopRequests) -> None:
    registry = kopf.OperatorRegistry()
    settings = handlers.settings()
    settings.scanning.disabled = bool(options.namespaces)
    deliveries = Deliveries()
    handlers.register(registry, parts.passes, deliveries, echoes=parts.echoes, users=parts.users)
    # What is cluster-scoped is for an operator that serves the cluster.
    for kind in (RuntimeKind.AGENT_RUNTIME,) if options.namespaces else tuple(RuntimeKind):
        runtime_handlers.register(registry, kind, parts.tending, parts.pool, parts.passes.wake)
    stop_flag = asyncio.Event()
    stops.stop = lambda: _stop(parts, stop_flag)
    # Each kind is watched in each namespace: the agents, and the kinds of runtime.
    streams = (1 + len(RuntimeKind)) * max(1, len(options.namespaces))
    kopf.on.login(registry=registry)(login_over_few(streams))

    @kopf.on.startup(registry=registry)
    async def take_over_signals(**_: Any) -> None:
        # kopf sets its own handlers once this has first given way; ours replace them.
        await asyncio.sleep(0)
        stops.take_over()

    side.check_delivery(deliveries, options.namespaces, options.watch_check_seconds)
    await kopf.operator(
        registry=registry,
        settings=settings,
        standalone=True,
        clusterwide=not options.namespaces,
        namespaces=options.namespaces,
        # Named, for otherwise kopf asks for the user's name, which a container's user need not have.
        identity=peering_identity(),
        stop_flag=stop_flag,
    )


def peering_identity() -> Any:
    """A name for kopf's peering, which is not used; kopf's own type for it is not public."""
    return COMPONENT


def _stop(parts: _Parts, stop_flag: asyncio.Event) -> None:
    logger.info("stopping: passes in flight end first")
    asyncio.get_running_loop().call_later(STOP_SECONDS, stop_flag.set)
    parts.passes.close(stop_flag.set)
    parts.pool.stop_waiting()
