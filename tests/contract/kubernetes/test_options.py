"""The options of requests: every verb refuses what it does not know, and says what it knows."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.contract.conftest import APPLY, TABLE, Answer, Home, Target

Verb = Callable[..., Answer]


def _verbs(target: Target, home: Home) -> dict[str, Verb]:
    body, path = home.widgets.make("x"), home.one("x")
    return {
        "CreateOptions": lambda **query: target.post(home.all, body, **query),
        "UpdateOptions": lambda **query: target.put(path, body, **query),
        "PatchOptions": lambda **query: target.patch(path, {}, **query),
        "DeleteOptions": lambda **query: target.delete(path, **query),
    }


@pytest.mark.parametrize("verb", ["CreateOptions", "UpdateOptions", "PatchOptions", "DeleteOptions"])
def test_a_dry_run_is_whole(target: Target, home: Home, verb: str) -> None:
    """A mistyped dryRun must not become a write."""
    home.create("x")
    answer = _verbs(target, home)[verb](dryRun="Some")
    assert answer.status == 422
    text = 'is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"'
    assert answer.message == f'{verb}.meta.k8s.io "" {text}'
    assert "deletionTimestamp" not in target.get(home.one("x")).body["metadata"]


@pytest.mark.parametrize("verb", ["CreateOptions", "PatchOptions"])
@pytest.mark.parametrize(
    ("query", "text"),
    [
        (
            {"fieldValidation": "Some"},
            'fieldValidation: Unsupported value: "Some": supported values: "", "Ignore", "Strict", "Warn"',
        ),
        ({"fieldManager": "x" * 129}, "fieldManager: Too long: may not be more than 128 bytes"),
        (
            {"fieldManager": "a\nb"},
            'fieldManager: Invalid value: "a\\nb": invalid character U+000A (at position 1)',
        ),
    ],
)
def test_what_a_write_may_ask(
    target: Target, home: Home, verb: str, query: dict[str, str], text: str
) -> None:
    """The same words for every verb."""
    answer = _verbs(target, home)[verb](**query)
    assert (answer.status, answer.message) == (422, f'{verb}.meta.k8s.io "" is invalid: {text}')


def test_a_propagation_policy_is_known(target: Target, home: Home) -> None:
    """Else everything would be deleted in the background."""
    home.create("x")
    answer = target.delete(home.one("x"), {"propagationPolicy": "Some"})
    assert answer.status == 422
    policies = '"Foreground", "Background", "Orphan", "nil"'
    assert answer.message.endswith(
        f'propagationPolicy: Unsupported value: "Some": supported values: {policies}'
    )


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ({"limit": "x"}, 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ({"continue": "nonsense", "limit": "1"}, 400, "invalid continue token: continue key is not valid"),
        ({"fieldSelector": "spec.color=red"}, 400, "field label not supported: spec.color"),
        (
            {"resourceVersionMatch": "Exact"},
            422,
            "resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        ({"resourceVersion": "99999999999"}, 504, "Too large resource version: 99999999999, current: "),
    ],
)
def test_what_a_list_may_ask(
    target: Target, home: Home, query: dict[str, str], status: int, text: str
) -> None:
    """No answer is better than a wrong one."""
    answer = target.get(home.all, **query)
    assert answer.status == status
    assert text in answer.message


def test_a_table_shows_as_much_of_an_object_as_asked(target: Target, home: Home) -> None:
    """includeObject."""
    home.create("x")

    def first(include: str) -> Any:
        return target.get(home.all, accept=TABLE, includeObject=include).body["rows"][0]["object"]

    assert first("None") is None
    assert first("Metadata")["kind"] == "PartialObjectMetadata"
    assert first("Object")["spec"]["purpose"] == "test"
    assert target.get(home.all, accept=TABLE, includeObject="Some").status == 400


def test_an_answer_can_be_yaml(target: Target, home: Home) -> None:
    """For people with curl."""
    home.create("x")
    answer = target.get(home.one("x"), accept="application/yaml")
    assert answer.headers.get_content_type() == "application/yaml"
    assert answer.body["text"].startswith(f"apiVersion: {home.widgets.api_version}\nkind: Widget\n")


def test_an_answer_cannot_be_html(target: Target, home: Home) -> None:
    """406 with what there is."""
    answer = target.get(home.all, accept="text/html")
    assert (answer.status, answer.reason) == (406, "NotAcceptable")
    assert "application/json, application/yaml" in answer.message


def test_a_body_has_a_known_type(target: Target, home: Home) -> None:
    """415."""
    answer = target.call("POST", home.all, b"x", kind="text/plain")
    assert (answer.status, answer.reason) == (415, "UnsupportedMediaType")


def test_a_body_has_a_limit(target: Target, home: Home) -> None:
    """Three megabytes."""
    answer = target.post(home.all, home.widgets.make("x", note="x" * 3_145_728))
    assert (answer.status, answer.reason) == (413, "RequestEntityTooLarge")
    assert answer.message == "Request entity too large: limit is 3145728"


def test_a_field_that_stands_twice(target: Target, home: Home) -> None:
    """Refused when asked, else warned about; the last one counts."""
    text = '{"apiVersion":"%s","kind":"Widget","metadata":{"name":"x"},"spec":{"purpose":"a","purpose":"b"}}'
    body = (text % home.widgets.api_version).encode()
    strict = target.call("POST", home.all, body, fieldValidation="Strict")
    assert strict.status == 400
    assert strict.message.endswith('strict decoding error: duplicate field "spec.purpose"')
    warned = target.call("POST", home.all, body)
    assert warned.body["spec"]["purpose"] == "b"
    assert warned.headers["Warning"] == '299 - "duplicate field \\"spec.purpose\\""'


def test_an_applied_body_names_its_manager_first(target: Target, home: Home) -> None:
    """The options are looked at before the body."""
    assert target.patch(home.one("x"), {}, APPLY, fieldManager="a", dryRun="Some").status == 422


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_the_status_is_neither_made_nor_deleted(target: Target, home: Home, method: str) -> None:
    """405 says which verb it was."""
    home.create("x")
    answer = target.call(method, home.one("x", "status"), {})
    verb = {"POST": "create", "DELETE": "delete"}[method]
    text = f'{verb} is not supported on resources of kind "widgets.{home.widgets.group}"'
    assert (answer.status, answer.message) == (405, text)


def test_a_namespaced_object_is_not_made_for_all(target: Target, home: Home) -> None:
    """The path without a namespace is for reading."""
    assert target.post(home.widgets.path(), home.widgets.make("x")).status == 404
    assert target.post("/api/v1/configmaps", {}).status == 405
