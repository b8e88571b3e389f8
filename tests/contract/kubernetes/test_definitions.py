"""Custom resource definitions: from creation to withdrawal."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.contract.conftest import CRDS, Answer, Target, definition, unique_group

Define = Callable[..., Answer]
Json = dict[str, Any]

OPEN: Json = {
    "type": "object",
    "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
}


def test_a_definition_is_established(target: Target, define: Define) -> None:
    """kubectl wait --for=condition=Established."""
    group = unique_group()
    define(definition(group, OPEN))
    status = target.get(f"{CRDS}/widgets.{group}").body["status"]
    conditions = {item["type"]: item["status"] for item in status["conditions"]}
    assert conditions["NamesAccepted"] == conditions["Established"] == "True"
    assert status["acceptedNames"]["listKind"] == "WidgetList"
    assert status["storedVersions"] == ["v1"]


def test_a_cluster_kind_has_no_namespace(target: Target, define: Define) -> None:
    """scope: Cluster."""
    group = unique_group()
    define(definition(group, OPEN, scope="Cluster"))
    body = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "x"}}
    answer = target.post(f"/apis/{group}/v1/widgets", body)
    assert answer.status == 201
    assert "namespace" not in answer.body["metadata"]
    assert target.post(f"/apis/{group}/v1/namespaces/default/widgets", body).status == 404


def test_without_a_status_subresource_status_is_plain(target: Target, define: Define) -> None:
    """The main path writes it, and the subresource is not there."""
    group = unique_group()
    schema = {**OPEN, "properties": {**OPEN["properties"], "status": {"type": "object", "properties": {}}}}
    schema["properties"]["status"]["x-kubernetes-preserve-unknown-fields"] = True
    define(definition(group, schema, scope="Cluster"))
    path = f"/apis/{group}/v1/widgets"
    body = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "x"}, "status": {"a": 1}}
    assert target.post(path, body).body["status"] == {"a": 1}
    assert target.patch(f"{path}/x/status", {"status": {"a": 2}}).status == 404


def test_a_changed_schema_holds_at_once(target: Target, define: Define) -> None:
    """New fields are kept as soon as the definition knows them."""
    group = unique_group()
    crd = definition(group, OPEN, scope="Cluster")
    define(crd)
    version = crd["spec"]["versions"][0]
    version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["b"] = {"type": "string"}
    assert target.patch(f"{CRDS}/widgets.{group}", {"spec": {"versions": [version]}}).status == 200
    body = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "x"}, "spec": {"b": "c"}}

    def keeps() -> bool:
        return "b" in target.post(f"/apis/{group}/v1/widgets", body, dryRun="All").body.get("spec", {})

    target.eventually(keeps, "the new field is kept")


def test_two_versions_show_the_same_objects(target: Target, define: Define) -> None:
    """Conversion None changes the apiVersion alone."""
    group = unique_group()
    crd = definition(group, OPEN, scope="Cluster")
    crd["spec"]["versions"].append({**crd["spec"]["versions"][0], "name": "v2", "storage": False})
    define(crd)
    body = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "x"}, "spec": {"a": "b"}}
    target.post(f"/apis/{group}/v1/widgets", body)
    item = target.get(f"/apis/{group}/v2/widgets/x").body
    assert (item["apiVersion"], item["spec"]) == (f"{group}/v2", {"a": "b"})


def test_a_deleted_definition_takes_its_objects_along(target: Target, define: Define) -> None:
    """And the kind is no longer served."""
    group = unique_group()
    define(definition(group, OPEN, scope="Cluster"))
    path = f"/apis/{group}/v1/widgets"
    body = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "x", "finalizers": ["a.b/c"]}}
    target.post(path, body)
    target.delete(f"{CRDS}/widgets.{group}")
    target.eventually(
        lambda: "deletionTimestamp" in target.get(f"{path}/x").body.get("metadata", {}), "objects are deleted"
    )
    target.patch(f"{path}/x", {"metadata": {"finalizers": None}})
    target.eventually(lambda: target.get(f"{CRDS}/widgets.{group}").status == 404, "the definition is gone")
    target.eventually(lambda: target.get(path).status == 404, "the kind is gone")


def _broken(**change: Any) -> Callable[[Json], None]:
    def change_spec(crd: Json) -> None:
        crd["spec"].update(change)

    return change_spec


def _set_schema(schema: Json) -> Callable[[Json], None]:
    def change(crd: Json) -> None:
        crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["a"] = (
            schema
        )

    return change


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda crd: crd["metadata"].update(name="others.example.com"), "metadata.name"),
        (lambda crd: crd["spec"]["versions"][0].pop("schema"), "schemas are required"),
        (_broken(scope="Galaxy"), "spec.scope"),
        (_broken(versions=[]), "spec.versions"),
        (lambda crd: crd["spec"]["versions"][0].update(storage=False), "exactly one version"),
        (_set_schema({"description": "no type"}), "must not be empty for specified object fields"),
        (_set_schema({"type": "text"}), "type"),
        (_set_schema({"type": "string", "pattern": "("}), "pattern"),
        (_set_schema({"type": "integer", "default": "one"}), "default"),
        (_set_schema({"type": "array"}), "items"),
        (
            _set_schema({"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"}),
            "x-kubernetes-list-map-keys",
        ),
    ],
)
def test_an_unsound_definition_is_refused(
    target: Target, define: Define, change: Callable[[Json], Any], text: str
) -> None:
    """422 that names what is wrong."""
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {}}}}
    crd = definition(unique_group(), schema)
    change(crd)
    answer = define(crd, wait=False)
    assert (answer.status, answer.reason) == (422, "Invalid")
    assert text in answer.message
