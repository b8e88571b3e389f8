"""What a running operator shows of itself: metrics, a log, traces; and no secret in any of them."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from tests.harness.polling import eventually
from tests.harness.process import free_port
from tests.harness.stage import Stage, manifest
from tests.kopf.collector import INSTRUMENTATION_KEY, Collector, attributes

# Shaped as a secret, and told to the agent: it must reach the runtime and nothing else.
SECRET = "hunter2Hunter2HUNTER2abc"
PURPOSE = f"Know that api_key={SECRET}."
OFTEN = {"AOS_DRIFT_INTERVAL": "1"}


class Scrape:
    """What the operator's metrics port said at one moment."""

    def __init__(self, port: int) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            self.text: str = answer.read().decode()
        self.families: dict[str, Metric] = {
            family.name: family for family in text_string_to_metric_families(self.text)
        }

    def __call__(self, sample: str, **labels: str) -> float:
        """A sample's value, 0 when it is not there."""
        return sum(
            one.value
            for family in self.families.values()
            for one in family.samples
            if one.name == sample and labels.items() <= one.labels.items()
        )


def log_lines(stage: Stage) -> list[dict[str, Any]]:
    """The operator's log; every line of it must be JSON."""
    return [json.loads(line) for line in stage.operator.log.splitlines()]


def test_every_metric_is_served_and_tells_what_happened(stage: Stage) -> None:
    port = free_port()
    stage.operator.start(AOS_METRICS_PORT=str(port), **OFTEN)
    stage.kubectl.apply(
        manifest("ceo", purpose=PURPOSE, adapterName="ceo"), manifest("cto", adapterName="none-such")
    )
    stage.ready("ceo")
    stage.reason("cto", "ModelNotFound")
    seen = eventually(
        lambda: Scrape(port),
        # A status is seen before the pass that wrote it has ended.
        lambda now: (
            now("aos_agents", ready="True") == now("aos_agents", ready="False") == 1
            and now("aos_reconcile_total", result="settled") >= 2
        ),
        what="one agent that is Ready and one that is not, and the passes over both counted",
    )
    assert {name: family.type for name, family in seen.families.items() if name.startswith("aos_")} == {
        "aos_reconcile": "counter",
        "aos_reconcile_duration_seconds": "histogram",
        "aos_runtime_requests": "counter",
        "aos_runtime_request_duration_seconds": "histogram",
        "aos_kubernetes_requests": "counter",
        "aos_drift": "counter",
        "aos_agents": "gauge",
    }
    assert seen("aos_reconcile_total") == seen("aos_reconcile_duration_seconds_count")
    assert seen("aos_runtime_requests_total", operation="create_version", code="ok") == 1
    assert seen("aos_runtime_requests_total") == seen("aos_runtime_request_duration_seconds_count")
    assert 0 < seen("aos_runtime_request_duration_seconds_sum", operation="create_version") < 30
    assert seen("aos_kubernetes_requests_total", operation="patch_status", code="ok") >= 2
    assert seen("aos_drift_total") == 0
    assert SECRET not in seen.text

    stage.foundry.edit_agent("ceo", instructions="Be idle.")
    eventually(lambda: Scrape(port)("aos_drift_total") == 1, what="the edit is counted as drift, once")

    stage.foundry.down()
    eventually(
        lambda: (
            Scrape(port)("aos_runtime_requests_total", operation="list_agents")
            - Scrape(port)("aos_runtime_requests_total", operation="list_agents", code="ok")
        ),
        what="a request that failed is counted under its code",
    )
    stage.foundry.up()
    stage.kubectl("delete", "pda", "ceo", "cto")
    eventually(lambda: Scrape(port)("aos_agents") == 0, what="the resources are gone from the count")
    eventually(
        lambda: Scrape(port)("aos_reconcile_total", result="finalized") == 2,
        what="both deletions are counted",
    )


def test_every_line_of_a_json_log_is_json_and_names_object_and_pass(stage: Stage) -> None:
    stage.operator.start(AOS_LOG_FORMAT="json", **OFTEN)
    stage.kubectl.apply(manifest("ceo", purpose=PURPOSE))
    stage.ready("ceo")
    stage.kubectl("delete", "pda", "ceo")
    assert stage.operator.stop() == 0
    lines = log_lines(stage)
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    about = [line for line in lines if line.get("object") == f"{stage.namespace}/ceo"]
    created, deleted = (
        next(line for line in about if word in line["message"]) for word in ("Created agent", "Deleted agent")
    )
    assert created["pass"] != deleted["pass"]
    assert SECRET not in stage.operator.log


def test_a_text_log_names_object_and_pass_too(stage: Stage) -> None:
    stage.operator.start()
    stage.kubectl.apply(manifest("ceo", purpose=PURPOSE))
    stage.ready("ceo")
    (created,) = eventually(
        lambda: [line for line in stage.operator.log.splitlines() if "Created agent" in line],
        what="the log tells of the agent",
    )
    assert f" [{stage.namespace}/ceo " in created


def test_a_collector_gets_a_span_a_pass_with_its_calls_to_the_runtime(
    stage: Stage, collector: Collector
) -> None:
    stage.operator.start(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, AOS_LOG_FORMAT="json")
    stage.kubectl.apply(manifest("ceo", purpose=PURPOSE))
    stage.ready("ceo")
    stage.kubectl("delete", "pda", "ceo")
    assert stage.operator.stop() == 0
    assert collector.services == {"aos-operator"}
    by_id = {span.span_id: span for span in collector.spans}
    assert {"reconcile", "finalize"} <= {span.name for span in by_id.values()}, "the last is sent at the end"
    (create,) = (span for span in by_id.values() if span.name == "create_version")
    parent = by_id[create.parent_span_id]
    about = attributes(parent)
    assert parent.name == "reconcile"
    assert (about["k8s.namespace.name"], about["aos.resource.name"]) == (stage.namespace, "ceo")
    (created,) = (line for line in log_lines(stage) if "Created agent" in line["message"])
    assert about["aos.pass.id"] == created["pass"], "the log leads to the trace"
    assert not any(SECRET.encode() in body for _, body in collector.bodies)


def test_application_insights_gets_the_same_and_the_disk_nothing(
    stage: Stage, collector: Collector, tmp_path: Path
) -> None:
    stage.operator.start(
        APPLICATIONINSIGHTS_CONNECTION_STRING=collector.connection_string,
        AOS_LOG_FORMAT="json",
        TMPDIR=str(tmp_path),
    )
    stage.kubectl.apply(manifest("ceo", purpose=PURPOSE))
    stage.ready("ceo")
    assert stage.operator.stop() == 0
    names = {item["data"]["baseData"].get("name") for item in collector.insights}
    assert {"reconcile", "create_version"} <= names
    assert not any(SECRET.encode() in body for _, body in collector.bodies)
    assert INSTRUMENTATION_KEY not in stage.operator.log
    assert {line["level"] for line in log_lines(stage)} == {"info"}
    assert not list(tmp_path.iterdir())


def test_a_collector_that_is_not_there_hinders_neither_the_work_nor_the_end(stage: Stage) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    stage.operator.start(OTEL_EXPORTER_OTLP_ENDPOINT=nowhere)
    stage.kubectl.apply(manifest("ceo"))
    stage.ready("ceo")
    began = time.monotonic()
    assert stage.operator.stop() == 0
    assert time.monotonic() - began < 15
