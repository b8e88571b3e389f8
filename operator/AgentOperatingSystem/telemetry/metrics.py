"""The operator's metrics for Prometheus, served on a port of their own by a thread of their own.

Labels are words of ours: operations, codes, results. No name of a resource is among them, since every
value makes a time series that is never forgotten.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)

from AgentOperatingSystem.model.errors import ConfigurationError
from AgentOperatingSystem.model.signals import (
    CallEnded,
    DriftFound,
    PassEnded,
    PassResult,
    ReadySeen,
    ResourceGone,
    Signal,
    listen,
)

SETTING = "AOS_METRICS_PORT"
RUNTIME = "runtime"
READY_VALUES = ("True", "False", "Unknown")
# Seconds: a pass that finds nothing to do takes milliseconds, an answer of a model may take a minute.
PASS_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
REQUEST_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

logger = logging.getLogger(__name__)


class Metrics:
    """The metrics in one registry, kept by listening: `listen(metrics.heed)`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Else every series has a twin with the time of its birth.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._passes = Counter("aos_reconcile", "Passes, by how they ended.", ["result"], registry=registry)
        self._pass_seconds = Histogram(
            "aos_reconcile_duration_seconds", "How long a pass took.", registry=registry, buckets=PASS_BUCKETS
        )
        self._runtime_requests = Counter(
            "aos_runtime_requests",
            "Requests to the runtime, by operation and by HTTP status, class of error, or ok.",
            ["operation", "code"],
            registry=registry,
        )
        self._runtime_seconds = Histogram(
            "aos_runtime_request_duration_seconds",
            "How long a request to the runtime took.",
            ["operation"],
            registry=registry,
            buckets=REQUEST_BUCKETS,
        )
        self._kubernetes_requests = Counter(
            "aos_kubernetes_requests",
            "Requests to the Kubernetes API, by operation and by HTTP status, class of error, or ok.",
            ["operation", "code"],
            registry=registry,
        )
        self._drift = Counter(
            "aos_drift", "Differences found though nobody changed the resource.", registry=registry
        )
        self._agents = Gauge("aos_agents", "Resources, by what Ready says.", ["ready"], registry=registry)
        self._ready: dict[str, str] = {}
        for ready in READY_VALUES:
            self._agents.labels(ready).set(0)
        for result in PassResult:
            self._passes.labels(result)

    def heed(self, signal: Signal) -> None:
        """Count what `signal` tells."""
        match signal:
            case PassEnded(result=result, seconds=seconds):
                self._passes.labels(result).inc()
                self._pass_seconds.observe(seconds)
            case CallEnded():
                self._count_call(signal)
            case DriftFound(count=count):
                self._drift.inc(count)
            case ReadySeen(uid=uid, ready=ready):
                self._count_agent(uid, ready)
            case ResourceGone(uid=uid):
                self._count_agent(uid, None)
            case _:
                pass

    def _count_call(self, call: CallEnded) -> None:
        port, _, operation = call.name.partition(".")
        if port == RUNTIME:
            self._runtime_requests.labels(operation, call.code).inc()
            self._runtime_seconds.labels(operation).observe(call.seconds)
        else:
            self._kubernetes_requests.labels(operation, call.code).inc()

    def _count_agent(self, uid: str, ready: str | None) -> None:
        before = self._ready.pop(uid, None)
        if ready is not None:
            self._ready[uid] = ready
        if before == ready:
            return
        if before is not None:
            self._agents.labels(before).dec()
        if ready is not None:
            self._agents.labels(ready).inc()


@contextmanager
def served_metrics(port: int) -> Iterator[None]:
    """Keep the metrics and serve them on `port`. Raises ConfigurationError when it cannot be had."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    metrics = Metrics(registry)
    try:
        server, thread = start_http_server(port, registry=registry)
    except OSError as error:
        raise ConfigurationError(
            SETTING,
            f"is {port}, which cannot be listened on ({error.strerror}): take another, or 0 for none.",
        ) from error
    server.handle_error = _on_broken_request  # type: ignore[assignment,method-assign]
    stop_listening = listen(metrics.heed)
    try:
        yield
    finally:
        stop_listening()
        server.shutdown()
        server.server_close()
        thread.join()


def _on_broken_request(_request: Any, client_address: Any) -> None:
    """A scraper that hangs up is no news; the server would print a traceback past the log."""
    logger.debug("a request for metrics from %s broke off", client_address[0])
