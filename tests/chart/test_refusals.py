"""A wrong value is refused before anything reaches a cluster, in words that name it."""

from __future__ import annotations

import pytest
from tests.chart.helm import AGENTS_CHART, OPERATOR_CHART, Helm, Json

OPERATOR: list[tuple[str, Json, str]] = [
    # reason, values, what is said
    ("a misspelt value", {"replica": 2}, "additional properties 'replica' not allowed"),
    (
        "a misspelt value inside",
        {"foundry": {"endPoint": ""}},
        "additional properties 'endPoint' not allowed",
    ),
    ("text for a number", {"replicas": "many"}, "'/replicas': got string, want integer"),
    ("a negative number", {"replicas": -1}, "'/replicas': minimum: got -1, want 0"),
    (
        "more than one without a Lease",
        {"replicas": 2, "leaderElection": {"enabled": False}},
        "replicas above 1",
    ),
    ("a plain http endpoint", {"foundry": {"endpoint": "http://acme"}}, "'http://acme' does not match"),
    ("an endpoint with a query", {"foundry": {"endpoint": "https://a/?x=1"}}, "'/foundry/endpoint'"),
    ("no model", {"foundry": {"model": ""}}, "'/foundry/model'"),
    ("a model check there is not", {"foundry": {"modelCheck": "Maybe"}}, "'Enforce', 'Warn', 'Off'"),
    ("no pace", {"foundry": {"requestsPerSecond": 0}}, "'/foundry/requestsPerSecond': minimum"),
    ("yes for true", {"foundry": {"loraAdapters": "yes"}}, "got string, want boolean"),
    ("a cluster id with a slash", {"clusterId": "prod/west"}, "'/clusterId': 'prod/west'"),
    ("one namespace as text", {"namespaces": "boardroom"}, "'/namespaces': got string, want array"),
    ("no namespace's name", {"namespaces": ["Board Room"]}, "'/namespaces/0': 'Board Room'"),
    ("a namespace twice", {"clusterId": "a", "namespaces": ["a", "a"]}, "items at 0 and 1 are equal"),
    ("namespaces without a cluster id", {"namespaces": ["boardroom"]}, "set clusterId to a name"),
    ("a runtime there is not", {"foundry": {"type": "InCluster"}}, "'Foundry', 'FoundryClassic'"),
    (
        "a URL for a host",
        {"runtimes": {"allowedEndpoints": ["https://acme"]}},
        "'/runtimes/allowedEndpoints/0': 'https://acme'",
    ),
    (
        "every host there is",
        {"runtimes": {"allowedEndpoints": [".com"]}},
        "'/runtimes/allowedEndpoints/0': '.com'",
    ),
    (
        "Secrets of all and of some namespaces",
        {"runtimes": {"tenantSecrets": {"clusterWide": True, "namespaces": ["a"]}}},
        "runtimes.tenantSecrets.clusterWide is for all namespaces",
    ),
    (
        "Secrets of all namespaces without a ClusterRole",
        {"clusterId": "a", "namespaces": ["a"], "runtimes": {"tenantSecrets": {"clusterWide": True}}},
        "namespaces is set, so there is no ClusterRole",
    ),
    (
        "Secrets of a namespace that is not served",
        {"clusterId": "a", "namespaces": ["a"], "runtimes": {"tenantSecrets": {"namespaces": ["b"]}}},
        "the namespace b, which is not served",
    ),
    (
        "a default for a namespace that is not served",
        {"clusterId": "a", "namespaces": ["a"], "runtimes": {"defaultNamespaces": ["b"]}},
        "the namespace b, which is not served",
    ),
    ("an identity that is no id", {"azure": {"clientId": "operator"}}, "'/azure/clientId': 'operator'"),
    (
        "workload identity of nobody",
        {"azure": {"workloadIdentity": {"enabled": True}}},
        "azure.workloadIdentity.enabled needs azure.clientId",
    ),
    (
        "a client secret of nobody",
        {"azure": {"clientSecret": {"existingSecret": "foundry"}}},
        "needs azure.clientId and azure.tenantId",
    ),
    (
        "two ways to sign in",
        {
            "azure": {
                "clientId": "00000000-0000-0000-0000-000000000001",
                "workloadIdentity": {"enabled": True},
                "clientSecret": {"existingSecret": "foundry"},
            }
        },
        "two ways to sign in",
    ),
    (
        "a sandbox and a project",
        {"sandbox": {"enabled": True}, "foundry": {"endpoint": "https://acme"}},
        "sandbox.enabled runs a Foundry of its own",
    ),
    ("a proxy that is no URL", {"proxy": {"https": "proxy:3128"}}, "'/proxy/https': 'proxy:3128'"),
    ("two bundles", {"customCA": {"configMap": "a", "secret": "b"}}, "two places for one bundle"),
    ("a port that is none", {"metrics": {"port": 99999}}, "'/metrics/port': maximum"),
    ("one port for two", {"metrics": {"port": 8080}}, "metrics.port and liveness.port must differ"),
    (
        "scraping what is not served",
        {"metrics": {"enabled": False, "serviceMonitor": {"enabled": True}}},
        "metrics.serviceMonitor.enabled needs metrics.enabled",
    ),
    ("a log level there is not", {"log": {"level": "loud"}}, "'/log/level': value must be one of"),
    ("a tag for a digest", {"image": {"digest": "latest"}}, "'/image/digest': 'latest'"),
    ("a label that is a number", {"podLabels": {"team": 1}}, "'/podLabels/team': got number, want string"),
    ("a variable without a name", {"extraEnv": [{"value": "x"}]}, "missing property 'name'"),
]

AGENTS: list[tuple[str, Json, str]] = [
    ("no purpose", {"agents": {"ceo": {}}}, "'/agents/ceo': missing property 'purpose'"),
    ("an unknown field", {"agents": {"ceo": {"purpose": "x", "role": "y"}}}, "'role' not allowed"),
    ("an unknown default", {"defaults": {"role": "y"}}, "'role' not allowed"),
    ("a list of agents", {"agents": [{"purpose": "x"}]}, "'/agents': got array, want object"),
    ("a name with capitals", {"agents": {"CEO": {"purpose": "x"}}}, "'CEO' does not match"),
    (
        "an adapter with a slash",
        {"agents": {"ceo": {"purpose": "x", "adapterName": "a/b"}}},
        "'/agents/ceo/adapterName': 'a/b'",
    ),
    (
        "a policy there is not",
        {"agents": {"ceo": {"purpose": "x", "deletionPolicy": "Keep"}}},
        "'Delete', 'Orphan'",
    ),
    (
        "a tool without a server",
        {"agents": {"ceo": {"purpose": "x", "mcpTools": [{"toolName": "t"}]}}},
        "missing property 'serverName'",
    ),
    (
        "too many versions",
        {"agents": {"ceo": {"purpose": "x", "versionHistoryLimit": 1000}}},
        "'/agents/ceo/versionHistoryLimit': maximum",
    ),
    (
        "too many pairs",
        {"agents": {"ceo": {"purpose": "x", "runtimeMetadata": {str(n): "" for n in range(7)}}}},
        "'/agents/ceo/runtimeMetadata'",
    ),
    (
        "a runtime of a kind there is not",
        {"agents": {"ceo": {"purpose": "x", "runtimeRef": {"kind": "Runtime", "name": "x"}}}},
        "'AgentRuntime', 'ClusterAgentRuntime'",
    ),
    (
        "a runtime without an identity",
        {"runtimes": {"board": {"endpoint": "https://acme"}}},
        "'/runtimes/board': missing property 'servicePrincipal'",
    ),
    (
        "a secret in values",
        {
            "runtimes": {
                "board": {
                    "endpoint": "https://acme",
                    "servicePrincipal": {"tenantId": "t", "clientId": "c", "clientSecret": "s"},
                }
            }
        },
        "additional properties 'clientSecret' not allowed",
    ),
    (
        "a runtime with the operator's identity",
        {"runtimes": {"board": {"endpoint": "https://acme", "identity": {"clientId": "c"}}}},
        "additional properties 'identity' not allowed",
    ),
]


@pytest.mark.parametrize(("reason", "values", "words"), OPERATOR, ids=[row[0] for row in OPERATOR])
def test_the_operators_chart_refuses(helm: Helm, reason: str, values: Json, words: str) -> None:
    assert words in helm.refusal(OPERATOR_CHART, values), reason


@pytest.mark.parametrize(("reason", "values", "words"), AGENTS, ids=[row[0] for row in AGENTS])
def test_the_agents_chart_refuses(helm: Helm, reason: str, values: Json, words: str) -> None:
    assert words in helm.refusal(AGENTS_CHART, values), reason
