"""The merge patch of a status: applied to what the server has, it gives what the pass said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from AgentOperatingSystem.kube.client import merged

Json = dict[str, Any]

LEAVES = st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "b"])
# A status never holds a null: it is dumped without them, since in a patch null means gone.
VALUES = st.recursive(
    LEAVES | st.lists(LEAVES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


def applied(target: Any, patch: Any) -> Any:
    """RFC 7386, as the server does it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = applied(result.get(key), value)
    return result


@given(old=OBJECTS, new=OBJECTS)
def test_the_patch_turns_the_old_into_the_new(old: Json, new: Json) -> None:
    assert applied(old, merged(old, new)) == new


@given(old=OBJECTS)
def test_nothing_changed_is_an_empty_patch(old: Json) -> None:
    assert merged(old, old) == {}


@given(old=OBJECTS, new=OBJECTS)
def test_a_patch_that_is_sent_twice_does_no_harm(old: Json, new: Json) -> None:
    patch = merged(old, new)
    assert applied(applied(old, patch), patch) == new


@pytest.mark.parametrize(
    ("old", "new", "patch", "reason"),
    [
        ({}, {"a": 1}, {"a": 1}, "new"),
        ({"a": 1}, {}, {"a": None}, "gone"),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}, "only what changed"),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}, "gone from within"),
        ({"a": [1, 2]}, {"a": [1]}, {"a": [1]}, "a list is whole"),
        ({"a": {"b": 1}}, {"a": "x"}, {"a": "x"}, "of another kind"),
        ({"a": "x"}, {"a": {"b": 1}}, {"a": {"b": 1}}, "of another kind"),
    ],
)
def test_a_patch_says_no_more_than_it_must(old: Json, new: Json, patch: Json, reason: str) -> None:
    assert merged(old, new) == patch, reason
