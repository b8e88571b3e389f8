"""Server-side apply: field managers, conflicts, force, and fields that a manager lets go."""

from typing import Any

import pytest
from tests.contract.conftest import APPLY, Answer, Home, Target

Json = dict[str, Any]


def _apply(
    target: Target, home: Home, manager: str, spec: Json, subresource: str = "", **query: str
) -> Answer:
    body = {"apiVersion": home.widgets.api_version, "kind": "Widget", "metadata": {"name": "x"}}
    content = {"status": spec} if subresource else {"spec": spec}
    path = home.one("x", subresource)
    return target.patch(path, {**body, **content}, APPLY, fieldManager=manager, **query)


def _managers(item: Json) -> dict[tuple[str, str], Json]:
    return {
        (entry["manager"], entry["operation"]): entry for entry in item["metadata"].get("managedFields", [])
    }


def test_apply_creates(target: Target, home: Home) -> None:
    """201 the first time, 200 afterwards."""
    first = _apply(target, home, "a", {"purpose": "one"})
    assert first.status == 201
    assert first.body["spec"]["color"] == "green"
    second = _apply(target, home, "a", {"purpose": "one"})
    assert second.status == 200
    assert second.body["metadata"]["resourceVersion"] == first.body["metadata"]["resourceVersion"]


def test_apply_needs_a_manager(target: Target, home: Home) -> None:
    """Who applies must be said."""
    body = home.widgets.make("x")
    answer = target.patch(home.one("x"), body, APPLY)
    assert answer.status in {400, 422}
    assert "fieldManager" in answer.message


def test_apply_reads_yaml(target: Target, home: Home) -> None:
    """The media type says so."""
    text = (
        f"apiVersion: {home.widgets.api_version}\nkind: Widget\nmetadata: {{name: x}}\nspec: {{purpose: a}}\n"
    )
    answer = target.patch(home.one("x"), text.encode(), APPLY, fieldManager="a")
    assert answer.body["spec"]["purpose"] == "a"


def test_a_bare_y_is_a_boolean(target: Target, home: Home) -> None:
    """YAML as Kubernetes reads it, and a value that does not fit the schema's type."""
    head = f"apiVersion: {home.widgets.api_version}\nkind: Widget\nmetadata: {{name: x}}\n"
    text = f"{head}spec: {{purpose: a, enabled: y}}\n"
    assert target.patch(home.one("x"), text.encode(), APPLY, fieldManager="a").body["spec"]["enabled"] is True
    text = f"{head}spec: {{purpose: y}}\n"
    answer = target.patch(home.one("x"), text.encode(), APPLY, fieldManager="a")
    assert answer.status == 500
    assert ".spec.purpose: expected string, got &value.valueUnstructured{Value:true}" in answer.message


def test_two_managers_share_an_object(target: Target, home: Home) -> None:
    """Each owns what it applied."""
    _apply(target, home, "a", {"purpose": "one"})
    item = _apply(target, home, "b", {"size": 3}).body
    assert (item["spec"]["purpose"], item["spec"]["size"]) == ("one", 3)
    assert "f:purpose" in _managers(item)["a", "Apply"]["fieldsV1"]["f:spec"]
    assert _managers(item)["b", "Apply"]["fieldsV1"]["f:spec"] == {"f:size": {}}


def test_a_conflict_names_the_other_manager_and_the_field(target: Target, home: Home) -> None:
    """409 with causes."""
    _apply(target, home, "a", {"purpose": "one", "size": 3})
    answer = _apply(target, home, "b", {"size": 4})
    assert (answer.status, answer.reason) == (409, "Conflict")
    assert 'conflict with "a"' in answer.message
    cause = answer.body["details"]["causes"][0]
    assert (cause["reason"], cause["field"]) == ("FieldManagerConflict", ".spec.size")


def test_force_takes_the_field(target: Target, home: Home) -> None:
    """The other manager loses it."""
    _apply(target, home, "a", {"purpose": "one", "size": 3})
    item = _apply(target, home, "b", {"size": 4}, force="true").body
    assert item["spec"]["size"] == 4
    assert "f:size" not in _managers(item)["a", "Apply"]["fieldsV1"]["f:spec"]


def test_the_same_value_is_no_conflict(target: Target, home: Home) -> None:
    """Both own it then."""
    _apply(target, home, "a", {"purpose": "one", "size": 3})
    item = _apply(target, home, "b", {"size": 3}).body
    assert "f:size" in _managers(item)["a", "Apply"]["fieldsV1"]["f:spec"]
    assert "f:size" in _managers(item)["b", "Apply"]["fieldsV1"]["f:spec"]


def test_what_is_no_longer_applied_goes(target: Target, home: Home) -> None:
    """A field that only this manager owned is removed."""
    _apply(target, home, "a", {"purpose": "one", "size": 3})
    assert "size" not in _apply(target, home, "a", {"purpose": "one"}).body["spec"]


def test_what_another_owns_stays(target: Target, home: Home) -> None:
    """A shared field outlives one of its owners."""
    _apply(target, home, "a", {"purpose": "one", "size": 3})
    _apply(target, home, "b", {"size": 3})
    assert _apply(target, home, "a", {"purpose": "one"}).body["spec"]["size"] == 3


def test_ordinary_writes_own_fields_too(target: Target, home: Home) -> None:
    """An Update by another manager is a conflict for an Apply."""
    home.create("x")
    target.patch(home.one("x"), {"spec": {"size": 3}}, fieldManager="hand")
    answer = _apply(target, home, "a", {"purpose": "test", "size": 4})
    assert answer.status == 409
    assert f'conflict with "hand" using {home.widgets.api_version}' in answer.message


def test_an_ordinary_write_takes_fields(target: Target, home: Home) -> None:
    """An Update never conflicts: it takes."""
    _apply(target, home, "a", {"purpose": "one", "size": 3})
    item = target.patch(home.one("x"), {"spec": {"size": 4}}, fieldManager="hand").body
    assert "f:size" not in _managers(item)["a", "Apply"]["fieldsV1"]["f:spec"]
    assert _managers(item)["hand", "Update"]["fieldsV1"]["f:spec"] == {"f:size": {}}


def test_what_is_no_longer_mentioned_goes_as_a_whole(target: Target, home: Home) -> None:
    """With the spec goes what was filled in below it."""
    _apply(target, home, "a", {"purpose": "one", "size": 3})
    body = {"apiVersion": home.widgets.api_version, "kind": "Widget", "metadata": {"name": "x"}}
    answer = target.patch(home.one("x"), body, APPLY, fieldManager="a")
    assert answer.status == 422
    assert "spec: Required value" in answer.message


def test_a_dry_run_applies_nothing(target: Target, home: Home) -> None:
    """kubectl diff --server-side."""
    assert _apply(target, home, "a", {"purpose": "one"}, dryRun="All").status == 201
    assert target.get(home.one("x")).status == 404
    _apply(target, home, "a", {"purpose": "one"})
    assert _apply(target, home, "a", {"purpose": "two"}, dryRun="All").body["spec"]["purpose"] == "two"
    assert target.get(home.one("x")).body["spec"]["purpose"] == "one"


def test_owners_are_not_applied(target: Target, home: Home) -> None:
    """managedFields are the server's."""
    body = home.widgets.make("x", {"managedFields": [{"manager": "a"}]})
    answer = target.patch(home.one("x"), body, APPLY, fieldManager="a")
    assert (answer.status, answer.message) == (400, "metadata.managedFields must be nil")


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"nothing": 1}, ".spec.nothing: field not declared in schema"),
        ({"parts": [{"name": "a"}, {"name": "a"}]}, '.spec.parts: duplicate entries for key [name="a"]'),
        (
            {"parts": [{"count": 1}]},
            "element 0: associative list with keys has an element that omits all key",
        ),
    ],
)
def test_what_does_not_fit_the_schema_has_no_owner(target: Target, home: Home, spec: Json, text: str) -> None:
    """A 500 before any validation: the fields cannot be told apart."""
    answer = _apply(target, home, "a", {"purpose": "one", **spec})
    assert answer.status == 500
    assert "failed to create typed patch object (/x; " in answer.message
    assert text in answer.message


def test_map_lists_merge_by_key(target: Target, home: Home) -> None:
    """Two managers, two items of one list."""
    _apply(target, home, "a", {"purpose": "one", "parts": [{"name": "left", "count": 1}]})
    item = _apply(target, home, "b", {"parts": [{"name": "right", "count": 2}]}).body
    assert {part["name"] for part in item["spec"]["parts"]} == {"left", "right"}
    kept = _apply(target, home, "a", {"purpose": "one"}).body["spec"]["parts"]
    assert kept == [{"name": "right", "count": 2}]


def test_set_lists_merge_by_value(target: Target, home: Home) -> None:
    """Two managers, two values."""
    _apply(target, home, "a", {"purpose": "one", "tags": ["x"]})
    item = _apply(target, home, "b", {"tags": ["y"]}).body
    assert sorted(item["spec"]["tags"]) == ["x", "y"]


def test_atomic_lists_are_one_field(target: Target, home: Home) -> None:
    """A second manager conflicts on the whole list."""
    _apply(target, home, "a", {"purpose": "one", "steps": ["x"]})
    answer = _apply(target, home, "b", {"steps": ["y"]})
    assert answer.status == 409
    assert answer.body["details"]["causes"][0]["field"] == ".spec.steps"


def test_status_is_applied_on_its_own_path(target: Target, home: Home) -> None:
    """The subresource is part of the owner."""
    _apply(target, home, "a", {"purpose": "one"})
    answer = _apply(target, home, "op", {"conditions": [{"type": "Ready", "status": "True"}]}, "status")
    assert answer.status == 200
    entry = _managers(answer.body)["op", "Apply"]
    assert entry["subresource"] == "status"
    assert 'k:{"type":"Ready"}' in entry["fieldsV1"]["f:status"]["f:conditions"]


def test_an_applied_object_is_validated(target: Target, home: Home) -> None:
    """The schema holds for what comes out."""
    assert _apply(target, home, "a", {"purpose": "one", "size": 99}).status == 422


def test_force_is_for_apply_alone(target: Target, home: Home) -> None:
    """force with another kind of patch is a mistake."""
    home.create("x")
    assert target.patch(home.one("x"), {"spec": {"size": 2}}, force="true").status == 422
