"""What the operator shows of itself: metrics, logs and traces.

It learns everything by listening to `model.signals` and knows none of those who tell; what it does not
show, it does not import: an operator without traces has no OpenTelemetry SDK in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

TRACE_SETTINGS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
)


@contextmanager
def telemetry(environ: Mapping[str, str], *, metrics_port: int | None) -> Iterator[None]:
    """Serve metrics on the port, and send traces where `environ` says, while the body runs.

    Raises ConfigurationError when one of the two cannot begin. What is not yet sent is sent at the end.
    """
    with ExitStack() as stack:
        if metrics_port is not None:
            from AgentOperatingSystem.telemetry.metrics import served_metrics  # noqa: PLC0415

            stack.enter_context(served_metrics(metrics_port))
        if any(environ.get(name) for name in TRACE_SETTINGS):
            from AgentOperatingSystem.telemetry.traces import exported_traces  # noqa: PLC0415

            stack.enter_context(exported_traces(environ))
        yield
