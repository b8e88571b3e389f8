"""What cannot be is answered where its author looks, with the field and with what to do instead."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.harness.kubectl import Kubectl
from tests.harness.planes import Plane, create_namespace
from tests.harness.stage import GROUP, VERSION, Stage, condition, manifest
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


# Runtimes: what the API server refuses needs no operator.

TEAM, CLUSTER = "AgentRuntime", "ClusterAgentRuntime"
ENDPOINT = "https://acme.services.ai.azure.com/api/projects/board"
PRINCIPAL = {"tenantId": "t", "clientId": "c", "secretRef": {"name": "foundry"}}
SOUND: dict[str, dict[str, Any]] = {
    TEAM: {"endpoint": ENDPOINT, "servicePrincipal": PRINCIPAL},
    # Nobody may run an agent there, so that no operator of another test finds work on it.
    CLUSTER: {"endpoint": ENDPOINT, "allowedNamespaces": {"names": []}},
}


@dataclass(frozen=True)
class Desk:
    """Where runtimes are written: a namespace, and a name that nobody else has in the cluster."""

    kubectl: Kubectl
    name: str

    def runtime(self, kind: str, **spec: Any) -> str:
        """A runtime as kubectl reads it, sound unless told otherwise; None leaves a field out."""
        wanted = {**SOUND[kind], **spec}
        return json.dumps(
            {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": kind,
                "metadata": {"name": self.name},
                "spec": {field: value for field, value in wanted.items() if value is not None},
            }
        )


@pytest.fixture(scope="module")
def runtimes_kubectl(control_plane: Plane) -> Kubectl:
    """kubectl in a namespace that no operator serves."""
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    create_namespace(control_plane, namespace)
    return control_plane.kubectl(namespace)


@pytest.fixture
def desk(runtimes_kubectl: Kubectl) -> Iterator[Desk]:
    made = Desk(runtimes_kubectl, f"runtime-{uuid.uuid4().hex[:8]}")
    yield made
    for kind in (TEAM, CLUSTER):
        runtimes_kubectl.run("delete", kind, made.name, "--ignore-not-found", "--wait=false")


OUTSIDE = "must be a plain https URL, without user, query or fragment"
RUNTIME_REFUSALS: list[tuple[str, str, dict[str, Any], str, str]] = [
    # reason, kind, spec, field, mend
    ("no endpoint", TEAM, {"endpoint": None}, "spec.endpoint", "Required value"),
    ("no endpoint", CLUSTER, {"endpoint": None}, "spec.endpoint", "Required value"),
    ("plain http", TEAM, {"endpoint": f"http{ENDPOINT[5:]}"}, "spec.endpoint", OUTSIDE),
    (
        "http to a host that is named like this machine",
        TEAM,
        {"endpoint": "http://127.0.0.1.evil.example/api/projects/x"},
        "spec.endpoint",
        OUTSIDE,
    ),
    ("a query", CLUSTER, {"endpoint": f"{ENDPOINT}?x=1"}, "spec.endpoint", OUTSIDE),
    ("a fragment", CLUSTER, {"endpoint": f"{ENDPOINT}#x"}, "spec.endpoint", OUTSIDE),
    (
        "another host behind a user",
        TEAM,
        {"endpoint": "https://acme.services.ai.azure.com@evil.example/api/projects/x"},
        "spec.endpoint",
        OUTSIDE,
    ),
    (
        "an account without a project",
        TEAM,
        {"endpoint": "https://acme.services.ai.azure.com/"},
        "spec.endpoint",
        "must name the project: https://<account>.services.ai.azure.com/api/projects/<project>",
    ),
    ("too long an endpoint", TEAM, {"endpoint": f"{ENDPOINT}{'x' * 2048}"}, "spec.endpoint", "2048"),
    ("a type there is not", TEAM, {"type": "InCluster"}, "spec.type", '"Foundry", "FoundryClassic"'),
    ("no identity", TEAM, {"servicePrincipal": None}, "spec.servicePrincipal", "Required value"),
    (
        "an identity without a Secret",
        TEAM,
        {"servicePrincipal": {"tenantId": "t", "clientId": "c"}},
        "spec.servicePrincipal.secretRef",
        "Required value",
    ),
    (
        "a Secret of another namespace",
        TEAM,
        {"servicePrincipal": {**PRINCIPAL, "secretRef": {"name": "x", "namespace": "kube-system"}}},
        "spec.servicePrincipal.secretRef.namespace",
        "unknown field",
    ),
    (
        "a Secret by its path",
        TEAM,
        {"servicePrincipal": {**PRINCIPAL, "secretRef": {"name": "../kube-system/x"}}},
        "spec.servicePrincipal.secretRef.name",
        "must be the name of an object",
    ),
    (
        "a tenant that is a path",
        TEAM,
        {"servicePrincipal": {**PRINCIPAL, "tenantId": "t/../common"}},
        "spec.servicePrincipal.tenantId",
        "must be the tenant's id or its domain",
    ),
    (
        "the operator's identity for a team",
        TEAM,
        {"identity": {"clientId": "c"}},
        "spec.identity",
        "unknown field",
    ),
    (
        "an identity without a client id",
        CLUSTER,
        {"identity": {"tenantId": "t"}},
        "spec.identity.clientId",
        "Required value",
    ),
    (
        "nobody said to be allowed",
        CLUSTER,
        {"allowedNamespaces": None},
        "spec.allowedNamespaces",
        "Required value",
    ),
    (
        "neither names nor a selector",
        CLUSTER,
        {"allowedNamespaces": {}},
        "spec.allowedNamespaces",
        "say names, selector or both",
    ),
    (
        "a pattern of namespaces",
        CLUSTER,
        {"allowedNamespaces": {"names": ["team-*"]}},
        "spec.allowedNamespaces.names[0]",
        "must be the name of a namespace; there are no patterns",
    ),
    (
        "a comparison with nothing",
        CLUSTER,
        {"allowedNamespaces": {"selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}},
        "spec.allowedNamespaces.selector.matchExpressions",
        "In and NotIn need values",
    ),
    (
        "a deployment of no model and no adapter",
        TEAM,
        {"deploymentTemplate": "fixed"},
        "spec.deploymentTemplate",
        "must hold {model} or {adapter}",
    ),
    (
        "a word that no deployment has",
        TEAM,
        {"deploymentTemplate": "{model}-{agentId}"},
        "spec.deploymentTemplate",
        "the words {model} and {adapter}",
    ),
    (
        "one name for all agents",
        CLUSTER,
        {"agentNameTemplate": "{namespace}-agent"},
        "spec.agentNameTemplate",
        "must hold {agentId}",
    ),
    (
        "a word that no agent has",
        CLUSTER,
        {"agentNameTemplate": "{cluster}-{agentId}"},
        "spec.agentNameTemplate",
        "the words {agentId}, {namespace} and {name}",
    ),
    (
        "a name that no agent can have",
        CLUSTER,
        {"agentNameTemplate": "-{agentId}"},
        "spec.agentNameTemplate",
        "must not begin or end with '-'",
    ),
    ("a model with a space", TEAM, {"baseModel": "llama 3"}, "spec.baseModel", "use letters, digits"),
    ("a model twice", TEAM, {"allowedModels": ["a", "a"]}, "spec.allowedModels[1]", "Duplicate value"),
    ("fewer than none", TEAM, {"maxAgents": -1}, "spec.maxAgents", "greater than or equal to 0"),
    ("no pace", TEAM, {"limits": {"requestsPerSecond": 0}}, "spec.limits.requestsPerSecond", "equal to 1"),
    ("no time", TEAM, {"limits": {"timeoutSeconds": 601}}, "spec.limits.timeoutSeconds", "equal to 600"),
    ("no rest", TEAM, {"driftIntervalSeconds": 4}, "spec.driftIntervalSeconds", "equal to 5"),
    ("an unquoted Off, which YAML reads as false", TEAM, {"modelCheck": False}, "spec.modelCheck", "string"),
    ("a field that does not exist", CLUSTER, {"endPoint": ENDPOINT}, "spec.endPoint", "unknown field"),
]


@pytest.mark.parametrize(
    ("kind", "spec", "field", "mend"),
    [row[1:] for row in RUNTIME_REFUSALS],
    ids=[f"{row[1]}: {row[0]}" for row in RUNTIME_REFUSALS],
)
def test_a_runtime_that_cannot_be_is_refused_with_field_and_mend(
    desk: Desk, kind: str, spec: dict[str, Any], field: str, mend: str
) -> None:
    refusal = desk.kubectl.refused(desk.runtime(kind, **spec))
    assert field in refusal
    assert mend in refusal


@pytest.mark.parametrize("kind", [TEAM, CLUSTER])
@pytest.mark.parametrize(
    ("first", "then", "field"),
    [
        ({}, {"endpoint": f"{ENDPOINT}-2"}, "endpoint"),
        ({}, {"type": "FoundryClassic"}, "type"),
        ({"type": "FoundryClassic"}, {}, "type"),
        ({}, {"agentNameTemplate": "{namespace}-{agentId}"}, "agentNameTemplate"),
        ({"agentNameTemplate": "{name}-{agentId}"}, {}, "agentNameTemplate"),
    ],
    ids=["endpoint", "type", "type removed", "name template added", "name template removed"],
)
def test_where_and_as_what_agents_are_made_stays_what_it_is(
    desk: Desk, kind: str, first: dict[str, str], then: dict[str, str], field: str
) -> None:
    desk.kubectl.apply(desk.runtime(kind, **first))
    refusal = desk.kubectl.refused(desk.runtime(kind, **then))
    assert f"spec.{field}" in refusal
    assert "cannot be changed" in refusal
    assert "make a runtime of another name" in refusal


@pytest.mark.parametrize("kind", [TEAM, CLUSTER])
def test_everything_else_of_a_runtime_can_be_changed(desk: Desk, kind: str) -> None:
    desk.kubectl.apply(desk.runtime(kind))
    more = {
        "baseModel": "gpt-4.1",
        "deploymentTemplate": "{adapter}",
        "allowedModels": ["other/gpt-4.1"],
        "allowedVectorStores": [],
        "maxAgents": 0,
        "limits": {"requestsPerSecond": 1, "inFlight": 1, "timeoutSeconds": 1},
        "driftIntervalSeconds": 5,
        "modelCheck": "Off",
    }
    other = {
        TEAM: {"servicePrincipal": {**PRINCIPAL, "clientId": "d", "secretRef": {"name": "x", "key": "y"}}},
        CLUSTER: {"identity": {"clientId": "c"}, "allowedNamespaces": {"selector": {}}},
    }
    assert desk.kubectl.apply(desk.runtime(kind, **more, **other[kind])).endswith("configured\n")
    assert desk.kubectl.apply(desk.runtime(kind)).endswith("configured\n")


@pytest.mark.parametrize(
    ("reference", "field", "mend"),
    [
        ({"kind": "Runtime", "name": "x"}, "spec.runtimeRef.kind", '"AgentRuntime", "ClusterAgentRuntime"'),
        ({"name": "x"}, "spec.runtimeRef.kind", "Required value"),
        ({"kind": TEAM}, "spec.runtimeRef.name", "Required value"),
        ({"kind": TEAM, "name": "a/b"}, "spec.runtimeRef.name", "must be the name of an object"),
        ({"kind": TEAM, "name": "x", "namespace": "y"}, "spec.runtimeRef.namespace", "unknown field"),
    ],
    ids=["kind", "no kind", "no name", "a path", "another namespace"],
)
def test_a_reference_to_a_runtime_that_cannot_be(
    desk: Desk, reference: dict[str, str], field: str, mend: str
) -> None:
    refusal = desk.kubectl.refused(manifest("x", runtimeRef=reference))
    assert field in refusal
    assert mend in refusal
