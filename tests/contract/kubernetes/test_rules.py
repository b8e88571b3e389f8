"""CEL rules (`x-kubernetes-validations`): transitions, nested rules, messages, what does not compile."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.contract.conftest import Answer, Home, Target, definition, unique_group

Define = Callable[..., Answer]


def _cause(answer: Answer, field: str) -> dict[str, Any]:
    assert answer.status == 422, answer.body
    return next(item for item in answer.body["details"]["causes"] if item["field"] == field)


def test_a_rule_across_fields_has_its_message_and_place(target: Target, home: Home) -> None:
    """messageExpression and fieldPath."""
    answer = target.post(home.all, home.widgets.make("x", used=3, limit=2))
    assert "used 3 exceeds 2" in _cause(answer, "spec.used")["message"]


def test_a_rule_has_its_reason(target: Target, home: Home) -> None:
    """reason chooses the cause."""
    cause = _cause(target.post(home.all, home.widgets.make("x", size=7)), "spec.size")
    assert cause["reason"] == "FieldValueForbidden"
    assert cause["message"] == "Forbidden: seven is taken"


def test_an_immutable_field(target: Target, home: Home) -> None:
    """oldSelf on the field itself: set once, then fixed."""
    home.create("x", origin="a")
    answer = target.patch(home.one("x"), {"spec": {"origin": "b"}})
    assert "origin is immutable" in _cause(answer, "spec.origin")["message"]


def test_a_transition_rule_does_not_hold_for_a_new_value(target: Target, home: Home) -> None:
    """Where there is no oldSelf the rule is skipped."""
    home.create("x")
    assert target.patch(home.one("x"), {"spec": {"origin": "a"}}).status == 200


def test_a_removal_needs_a_rule_one_level_up(target: Target, home: Home) -> None:
    """The rule on spec sees that the field went."""
    home.create("x", origin="a")
    answer = target.patch(home.one("x"), {"spec": {"origin": None}})
    assert "origin cannot be removed" in _cause(answer, "spec")["message"]


def test_a_rule_on_items(target: Target, home: Home) -> None:
    """The path names the item."""
    parts = [{"name": "a"}, {"name": "b", "count": 100}]
    answer = target.post(home.all, home.widgets.make("x", parts=parts))
    assert "a part has fewer than 100" in _cause(answer, "spec.parts[1]")["message"]


def test_items_of_a_map_list_have_a_past(target: Target, home: Home) -> None:
    """Items are told apart by their key, not by their place."""
    home.create("x", parts=[{"name": "a", "count": 5}, {"name": "b", "count": 1}])
    moved = [{"name": "b", "count": 2}, {"name": "a", "count": 5}]
    assert target.patch(home.one("x"), {"spec": {"parts": moved}}).status == 200
    smaller = [{"name": "b", "count": 1}, {"name": "a", "count": 5}]
    answer = target.patch(home.one("x"), {"spec": {"parts": smaller}})
    assert "a part never shrinks" in _cause(answer, "spec.parts[0]")["message"]


def test_rules_hold_for_a_dry_run(target: Target, home: Home) -> None:
    """kubectl diff shows the same refusal."""
    assert target.post(home.all, home.widgets.make("x", used=3, limit=2), dryRun="All").status == 422


def _schema(rule: dict[str, Any], **more: Any) -> dict[str, Any]:
    value = {"type": "string", "maxLength": 20, **more}
    spec = {"type": "object", "properties": {"value": value}, "x-kubernetes-validations": [rule]}
    return {"type": "object", "properties": {"spec": spec}}


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("self.", "a syntax error"),
        ("self.vlaue == 'a'", "a field that is not there"),
        ("unknown(self.value)", "a function that is not there"),
        ("'text'", "not a condition"),
        ("", "empty"),
    ],
)
def test_a_rule_that_does_not_compile_is_refused(
    target: Target, define: Define, rule: str, reason: str
) -> None:
    """The definition is refused, not the first object."""
    answer = define(definition(unique_group(), _schema({"rule": rule, "message": "no"})))
    assert (answer.status, answer.reason) == (422, "Invalid"), reason
    assert "x-kubernetes-validations[0].rule" in answer.message


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ("self.value.startsWith('a')", "ab", "ba"),
        ("self.value.matches('^a+$')", "aaa", "ab"),
        ("size(self.value) == 2", "éé", "é"),
        ("self.value in ['a', 'b']", "b", "c"),
        ("self.value.split(',').all(x, x != '')", "a,b", "a,,b"),
        ("self.value.split(',').exists_one(x, x == 'a')", "a,b", "a,a"),
        ("self.value.lowerAscii() == self.value", "ab", "aB"),
        ("self.value == 'x' ? true : has(self.value) && int(self.value) > 3", "4", "3"),
        ("self.?value.orValue('z') == 'z'", "z", "y"),
    ],
)
def test_the_functions_that_rules_use(target: Target, define: Define, rule: str, good: str, bad: str) -> None:
    """One good and one bad value for each."""
    group = unique_group()
    assert define(definition(group, _schema({"rule": rule, "message": "no"}), scope="Cluster")).status == 201
    path = f"/apis/{group}/v1/widgets"
    head = {"apiVersion": f"{group}/v1", "kind": "Widget"}
    accepted = {**head, "metadata": {"name": "good"}, "spec": {"value": good}}
    refused = {**head, "metadata": {"name": "bad"}, "spec": {"value": bad}}
    assert target.post(path, accepted).status == 201
    answer = target.post(path, refused)
    assert answer.status == 422
    assert "no" in answer.message


def test_an_optional_past(target: Target, define: Define) -> None:
    """optionalOldSelf lets a rule see a creation."""
    group = unique_group()
    rule = {
        "rule": "oldSelf.hasValue() || self.value == 'new'",
        "optionalOldSelf": True,
        "message": "starts as new",
    }
    define(definition(group, _schema(rule), scope="Cluster"))
    path = f"/apis/{group}/v1/widgets"
    body = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "x"}}
    assert target.post(path, {**body, "spec": {"value": "old"}}).status == 422
    assert target.post(path, {**body, "spec": {"value": "new"}}).status == 201
    assert target.patch(f"{path}/x", {"spec": {"value": "old"}}).status == 200


def test_an_unchanged_mistake_is_tolerated(target: Target, define: Define) -> None:
    """A tightened schema does not lock up what exists already (ratcheting)."""
    group = unique_group()
    crd = definition(group, _schema({"rule": "true"}), scope="Cluster")
    define(crd)
    path = f"/apis/{group}/v1/widgets"
    body = {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": "x"},
        "spec": {"value": "long"},
    }
    assert target.post(path, body).status == 201
    version = crd["spec"]["versions"][0]
    version["schema"]["openAPIV3Schema"] = _schema({"rule": "true"}, maxLength=2)
    tightened = {"spec": {"versions": [version]}}
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert target.patch(f"{crds}/widgets.{group}", tightened).status == 200
    other = {**body, "metadata": {"name": "y"}}
    target.eventually(lambda: target.post(path, other, dryRun="All").status == 422, "the schema is tightened")
    assert target.patch(f"{path}/x", {"metadata": {"labels": {"a": "b"}}}).status == 200
    assert target.patch(f"{path}/x", {"spec": {"value": "also long"}}).status == 422
