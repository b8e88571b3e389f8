"""Custom resources without a namespace: the paths, what a namespace means to them, and kubectl's view.

The tests' own kind for what every such kind does, and ours, whose short names and category people type.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.contract.conftest import (
    APPLY,
    CRDS,
    JSON_PATCH,
    MERGE,
    TABLE,
    Home,
    Json,
    Kind,
    Target,
    create_definition,
    definition,
    unique,
    unique_group,
)
from tests.harness.kubectl import Kubectl
from tests.harness.planes import Plane

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
RUNTIMES = "/apis/agentoperatingsystem.io/v1alpha1/clusteragentruntimes"
ENDPOINT = "https://acme.services.ai.azure.com/api/projects/board"


@pytest.fixture(scope="module")
def gadgets(target: Target) -> Iterator[Kind]:
    """A cluster-scoped kind of this file's own."""
    spec = {
        "type": "object",
        "properties": {
            "purpose": {"type": "string", "maxLength": 64},
            "color": {
                "type": "string",
                "maxLength": 64,
                "default": "red",
                "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "color is immutable"}],
            },
            "limits": {
                "type": "object",
                "default": {},
                "properties": {"inFlight": {"type": "integer", "default": 32}},
            },
        },
    }
    status = {"type": "object", "properties": {"seen": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"spec": spec, "status": status}}
    group = unique_group()
    columns = [{"name": "Color", "type": "string", "jsonPath": ".spec.color"}]
    crd = definition(
        group,
        schema,
        kind="Gadget",
        scope="Cluster",
        subresources={"status": {}},
        additionalPrinterColumns=columns,
    )
    assert create_definition(target, crd).status == 201
    yield Kind(target, group, "gadgets", "Gadget")
    target.delete(f"{CRDS}/{crd['metadata']['name']}")


@dataclass(frozen=True)
class Gadget:
    """One gadget of a test's own, which goes with the test."""

    kind: Kind
    name: str
    made: Json

    def path(self, subresource: str = "") -> str:
        return self.kind.path("", self.name, subresource)


@pytest.fixture
def gadget(target: Target, gadgets: Kind) -> Iterator[Gadget]:
    name = unique("gadget")
    answer = target.post(gadgets.path(), gadgets.make(name))
    assert answer.status == 201, answer.message
    yield Gadget(gadgets, name, answer.body)
    target.patch(gadgets.path("", name), {"metadata": {"finalizers": None}})
    target.delete(gadgets.path("", name))


def test_discovery_says_that_it_has_no_namespace(target: Target, gadgets: Kind) -> None:
    """kubectl then sends no namespace, and kopf watches without one."""
    resources = {item["name"]: item for item in target.get(f"/apis/{gadgets.api_version}").body["resources"]}
    assert (resources["gadgets"]["namespaced"], resources["gadgets/status"]["namespaced"]) == (False, False)
    groups = target.get("/apis", accept=AGGREGATED).body["items"]
    (found,) = (item for item in groups if item["metadata"]["name"] == gadgets.group)
    assert found["versions"][0]["resources"][0]["scope"] == "Cluster"


def test_openapi_has_the_path_without_a_namespace(target: Target, gadgets: Kind) -> None:
    """kubectl explain and server-side validation look there."""
    where = f"/openapi/v3/apis/{gadgets.api_version}"
    path = f"/apis/{gadgets.api_version}/gadgets/{{name}}"
    target.eventually(lambda: path in target.get(where).body.get("paths", {}), "the path is documented")
    paths = target.get(where).body["paths"]
    assert not [one for one in paths if "{namespace}" in one]


def test_an_object_is_made_without_a_namespace(target: Target, gadget: Gadget) -> None:
    """And has none; defaults are filled in, those of an object that was left out too."""
    assert "namespace" not in gadget.made["metadata"]
    assert gadget.made["spec"] == {"purpose": "test", "color": "red", "limits": {"inFlight": 32}}
    assert target.get(gadget.path()).body == gadget.made


def test_a_namespace_in_the_body_is_dropped(target: Target, gadgets: Kind) -> None:
    """As people leave one in a manifest, however it is sent."""
    name = unique("gadget")
    path = gadgets.path("", name)
    stray = gadgets.make(name, {"namespace": "default"})
    made = target.post(gadgets.path(), stray)
    stray["metadata"]["resourceVersion"] = made.body["metadata"]["resourceVersion"]
    put = target.put(path, stray)
    patched = target.patch(path, {"metadata": {"namespace": "default"}})
    del stray["metadata"]["resourceVersion"]
    applied = target.patch(path, stray, APPLY, fieldManager="a")
    for answer, status in ((made, 201), (put, 200), (patched, 200), (applied, 200)):
        assert (answer.status, answer.body["metadata"].get("namespace")) == (status, None), answer.message
    target.delete(path)


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_there_is_no_path_in_a_namespace(target: Target, gadget: Gadget, method: str) -> None:
    """404, whoever asks for it there."""
    name = "" if method == "POST" else gadget.name
    path = gadget.kind.path("default", name)
    body = gadget.kind.make(gadget.name) if method in ("POST", "PATCH") else None
    kind = MERGE if method == "PATCH" else "application/json"
    assert target.call(method, path, body, kind=kind).status == 404


def test_a_name_is_taken_once(target: Target, gadget: Gadget) -> None:
    """409, and the message names it without a namespace."""
    answer = target.post(gadget.kind.path(), gadget.kind.make(gadget.name))
    assert (answer.status, answer.reason) == (409, "AlreadyExists")
    assert answer.message == f'gadgets.{gadget.kind.group} "{gadget.name}" already exists'


def test_spec_and_status_are_written_apart(target: Target, gadget: Gadget) -> None:
    """A write of the one leaves the other, and only the spec moves the generation."""
    target.patch(gadget.path("status"), {"status": {"seen": 1}, "spec": {"purpose": "other"}})
    told = target.get(gadget.path()).body
    assert (told["status"], told["spec"]["purpose"], told["metadata"]["generation"]) == (
        {"seen": 1},
        "test",
        1,
    )
    target.patch(gadget.path(), {"spec": {"purpose": "other"}, "status": {"seen": 2}})
    told = target.get(gadget.path()).body
    assert (told["status"], told["spec"]["purpose"], told["metadata"]["generation"]) == (
        {"seen": 1},
        "other",
        2,
    )


@pytest.mark.parametrize(
    ("patch", "kind"),
    [
        ({"spec": {"color": "blue"}}, MERGE),
        ({"spec": {"color": None}}, MERGE),
        ([{"op": "remove", "path": "/spec/color"}], JSON_PATCH),
    ],
    ids=["changed", "nulled", "removed"],
)
def test_a_field_with_a_default_stays_what_it_is(
    target: Target, gadgets: Kind, patch: Any, kind: str
) -> None:
    """Removing it gives the default back, which is a change like any other."""
    name = unique("gadget")
    target.post(gadgets.path(), gadgets.make(name, color="green"))
    answer = target.patch(gadgets.path("", name), patch, kind)
    assert (answer.status, answer.reason) == (422, "Invalid")
    assert "color is immutable" in answer.message
    target.delete(gadgets.path("", name))


def test_server_side_apply_makes_and_owns_it(target: Target, gadgets: Kind) -> None:
    """As kubectl and Argo CD apply."""
    name = unique("gadget")
    path = gadgets.path("", name)
    body = gadgets.make(name, color="blue")
    assert target.patch(path, body, APPLY, fieldManager="a").status == 201
    assert target.patch(path, body, APPLY, fieldManager="a").status == 200
    other = {**body, "spec": {"purpose": "other"}}
    answer = target.patch(path, other, APPLY, fieldManager="b")
    assert (answer.status, answer.reason) == (409, "Conflict")
    target.delete(path)


def test_a_list_and_a_watch_see_it(target: Target, gadget: Gadget) -> None:
    """Without a namespace, by label and by name."""
    target.patch(gadget.path(), {"metadata": {"labels": {"of": gadget.name}}})
    found = target.get(gadget.kind.path(), labelSelector=f"of={gadget.name}").body
    assert [item["metadata"]["name"] for item in found["items"]] == [gadget.name]
    events = target.watch(gadget.kind.path(), bool, fieldSelector=f"metadata.name={gadget.name}")
    assert [event["object"]["metadata"]["name"] for event in events] == [gadget.name]


def test_a_table_has_its_columns(target: Target, gadget: Gadget) -> None:
    """kubectl get prints this."""
    table = target.get(gadget.path(), accept=TABLE).body
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Color"]
    assert table["rows"][0]["cells"] == [gadget.name, "red"]


def test_a_finalizer_holds_it(target: Target, gadget: Gadget) -> None:
    """As in a namespace."""
    target.patch(gadget.path(), {"metadata": {"finalizers": ["example.com/hold"]}})
    assert target.delete(gadget.path()).status == 200
    assert target.get(gadget.path()).body["metadata"]["deletionTimestamp"]
    target.patch(gadget.path(), {"metadata": {"finalizers": None}})
    assert target.get(gadget.path()).status == 404


def test_a_collection_is_deleted_by_label(target: Target, gadgets: Kind) -> None:
    """And nothing else."""
    names = [unique("gadget") for _ in range(2)]
    for name in names:
        target.post(gadgets.path(), gadgets.make(name, {"labels": {"of": names[0]}}))
    other = unique("gadget")
    target.post(gadgets.path(), gadgets.make(other))
    assert target.delete(gadgets.path(), labelSelector=f"of={names[0]}").status == 200
    assert [target.get(gadgets.path("", name)).status for name in (*names, other)] == [404, 404, 200]
    target.delete(gadgets.path("", other))


def _event(gadget: Gadget, **about: str) -> Json:
    regarding = {"apiVersion": gadget.kind.api_version, "kind": "Gadget", "name": gadget.name, **about}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "event-"},
        "involvedObject": {**regarding, "uid": gadget.made["metadata"]["uid"]},
        "reason": "Tested",
        "message": "it was tested",
        "type": "Normal",
        "source": {"component": "contract"},
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "count": 1,
    }


def test_its_events_are_in_default(target: Target, gadget: Gadget) -> None:
    """kopf posts them there, and kubectl describe finds them there."""
    path = "/api/v1/namespaces/default/events"
    assert target.post(path, _event(gadget)).status == 201
    found = target.get(path, fieldSelector=f"involvedObject.name={gadget.name}").body["items"]
    assert [item["reason"] for item in found] == ["Tested"]


def test_its_events_are_nowhere_else(target: Target, home: Home, gadget: Gadget) -> None:
    """Of an object without a namespace no other namespace is told."""
    answer = target.post(f"/api/v1/namespaces/{home.namespace}/events", _event(gadget))
    assert (answer.status, answer.reason) == (422, "Invalid")
    assert "involvedObject.namespace" in answer.message


def runtime(name: str, **spec: Any) -> str:
    """A ClusterAgentRuntime as kubectl reads it, for namespaces that nobody has."""
    wanted = {"endpoint": ENDPOINT, "allowedNamespaces": {"names": ["nobody"]}, **spec}
    head = {"apiVersion": "agentoperatingsystem.io/v1alpha1", "kind": "ClusterAgentRuntime"}
    return json.dumps({**head, "metadata": {"name": name}, "spec": wanted})


@pytest.fixture
def kubectl(control_plane: Plane) -> Kubectl:
    """In a namespace, which must not matter."""
    return control_plane.kubectl("default")


@pytest.fixture
def name(target: Target) -> Iterator[str]:
    """The name of a runtime that goes with the test."""
    chosen = unique("runtime")
    yield chosen
    target.patch(f"{RUNTIMES}/{chosen}", {"metadata": {"finalizers": None}})
    target.delete(f"{RUNTIMES}/{chosen}")


def test_kubectl_applies_reads_and_deletes_it(kubectl: Kubectl, name: str) -> None:
    """By its short name, with no namespace named."""
    made = kubectl.apply(runtime(name))
    assert made == f"clusteragentruntime.agentoperatingsystem.io/{name} created\n"
    assert kubectl.apply(runtime(name)).endswith("unchanged\n")
    assert kubectl.apply(runtime(name, maxAgents=3)).endswith("configured\n")
    heading, row = kubectl("get", "cart", name).stdout.splitlines()
    assert heading.split() == ["NAME", "READY", "REASON", "TYPE", "AGENTS", "AGE"]
    assert row.split()[:2] == [name, "Foundry"]
    wide = kubectl("get", "cart", name, "-o", "wide").stdout
    assert ENDPOINT in wide
    assert "MESSAGE" in wide.splitlines()[0]
    assert kubectl("delete", "cart", name).stdout.endswith("deleted\n")
    assert "NotFound" in kubectl("get", "cart", name, code=1).stderr


def test_kubectl_shows_the_defaults(kubectl: Kubectl, name: str) -> None:
    """Nobody has to guess what holds."""
    kubectl.apply(runtime(name, limits={"inFlight": 4}))
    spec = json.loads(kubectl("get", "cart", name, "-o", "json").stdout)["spec"]
    assert spec == {
        "type": "Foundry",
        "endpoint": ENDPOINT,
        "baseModel": "llama-3.3-70b",
        "deploymentTemplate": "{model}-{adapter}",
        "agentNameTemplate": "{agentId}",
        "allowedNamespaces": {"names": ["nobody"]},
        "limits": {"requestsPerSecond": 50, "inFlight": 4, "timeoutSeconds": 60},
        "driftIntervalSeconds": 60,
        "modelCheck": "Enforce",
    }
    kubectl.apply(runtime(name))
    spec = json.loads(kubectl("get", "cart", name, "-o", "json").stdout)["spec"]
    assert spec["limits"] == {"requestsPerSecond": 50, "inFlight": 32, "timeoutSeconds": 60}


def test_kubectl_finds_it_by_its_category(kubectl: Kubectl, name: str) -> None:
    """`kubectl get aos`, beside the kinds of a namespace."""
    kubectl.apply(runtime(name))
    found = kubectl("get", "aos", "-o", "name").stdout.split()
    assert f"clusteragentruntime.agentoperatingsystem.io/{name}" in found


def test_kubectl_lists_the_kinds_with_their_scope(kubectl: Kubectl) -> None:
    """Short names and scope."""
    rows = kubectl("api-resources", "--api-group=agentoperatingsystem.io", "--no-headers").stdout.splitlines()
    assert sorted(tuple(row.split()) for row in rows) == [
        ("agentruntimes", "art", "agentoperatingsystem.io/v1alpha1", "true", "AgentRuntime"),
        ("clusteragentruntimes", "cart", "agentoperatingsystem.io/v1alpha1", "false", "ClusterAgentRuntime"),
        ("purposedrivenagents", "pda", "agentoperatingsystem.io/v1alpha1", "true", "PurposeDrivenAgent"),
    ]


def test_kubectl_waits_for_its_status(kubectl: Kubectl, name: str) -> None:
    """Which is written through the subresource alone."""
    kubectl.apply(runtime(name))
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Reached",
        "message": "The project answers.",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    status = {"status": {"observedGeneration": 1, "agents": 2, "conditions": [condition]}}
    kubectl("patch", "cart", name, "--subresource=status", "--type=merge", "-p", json.dumps(status))
    kubectl("wait", "--for=condition=Ready", f"cart/{name}", "--timeout=5s")
    assert kubectl("get", "cart", name, "--no-headers").stdout.split()[:5] == [
        name,
        "True",
        "Reached",
        "Foundry",
        "2",
    ]


def test_kubectl_explains_and_describes_it(kubectl: Kubectl, name: str) -> None:
    """From the published schema; a description has its events."""
    assert "FIELD: allowedNamespaces" in kubectl("explain", "cart.spec.allowedNamespaces").stdout
    kubectl.apply(runtime(name))
    described = kubectl("describe", "cart", name).stdout
    assert described.startswith(f"Name:         {name}\nNamespace:    \n")
    assert described.split()[-2:] == ["Events:", "<none>"]
