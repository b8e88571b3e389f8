"""The comparison, as a table: two answers to the same question, and what is said of them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.smoke.comparing import Difference, differences
from tests.smoke.shapes import Scrubber, Told, dumped
from tests.smoke.wire import Exchange

WHERE = "GET agents/{id}"
SCRUBBER = Scrubber(own=("ours",), secret=())


def told(body: Any = None, *, status: int | None = 200, step: str = "create", method: str = "GET") -> Told:
    """An answer, as it may be told."""
    raw = b"" if body is None else dumped(body).encode()
    return SCRUBBER.told(
        Exchange(step, method, "/agents/ours", "api-version=v1", {}, b"", status, {}, raw),
    )


@pytest.mark.parametrize(
    ("azure", "embedded", "what", "reason"),
    [
        ({"a": 1}, {"a": 2}, [], "values are not compared"),
        ({"status": "active"}, {"status": "active"}, [], "nor is a word that is the same"),
        ({"status": "ready"}, {"status": "active"}, [("status", "'ready'", "'active'")], "but another is"),
        ({"a": 1}, {"a": "1"}, [("a", "int", "str")], "another type"),
        ({"a": None}, {"a": "1"}, [("a", "null", "str")], "nothing, and something"),
        ({"a": 1, "b": 2}, {"a": 1}, [("b", "int", "-")], "a field that the embedded one lacks"),
        ({"a": 1}, {"a": 1, "b": 2}, [("b", "-", "int")], "one that it should not have"),
        ({"a": {"b": 1, "c": 2}}, {}, [("a", "object", "-")], "what is within it is not told as well"),
        ({"a": []}, {"a": [{"b": 1}]}, [], "an empty list does not say what would be in it"),
        ({"a": [{"b": 1}]}, {"a": [{"c": 1}]}, [("a[].b", "int", "-"), ("a[].c", "-", "int")], "in a list"),
        ({"metadata": {"x": 1}}, {"metadata": {"y": []}}, [], "keys that are people's own"),
        ({"a": 1}, ["a"], [("the body", "object", "list")], "another kind of body"),
        ({"data": [{"name": "ours", "a": 1}]}, {"data": [{"name": "ours"}]}, [("data[].a", "int", "-")], "a"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bodies(azure: Any, embedded: Any, what: list[tuple[str, str, str]], reason: str) -> None:
    found = differences([told(azure)], [told(embedded)], ["create"])
    assert found == [Difference(f"{WHERE} 200", *one) for one in what], reason


def test_a_status_of_its_own_is_told_once_and_its_body_is_not_compared() -> None:
    found = differences([told({"a": 1}, status=202)], [told({"b": 1})], ["create"])
    assert found == [Difference(WHERE, "status", "202", "200")]


def test_no_answer_is_a_status_too() -> None:
    found = differences([told(status=None)], [told({"b": 1})], ["create"])
    assert found == [Difference(WHERE, "status", "no answer", "200")]


def test_reads_may_be_repeated_and_writes_may_not() -> None:
    assert differences([told(), told()], [told()], ["create"]) == []
    found = differences([told(method="POST"), told(method="POST")], [told(method="POST")], ["create"])
    assert found == [Difference("POST agents/{id}", "times, in create", "2", "1")]


def test_what_only_one_was_asked_is_told() -> None:
    assert differences([told()], [], ["create"]) == [Difference(WHERE, "times, in create", "1", "0")]


def test_steps_that_one_did_not_reach_are_not_compared() -> None:
    assert differences([told()], [told(), told(step="delete", status=500)], ["create"]) == []
