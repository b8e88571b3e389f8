"""What the operator's chart promises: rights from the one file, a hardened pod, each setting in its place."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from tests.chart.helm import (
    EXAMPLES,
    OPERATOR_CHART,
    ROOT,
    Helm,
    Json,
    container,
    environment,
    of_kind,
    only,
)
from tests.chart.test_snapshots import AGENTS

from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.endpoints import AllowedEndpoints

RULES: dict[str, list[Json]] = yaml.safe_load(
    (OPERATOR_CHART / "rbac" / "rules.yaml").read_text(encoding="utf-8")
)
# Everything that can be switched on, at once.
FULL: Json = {
    "foundry": {"endpoint": "https://acme.services.ai.azure.com/api/projects/board"},
    "clusterId": "prod",
    "metrics": {"serviceMonitor": {"enabled": True}},
    "networkPolicy": {"enabled": True, "metricsFrom": [{"namespaceSelector": {}}]},
    "podDisruptionBudget": {"enabled": True},
    "proxy": {"https": "http://proxy:3128", "noProxy": ["corp"]},
    "customCA": {"secret": "ca", "key": "bundle.pem"},
    "tracing": {"otlpEndpoint": "http://otel:4318", "applicationInsightsSecret": "insights"},
    "azure": {
        "clientId": "00000000-0000-0000-0000-000000000001",
        "tenantId": "00000000-0000-0000-0000-000000000002",
        "clientSecret": {"existingSecret": "foundry"},
    },
    "runtimes": {
        "allowedEndpoints": [".services.ai.azure.com", "foundry.corp:8443"],
        "defaultNamespaces": ["boardroom", "finance"],
        "tenantSecrets": {"namespaces": ["lab"]},
    },
    "extraEnv": [{"name": "EXTRA", "value": "1"}],
    "imagePullSecrets": [{"name": "pull"}],
    "commonLabels": {"team": "platform"},
}
NAMESPACED: Json = {"namespaces": ["boardroom", "finance"], "clusterId": "prod"}
# Read by the library alone, or not a matter of a chart.
NOT_IN_CHART = {
    "RUNTIME_MAX_RETRIES",
    "USE_FOUNDRY_RUNTIME",
    "AOS_WATCH_CHECK",
    "AOS_CHAT_BASE_URL",
    "AOS_CHAT_MODEL",
    "AOS_CHAT_API_KEY",
    "AOS_SANDBOX_MODEL_URL",
}
SECRETS = "aos-operator-tenant-secrets"
WORKLOAD_KINDS = {"Deployment", "Pod"}


def operator(helm: Helm, **values: Any) -> Json:
    return container(only(helm.objects(OPERATOR_CHART, values=values), "Deployment"))


def test_lint_is_strict_and_silent(helm: Helm) -> None:
    for values in (EXAMPLES / "helm").glob("*.yaml"):
        if values.stem not in AGENTS:
            told = helm("lint", "--strict", OPERATOR_CHART, f"--values={values}").stdout
            assert "[WARNING]" not in told


# Rights.


def cluster_role(objects: list[Json], name: str) -> Json:
    (role,) = (one for one in of_kind(objects, "ClusterRole") if one["metadata"]["name"] == name)
    return role


def test_cluster_wide_the_rights_are_those_of_the_file(helm: Helm) -> None:
    objects = helm.objects(OPERATOR_CHART)
    role = cluster_role(objects, "aos-operator")
    assert role["rules"] == RULES["namespaced"] + RULES["clusterWide"] + RULES["clusterIdentity"]
    # And no other: the role for Secrets is bound nowhere.
    binding = only(objects, "ClusterRoleBinding")
    assert binding["roleRef"]["name"] == "aos-operator"
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "aos-operator", "namespace": "aos-system"}
    ]


def test_with_a_cluster_id_the_uid_of_kube_system_is_nobodys_business(helm: Helm) -> None:
    objects = helm.objects(OPERATOR_CHART, values={"clusterId": "prod"})
    assert cluster_role(objects, "aos-operator")["rules"] == RULES["namespaced"] + RULES["clusterWide"]


def test_namespaced_there_is_a_role_in_each_and_no_cluster_role(helm: Helm) -> None:
    objects = helm.objects(OPERATOR_CHART, values=NAMESPACED)
    assert not of_kind(objects, "ClusterRole")
    assert not of_kind(objects, "ClusterRoleBinding")
    for kind in ("Role", "RoleBinding"):
        served = [one for one in of_kind(objects, kind) if one["metadata"]["name"] == "aos-operator"]
        assert [one["metadata"]["namespace"] for one in served] == ["boardroom", "finance"]
    roles = [one for one in of_kind(objects, "Role") if one["metadata"]["name"] == "aos-operator"]
    assert all(role["rules"] == RULES["namespaced"] for role in roles)
    assert environment(container(only(objects, "Deployment")))["AOS_NAMESPACES"] == "boardroom finance"


def test_the_operator_reads_no_secret_and_writes_no_spec() -> None:
    for section in ("namespaced", "clusterWide", "clusterIdentity"):
        for rule in RULES[section]:
            assert "secrets" not in rule["resources"]
            assert not {"*", "create", "update", "delete"} & set(rule["verbs"]) or rule["resources"] == [
                "events"
            ]


def test_one_role_reads_secrets_by_name_and_is_bound_nowhere(helm: Helm) -> None:
    assert RULES["tenantSecrets"] == [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
    objects = helm.objects(OPERATOR_CHART)
    assert cluster_role(objects, SECRETS)["rules"] == RULES["tenantSecrets"]
    labels = cluster_role(objects, SECRETS)["metadata"]["labels"]
    assert not [label for label in labels if "aggregate" in label]
    assert secret_bindings(objects) == []


def test_the_operator_reads_secrets_where_the_values_say_so(helm: Helm) -> None:
    values: Json = {"runtimes": {"tenantSecrets": {"clusterWide": True}}}
    assert secret_bindings(helm.objects(OPERATOR_CHART, values=values)) == [
        ("ClusterRoleBinding", None, "ClusterRole")
    ]
    values = {"runtimes": {"tenantSecrets": {"namespaces": ["lab", "finance"]}}}
    assert secret_bindings(helm.objects(OPERATOR_CHART, values=values)) == [
        ("RoleBinding", "lab", "ClusterRole"),
        ("RoleBinding", "finance", "ClusterRole"),
    ]


def test_namespaced_a_role_reads_secrets_and_is_bound_where_the_values_say_so(helm: Helm) -> None:
    values: Json = {**NAMESPACED, "runtimes": {"tenantSecrets": {"namespaces": ["finance"]}}}
    objects = helm.objects(OPERATOR_CHART, values=values)
    roles = [one for one in of_kind(objects, "Role") if one["metadata"]["name"] == SECRETS]
    assert [one["metadata"]["namespace"] for one in roles] == ["boardroom", "finance"]
    assert all(one["rules"] == RULES["tenantSecrets"] for one in roles)
    assert secret_bindings(objects) == [("RoleBinding", "finance", "Role")]


def secret_bindings(objects: list[Json]) -> list[tuple[str, str | None, str]]:
    """The kind, the namespace and the kind of role of every binding of the role that reads Secrets."""
    bindings = [one for one in objects if one["kind"] in ("RoleBinding", "ClusterRoleBinding")]
    found = [one for one in bindings if one["roleRef"]["name"] == SECRETS]
    account = {"kind": "ServiceAccount", "name": "aos-operator", "namespace": "aos-system"}
    assert all(one["subjects"] == [account] for one in found)
    return [(one["kind"], one["metadata"].get("namespace"), one["roleRef"]["kind"]) for one in found]


def test_only_an_administrator_makes_a_runtime_with_the_operators_identity() -> None:
    edited = {resource for rule in RULES["editors"] for resource in rule["resources"]}
    assert edited == {"purposedrivenagents", "agentruntimes"}
    read = {resource for rule in RULES["viewers"] for resource in rule["resources"]}
    assert {"agentruntimes", "clusteragentruntimes", "clusteragentruntimes/status"} <= read


def test_namespaced_nothing_outside_is_read() -> None:
    named = {resource for rule in RULES["namespaced"] for resource in rule["resources"]}
    assert not named & {"clusteragentruntimes", "clusteragentruntimes/status", "namespaces", "secrets"}


def test_people_get_agents_with_the_roles_they_have(helm: Helm) -> None:
    roles = {one["metadata"]["name"]: one for one in of_kind(helm.objects(OPERATOR_CHART), "ClusterRole")}
    for name, section, aggregated in (
        ("aos-operator-view", "viewers", {"view", "edit", "admin"}),
        ("aos-operator-edit", "editors", {"edit", "admin"}),
    ):
        assert roles[name]["rules"] == RULES[section]
        labels = roles[name]["metadata"]["labels"]
        told = {label.rpartition("-")[2] for label in labels if "aggregate-to-" in label}
        assert told == aggregated


@pytest.mark.parametrize("more", [{}, NAMESPACED], ids=["cluster-wide", "namespaced"])
def test_a_leader_is_elected_in_the_releases_namespace(helm: Helm, more: Json) -> None:
    objects = helm.objects(OPERATOR_CHART, values={"replicas": 2, **more})
    (role,) = (one for one in of_kind(objects, "Role") if one["metadata"]["name"].endswith("leader-election"))
    assert (role["metadata"]["namespace"], role["rules"]) == ("aos-system", RULES["leaderElection"])
    assert environment(container(only(objects, "Deployment")))["AOS_LEADER_ELECTION"] == "true"
    assert only(objects, "Deployment")["spec"]["strategy"]["type"] == "RollingUpdate"


def test_two_releases_in_a_namespace_have_a_lease_each(helm: Helm) -> None:
    objects = helm.objects(OPERATOR_CHART, release="second", values=NAMESPACED)
    (role,) = (one for one in of_kind(objects, "Role") if one["metadata"]["name"].endswith("leader-election"))
    named = [rule["resourceNames"] for rule in role["rules"] if "resourceNames" in rule]
    lease = environment(container(only(objects, "Deployment")))["AOS_LEASE_NAME"]
    assert (lease, named) == ("second-aos-operator", [[lease]] * len(named))
    assert named


def test_without_a_lease_the_old_pod_ends_before_the_new_one_starts(helm: Helm) -> None:
    objects = helm.objects(OPERATOR_CHART, values={"leaderElection": {"enabled": False}})
    assert only(objects, "Deployment")["spec"]["strategy"]["type"] == "Recreate"
    assert environment(container(only(objects, "Deployment")))["AOS_LEADER_ELECTION"] == "false"
    assert not [one for one in of_kind(objects, "Role") if "leader-election" in one["metadata"]["name"]]


# The pod.


def test_every_container_is_hardened(helm: Helm) -> None:
    for values in (FULL, {"sandbox": {"enabled": True}}):
        objects = [
            one for one in helm.objects(OPERATOR_CHART, values=values) if one["kind"] in WORKLOAD_KINDS
        ]
        assert len(objects) == 2
        for one in objects:
            pod = one["spec"]["template"]["spec"] if one["kind"] == "Deployment" else one["spec"]
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            for found in (*pod.get("initContainers", []), *pod["containers"]):
                context = found["securityContext"]
                assert context["allowPrivilegeEscalation"] is False
                assert context["readOnlyRootFilesystem"] is True
                assert context["capabilities"] == {"drop": ["ALL"]}
                assert found["resources"]["requests"]
                assert found["resources"]["limits"]["memory"]


def test_the_kubelet_asks_what_the_operator_answers(helm: Helm) -> None:
    found = operator(helm)
    asked = {name: found[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert asked["startup"] == asked["liveness"] == {"path": "/healthz", "port": "health"}
    assert asked["readiness"] == {"path": "/readyz", "port": "health"}


def test_only_the_operators_pod_has_the_accounts_token(helm: Helm) -> None:
    objects = helm.objects(OPERATOR_CHART)
    assert only(objects, "ServiceAccount")["automountServiceAccountToken"] is False
    assert only(objects, "Deployment")["spec"]["template"]["spec"]["automountServiceAccountToken"] is True
    assert only(objects, "Pod")["spec"]["automountServiceAccountToken"] is False


def test_what_is_a_switch_is_off(helm: Helm) -> None:
    kinds = {one["kind"] for one in helm.objects(OPERATOR_CHART)}
    assert not kinds & {"NetworkPolicy", "PodDisruptionBudget", "ServiceMonitor"}
    kinds = {one["kind"] for one in helm.objects(OPERATOR_CHART, values=FULL)}
    assert kinds > {"NetworkPolicy", "PodDisruptionBudget", "ServiceMonitor"}


def test_the_budget_never_blocks_a_drain(helm: Helm) -> None:
    budget = only(helm.objects(OPERATOR_CHART, values=FULL), "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert "minAvailable" not in budget


# Names and labels.


def test_everything_bears_the_six_labels_and_the_users_own(helm: Helm) -> None:
    for one in helm.objects(OPERATOR_CHART, values=FULL):
        labels = one["metadata"]["labels"]
        wanted = {"name", "instance", "version", "component", "part-of", "managed-by"}
        assert {f"app.kubernetes.io/{name}" for name in wanted} <= set(labels), one["kind"]
        assert all(isinstance(value, str) for value in labels.values())
        if one["kind"] != "Pod":
            assert labels["team"] == "platform"


def test_selectors_are_name_and_instance_and_find_the_operator_only(helm: Helm) -> None:
    objects = helm.objects(OPERATOR_CHART, values=FULL)
    selector = {"app.kubernetes.io/name": "aos-operator", "app.kubernetes.io/instance": "aos-operator"}
    deployment = only(objects, "Deployment")["spec"]
    assert deployment["selector"]["matchLabels"] == selector
    assert selector.items() <= deployment["template"]["metadata"]["labels"].items()
    assert only(objects, "Service")["spec"]["selector"] == selector
    assert only(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == selector
    assert not selector.items() <= only(objects, "Pod")["metadata"]["labels"].items()


def test_nothing_is_random_and_nothing_is_looked_up() -> None:
    for path in (OPERATOR_CHART / "templates").rglob("*"):
        if path.is_file():
            found = re.findall(
                r"\b(?:lookup|rand\w+|uuidv4|genCA|now|\.Release\.Revision)\b", path.read_text()
            )
            assert not found, path


def test_a_long_release_name_still_makes_names_that_kubernetes_takes(helm: Helm) -> None:
    for one in helm.objects(OPERATOR_CHART, release="r" * 53):
        if one["kind"] not in ("CustomResourceDefinition", "ClusterRole", "Role", "RoleBinding"):
            assert len(one["metadata"]["name"]) <= 63


def test_crds_stay_when_the_release_goes_unless_told_otherwise(helm: Helm) -> None:
    files = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in (ROOT / "crds").glob("*.yaml")]
    found = of_kind(helm.objects(OPERATOR_CHART), "CustomResourceDefinition")
    assert all(crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"} for crd in found)
    assert {crd["metadata"]["name"]: crd["spec"] for crd in found} == {
        crd["metadata"]["name"]: crd["spec"] for crd in files
    }
    values: Json = {"crds": {"keep": False}}
    found = of_kind(helm.objects(OPERATOR_CHART, values=values), "CustomResourceDefinition")
    assert len(found) == len(files)
    assert not [crd for crd in found if "annotations" in crd["metadata"]]
    assert not of_kind(
        helm.objects(OPERATOR_CHART, values={"crds": {"enabled": False}}), "CustomResourceDefinition"
    )


# Settings.


def test_every_setting_of_the_operator_can_be_made(helm: Helm) -> None:
    told = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    settings = set(re.findall(r"^\| `([A-Z][A-Z_]+)`", told, re.MULTILINE)) - NOT_IN_CHART
    set_by_chart = {one["name"] for one in operator(helm, **FULL)["env"]}
    set_by_chart |= {one["name"] for one in operator(helm, **NAMESPACED)["env"]}
    assert settings <= set_by_chart


def test_the_defaults_of_the_chart_are_those_of_the_operator(helm: Helm) -> None:
    rendered = RuntimeConfig.from_env(environment(operator(helm)))
    assert rendered == RuntimeConfig.from_env({})


def test_the_type_of_the_environments_runtime(helm: Helm) -> None:
    config = RuntimeConfig.from_env(environment(operator(helm, foundry={"type": "FoundryClassic"})))
    assert config.type is RuntimeType.FOUNDRY_CLASSIC


def test_lists_that_are_empty_leave_the_operators_defaults(helm: Helm) -> None:
    assert not {"AOS_ALLOWED_ENDPOINTS", "AOS_DEFAULT_RUNTIME_NAMESPACES"} & set(environment(operator(helm)))
    found = environment(operator(helm, **FULL))
    assert found["AOS_DEFAULT_RUNTIME_NAMESPACES"] == "boardroom finance"
    allowed = AllowedEndpoints.parse(found["AOS_ALLOWED_ENDPOINTS"])
    assert allowed.entries == {".services.ai.azure.com", "foundry.corp:8443"}


def test_large_numbers_stay_numbers(helm: Helm) -> None:
    found = operator(helm, foundry={"maxDeletesPerMinute": 10_000_000, "driftIntervalSeconds": 0.5 + 9})
    config = RuntimeConfig.from_env(environment(found))
    assert (config.max_deletes_per_minute, config.listing_age) == (10_000_000, 9.5)


def test_workload_identity_labels_the_pod_and_annotates_the_account(helm: Helm) -> None:
    objects = helm.objects(OPERATOR_CHART, EXAMPLES / "helm" / "workload-identity.yaml")
    pod = only(objects, "Deployment")["spec"]["template"]
    assert pod["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    assert only(objects, "ServiceAccount")["metadata"]["annotations"] == {
        "azure.workload.identity/client-id": "00000000-0000-0000-0000-000000000001",
        "azure.workload.identity/tenant-id": "00000000-0000-0000-0000-000000000002",
    }
    # The webhook of workload identity brings these; ours would be in its way.
    assert not [name for name in environment(pod["spec"]["containers"][0]) if name.startswith("AZURE_CLIENT")]


def test_a_client_secret_is_referred_to_and_never_rendered(helm: Helm) -> None:
    objects = helm.objects(OPERATOR_CHART, EXAMPLES / "helm" / "client-secret.yaml")
    env = {one["name"]: one for one in container(only(objects, "Deployment"))["env"]}
    assert env["AZURE_CLIENT_SECRET"]["valueFrom"] == {
        "secretKeyRef": {"name": "foundry", "key": "clientSecret"}
    }
    assert not of_kind(objects, "Secret")


def test_the_api_server_is_never_reached_through_the_proxy(helm: Helm) -> None:
    env = environment(operator(helm, **FULL))
    assert env["HTTPS_PROXY"] == "http://proxy:3128"
    hosts = env["NO_PROXY"].split(",")
    assert hosts[:3] == ["$(KUBERNETES_SERVICE_HOST)", "localhost", "127.0.0.1"]
    assert hosts[-1] == "corp"


def test_a_ca_of_ones_own_is_where_the_clients_look(helm: Helm) -> None:
    deployment = only(helm.objects(OPERATOR_CHART, values=FULL), "Deployment")
    found = container(deployment)
    (mount,) = (one for one in found["volumeMounts"] if one["name"] == "ca")
    (volume,) = (one for one in deployment["spec"]["template"]["spec"]["volumes"] if one["name"] == "ca")
    assert volume["secret"] == {"secretName": "ca", "items": [{"key": "bundle.pem", "path": "ca.crt"}]}
    assert environment(found)["SSL_CERT_FILE"] == f"{mount['mountPath']}/ca.crt"


def test_the_sandbox_is_a_sidecar_on_loopback(helm: Helm) -> None:
    values: Json = {"sandbox": {"enabled": True, "deployments": ["llama-3.3-70b-x"]}}
    deployment = only(helm.objects(OPERATOR_CHART, values=values), "Deployment")
    foundry = container(deployment, "foundry")
    assert foundry["restartPolicy"] == "Always"
    assert foundry["image"] == container(deployment)["image"]
    assert foundry["args"] == [
        "sandbox",
        "--only=foundry",
        "--foundry-port=8181",
        "--deployment=llama-3.3-70b-x",
    ]
    config = RuntimeConfig.from_env(environment(container(deployment)))
    assert config.project_endpoint == "http://127.0.0.1:8181/api/projects/sandbox"


def test_the_image_is_pinned_by_version_or_digest(helm: Helm) -> None:
    assert operator(helm)["image"].endswith("/aos-operator:0.1.0")
    digest = f"sha256:{'a' * 64}"
    assert operator(helm, image={"digest": digest})["image"].endswith(f"/aos-operator@{digest}")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "has no Foundry project yet"),
        ({"sandbox": {"enabled": True}}, "on an embedded Foundry"),
        (FULL, "on https://acme.services.ai.azure.com/api/projects/board"),
        (NAMESPACED, "serves boardroom, finance"),
    ],
    ids=["no endpoint", "sandbox", "full", "namespaced"],
)
def test_the_notes_tell_the_next_two_commands(helm: Helm, values: Json, words: str) -> None:
    notes = told_after_install(helm, values)
    assert words in " ".join(notes.split())
    commands = [line.strip() for line in notes.splitlines() if line.startswith("  ")]
    assert commands[:2] == [
        "kubectl -n aos-system rollout status deployment/aos-operator",
        "helm test aos-operator -n aos-system",
    ]


@pytest.mark.parametrize(
    ("values", "option"),
    [({}, "--clusterrole"), (NAMESPACED, "--role")],
    ids=["cluster-wide", "namespaced"],
)
def test_the_notes_tell_how_a_team_lets_its_secret_be_read(helm: Helm, values: Json, option: str) -> None:
    command = told_after_install(helm, values).partition("kubectl -n <namespace> ")[2].replace("\\\n", "")
    assert command.split()[:5] == [
        "create",
        "rolebinding",
        SECRETS,
        f"{option}={SECRETS}",
        "--serviceaccount=aos-system:aos-operator",
    ]
    told = told_after_install(helm, {"runtimes": {"tenantSecrets": {"clusterWide": True}}})
    assert "rolebinding" not in told


def told_after_install(helm: Helm, values: Json) -> str:
    """The notes of an installation."""
    command = ("install", "aos-operator", OPERATOR_CHART, "-n", "aos-system", "--dry-run=client")
    return helm(*command, "--values=-", stdin=yaml.safe_dump(values)).stdout.partition("NOTES:")[2]
