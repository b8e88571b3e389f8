"""kubectl, without flags: the commands that people and the documentation use."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.contract.conftest import Home, Target, unique

Result = subprocess.CompletedProcess[str]
Kubectl = Callable[..., Result]


@pytest.fixture
def kubectl(target: Target, home: Home, tmp_path: Path) -> Kubectl:
    """Run kubectl in the test's namespace; `stdin` is what -f - reads."""
    binary = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or shutil.which("kubectl")
    if binary is None:
        pytest.skip("kubectl is not installed")
    environment = {"KUBECONFIG": str(target.kubeconfig), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}

    def run(*arguments: str, stdin: str = "", code: int = 0) -> Result:
        command = [binary, "-n", home.namespace, *arguments]
        result = subprocess.run(
            command, input=stdin, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert result.returncode == code, result.stdout + result.stderr
        return result

    return run


@pytest.fixture
def resource(home: Home) -> str:
    """The kind's full name on the command line."""
    return f"widgets.{home.widgets.group}"


def _text(home: Home, name: str = "x", **spec: object) -> str:
    return json.dumps(home.widgets.make(name, **spec))


def test_apply_says_what_it_did(kubectl: Kubectl, home: Home) -> None:
    """created, unchanged, configured."""
    kind = f"widget.{home.widgets.group}/x"
    assert kubectl("apply", "-f", "-", stdin=_text(home)).stdout == f"{kind} created\n"
    assert kubectl("apply", "-f", "-", stdin=_text(home)).stdout == f"{kind} unchanged\n"
    assert kubectl("apply", "-f", "-", stdin=_text(home, size=2)).stdout == f"{kind} configured\n"


def test_apply_refuses_a_mistyped_field(kubectl: Kubectl, home: Home) -> None:
    """Validation is on without a flag."""
    result = kubectl("apply", "-f", "-", stdin=_text(home, purposse="x"), code=1)
    assert 'strict decoding error: unknown field "spec.purposse"' in result.stderr


def test_apply_prints_what_is_invalid(kubectl: Kubectl, home: Home) -> None:
    """The API's message reaches the person."""
    result = kubectl("apply", "-f", "-", stdin=_text(home, size=11), code=1)
    assert 'The Widget "x" is invalid: spec.size: Invalid value: 11' in result.stderr


def test_apply_of_an_unknown_kind_asks_for_the_definition(kubectl: Kubectl) -> None:
    """A newcomer forgot the CRDs."""
    body = {"apiVersion": "nobody.example.com/v1", "kind": "Thing", "metadata": {"name": "x"}}
    result = kubectl("apply", "-f", "-", stdin=json.dumps(body), code=1)
    assert "ensure CRDs are installed first" in result.stderr


def test_diff_shows_the_change(kubectl: Kubectl, home: Home) -> None:
    """Exit code 0 without a difference, 1 with one."""
    kubectl("apply", "-f", "-", stdin=_text(home, size=2))
    kubectl("diff", "-f", "-", stdin=_text(home, size=2))
    result = kubectl("diff", "-f", "-", stdin=_text(home, size=3), code=1)
    assert "-  size: 2" in result.stdout
    assert "+  size: 3" in result.stdout


def test_get_prints_the_columns(kubectl: Kubectl, home: Home, resource: str) -> None:
    """Printer columns; more of them with -o wide."""
    home.create("x", size=2)
    assert kubectl("get", resource).stdout.splitlines()[0].split() == ["NAME", "READY", "COLOR", "AGE"]
    wide = kubectl("get", resource, "-o", "wide").stdout.splitlines()
    assert wide[0].split() == ["NAME", "READY", "COLOR", "SIZE", "AGE"]
    everywhere = kubectl("get", resource, "-A").stdout
    assert home.namespace in everywhere
    assert kubectl("get", resource, "-l", "a=b").stderr.startswith("No resources found")


def test_get_prints_yaml(kubectl: Kubectl, home: Home, resource: str) -> None:
    """The whole object."""
    home.create("x", size=2)
    text = kubectl("get", resource, "x", "-o", "yaml").stdout
    assert "  size: 2\n" in text
    assert "managedFields" not in text


def test_get_watches(kubectl: Kubectl, target: Target, home: Home, resource: str) -> None:
    """-w prints a line for each change."""
    home.create("x")
    result = kubectl("get", resource, "-w", "--request-timeout=1s", "--output-watch-events")
    assert result.stdout.splitlines()[1].split()[:2] == ["ADDED", "x"]


def test_explain(kubectl: Kubectl, home: Home, resource: str) -> None:
    """Field documentation from the schema."""
    text = kubectl("explain", f"{resource}.spec.parts").stdout
    assert "What the widget is made of." in text
    assert "name\t<string> -required-" in text
    assert "count\t<integer>" in text


def test_describe_shows_events(kubectl: Kubectl, target: Target, home: Home, resource: str) -> None:
    """What happened to the object."""
    item = home.create("x")
    about = {"apiVersion": item["apiVersion"], "kind": "Widget", "name": "x", "namespace": home.namespace}
    event = {
        "metadata": {"generateName": "x."},
        "involvedObject": {**about, "uid": item["metadata"]["uid"]},
        "reason": "Tested",
        "message": "it was tested",
        "type": "Normal",
        "firstTimestamp": item["metadata"]["creationTimestamp"],
        "lastTimestamp": item["metadata"]["creationTimestamp"],
        "count": 1,
    }
    assert target.post(f"/api/v1/namespaces/{home.namespace}/events", event).status == 201
    assert "it was tested" in kubectl("describe", resource, "x").stdout
    listed = kubectl("get", "events").stdout
    assert listed.splitlines()[0].split() == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert "widget/x" in listed


def test_wait_for_a_condition(kubectl: Kubectl, target: Target, home: Home, resource: str) -> None:
    """--for=condition=Ready."""
    home.create("x")
    condition = {"type": "Ready", "status": "True"}
    target.patch(home.one("x", "status"), {"status": {"conditions": [condition]}})
    result = kubectl("wait", "--for=condition=Ready", f"{resource}/x", "--timeout=5s")
    assert result.stdout.endswith("condition met\n")


def test_wait_in_vain(kubectl: Kubectl, home: Home, resource: str) -> None:
    """A condition that does not come."""
    home.create("x")
    result = kubectl("wait", "--for=condition=Ready", f"{resource}/x", "--timeout=1s", code=1)
    assert "timed out waiting" in result.stderr


def test_wait_for_creation_and_deletion(kubectl: Kubectl, home: Home, resource: str) -> None:
    """--for=create, --for=delete."""
    home.create("x")
    kubectl("wait", "--for=create", f"{resource}/x", "--timeout=5s")
    kubectl("delete", resource, "x")
    kubectl("wait", "--for=delete", f"{resource}/x", "--timeout=5s")


def test_small_changes(kubectl: Kubectl, target: Target, home: Home, resource: str) -> None:
    """label, annotate, and both patches that custom objects take."""
    home.create("x")
    kubectl("label", resource, "x", "team=red")
    kubectl("annotate", resource, "x", "note=hello")
    kubectl("patch", resource, "x", "--type=merge", "-p", '{"spec":{"size":2}}')
    operations = '[{"op":"replace","path":"/spec/size","value":3}]'
    kubectl("patch", resource, "x", "--type=json", "-p", operations)
    kubectl(
        "patch",
        resource,
        "x",
        "--subresource=status",
        "--type=merge",
        "-p",
        '{"status":{"observedGeneration":1}}',
    )
    item = target.get(home.one("x")).body
    assert item["metadata"]["labels"] == {"team": "red"}
    assert item["metadata"]["annotations"] == {"note": "hello"}
    assert (item["spec"]["size"], item["status"]["observedGeneration"]) == (3, 1)
    refused = kubectl("patch", resource, "x", "-p", '{"spec":{}}', code=1)
    assert "is not supported by" in refused.stderr


def test_replace(kubectl: Kubectl, target: Target, home: Home) -> None:
    """The whole object."""
    home.create("x", size=2)
    kubectl("replace", "-f", "-", stdin=_text(home, limit=4))
    assert target.get(home.one("x")).body["spec"] == {"purpose": "test", "color": "green", "limit": 4}


def test_server_side_apply_conflicts(kubectl: Kubectl, home: Home) -> None:
    """Another manager's field, then by force."""
    apply = ("apply", "--server-side", "-f", "-")
    kubectl(*apply, "--field-manager=a", stdin=_text(home, size=2))
    result = kubectl(*apply, "--field-manager=b", stdin=_text(home, size=3), code=1)
    assert 'conflict with "a": .spec.size' in result.stderr
    kubectl(*apply, "--field-manager=b", "--force-conflicts", stdin=_text(home, size=3))


def test_client_side_apply_can_become_server_side(kubectl: Kubectl, target: Target, home: Home) -> None:
    """kubectl moves the ownership of its former manager."""
    kubectl("apply", "-f", "-", stdin=_text(home, size=2))
    kubectl("apply", "--server-side", "-f", "-", stdin=_text(home, size=3))
    assert target.get(home.one("x")).body["spec"]["size"] == 3


def test_delete_waits_for_finalizers(kubectl: Kubectl, target: Target, home: Home, resource: str) -> None:
    """The command returns when the object is gone, or says that it is not."""
    home.create("x", {"finalizers": ["example.com/hold"]})
    result = kubectl("delete", resource, "x", "--timeout=1s", code=1)
    assert "timed out waiting" in result.stderr
    target.patch(home.one("x"), {"metadata": {"finalizers": None}})
    kubectl("delete", resource, "x", "--ignore-not-found")


def test_namespaces_come_and_go(kubectl: Kubectl) -> None:
    """create namespace sends protobuf."""
    name = unique("made")
    assert kubectl("create", "namespace", name).stdout == f"namespace/{name} created\n"
    kubectl("delete", "namespace", name, "--timeout=20s")


def test_built_in_kinds(kubectl: Kubectl) -> None:
    """Config maps and secrets, created and applied."""
    kubectl("create", "configmap", "c", "--from-literal=a=b")
    kubectl("create", "secret", "generic", "s", "--from-literal=a=b")
    kubectl("create", "serviceaccount", "operator")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d"}, "data": {"a": "1"}}
    kubectl("apply", "-f", "-", stdin=json.dumps(body))
    assert kubectl("apply", "-f", "-", stdin=json.dumps({**body, "data": {"a": "2"}})).stdout.endswith(
        "configured\n"
    )
    assert "configmap/c" in kubectl("get", "configmaps,secrets").stdout


def test_what_is_there(kubectl: Kubectl, home: Home) -> None:
    """api-resources and auth can-i."""
    assert home.widgets.api_version in kubectl("api-resources", "--api-group", home.widgets.group).stdout
    assert kubectl("auth", "can-i", "create", "configmaps").stdout == "yes\n"
