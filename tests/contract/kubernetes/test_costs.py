"""What CEL rules may cost: a definition whose rules could take too long is refused before it is stored."""

from typing import Any

import pytest
from tests.contract.conftest import CRDS, Answer, Target, definition, unique_group

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
EVERY_PAIR = "self.list.all(x, self.list.exists(y, x == y))"


def _list(items: Json, **limits: int) -> Json:
    return {"type": "array", "items": items, **limits}


def _text(limit: int) -> Json:
    return {"type": "string", "maxLength": limit}


def _try(target: Target, properties: Json, *rules: Json) -> Answer:
    spec = {"type": "object", "properties": properties, "x-kubernetes-validations": list(rules)}
    crd = definition(unique_group(), {"type": "object", "properties": {"spec": spec}})
    return target.post(CRDS, crd, dryRun="All")


def _over(path: str, kind: str, factor: str) -> str:
    return (
        f"spec.validation.openAPIV3Schema.{path}: Forbidden: estimated {kind} cost exceeds budget by factor "
        f"of {factor} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where "
        "arrays, maps, and strings are declared)"
    )


RULE = "properties[spec].x-kubernetes-validations[0].rule"


def test_a_rule_over_an_unbounded_list_of_unbounded_texts_is_refused(target: Target) -> None:
    """Nothing but the size of a request bounds it."""
    answer = _try(target, {"list": _list(TEXT)}, {"rule": "self.list.all(x, x.contains('abc'))"})
    assert (answer.status, answer.reason) == (422, "Invalid")
    assert _over(RULE, "rule", "more than 100x") in answer.message


def test_the_same_rule_with_limits_is_accepted(target: Target) -> None:
    """maxItems and maxLength are what the message asks for."""
    rule = {"rule": "self.list.all(x, x.contains('abc'))"}
    assert _try(target, {"list": _list(_text(10), maxItems=10)}, rule).status == 201


@pytest.mark.parametrize(
    ("properties", "rule", "factor"),
    [
        ({"list": _list(TEXT)}, EVERY_PAIR, "more than 100x"),
        ({"list": _list(_text(64), maxItems=1000)}, EVERY_PAIR.replace("exists", "exists_one"), "3.0x"),
        ({"text": TEXT}, "self.text.split(',').all(x, x.matches('^[a-z]+$'))", "2.0x"),
        ({"a": _text(10_000), "b": _text(10_000)}, "self.a.contains(self.b)", "1.6x"),
        (
            {"a": _text(10_000), "b": _text(10_000)},
            "self.a.replace('a', self.b).contains('xxxxxxxxxxxx')",
            "32.0x",
        ),
        ({"list": _list(_list(_text(10)))}, "self.list.all(x, x.all(y, size(y) < 3))", "more than 100x"),
        ({"text": _text(20)}, "self.text.split(',').isSorted()", "more than 100x"),
        ({"text": _text(20)}, "self.text.split(',').map(x, x + x).join('-') == 'aa-bb'", "more than 100x"),
    ],
)
def test_the_excess_is_told(target: Target, properties: Json, rule: str, factor: str) -> None:
    """By which factor. What is in a list that a rule makes is of unknown length."""
    assert _over(RULE, "rule", factor) in _try(target, properties, {"rule": rule}).message


@pytest.mark.parametrize(
    ("properties", "rule"),
    [
        ({"list": _list(TEXT)}, "self.list.all(x, x.startsWith('a'))"),
        ({"list": _list(_text(10), maxItems=100)}, EVERY_PAIR),
        ({"text": TEXT}, "size(self.text) < 5 && self.text.matches('[a-z]*')"),
        (
            {"list": _list(_text(100), maxItems=1000)},
            "self.list.filter(x, x != '').all(x, x.contains('aaaaaaa'))",
        ),
        ({"list": _list({"type": "integer"}, maxItems=1000)}, "self.list.map(x, x + 1).all(x, x < 10)"),
        (
            {"map": {"type": "object", "additionalProperties": TEXT}},
            "self.map.all(k, k.matches('[a-z]+') && self.map[k] != '')",
        ),
        ({"port": {"x-kubernetes-int-or-string": True}}, "type(self.port) == int || self.port.matches('a+')"),
        (
            {"when": {"type": "string", "format": "date-time"}},
            "self.when > timestamp('2020-01-01T00:00:00Z')",
        ),
        ({"word": {"type": "string", "enum": ["a", "bb"]}, "list": _list(TEXT)}, "self.word in self.list"),
    ],
)
def test_what_is_cheap_enough(target: Target, properties: Json, rule: str) -> None:
    """The other side of the limit."""
    answer = _try(target, properties, {"rule": rule})
    assert answer.status == 201, answer.message


@pytest.mark.parametrize(
    ("item", "limits", "factor"),
    [
        ({"properties": {"name": TEXT}}, {}, "more than 100x"),
        ({"properties": {"name": _text(63)}}, {}, "5.7x"),
        ({"properties": {"name": _text(63)}, "required": ["name"]}, {}, "1.306687x"),
        ({"properties": {"name": _text(63)}, "required": ["name"]}, {"maxItems": 100}, ""),
    ],
)
def test_a_rule_on_items_counts_for_each(target: Target, item: Json, limits: Json, factor: str) -> None:
    """As often as items fit into the list, or into a request."""
    rules = [{"rule": "self.name.matches('^[a-z]+$')"}]
    items = {"type": "object", **item, "x-kubernetes-validations": rules}
    answer = _try(target, {"list": _list(items, **limits)})
    path = "properties[spec].properties[list].items.x-kubernetes-validations[0].rule"
    assert (_over(path, "rule", factor) in answer.message) if factor else (answer.status == 201)


def test_a_message_has_a_budget_too(target: Target) -> None:
    """string() of a number is of unknown length."""
    rule = {"rule": "self.a < 3", "messageExpression": "'it is ' + string(self.a)"}
    answer = _try(target, {"a": {"type": "integer"}}, rule)
    path = "properties[spec].x-kubernetes-validations[0].messageExpression"
    assert _over(path, "messageExpression", "more than 100x") in answer.message
    bounded = {"rule": "self.a != ''", "messageExpression": "'it is ' + self.a"}
    assert _try(target, {"a": _text(100)}, bounded).status == 201


def test_all_rules_together_have_a_budget(target: Target) -> None:
    """Each of them is cheap enough; the four worst are named, and the schema."""
    rule = {"rule": EVERY_PAIR.replace("exists", "exists_one")}
    answer = _try(target, {"list": _list(_text(64), maxItems=500)}, *[rule] * 30)
    assert answer.status == 422
    causes = answer.body["details"]["causes"]
    assert "estimated rule cost exceeds" not in answer.message
    contributed = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
    assert [cause["message"] for cause in causes[:-1]] == [f"Forbidden: {contributed}"] * 4
    assert causes[-1]["field"] == "spec.validation.openAPIV3Schema"
    assert (
        "estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of "
        in (causes[-1]["message"])
    )
