"""The charts on a real control plane with the real Helm: installed, upgraded, uninstalled, and at work.

The operator and its sidecar run as processes with exactly the account, rights and environment of the chart.
"""

from __future__ import annotations

import json
import shlex
import shutil
import uuid
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import pytest
import yaml
from kubernetes import client, config
from tests.chart.helm import (
    AGENTS_CHART,
    EXAMPLES,
    OPERATOR_CHART,
    ROOT,
    Helm,
    Json,
    container,
    of_kind,
    only,
)
from tests.chart.rendered import finished, pod_environment, running, started
from tests.e2e.controlplane import ControlPlane
from tests.harness.planes import HARNESS_AGENT, RealPlane, create_namespace
from tests.harness.polling import eventually
from tests.harness.process import free_port
from tests.harness.stage import GROUP, condition

# The first run on a machine may build the binaries.
pytestmark = pytest.mark.timeout(1800)

CRD = f"purposedrivenagents.{GROUP}"
CRDS = (CRD, f"agentruntimes.{GROUP}", f"clusteragentruntimes.{GROUP}")
AGENTS_VALUES = ("agents", "team")
OPERATOR_VALUES = sorted(
    path for path in (EXAMPLES / "helm").glob("*.yaml") if path.stem not in AGENTS_VALUES
)
SERVICE_MONITOR = ROOT / "tests" / "chart" / "servicemonitors.yaml"


class Cluster:
    """A real control plane without our CRDs: the charts bring them."""

    def __init__(self, plane: ControlPlane, api: client.ApiClient, folder: Path) -> None:
        self._control = plane
        self.plane = RealPlane(plane, api)
        self.api = api
        self.helm = Helm(folder / "helm", plane.admin_kubeconfig)
        self.kubectl = self.plane.kubectl("default")

    def read(self, kind: str, name: str, namespace: str) -> Json:
        """An object as it is."""
        found: Json = json.loads(
            self.kubectl("get", kind, name, f"--namespace={namespace}", "-o", "json").stdout
        )
        return found

    def agents(self, namespace: str) -> dict[str, Json]:
        """The agents of a namespace by name."""
        told = self.kubectl("get", "pda", f"--namespace={namespace}", "-o", "json").stdout
        return {one["metadata"]["name"]: one for one in json.loads(told)["items"]}

    def exists(self, kind: str, name: str) -> bool:
        """Whether a cluster-scoped object is there."""
        return self.kubectl.run("get", kind, name).code == 0

    def ready(self, namespace: str, *names: str) -> None:
        """Wait until the agents are Ready."""
        for name in names:
            eventually(
                lambda name=name: condition(self.agents(namespace).get(name, {}), "Ready").get("reason"),
                lambda reason: reason == "Running",
                what=f"{name} is Ready",
            )

    def forbidden(self, namespace: str) -> list[str]:
        """What the operator of that namespace was refused."""
        return [str(one) for one in self.plane.requests(namespace) if one.code in (401, 403)]

    @contextmanager
    def foundry(self, namespace: str, folder: Path) -> Iterator[None]:
        """The sidecar of the release in `namespace` runs."""
        sidecar = container(self.read("deployment", "aos-operator", namespace), "foundry")
        with running(sidecar, {}, folder / "foundry.log"):
            started(sidecar)
            yield

    @contextmanager
    def operator(self, namespace: str, folder: Path) -> Iterator[None]:
        """The operator of the release in `namespace` runs, without its sidecar."""
        deployment = self.read("deployment", "aos-operator", namespace)
        operator = container(deployment)
        account = self._control.kubeconfig_for_service_account(
            namespace, deployment["spec"]["template"]["spec"]["serviceAccountName"]
        )
        environment = {**pod_environment(self.api, operator, namespace), "KUBECONFIG": str(account)}
        with running(operator, environment, folder / "operator.log"):
            started(operator)
            yield

    @contextmanager
    def pod(self, namespace: str, folder: Path) -> Iterator[None]:
        """Both run, as in a pod."""
        with self.foundry(namespace, folder), self.operator(namespace, folder):
            yield


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with ControlPlane(controllers=True) as plane:
        api = config.new_client_from_config(config_file=str(plane.admin_kubeconfig))
        api.user_agent = HARNESS_AGENT
        with api:
            yield Cluster(plane, api, tmp_path_factory.mktemp("cluster"))


@pytest.fixture
def namespace() -> str:
    """The release's namespace; Helm makes it."""
    return f"aos-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def ports(tmp_path: Path) -> Path:
    """Values that let two operators run on one machine."""
    values = {
        "sandbox": {"enabled": True, "port": free_port()},
        "liveness": {"port": free_port()},
        "metrics": {"port": free_port()},
        "foundry": {"driftIntervalSeconds": 1},
    }
    path = tmp_path / "ports.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def install(cluster: Cluster, namespace: str, *options: str | Path, chart: Path = OPERATOR_CHART) -> None:
    """Install or upgrade the operator."""
    where = ("aos-operator", chart, "--namespace", namespace, "--create-namespace")
    cluster.helm("upgrade", "--install", *where, *options)


@pytest.fixture
def installed(cluster: Cluster, namespace: str, ports: Path) -> Iterator[str]:
    """A namespace with a release in it; afterwards nothing of it is left, the CRDs neither."""
    install(cluster, namespace, "--values", ports)
    yield namespace
    cluster.helm.run("uninstall", "aos-operator", "--namespace", namespace)
    cluster.kubectl("delete", "crd", *CRDS, "--ignore-not-found")


def test_the_sandbox_brings_agents_to_ready_and_the_other_way(
    cluster: Cluster, installed: str, tmp_path: Path
) -> None:
    board = f"board-{installed}"
    helm, values = cluster.helm, EXAMPLES / "helm" / "agents.yaml"
    helm("install", "board", AGENTS_CHART, "-n", board, "--create-namespace", "-f", values)
    with cluster.pod(installed, tmp_path):
        cluster.ready(board, "ceo", "cfo", "helper")
        assert cluster.agents(board)["ceo"]["status"]["runtime"]["deployment"] == "llama-3.3-70b-ceo"

        # `helm test`, whose pod no kubelet runs here: its own command, led to this machine.
        hooks = helm("get", "hooks", "aos-operator", "-n", installed).stdout
        (check,) = only(list(yaml.safe_load_all(hooks)), "Pod")["spec"]["containers"]
        urls = {one["name"]: one["value"] for one in check["env"]}
        assert set(urls) == {"HEALTH_URL", "METRICS_URL"}
        local = {
            name: url.replace(f"aos-operator.{installed}.svc", "127.0.0.1") for name, url in urls.items()
        }
        code, said = finished(check, local, tmp_path / "test.log")
        assert (code, said.splitlines()[-1]) == (0, "the operator is alive")

        # An upgrade of the agents reaches them past what the operator wrote on them.
        helm("upgrade", "board", AGENTS_CHART, "-n", board, "-f", values, "--set", "agents.ceo.purpose=Lead.")
        eventually(
            lambda: cluster.agents(board)["ceo"]["status"].get("observedGeneration"),
            lambda seen: seen == 2,
            what="the upgrade is served",
        )
        cluster.ready(board, "ceo")
        helm("uninstall", "board", "-n", board, "--wait", "--timeout=30s")
        assert cluster.agents(board) == {}
    assert cluster.forbidden(installed) == []


def test_the_three_commands_of_the_install_page(cluster: Cluster, ports: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    first, second, third = (shlex.split(line) for line in page.split("```")[1].splitlines()[1:])
    assert [line[0] for line in (first, second, third)] == ["helm", "helm", "kubectl"]
    with chdir(ROOT):
        cluster.helm(*first[1:], "--values", ports)
        cluster.helm(*second[1:])
    with cluster.pod("aos-system", tmp_path):
        cluster.kubectl(*third[1:])
        cluster.helm("uninstall", "board", "--namespace", "boardroom", "--wait", "--timeout=30s")
    cluster.helm("uninstall", "aos-operator", "--namespace", "aos-system")
    cluster.kubectl("delete", "crd", *CRDS)


def test_a_restored_agent_is_the_same_agent(cluster: Cluster, installed: str, tmp_path: Path) -> None:
    cluster.kubectl("apply", "-n", installed, "-f", str(EXAMPLES / "ceo-agent.yaml"))
    with cluster.foundry(installed, tmp_path):
        with cluster.operator(installed, tmp_path):
            cluster.ready(installed, "ceo")
        before = cluster.agents(installed)["ceo"]
        # What the page's jq keeps.
        kept = {key: before["metadata"].get(key) for key in ("name", "namespace", "labels", "annotations")}
        for command in (
            ("patch", "pda", "ceo", "--type=merge", "-p", '{"metadata":{"finalizers":null}}'),
            ("delete", "pda", "ceo"),
        ):
            cluster.kubectl(*command, "-n", installed)
        cluster.kubectl("create", "-n", installed, "-f", "-", stdin=json.dumps({**before, "metadata": kept}))
        with cluster.operator(installed, tmp_path):
            cluster.ready(installed, "ceo")
            after = cluster.agents(installed)["ceo"]
            assert after["metadata"]["uid"] != before["metadata"]["uid"]
            assert after["status"]["runtime"] == before["status"]["runtime"]
            cluster.kubectl("delete", "pda", "ceo", "-n", installed, "--timeout=30s")


def test_an_upgrade_brings_the_new_crd_and_the_agents_stay(
    cluster: Cluster, installed: str, ports: Path, tmp_path: Path
) -> None:
    cluster.kubectl("apply", "-n", installed, "-f", str(EXAMPLES / "minimal-agent.yaml"))
    before = cluster.agents(installed)["helper"]["metadata"]["uid"]
    newer = tmp_path / "aos-operator"
    shutil.copytree(OPERATOR_CHART, newer)
    (file,) = (newer / "files" / "crds").glob("*_purposedrivenagents.yaml")
    crd = yaml.safe_load(file.read_text(encoding="utf-8"))
    version = crd["spec"]["versions"][0]
    version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["motto"] = {"type": "string"}
    file.write_text(yaml.safe_dump(crd), encoding="utf-8")
    install(cluster, installed, "--values", ports, chart=newer)
    patch = ("patch", "pda", "helper", "-n", installed, "--type=merge", "-p", '{"spec":{"motto":"On."}}')
    eventually(
        lambda: (cluster.kubectl(*patch), cluster.agents(installed)["helper"]["spec"].get("motto"))[1],
        lambda motto: motto == "On.",
        what="the new field is stored",
    )
    assert cluster.agents(installed)["helper"]["metadata"]["uid"] == before


def test_the_same_values_again_change_nothing(cluster: Cluster, installed: str, ports: Path) -> None:
    def state() -> tuple[str, list[str]]:
        manifest = cluster.helm("get", "manifest", "aos-operator", "--namespace", installed).stdout
        told = cluster.kubectl("get", "-f", "-", "-n", installed, "-o", "json", stdin=manifest).stdout
        return manifest, [one["metadata"]["resourceVersion"] for one in json.loads(told)["items"]]

    before = state()
    install(cluster, installed, "--values", ports)
    assert state() == before


def test_an_uninstall_keeps_crds_and_agents_and_a_new_install_takes_them_up(
    cluster: Cluster, installed: str, ports: Path, tmp_path: Path
) -> None:
    cluster.kubectl("apply", "-n", installed, "-f", str(EXAMPLES / "ceo-agent.yaml"))
    cluster.helm("uninstall", "aos-operator", "--namespace", installed)
    assert cluster.exists("crd", CRD)
    assert list(cluster.agents(installed)) == ["ceo"]
    assert not cluster.exists("clusterrole", "aos-operator")
    assert not cluster.exists("clusterrolebinding", "aos-operator")

    install(cluster, installed, "--values", ports)
    with cluster.pod(installed, tmp_path):
        cluster.ready(installed, "ceo")
        cluster.kubectl("delete", "pda", "ceo", "-n", installed, "--timeout=30s")


def test_namespaced_it_has_no_cluster_role_and_serves_what_it_was_told(
    cluster: Cluster, namespace: str, ports: Path, tmp_path: Path
) -> None:
    served, other = f"served-{namespace}", f"other-{namespace}"
    for name in (served, other):
        create_namespace(cluster.plane, name)
    cluster.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    cluster.kubectl("wait", "--for=condition=Established", "crd", CRD, "--timeout=30s")
    mode = ("--set", f"namespaces={{{served}}}", "--set", "clusterId=prod", "--set", "crds.enabled=false")
    try:
        install(cluster, namespace, "--values", ports, *mode)
        manifest = cluster.helm("get", "manifest", "aos-operator", "--namespace", namespace).stdout
        kinds = {one["kind"] for one in yaml.safe_load_all(manifest)}
        assert not kinds & {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
        for name in (served, other):
            cluster.kubectl("apply", "-n", name, "-f", str(EXAMPLES / "cfo-agent.yaml"))
        with cluster.pod(namespace, tmp_path):
            cluster.ready(served, "cfo")
            cluster.kubectl("delete", "pda", "cfo", "-n", served, "--timeout=30s")
        assert "status" not in cluster.agents(other)["cfo"]
        assert cluster.forbidden(namespace) == []
    finally:
        cluster.helm.run("uninstall", "aos-operator", "--namespace", namespace)
        cluster.kubectl("delete", "crd", *CRDS)


@pytest.fixture
def strict(cluster: Cluster, namespace: str) -> str:
    """A namespace that takes restricted pods only; and the API server knows ServiceMonitors."""
    create_namespace(cluster.plane, namespace)
    label = "pod-security.kubernetes.io/enforce=restricted"
    cluster.kubectl("label", "namespace", namespace, label)
    cluster.kubectl("apply", "-f", str(SERVICE_MONITOR))
    cluster.kubectl("wait", "--for=condition=Established", "-f", str(SERVICE_MONITOR), "--timeout=30s")
    for served in ("boardroom", "finance"):
        cluster.kubectl.run("create", "namespace", served)
    return namespace


@pytest.mark.parametrize("values", OPERATOR_VALUES, ids=lambda path: path.stem)
def test_what_an_example_renders_is_valid_for_the_api_server_and_for_restricted_pods(
    cluster: Cluster, strict: str, values: Path
) -> None:
    objects = cluster.helm.objects(OPERATOR_CHART, values, namespace=strict)
    dry = ("--dry-run=server", "--validate=strict", "-f", "-")
    eventually(
        lambda: cluster.kubectl.run("get", "servicemonitors", "-A").code == 0,
        what="ServiceMonitors are served",
    )
    for where in {one["metadata"].get("namespace", "default") for one in objects}:
        there = [one for one in objects if one["metadata"].get("namespace", "default") == where]
        text = yaml.safe_dump_all(there)
        told = cluster.kubectl("apply", "--server-side", f"--namespace={where}", *dry, stdin=text)
        assert len(told.stdout.splitlines()) == len(there)
        assert "Warning" not in told.stderr
    for pod in pods(objects):
        told = cluster.kubectl("create", f"--namespace={strict}", *dry, stdin=json.dumps(pod))
        assert "created (server dry run)" in told.stdout
        assert "Warning" not in told.stderr


def pods(objects: list[Json]) -> Iterator[Json]:
    """The pods as a controller would create them."""
    for deployment in of_kind(objects, "Deployment"):
        template = deployment["spec"]["template"]
        metadata = {**template["metadata"], "name": "pod"}
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    yield from of_kind(objects, "Pod")


def test_a_pod_that_is_not_hardened_would_have_been_refused(cluster: Cluster, strict: str) -> None:
    soft: Json = {"securityContext": {"allowPrivilegeEscalation": True}}
    pod = json.dumps(next(pods(cluster.helm.objects(OPERATOR_CHART, namespace=strict, values=soft))))
    told = cluster.kubectl(
        "create", "--dry-run=server", f"--namespace={strict}", "-f", "-", stdin=pod, code=1
    )
    assert 'violates PodSecurity "restricted' in told.stderr


def test_whoever_may_edit_a_namespace_may_edit_its_agents(cluster: Cluster, installed: str) -> None:
    account = f"system:serviceaccount:{installed}:person"
    for role, verb, allowed in (("view", "get", True), ("view", "delete", False), ("edit", "delete", True)):
        binding = ("rolebinding", f"person-{role}-{verb}", f"--clusterrole={role}")
        cluster.kubectl("create", *binding, f"--serviceaccount={installed}:person", "-n", installed)
        question = ("auth", "can-i", verb, "pda", f"--as={account}", "-n", installed)
        eventually(
            lambda question=question: cluster.kubectl.run(*question).stdout.strip(),
            lambda answer, allowed=allowed: answer == ("yes" if allowed else "no"),
            what=f"{role} may {verb}: {allowed}",
        )
