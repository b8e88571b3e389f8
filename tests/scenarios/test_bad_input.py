"""What cannot be is answered where its author looks, with the field and with what to do instead."""

from typing import Any

import pytest
from tests.harness.stage import Stage, condition, manifest
from tests.scenarios.refusals import REFUSALS, TOOL

UNKNOWN_TYPE = {"type": "object", "properties": {"period": {"type": "quarter"}}}


@pytest.mark.parametrize(
    ("name", "spec", "field", "mend"),
    [row[1:] for row in REFUSALS],
    ids=[row[0] for row in REFUSALS],
)
def test_kubectl_is_told_field_and_mend(
    shared: Stage, name: str, spec: dict[str, Any], field: str, mend: str
) -> None:
    refusal = shared.kubectl.refused(manifest(name, **spec))
    assert field in refusal
    assert mend in refusal
    assert shared.read(name) is None


@pytest.mark.parametrize("change", [{"agentId": "chairman"}, {}], ids=["changed", "removed"])
def test_an_agent_id_stays_what_it_is(shared: Stage, change: dict[str, str]) -> None:
    shared.kubectl.apply(manifest("immutable", agentId="chief"))
    refusal = shared.kubectl.refused(manifest("immutable", **change))
    assert "spec.agentId" in refusal
    assert "delete the resource and create it with the other id" in refusal


def test_an_agent_id_cannot_be_added_later(shared: Stage) -> None:
    shared.kubectl.apply(manifest("unnamed"))
    assert "agentId is immutable, set or left out" in shared.kubectl.refused(
        manifest("unnamed", agentId="named")
    )


REJECTED_BY_THE_OPERATOR: list[tuple[str, str, dict[str, Any], str]] = [
    # reason, name, spec, what the condition says
    (
        "an input schema that is no JSON schema",
        "schemaless",
        {"mcpTools": [{**TOOL, "inputSchema": UNKNOWN_TYPE}]},
        "spec.mcpTools[0].inputSchema",
    ),
    (
        "an adapter whose deployment with the operator's model has too long a name",
        "longwinded",
        {"adapterName": "a" * 60},
        "spec.adapterName: the deployment llama-3.3-70b-",
    ),
]


@pytest.mark.parametrize(
    ("name", "spec", "told"),
    [row[1:] for row in REJECTED_BY_THE_OPERATOR],
    ids=[row[0] for row in REJECTED_BY_THE_OPERATOR],
)
def test_the_status_names_the_field_until_it_is_mended(
    shared: Stage, name: str, spec: dict[str, Any], told: str
) -> None:
    shared.kubectl.apply(manifest(name, **spec))
    rejected = shared.reason(name, "SpecRejected")
    assert told in condition(rejected, "Ready")["message"]
    assert condition(rejected, "Stalled")["status"] == "True"
    shared.told(name, "SpecRejected")
    assert shared.versions(name) == 0
    shared.kubectl.apply(manifest(name))
    mended = shared.ready(name)
    assert condition(mended, "Stalled") == {}
    assert shared.versions(name) == 1


def test_a_deployment_that_does_not_exist_is_named(shared: Stage) -> None:
    shared.kubectl.apply(manifest("untuned", adapterName="cto"))
    missing = shared.reason("untuned", "ModelNotFound")
    assert "llama-3.3-70b-cto" in condition(missing, "Ready")["message"]
    assert shared.versions("untuned") == 0


def test_without_an_endpoint_the_status_names_the_setting_and_recovers_once_it_is_set(stage: Stage) -> None:
    stage.operator.start(AZURE_AI_PROJECT_ENDPOINT=None)
    stage.kubectl.apply(manifest("homeless"))
    stalled = stage.reason("homeless", "EndpointNotConfigured")
    assert "AZURE_AI_PROJECT_ENDPOINT" in condition(stalled, "Ready")["message"]
    assert condition(stalled, "Stalled")["status"] == "True"
    assert stage.operator.stop() == 0
    stage.operator.start()
    stage.ready("homeless")
