"""What the end-to-end tests may rely on: the control plane that they start is a real one."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from tests.e2e.controlplane import ControlPlane, ControlPlaneError
from tests.e2e.controlplane.binaries import EVERYTHING, find_binaries
from tests.e2e.controlplane.progress import say_on_stderr
from tests.e2e.controlplane.release import release_wanted

# The first run on a machine may build the binaries.
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane(controllers=True) as running:
        yield running


@pytest.fixture(scope="module")
def admin(plane: ControlPlane) -> Iterator[client.CoreV1Api]:
    with api_client(plane.admin_kubeconfig) as connection:
        yield client.CoreV1Api(connection)


@pytest.fixture
def namespace(admin: client.CoreV1Api) -> str:
    made = admin.create_namespace({"metadata": {"generateName": "test-"}})
    return str(made.metadata.name)


def api_client(kubeconfig: Path) -> client.ApiClient:
    return config.new_client_from_config(config_file=str(kubeconfig))


def config_map(name: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **metadata}, "data": {"key": "value"}}


def gone(read: Any, *arguments: str, within: float = 30.0) -> bool:
    """Whether the object is not found before the time is over."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            read(*arguments)
        except ApiException as error:
            return error.status == 404
        time.sleep(0.2)
    return False


def test_it_starts_within_fifteen_seconds_once_the_binaries_are_there() -> None:
    find_binaries(release_wanted(os.environ), EVERYTHING, environ=os.environ, say=say_on_stderr())
    began = time.monotonic()
    with ControlPlane(controllers=True):
        assert time.monotonic() - began < 15


def test_it_is_the_version_that_was_asked_for(plane: ControlPlane) -> None:
    with api_client(plane.admin_kubeconfig) as connection:
        version = client.VersionApi(connection).get_code()
    assert version.git_version == f"v{release_wanted(os.environ).version}"


def test_a_service_account_without_rights_is_forbidden(plane: ControlPlane, namespace: str) -> None:
    with api_client(plane.kubeconfig_for_service_account(namespace, "joe")) as connection:
        with pytest.raises(ApiException) as refused:
            client.CoreV1Api(connection).list_namespaced_config_map(namespace)
        assert refused.value.status == 403
        assert f"system:serviceaccount:{namespace}:joe" in refused.value.body


def test_a_role_binding_gives_exactly_its_rights(
    plane: ControlPlane, admin: client.CoreV1Api, namespace: str
) -> None:
    joe = plane.kubeconfig_for_service_account(namespace, "joe")
    binding = {
        "metadata": {"name": "joe"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "joe", "namespace": namespace}],
    }
    client.RbacAuthorizationV1Api(admin.api_client).create_namespaced_role_binding(namespace, binding)
    with api_client(joe) as connection:
        core = client.CoreV1Api(connection)
        assert core.list_namespaced_pod(namespace).items == []
        with pytest.raises(ApiException) as refused:
            core.list_namespaced_secret(namespace)
    assert refused.value.status == 403


def test_an_account_in_a_namespace_that_is_not_there_is_an_error(plane: ControlPlane) -> None:
    with pytest.raises(ControlPlaneError, match='namespaces \\\\"nowhere'):
        plane.kubeconfig_for_service_account("nowhere", "joe")


def test_the_audit_log_tells_who_asked_what_and_what_was_answered(
    plane: ControlPlane, namespace: str
) -> None:
    with api_client(plane.kubeconfig_for_service_account(namespace, "joe")) as connection:
        connection.user_agent = "joes-client/1.0"
        with pytest.raises(ApiException):
            client.CoreV1Api(connection).create_namespaced_config_map(namespace, config_map("refused"))
    (event,) = plane.audited(lambda event: event.user == f"system:serviceaccount:{namespace}:joe")
    assert (event.verb, event.resource, event.namespace, event.code) == (
        "create",
        "configmaps",
        namespace,
        403,
    )
    assert (event.user_agent, event.stage) == ("joes-client/1.0", "ResponseComplete")


def test_the_audit_log_holds_the_body_of_a_write_but_never_a_secret(
    plane: ControlPlane, admin: client.CoreV1Api, namespace: str
) -> None:
    admin.create_namespaced_secret(namespace, {"metadata": {"name": "s"}, "stringData": {"key": "hush-hush"}})
    admin.create_namespaced_service_account(namespace, {"metadata": {"name": "sam", "labels": {"a": "b"}}})
    written = plane.audited(lambda event: event.namespace == namespace and event.name == "sam")
    assert [event.body["metadata"]["labels"] for event in written if event.body] == [{"a": "b"}]
    assert plane.audited(lambda event: event.namespace == namespace and event.resource == "secrets")
    assert "hush-hush" not in (plane.folder / "audit.log").read_text()


def test_what_did_not_happen_is_not_in_the_audit_log(plane: ControlPlane) -> None:
    assert plane.audited(lambda event: event.user == "nobody-at-all", within=0.1) == []


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_a_restart_keeps_the_address_the_data_and_the_tokens(
    plane: ControlPlane, admin: client.CoreV1Api, namespace: str, kill: bool
) -> None:
    url = plane.url
    joe = plane.kubeconfig_for_service_account(namespace, "joe")
    admin.create_namespaced_config_map(namespace, config_map("kept"))
    plane.restart_apiserver(kill=kill)
    assert plane.url == url
    assert admin.read_namespaced_config_map("kept", namespace).data == {"key": "value"}
    with api_client(joe) as connection:
        review = {"spec": {"namespace": namespace}}
        rules = client.AuthorizationV1Api(connection).create_self_subject_rules_review(review)
    assert rules.status.resource_rules


def test_a_deleted_namespace_goes_with_all_that_is_in_it(admin: client.CoreV1Api, namespace: str) -> None:
    admin.create_namespaced_config_map(namespace, config_map("inside"))
    admin.delete_namespace(namespace)
    assert gone(admin.read_namespace, namespace)


def test_what_an_object_owned_is_collected(admin: client.CoreV1Api, namespace: str) -> None:
    owner = admin.create_namespaced_config_map(namespace, config_map("owner"))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid}
    admin.create_namespaced_config_map(namespace, config_map("owned", ownerReferences=[reference]))
    admin.delete_namespaced_config_map("owner", namespace)
    assert gone(admin.read_namespaced_config_map, "owned", namespace)


def test_a_folder_of_the_caller_keeps_the_logs(tmp_path: Path) -> None:
    with ControlPlane(folder=tmp_path / "plane") as own:
        assert own.ca_file.is_relative_to(tmp_path)
    logs = {path.name for path in (tmp_path / "plane").glob("*.log")}
    assert logs >= {"etcd.log", "kube-apiserver.log", "audit.log"}


def test_by_hand_it_prints_a_kubeconfig_and_stops_when_told_to() -> None:
    command = [sys.executable, str(Path(__file__).parent / "controlplane"), "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        kubeconfig = Path(run.stdout.readline().strip())
        with api_client(kubeconfig) as connection:
            assert client.CoreV1Api(connection).list_namespace().items
        run.terminate()
    assert run.returncode == 0
    assert not kubeconfig.exists()
