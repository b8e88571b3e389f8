"""The built-in kinds that operators use: namespaces, events, leases, secrets, config maps, reviews."""

from typing import Any

from tests.contract.conftest import Home, Target, unique

STRATEGIC = "application/strategic-merge-patch+json"
PROTOBUF = "application/vnd.kubernetes.protobuf"


def test_a_namespace_is_active_and_labelled(target: Target, home: Home) -> None:
    """Selectors on namespaces rely on the label."""
    body = target.get(f"/api/v1/namespaces/{home.namespace}").body
    assert body["status"]["phase"] == "Active"
    assert body["metadata"]["labels"]["kubernetes.io/metadata.name"] == home.namespace


def test_the_first_namespaces_are_there(target: Target) -> None:
    """default, kube-system and kube-public exist from the start."""
    names = {item["metadata"]["name"] for item in target.get("/api/v1/namespaces").body["items"]}
    assert {"default", "kube-system", "kube-public"} <= names


def test_a_namespace_name_is_a_label(target: Target) -> None:
    """No dots."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a.b"}}
    assert target.post("/api/v1/namespaces", body).status == 422


def test_a_namespace_can_come_as_protobuf(target: Target) -> None:
    """kubectl create namespace sends this."""
    name = unique("proto")

    def field(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2, len(data)]) + data

    about = field(1, b"v1") + field(2, b"Namespace")
    message = field(1, field(1, name.encode()))
    data = b"k8s\x00" + field(1, about) + field(2, message)
    answer = target.call("POST", "/api/v1/namespaces", data, kind=PROTOBUF)
    assert answer.status == 201
    assert answer.body["metadata"]["name"] == name
    target.delete(f"/api/v1/namespaces/{name}")


def _event(home: Home, name: str) -> dict[str, Any]:
    about = {
        "apiVersion": home.widgets.api_version,
        "kind": "Widget",
        "name": name,
        "namespace": home.namespace,
    }
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "event-"},
        "involvedObject": {**about, "uid": "1"},
        "reason": "Tested",
        "message": "it was tested",
        "type": "Normal",
        "source": {"component": "contract"},
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "count": 1,
    }


def test_events_are_found_by_what_they_are_about(target: Target, home: Home) -> None:
    """kubectl describe selects this way."""
    path = f"/api/v1/namespaces/{home.namespace}/events"
    assert target.post(path, _event(home, "a")).status == 201
    assert target.post(path, _event(home, "b")).status == 201
    found = target.get(path, fieldSelector="involvedObject.name=a,involvedObject.kind=Widget").body["items"]
    assert [item["involvedObject"]["name"] for item in found] == ["a"]


def test_an_event_lives_with_its_object(target: Target, home: Home) -> None:
    """The namespace of an event is that of what it is about."""
    body = _event(home, "a")
    body["involvedObject"]["namespace"] = "elsewhere"
    answer = target.post(f"/api/v1/namespaces/{home.namespace}/events", body)
    assert answer.status == 422
    assert "involvedObject.namespace" in answer.message


def test_both_event_groups_show_the_same_events(target: Target, home: Home) -> None:
    """events.k8s.io has other names for the same fields."""
    target.post(f"/api/v1/namespaces/{home.namespace}/events", _event(home, "a"))
    item = target.get(f"/apis/events.k8s.io/v1/namespaces/{home.namespace}/events").body["items"][0]
    assert item["regarding"]["name"] == "a"
    assert item["note"] == "it was tested"


def test_a_built_in_body_may_leave_out_its_kind(target: Target, home: Home) -> None:
    """kopf posts its events without one."""
    body = _event(home, "a")
    del body["kind"], body["apiVersion"]
    assert target.post(f"/api/v1/namespaces/{home.namespace}/events", body).status == 201


def test_a_lease_is_taken_once(target: Target, home: Home) -> None:
    """Leader election: of two writers with one version, one wins."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{home.namespace}/leases"
    head = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
    spec = {"holderIdentity": "a", "leaseDurationSeconds": 15}
    lease = target.post(path, {**head, "metadata": {"name": "lead"}, "spec": spec}).body
    first = target.put(f"{path}/lead", {**lease, "spec": {**spec, "holderIdentity": "b"}})
    second = target.put(f"{path}/lead", {**lease, "spec": {**spec, "holderIdentity": "c"}})
    assert (first.status, second.status) == (200, 409)


def test_secret_text_becomes_data(target: Target, home: Home) -> None:
    """stringData is written into data, and is not given back."""
    path = f"/api/v1/namespaces/{home.namespace}/secrets"
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}}
    item = target.post(path, body).body
    assert item["data"] == {"a": "Yg=="}
    assert item["type"] == "Opaque"
    assert "stringData" not in item


def test_a_config_map_takes_a_strategic_patch(target: Target, home: Home) -> None:
    """kubectl apply sends these for built-in kinds."""
    path = f"/api/v1/namespaces/{home.namespace}/configmaps"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}}
    target.post(path, body)
    patch = {"data": {"a": None, "c": "3"}, "metadata": {"finalizers": ["example.com/x"]}}
    item = target.patch(f"{path}/c", patch, STRATEGIC).body
    assert item["data"] == {"b": "2", "c": "3"}
    more = target.patch(f"{path}/c", {"metadata": {"finalizers": ["example.com/y"]}}, STRATEGIC).body
    assert set(more["metadata"]["finalizers"]) == {"example.com/x", "example.com/y"}
    target.patch(f"{path}/c", {"metadata": {"finalizers": None}})


def test_unknown_fields_of_built_in_kinds_are_refused_when_asked(target: Target, home: Home) -> None:
    """fieldValidation=Strict holds for every kind."""
    path = f"/api/v1/namespaces/{home.namespace}/configmaps"
    answer = target.post(path, {"metadata": {"name": "c"}, "dta": {}}, fieldValidation="Strict")
    assert answer.status == 400
    assert 'unknown field "dta"' in answer.message


def test_a_caller_may_ask_what_it_may_do(target: Target) -> None:
    """kubectl auth can-i."""
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "get", "resource": "namespaces"}},
    }
    answer = target.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
    assert answer.status == 201
    assert answer.body["status"]["allowed"] is True
