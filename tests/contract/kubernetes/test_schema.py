"""The schema of a custom kind: what is refused and in which words, what is pruned, what is filled in."""

from typing import Any

import pytest
from tests.contract.conftest import Home, Target

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"purpose": None}, ("FieldValueRequired", "spec.purpose", "Required value")),
        ({"purpose": ""}, ("FieldValueInvalid", "spec.purpose", "should be at least 1 chars long")),
        (
            {"purpose": "xxxxxxxxxxxxxxxxxxxxx"},
            ("FieldValueTooLong", "spec.purpose", "may not be more than 20 bytes"),
        ),
        ({"color": "pink"}, ("FieldValueNotSupported", "spec.color", 'Unsupported value: "pink"')),
        ({"size": 0}, ("FieldValueInvalid", "spec.size", "should be greater than or equal to 1")),
        ({"size": 11}, ("FieldValueInvalid", "spec.size", "should be less than or equal to 10")),
        ({"size": "3"}, ("FieldValueTypeInvalid", "spec.size", 'must be of type integer: "string"')),
        ({"size": 1.5}, ("FieldValueTypeInvalid", "spec.size", "must be of type integer")),
        ({"ratio": 0}, ("FieldValueInvalid", "spec.ratio", "should be greater than 0")),
        ({"code": "A1"}, ("FieldValueInvalid", "spec.code", "should match '^[a-z]+$'")),
        ({"enabled": "yes"}, ("FieldValueTypeInvalid", "spec.enabled", 'must be of type boolean: "string"')),
        ({"when": "today"}, ("FieldValueTypeInvalid", "spec.when", "must be of type date-time")),
        ({"port": True}, ("FieldValueTypeInvalid", "spec.port", "must be of type integer,string")),
        (
            {"pairs": {"a": "1", "b": "2", "c": "3"}},
            ("FieldValueTooMany", "spec.pairs", "at most 2 items"),
        ),
        ({"pairs": {"a": 1}}, ("FieldValueTypeInvalid", "spec.pairs.a", "must be of type string")),
        (
            {"tags": ["a", "b", "c", "d"]},
            ("FieldValueTooMany", "spec.tags", "Too many: 4: "),
        ),
        ({"tags": []}, ("FieldValueInvalid", "spec.tags", "should have at least 1 items")),
        ({"tags": ["a", "a"]}, ("FieldValueDuplicate", "spec.tags[1]", 'Duplicate value: "a"')),
        ({"parts": [{"name": "a"}, {"name": "a"}]}, ("FieldValueDuplicate", "spec.parts[1]", '"name":"a"')),
        ({"parts": [{"count": 1}]}, ("FieldValueRequired", "spec.parts[0].name", "Required value")),
        ({"blob": []}, ("FieldValueTypeInvalid", "spec.blob", 'must be of type object: "array"')),
    ],
)
def test_what_breaks_the_schema_is_named(
    target: Target, home: Home, spec: Json, expected: tuple[str, str, str]
) -> None:
    """422 with one cause for each field; kubectl prints the message."""
    cause, field, text = expected
    answer = target.post(home.all, home.widgets.make("x", **spec))
    assert (answer.status, answer.reason) == (422, "Invalid")
    causes = {item["field"]: item for item in answer.body["details"]["causes"]}
    assert field in causes, answer.message
    assert text in causes[field]["message"]
    assert causes[field]["reason"] == cause


def test_a_missing_field_is_required(target: Target, home: Home) -> None:
    """The message as people know it."""
    body = home.widgets.make("x")
    body["spec"] = {}
    answer = target.post(home.all, body)
    assert answer.message.startswith(f'Widget.{home.widgets.group} "x" is invalid: ')
    assert "spec.purpose: Required value" in answer.message
    assert answer.body["details"]["kind"] == "Widget"


def test_what_blocks_the_rules_is_said(target: Target, home: Home) -> None:
    """After a missing field CEL rules are not evaluated, and the answer says so."""
    body = home.widgets.make("x", used=2, limit=1)
    del body["spec"]["purpose"]
    answer = target.post(home.all, body)
    unchecked = (
        "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; "
        "correct the existing errors to complete validation"
    )
    assert unchecked in answer.message
    assert "used exceeds" not in answer.message


def test_all_errors_come_at_once(target: Target, home: Home) -> None:
    """One answer, every mistake."""
    answer = target.post(home.all, home.widgets.make("x", size=0, code="A"))
    assert {cause["field"] for cause in answer.body["details"]["causes"]} >= {"spec.size", "spec.code"}


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"size": 10}, "the maximum is allowed"),
        ({"purpose": "x" * 20}, "the greatest length is allowed"),
        ({"purpose": "é" * 20}, "lengths count characters"),
        ({"note": None}, "nullable"),
        ({"port": 80}, "an integer"),
        ({"port": "http"}, "or a string"),
        ({"when": "2026-01-02T03:04:05Z"}, "a time"),
        ({"ratio": 1}, "an integer is a number"),
        ({"blob": {"anything": [{"goes": None}]}}, "unknown fields are kept"),
    ],
)
def test_what_the_schema_allows_is_kept(target: Target, home: Home, spec: Json, reason: str) -> None:
    """The other side of each limit."""
    made = home.create("x", **spec)["spec"]
    assert {name: made[name] for name in spec} == spec, reason


def test_defaults_are_filled_in(target: Target, home: Home) -> None:
    """In the answer and in the store, nested ones too."""
    item = home.create("x", parts=[{"name": "a"}])
    assert item["spec"]["color"] == "green"
    assert item["spec"]["parts"] == [{"name": "a", "count": 1}]
    assert target.get(home.one("x")).body["spec"]["color"] == "green"


def test_null_gives_way_to_a_default(target: Target, home: Home) -> None:
    """null for a field with a default that is not nullable."""
    assert home.create("x", color=None)["spec"]["color"] == "green"


def test_null_is_absent(home: Home) -> None:
    """null for a field without a default that is not nullable is dropped, not refused."""
    spec = home.create("x", size=None, parts=[{"name": "a", "count": None}], pairs={"a": None, "b": "c"})[
        "spec"
    ]
    assert "size" not in spec
    assert spec["parts"] == [{"name": "a", "count": 1}]
    assert spec["pairs"] == {"b": "c"}


def test_unknown_fields_are_pruned(target: Target, home: Home) -> None:
    """The server keeps only what the schema knows."""
    answer = target.post(home.all, home.widgets.make("x", unknown=1), fieldValidation="Ignore")
    assert answer.status == 201
    assert "unknown" not in answer.body["spec"]
    assert answer.headers.get("Warning") is None


def test_unknown_fields_are_warned_about(target: Target, home: Home) -> None:
    """fieldValidation=Warn, the default."""
    answer = target.post(home.all, home.widgets.make("x", unknown=1))
    assert answer.status == 201
    assert 'unknown field \\"spec.unknown\\"' in str(answer.headers.get("Warning"))
    assert str(answer.headers.get("Warning")).startswith("299 - ")


def test_unknown_fields_are_refused_when_asked(target: Target, home: Home) -> None:
    """fieldValidation=Strict, what kubectl apply sends."""
    answer = target.post(home.all, home.widgets.make("x", unknown=1), fieldValidation="Strict")
    assert (answer.status, answer.reason) == (400, "BadRequest")
    assert 'strict decoding error: unknown field "spec.unknown"' in answer.message
    assert target.get(home.one("x")).status == 404


def test_a_strict_patch_is_refused_too(target: Target, home: Home) -> None:
    """kubectl patch and the update half of kubectl apply."""
    home.create("x")
    answer = target.patch(home.one("x"), {"spec": {"unknown": 1}}, fieldValidation="Strict")
    assert answer.status in {400, 422}
    assert 'unknown field "spec.unknown"' in answer.message.replace('\\"', '"')
