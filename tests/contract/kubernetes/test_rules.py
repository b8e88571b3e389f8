"""CEL rules (`x-kubernetes-validations`): transitions, nested rules, messages, what does not compile."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.contract.conftest import (
    CRDS,
    Answer,
    Home,
    Kind,
    Target,
    create_definition,
    definition,
    unique_group,
)

Define = Callable[..., Answer]


def _cause(answer: Answer, field: str) -> dict[str, Any]:
    assert answer.status == 422, answer.body
    return next(item for item in answer.body["details"]["causes"] if item["field"] == field)


def test_a_rule_across_fields_has_its_message_and_place(target: Target, home: Home) -> None:
    """messageExpression and fieldPath."""
    answer = target.post(home.all, home.widgets.make("x", used=3, limit=2))
    assert "used exceeds the limit of test" in _cause(answer, "spec.used")["message"]


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


FUNCTIONS = [
    ("self.value.startsWith('a')", "ab", "ba"),
    ("self.value.matches('^a+$')", "aaa", "ab"),
    ("size(self.value) == 2", "éé", "é"),
    ("self.value in ['a', 'b']", "b", "c"),
    ("self.value.split(',').all(x, x != '')", "a,b", "a,,b"),
    ("self.value.split(',').exists_one(x, x == 'a')", "a,b", "a,a"),
    ("self.value.split(',').map(x, x + x) == ['aa', 'bb']", "a,b", "a"),
    ("self.value.lowerAscii() == self.value", "ab", "aB"),
    ("self.value == 'x' ? true : has(self.value) && int(self.value) > 3", "4", "3"),
    ("self.?value.orValue('z') == 'z'", "z", "y"),
    ("self.value.find('[0-9]+') == '12'", "a12b", "ab"),
    ("[int(self.value), 5].isSorted()", "5", "6"),
    ("self.value.replace('a', 'b').indexOf('b') == 0", "a", "ca"),
    ("[1, 2, 3].sum() == 6 && [1, 2].max() == 2 && self.value.trim() == self.value", "a", " a"),
]


@pytest.fixture(scope="module")
def functions(target: Target) -> Iterator[Kind]:
    """A kind with one case for each function: a real API server takes a second or two for every new kind."""
    value = {"type": "string", "maxLength": 20}
    cases = {
        f"case{index}": {
            "type": "object",
            "properties": {"value": value},
            "x-kubernetes-validations": [{"rule": rule, "message": f"case {index} says no"}],
        }
        for index, (rule, _, _) in enumerate(FUNCTIONS)
    }
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": cases}}}
    crd = definition(unique_group(), schema, scope="Cluster")
    answer = create_definition(target, crd)
    assert answer.status == 201, answer.message
    yield Kind(target, crd["spec"]["group"], "widgets", "Widget")
    target.delete(f"{CRDS}/{crd['metadata']['name']}")


@pytest.mark.parametrize("index", range(len(FUNCTIONS)), ids=[rule for rule, _, _ in FUNCTIONS])
def test_the_functions_that_rules_use(target: Target, functions: Kind, index: int) -> None:
    """One good and one bad value for each."""
    _, good, bad = FUNCTIONS[index]

    def post(value: str) -> Answer:
        body = {**functions.make("x"), "spec": {f"case{index}": {"value": value}}}
        return target.post(functions.path(), body, dryRun="All")

    assert post(good).status == 201, post(good).message
    refused = post(bad)
    assert refused.message.endswith(f"spec.case{index}: Invalid value: case {index} says no")


@pytest.mark.parametrize("rule", ["cel.bind(x, self.value, x == x)", "math.greatest(1, 2) == 2"])
def test_functions_that_rules_do_not_have(target: Target, define: Define, rule: str) -> None:
    """CEL has extensions that Kubernetes does not offer."""
    answer = define(definition(unique_group(), _schema({"rule": rule})), wait=False)
    assert answer.status == 422
    assert "compilation failed: " in answer.message


def test_types_are_checked_before_a_rule_is_stored(target: Target, define: Define) -> None:
    """A text is no number."""
    answer = define(definition(unique_group(), _schema({"rule": "self.value == 1"})), wait=False)
    assert answer.status == 422
    assert "found no matching overload for '_==_' applied to '(string, int)'" in answer.message


def test_the_libraries_of_kubernetes(target: Target, define: Define) -> None:
    """Quantities, addresses and sets."""
    rules = "isQuantity(self.value) || isIP(self.value) || isURL(self.value) || sets.contains([1], [1])"
    answer = define(definition(unique_group(), _schema({"rule": rules})), wait=False)
    assert answer.status == 201, answer.message


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"fieldPath": ".nothing"}, '.fieldPath: Invalid value: ".nothing": must be a valid path'),
        ({"message": "two\nlines"}, "must not contain line breaks"),
        ({"message": " "}, "must be non-empty if specified"),
        ({"rule": "true\n&& true"}, "message must be specified if rule contains line breaks"),
        (
            {"reason": "Because"},
            '.reason: Unsupported value: "Because": supported values: "FieldValueDuplicate"',
        ),
        ({"optionalOldSelf": True}, "may not be set if oldSelf is not used in rule"),
        ({"messageExpression": "1"}, "messageExpression must evaluate to a string"),
    ],
)
def test_what_a_rule_may_say(target: Target, define: Define, change: dict[str, Any], text: str) -> None:
    """Mistakes around the expression."""
    answer = define(definition(unique_group(), _schema({"rule": "true", **change})), wait=False)
    assert answer.status == 422
    assert text in answer.message


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"used": 3, "limit": 2}, "spec.used: Invalid value: used exceeds the limit of test"),
        ({"used": 7, "limit": 2}, "spec.used: Invalid value: used exceeds the limit by far"),
        ({"parts": [{"name": "a", "count": 100}]}, "spec.parts[0]: Invalid value: a part has fewer than 100"),
        ({"code": "  x"}, 'spec.code: Invalid value: "  x": spec.code in body should match'),
        ({"size": 7}, "spec.size: Forbidden: seven is taken"),
    ],
)
def test_a_refusal_to_the_letter(target: Target, home: Home, spec: dict[str, Any], expected: str) -> None:
    """Of a list or an object the value is not repeated, everything else is."""
    answer = target.post(home.all, home.widgets.make("x", **spec))
    assert f'Widget.{home.widgets.group} "x" is invalid: {expected}' in answer.message


def test_a_refused_scalar_is_repeated(target: Target, home: Home) -> None:
    """With its value, quoted as JSON."""
    home.create("x", origin="a")
    answer = target.patch(home.one("x"), {"spec": {"origin": " "}})
    assert answer.message.endswith('spec.origin: Invalid value: " ": origin is immutable')


@pytest.fixture(scope="module")
def optional(target: Target) -> Kind:
    """A kind whose rule sees a creation."""
    rule = {"rule": "oldSelf.hasValue() || self.value == 'new'", "message": "starts as new"}
    crd = definition(unique_group(), _schema({**rule, "optionalOldSelf": True}), scope="Cluster")
    assert create_definition(target, crd, wait=False).status == 201
    return Kind(target, crd["spec"]["group"], "widgets", "Widget")


@pytest.fixture(scope="module")
def loose(target: Target) -> Kind:
    """A kind whose schema is about to be tightened."""
    crd = definition(unique_group(), _schema({"rule": "true"}), scope="Cluster")
    assert create_definition(target, crd).status == 201
    return Kind(target, crd["spec"]["group"], "widgets", "Widget")


def test_an_optional_past(target: Target, optional: Kind, loose: Kind) -> None:
    """optionalOldSelf lets a rule see a creation."""
    target.eventually(lambda: target.get(optional.path()).status == 200, "the kind is served")
    body = {"apiVersion": optional.api_version, "kind": "Widget", "metadata": {"name": "x"}}
    assert target.post(optional.path(), {**body, "spec": {"value": "old"}}).status == 422
    assert target.post(optional.path(), {**body, "spec": {"value": "new"}}).status == 201
    assert target.patch(optional.path(name="x"), {"spec": {"value": "old"}}).status == 200


def test_an_unchanged_mistake_is_tolerated(target: Target, loose: Kind) -> None:
    """A tightened schema does not lock up what exists already (ratcheting)."""
    body = {"apiVersion": loose.api_version, "kind": "Widget", "metadata": {"name": "x"}}
    long = {**body, "spec": {"value": "long"}}
    assert target.post(loose.path(), long).status == 201
    version = {"name": "v1", "served": True, "storage": True}
    tightened = {**version, "schema": {"openAPIV3Schema": _schema({"rule": "true"}, maxLength=2)}}
    crd = f"{CRDS}/widgets.{loose.group}"
    assert target.patch(crd, {"spec": {"versions": [tightened]}}).status == 200
    other = {**long, "metadata": {"name": "y"}}
    target.eventually(
        lambda: target.post(loose.path(), other, dryRun="All").status == 422, "the schema is tightened"
    )
    assert target.patch(loose.path(name="x"), {"metadata": {"labels": {"a": "b"}}}).status == 200
    assert target.patch(loose.path(name="x"), {"spec": {"value": "also long"}}).status == 422
