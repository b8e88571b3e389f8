"""The runtimes' models: what a manifest means once read, and what a team has no field for."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from AgentOperatingSystem.api.conditions import broken_rules
from AgentOperatingSystem.api.crd import crds
from AgentOperatingSystem.api.runtimes import (
    AgentRuntimeSpec,
    AllowedNamespaces,
    ClusterAgentRuntimeSpec,
    LabelSelector,
    ModelCheck,
    RuntimeResourceStatus,
    RuntimeType,
)
from AgentOperatingSystem.api.v1alpha1 import PurposeDrivenAgentSpec, RuntimeKind
from AgentOperatingSystem.model import facts
from AgentOperatingSystem.model.deployment import AGENT_NAME_TEMPLATE, DEPLOYMENT_TEMPLATE
from AgentOperatingSystem.runtime.config import DEFAULT_MODEL, RuntimeConfig
from AgentOperatingSystem.sandbox.kubernetes.cel import RuleTree, check_rules, compile_rules
from AgentOperatingSystem.sandbox.kubernetes.structural import validate

EXAMPLES = Path(__file__).parents[2] / "examples" / "runtimes"
ENDPOINT = "https://acme.services.ai.azure.com/api/projects/board"
PRINCIPAL = {"tenantId": "t", "clientId": "c", "secretRef": {"name": "foundry"}}
CLUSTER: dict[str, Any] = {"endpoint": ENDPOINT, "allowedNamespaces": {"names": ["boardroom"]}}
TEAM: dict[str, Any] = {"endpoint": ENDPOINT, "servicePrincipal": PRINCIPAL}


def test_what_is_left_out_is_what_the_environment_means_too() -> None:
    spec, environment = AgentRuntimeSpec.model_validate(TEAM), RuntimeConfig.from_env({})
    assert spec.base_model == DEFAULT_MODEL == environment.model_deployment
    assert spec.deployment_template == DEPLOYMENT_TEMPLATE
    assert spec.agent_name_template == AGENT_NAME_TEMPLATE
    assert spec.limits.requests_per_second == environment.requests_per_second
    assert spec.limits.in_flight == environment.max_in_flight
    assert spec.limits.timeout_seconds == environment.timeout
    assert spec.drift_interval_seconds == environment.listing_age
    assert spec.model_check.value == environment.model_check.value
    assert spec.type.value == environment.type.value
    assert spec.service_principal.secret_ref.key == "clientSecret"


def test_the_words_are_those_of_the_runtime() -> None:
    """The layers keep the two apart, so that a test holds them together."""
    assert [one.value for one in RuntimeType] == [one.value for one in facts.RuntimeType]
    assert [one.value for one in ModelCheck] == [one.value for one in facts.ModelCheck]


@pytest.mark.parametrize("field", ["allowedModels", "allowedVectorStores"])
def test_an_empty_list_is_not_one_that_is_left_out(field: str) -> None:
    name = {"allowedModels": "allowed_models", "allowedVectorStores": "allowed_vector_stores"}[field]
    assert getattr(AgentRuntimeSpec.model_validate(TEAM), name) is None
    assert getattr(AgentRuntimeSpec.model_validate({**TEAM, field: []}), name) == []


def test_an_empty_selector_is_not_one_that_is_left_out() -> None:
    assert AllowedNamespaces.model_validate({"names": []}).selector is None
    assert AllowedNamespaces.model_validate({"selector": {}}).selector == LabelSelector()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"identity": {"clientId": "c"}}, "a team does not borrow a workload identity"),
        ({"allowedNamespaces": {"selector": {}}}, "a team offers nothing to other namespaces"),
        (
            {
                "servicePrincipal": {
                    **PRINCIPAL,
                    "secretRef": {"name": "foundry", "namespace": "kube-system"},
                }
            },
            "a Secret of another namespace",
        ),
        ({"servicePrincipal": {**PRINCIPAL, "clientSecret": "s3cret"}}, "a secret in a manifest"),
    ],
    ids=["identity", "namespaces", "secret's namespace", "secret"],
)
def test_a_team_has_no_field_for_it(more: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        AgentRuntimeSpec.model_validate({**TEAM, **more})


def test_an_administrators_runtime_has_no_secret() -> None:
    with pytest.raises(ValidationError, match="servicePrincipal"):
        ClusterAgentRuntimeSpec.model_validate({**CLUSTER, "servicePrincipal": PRINCIPAL})


def test_an_agent_names_kind_and_name_and_no_namespace() -> None:
    spec = PurposeDrivenAgentSpec.model_validate(
        {"purpose": "p", "runtimeRef": {"kind": "AgentRuntime", "name": "board"}}
    )
    assert spec.runtime_ref is not None
    assert spec.runtime_ref.kind is RuntimeKind.AGENT_RUNTIME
    with pytest.raises(ValidationError, match="namespace"):
        PurposeDrivenAgentSpec.model_validate(
            {"purpose": "p", "runtimeRef": {"kind": "AgentRuntime", "name": "board", "namespace": "other"}}
        )


def test_a_status_of_a_newer_operator_can_be_read() -> None:
    status = RuntimeResourceStatus.model_validate({"observedGeneration": 1, "later": {"x": 1}})
    assert status.deployments == []
    assert broken_rules(status) == ["Ready is missing"]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_is_what_its_schema_takes(path: Path) -> None:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert list(validate(found["spec"], schema_of(found["kind"]))) == []
    assert refusals(found["spec"], found["kind"]) == []
    model = {
        "AgentRuntime": AgentRuntimeSpec,
        "ClusterAgentRuntime": ClusterAgentRuntimeSpec,
        "PurposeDrivenAgent": PurposeDrivenAgentSpec,
    }[found["kind"]]
    model.model_validate(found["spec"])


@cache
def schema_of(kind: str) -> dict[str, Any]:
    (crd,) = (one for one in crds().values() if one["spec"]["names"]["kind"] == kind)
    found: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


@cache
def rules_of(kind: str) -> RuleTree | None:
    tree, errors = compile_rules(schema_of(kind), "")
    assert errors == []
    return tree


def refusals(spec: dict[str, Any], kind: str = "ClusterAgentRuntime") -> list[str]:
    """What the rules of the schema say of it, as the embedded API server has them."""
    return [str(error) for error in check_rules(rules_of(kind), spec)]


@pytest.mark.parametrize(
    "endpoint",
    [
        ENDPOINT,
        f"{ENDPOINT}/",
        "https://Acme.Services.AI.Azure.com/api/projects/Board_2.x",
        "https://acme.services.ai.azure.us/api/projects/board",
        "https://foundry.corp.example:8443/gateway/board",
        "http://127.0.0.1:8181/api/projects/sandbox",
        "http://localhost:8181/api/projects/sandbox",
        "http://[::1]:8181/api/projects/sandbox",
    ],
)
def test_an_endpoint_that_is_one(endpoint: str) -> None:
    assert refusals({**CLUSTER, "endpoint": endpoint}) == []


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://acme.services.ai.azure.com/api/projects/board",
        "http://127.0.0.1.evil.example/api/projects/board",
        "http://localhost.evil.example/api/projects/board",
        "https://acme.services.ai.azure.com",
        "https://acme.services.ai.azure.com/",
        "https://acme.services.ai.azure.com:8443/api/projects/board",
        "https://acme.services.ai.azure.com/api/projects/board/agents",
        "https://acme.services.ai.azure.com/api/projects/../x",
        "https://user:pass@acme.services.ai.azure.com/api/projects/board",
        "https://acme.services.ai.azure.com@evil.example/api/projects/board",
        "https://evil.example\\@acme.services.ai.azure.com/api/projects/board",
        f"{ENDPOINT}?api-version=1",
        f"{ENDPOINT}#x",
        f"{ENDPOINT}%2f..",
        f" {ENDPOINT}",
        f"{ENDPOINT}\n",
        "ftp://acme.services.ai.azure.com/api/projects/board",
        "acme.services.ai.azure.com/api/projects/board",
        "https:///api/projects/board",
        "https://-acme.example/api/projects/board",
        "https://acme..example/api/projects/board",
    ],
)
def test_an_endpoint_that_is_none(endpoint: str) -> None:
    assert refusals({**CLUSTER, "endpoint": endpoint}) != []


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{adapter}", "the adapter alone"),
        ("{model}", "the model alone"),
        ("ft-{model}_{adapter}.v2", "words around"),
    ],
)
def test_a_deployment_template_that_is_one(template: str, reason: str) -> None:
    assert refusals({**CLUSTER, "deploymentTemplate": template}) == [], reason


@pytest.mark.parametrize(
    ("field", "template"),
    [
        ("deploymentTemplate", "fixed"),
        ("deploymentTemplate", "{model}-{agentId}"),
        ("deploymentTemplate", "{model"),
        ("deploymentTemplate", "{model}}"),
        ("deploymentTemplate", "{{model}}"),
        ("deploymentTemplate", "{model!r}"),
        ("deploymentTemplate", "{model} {adapter}"),
        ("deploymentTemplate", "{model}/{adapter}"),
        ("agentNameTemplate", "{namespace}-{name}"),
        ("agentNameTemplate", "{agentId.__class__}"),
        ("agentNameTemplate", "{agentId}-{cluster}"),
        ("agentNameTemplate", "{agentId}_x"),
        ("agentNameTemplate", "-{agentId}"),
        ("agentNameTemplate", "{agentId}-"),
    ],
)
def test_a_template_that_is_none(field: str, template: str) -> None:
    assert refusals({**CLUSTER, field: template}) != []


@pytest.mark.parametrize(
    ("allowed", "fits"),
    [
        ({"selector": {}}, True),
        ({"names": []}, True),
        ({}, False),
        ({"selector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}, True),
        ({"selector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["x"]}]}}, True),
        ({"selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}, False),
        ({"selector": {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": []}]}}, False),
        ({"selector": {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]}}, False),
        ({"selector": {"matchLabels": {"a": "x y"}}}, False),
        ({"names": ["team-*"]}, False),
    ],
)
def test_namespaces_are_named_or_selected(allowed: dict[str, Any], fits: bool) -> None:
    assert (refusals({**CLUSTER, "allowedNamespaces": allowed}) == []) is fits
