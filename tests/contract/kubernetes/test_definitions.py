"""Custom resource definitions: from creation to withdrawal."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.contract.conftest import (
    CRDS,
    Answer,
    Kind,
    Target,
    create_definition,
    definition,
    served,
    unique_group,
)

Define = Callable[..., Answer]
Json = dict[str, Any]

OPEN: Json = {
    "type": "object",
    "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
}


STATUS: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@pytest.fixture(scope="module")
def prepared(target: Target) -> Iterator[dict[str, Json]]:
    """A definition for each test: a real API server takes two seconds before it serves one."""
    plain = {**OPEN, "properties": {**OPEN["properties"], "status": STATUS}}
    names = ("established", "cluster", "changed", "doomed")
    made = {name: definition(unique_group(), OPEN, scope="Cluster") for name in names}
    made["plain"] = definition(unique_group(), plain, scope="Cluster")
    made["twins"] = definition(unique_group(), OPEN, scope="Cluster")
    versions = made["twins"]["spec"]["versions"]
    versions.append({**versions[0], "name": "v2", "storage": False})
    for crd in made.values():
        assert create_definition(target, crd, wait=False).status == 201
    for crd in made.values():
        served(target, crd)
    yield made
    for crd in made.values():
        target.delete(_path(crd))


def _path(crd: Json) -> str:
    return f"{CRDS}/{crd['metadata']['name']}"


def _kind(target: Target, crd: Json) -> Kind:
    return Kind(target, crd["spec"]["group"], "widgets", "Widget")


def test_a_definition_is_established(target: Target, prepared: dict[str, Json]) -> None:
    """kubectl wait --for=condition=Established."""
    status = target.get(_path(prepared["established"])).body["status"]
    conditions = {item["type"]: item["status"] for item in status["conditions"]}
    assert conditions["NamesAccepted"] == conditions["Established"] == "True"
    assert status["acceptedNames"]["listKind"] == "WidgetList"
    assert status["storedVersions"] == ["v1"]


def test_a_cluster_kind_has_no_namespace(target: Target, prepared: dict[str, Json]) -> None:
    """scope: Cluster."""
    kind = _kind(target, prepared["cluster"])
    answer = target.post(kind.path(), kind.make("x"))
    assert answer.status == 201
    assert "namespace" not in answer.body["metadata"]
    assert target.post(kind.path("default"), kind.make("x")).status == 404


def test_without_a_status_subresource_status_is_plain(target: Target, prepared: dict[str, Json]) -> None:
    """The main path writes it, and the subresource is not there."""
    kind = _kind(target, prepared["plain"])
    item = target.post(kind.path(), {**kind.make("x"), "status": {"a": 1}}).body
    assert item["status"] == {"a": 1}
    assert target.patch(kind.path(name="x", subresource="status"), {"status": {"a": 2}}).status == 404


def test_a_changed_schema_holds_soon(target: Target, prepared: dict[str, Json]) -> None:
    """New fields are kept as soon as the server has seen the definition."""
    crd = prepared["changed"]
    kind = _kind(target, crd)
    wider = {**OPEN["properties"]["spec"]["properties"], "b": {"type": "string"}}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": wider}}}
    version = {**crd["spec"]["versions"][0], "schema": {"openAPIV3Schema": schema}}
    assert target.patch(_path(crd), {"spec": {"versions": [version]}}).status == 200

    def keeps() -> bool:
        return "b" in target.post(kind.path(), kind.make("x", b="c"), dryRun="All").body.get("spec", {})

    target.eventually(keeps, "the new field is kept")


def test_two_versions_show_the_same_objects(target: Target, prepared: dict[str, Json]) -> None:
    """Conversion None changes the apiVersion alone."""
    kind = _kind(target, prepared["twins"])
    target.post(kind.path(), kind.make("x", a="b"))
    item = target.get(f"/apis/{kind.group}/v2/widgets/x").body
    assert (item["apiVersion"], item["spec"]) == (f"{kind.group}/v2", {"a": "b"})


def test_a_deleted_definition_takes_its_objects_along(target: Target, prepared: dict[str, Json]) -> None:
    """And the kind is no longer served."""
    crd = prepared["doomed"]
    kind = _kind(target, crd)
    one = kind.path(name="x")
    target.post(kind.path(), kind.make("x", {"finalizers": ["a.b/c"]}))
    target.delete(_path(crd))
    target.eventually(
        lambda: "deletionTimestamp" in target.get(one).body.get("metadata", {}), "objects are deleted"
    )
    target.patch(one, {"metadata": {"finalizers": None}})
    target.eventually(lambda: target.get(_path(crd)).status == 404, "the definition is gone")
    target.eventually(lambda: target.get(kind.path()).status == 404, "the kind is gone")


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
        (lambda crd: crd["spec"]["versions"][0].pop("schema"), "schema.openAPIV3Schema: Required value"),
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
