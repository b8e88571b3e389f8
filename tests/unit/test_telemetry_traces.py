"""A span a pass, with a child a runtime call and no word of a purpose; no SDK where no traces are sent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from AgentOperatingSystem.model.crossing import crossing
from AgentOperatingSystem.model.errors import ConfigurationError
from AgentOperatingSystem.model.signals import PassKind, PassResult, listen
from AgentOperatingSystem.telemetry import telemetry
from AgentOperatingSystem.telemetry.current import one_pass
from AgentOperatingSystem.telemetry.traces import Traces

OTLP = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


class Spans:
    """The spans that ended, by name."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def __getitem__(self, name: str) -> ReadableSpan:
        (span,) = (span for span in self.all if span.name == name)
        return span

    @property
    def all(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()


@pytest.fixture
def spans() -> Iterator[Spans]:
    kept = Spans()
    stop = listen(Traces(kept.provider.get_tracer("test")).heed)
    yield kept
    stop()
    kept.provider.shutdown()


async def test_a_pass_is_a_span_and_its_runtime_calls_are_its_children(spans: Spans) -> None:
    with one_pass(PassKind.RECONCILE, "boardroom", "ceo") as current:
        async with crossing("runtime.get_agent", server="acme.services.ai.azure.com"):
            pass
        async with crossing("cluster.patch_status"):
            pass
        current.result = PassResult.SETTLED
    parent, child = spans["reconcile"], spans["get_agent"]
    assert len(spans.all) == 2
    assert parent.parent is None
    assert parent.attributes == {
        "aos.pass.id": current.id,
        "k8s.namespace.name": "boardroom",
        "aos.resource.name": "ceo",
        "aos.pass.result": "settled",
    }
    assert child.parent is not None
    assert child.parent.span_id == parent.context.span_id
    assert child.kind is SpanKind.CLIENT
    assert child.attributes == {"server.address": "acme.services.ai.azure.com"}
    assert parent.start_time <= child.start_time <= child.end_time <= parent.end_time


async def test_a_call_that_fails_says_how_and_not_what_was_said(spans: Spans) -> None:
    with pytest.raises(ValueError, match="purpose"), one_pass(PassKind.RECONCILE, "boardroom", "ceo"):
        async with crossing("runtime.create_version"):
            raise ValueError("the purpose: Bearer hunter2")
    child, parent = spans["create_version"], spans["reconcile"]
    assert child.attributes == {"error.type": "ValueError"}
    assert child.status.status_code is parent.status.status_code is StatusCode.ERROR
    assert parent.attributes["aos.pass.result"] == "crashed"
    assert not child.events
    assert "hunter2" not in child.to_json() + parent.to_json()


async def test_a_call_outside_of_a_pass_has_no_parent(spans: Spans) -> None:
    async with crossing("runtime.respond"):
        pass
    assert spans["respond"].parent is None


def test_the_end_of_a_pass_that_began_before_the_traces_is_no_span(spans: Spans) -> None:
    late = Traces(spans.provider.get_tracer("late"))
    with one_pass(PassKind.FINALIZE, "boardroom", "ceo"):
        stop = listen(late.heed)
    stop()
    assert [span.name for span in spans.all] == ["finalize"]


@pytest.mark.parametrize(
    ("environ", "missing", "message"),
    [
        pytest.param(
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
            OTLP,
            r"^OTEL_EXPORTER_OTLP_ENDPOINT .*agent-operating-system\[otlp\]",
            id="the extra for OTLP is not installed",
        ),
        pytest.param(
            {"APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=hunter2"},
            "azure.monitor.opentelemetry.exporter",
            r"^APPLICATIONINSIGHTS_CONNECTION_STRING .*agent-operating-system\[azure-monitor\]",
            id="the extra for Application Insights is not installed",
        ),
        pytest.param(
            {"APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=hunter2"},
            None,
            r"^APPLICATIONINSIGHTS_CONNECTION_STRING is not a connection string",
            id="what is set is no connection string",
        ),
    ],
)
def test_what_hinders_traces_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], missing: str | None, message: str
) -> None:
    for switch in ("STATSBEAT_DISABLED_ALL", "CONTROLPLANE_DISABLED"):
        monkeypatch.setenv(f"APPLICATIONINSIGHTS_{switch}", "true")
    if missing:
        monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigurationError, match=message) as told, telemetry(environ, metrics_port=None):
        pass
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    ("settings", "loaded"),
    [
        pytest.param({}, "[]", id="nothing is set"),
        pytest.param({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, "[]", id="set to nothing"),
        pytest.param(
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"},
            "['opentelemetry.sdk', 'opentelemetry.exporter']",
            id="a collector for traces alone",
        ),
    ],
)
def test_the_sdk_is_imported_only_when_traces_are_sent(settings: dict[str, str], loaded: str) -> None:
    program = f"""
import sys
import AgentOperatingSystem.kube.process, AgentOperatingSystem.runtime.foundry
from AgentOperatingSystem.telemetry import telemetry, logs
with telemetry({settings!r}, metrics_port=None):
    heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "azure.monitor", "prometheus_client")
    print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == loaded
