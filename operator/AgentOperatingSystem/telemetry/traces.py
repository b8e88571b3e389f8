"""Traces: a span for each pass, with a child for each call to the runtime.

Imported only when traces are sent somewhere, since the SDK takes memory. Its provider is ours alone and
not the process's global one: the clients of Azure and OpenAI would put spans of their own into that, with
what was asked and answered. Ours hold names, codes and times.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from AgentOperatingSystem.model.errors import ConfigurationError
from AgentOperatingSystem.model.signals import CallEnded, PassBegan, PassEnded, PassResult, Signal, listen
from AgentOperatingSystem.telemetry.current import current_pass

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

SERVICE = "aos-operator"
OTLP = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
APPLICATION_INSIGHTS = "APPLICATIONINSIGHTS_CONNECTION_STRING"
# Sending the rest at the end must not outlast what is left of a pod's grace.
FLUSH_SECONDS = 4.0
RUNTIME = "runtime."


class Traces:
    """Turns signals into spans of `tracer`: `listen(traces.heed)`."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._open: dict[str, Span] = {}

    def heed(self, signal: Signal) -> None:
        """Begin or end the span that `signal` is about."""
        match signal:
            case PassBegan():
                self._begin(signal)
            case PassEnded():
                self._end(signal)
            case CallEnded() if signal.name.startswith(RUNTIME):
                self._add(signal)
            case _:
                pass

    def _begin(self, began: PassBegan) -> None:
        self._open[began.id] = self._tracer.start_span(
            began.kind,
            context=Context(),
            attributes={
                "aos.pass.id": began.id,
                "k8s.namespace.name": began.namespace,
                "aos.resource.name": began.name,
            },
        )

    def _end(self, ended: PassEnded) -> None:
        span = self._open.pop(ended.id, None)
        if span is None:
            return
        span.set_attribute("aos.pass.result", ended.result)
        if ended.result is PassResult.CRASHED:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def _add(self, call: CallEnded) -> None:
        """A span of the past: a call is told of when it has ended."""
        current = current_pass()
        parent = self._open.get(current.id) if current else None
        span = self._tracer.start_span(
            call.name.removeprefix(RUNTIME),
            context=trace.set_span_in_context(parent, Context()) if parent else Context(),
            kind=SpanKind.CLIENT,
            start_time=call.started_at,
            attributes={"server.address": call.server} if call.server else {},
        )
        if call.error is not None:
            span.set_attribute("error.type", call.code)
            span.set_status(Status(StatusCode.ERROR))
        span.end(call.started_at + round(call.seconds * 1e9))


@contextmanager
def exported_traces(environ: Mapping[str, str]) -> Iterator[None]:
    """Send traces where `environ` says while the body runs. Raises ConfigurationError when it cannot."""
    provider = _provider(environ)
    stop_listening = listen(Traces(provider.get_tracer("AgentOperatingSystem")).heed)
    try:
        yield
    finally:
        stop_listening()
        _flush(provider)


def _provider(environ: Mapping[str, str]) -> TracerProvider:
    otlp = next((name for name in OTLP if environ.get(name)), None)
    with _extra("otlp", otlp) if otlp else _extra("azure-monitor", APPLICATION_INSIGHTS):
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415 - on use
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    resource = Resource({"service.name": SERVICE}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    if environ.get(APPLICATION_INSIGHTS):
        insights = _application_insights_exporter(environ[APPLICATION_INSIGHTS], provider)
        provider.add_span_processor(BatchSpanProcessor(insights))
    if otlp:
        provider.add_span_processor(BatchSpanProcessor(_otlp_exporter(otlp)))
    return provider


def _otlp_exporter(setting: str) -> SpanExporter:
    with _extra("otlp", setting):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    # It reads the standard settings itself: endpoint, headers, certificate, time-out, compression.
    return OTLPSpanExporter()


def _application_insights_exporter(connection_string: str, provider: TracerProvider) -> SpanExporter:
    # The exporter reports on itself to Microsoft and asks there for instructions: only when told to.
    for switch in ("STATSBEAT_DISABLED_ALL", "CONTROLPLANE_DISABLED"):
        os.environ.setdefault(f"APPLICATIONINSIGHTS_{switch}", "true")
    with _extra("azure-monitor", APPLICATION_INSIGHTS):
        from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter  # noqa: PLC0415
    try:
        return AzureMonitorTraceExporter(
            connection_string=connection_string,
            tracer_provider=provider,
            # Nothing is kept on disk: a pod's is read-only, and another process could read what was kept.
            disable_offline_storage=True,
        )
    except ValueError:
        # Its message may quote the value.
        raise ConfigurationError(
            APPLICATION_INSIGHTS, "is not a connection string: copy it from the resource's overview page."
        ) from None


@contextmanager
def _extra(extra: str, setting: str) -> Iterator[None]:
    """Tell which extra a failing import needs, and which setting asks for it."""
    try:
        yield
    except ImportError as error:
        raise ConfigurationError(
            setting,
            "is set, and what sends traces there is not installed: "
            f"pip install 'agent-operating-system[{extra}]', or unset it.",
        ) from error


def _flush(provider: TracerProvider) -> None:
    """Send what is left, but not for ever: the SDK itself would wait half a minute for a dead collector."""
    flushing = threading.Thread(target=provider.shutdown, name="trace-flush", daemon=True)
    flushing.start()
    flushing.join(FLUSH_SECONDS)
