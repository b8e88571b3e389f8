"""The operator as a process: what it connects, and how it stops.

On SIGTERM no further pass begins, those in flight end, and only then kopf is told to stop: kopf itself
would cancel a pass in the middle of a write.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import kopf

from AgentOperatingSystem.kube import handlers
from AgentOperatingSystem.kube.client import KubernetesCluster, connect
from AgentOperatingSystem.kube.passes import Passes
from AgentOperatingSystem.model.errors import EndpointNotConfigured
from AgentOperatingSystem.reconcile.brake import DeletionBrake
from AgentOperatingSystem.reconcile.reconciler import Reconciler
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.provider import AgentRuntimeProvider

# How long passes in flight may take to end; a pod's usual grace is 30 s.
STOP_SECONDS = 25.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OperatorOptions:
    """How this operator runs: `namespaces` empty for all; `liveness_port` None for no endpoint."""

    namespaces: tuple[str, ...] = ()
    liveness_port: int | None = 8080


async def run_operator(config: RuntimeConfig, options: OperatorOptions) -> None:
    """Serve until a signal comes. Raises ConfigurationError when it cannot begin."""
    async with await connect() as api:
        cluster = KubernetesCluster(api)
        cluster_id = config.cluster_id or await cluster.cluster_id()
        # Reads are not retried inside a pass: the pass itself is run again, with growing patience.
        runtime = AgentRuntimeProvider(replace(config, cluster_id=cluster_id, max_retries=0))
        try:
            await _initialize(runtime)
            brake = DeletionBrake(config.max_deletes_per_minute)
            reconciler = Reconciler(cluster, runtime, lambda: datetime.now(UTC), brake)
            passes = Passes(reconciler, interval=config.listing_age, random=random.random)
            await _serve(passes, options)
        finally:
            await runtime.close()


async def _initialize(runtime: AgentRuntimeProvider) -> None:
    try:
        await runtime.initialize()
    except EndpointNotConfigured as error:
        # Each resource says so too, which is where its author looks.
        logger.warning("%s", error)
    else:
        facts = runtime.facts()
        logger.info("cluster %s, runtime %s at %s", facts.cluster_id, facts.type, facts.endpoint)


async def _serve(passes: Passes, options: OperatorOptions) -> None:
    registry = kopf.OperatorRegistry()
    settings = handlers.settings()
    settings.scanning.disabled = bool(options.namespaces)
    handlers.register(registry, passes)
    stop_flag = asyncio.Event()

    @kopf.on.login(registry=registry)
    def login(**known: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**known) or kopf.login_via_client(**known)

    @kopf.on.startup(registry=registry)
    async def take_over_signals(**_: Any) -> None:
        # kopf sets its own handlers once this has first given way; ours replace them.
        await asyncio.sleep(0)
        _on_stop_signal(lambda: _stop(passes, stop_flag))

    port = options.liveness_port
    await kopf.operator(
        registry=registry,
        settings=settings,
        standalone=True,
        clusterwide=not options.namespaces,
        namespaces=options.namespaces,
        liveness_endpoint=None if port is None else f"http://0.0.0.0:{port}/healthz",
        stop_flag=stop_flag,
    )


def _on_stop_signal(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def _stop(passes: Passes, stop_flag: asyncio.Event) -> None:
    logger.info("stopping: passes in flight end first")
    asyncio.get_running_loop().call_later(STOP_SECONDS, stop_flag.set)
    passes.close(stop_flag.set)
