"""Watches: where they start, what they send, and how they end."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.contract.conftest import TABLE, Home, Target

Json = dict[str, Any]


def _count(wanted: int) -> Callable[[list[Json]], bool]:
    return lambda events: len(events) >= wanted


def _seen(events: list[Json]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


def _now(target: Target, home: Home) -> str:
    return str(target.get(home.all).body["metadata"]["resourceVersion"])


def test_a_watch_without_a_version_starts_with_what_is_there(target: Target, home: Home) -> None:
    """Existing objects come as ADDED."""
    home.create("a")
    home.create("b")
    assert sorted(_seen(target.watch(home.all, _count(2)))) == [("ADDED", "a"), ("ADDED", "b")]


def test_a_watch_replays_from_a_version(target: Target, home: Home) -> None:
    """Nothing between a list and its watch is lost."""
    home.create("before")
    version = _now(target, home)
    home.create("a")
    target.patch(home.one("a"), {"spec": {"size": 2}})
    target.delete(home.one("a"))
    events = target.watch(home.all, _count(3), resourceVersion=version)
    assert _seen(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_versions_grow_along_a_watch(target: Target, home: Home) -> None:
    """A deletion has a version of its own."""
    version = _now(target, home)
    home.create("a")
    target.delete(home.one("a"))
    events = target.watch(home.all, _count(2), resourceVersion=version)
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert int(version) < versions[0] < versions[1]


def test_a_write_that_changes_nothing_sends_nothing(target: Target, home: Home) -> None:
    """Else two controllers could play ping-pong."""
    home.create("a", size=2)
    version = _now(target, home)
    target.patch(home.one("a"), {"spec": {"size": 2}})
    home.create("b")
    assert _seen(target.watch(home.all, _count(1), resourceVersion=version)) == [("ADDED", "b")]


def test_what_leaves_a_selector_is_deleted(target: Target, home: Home) -> None:
    """A selector's watch is a watch on a set."""
    version = _now(target, home)
    home.create("a", {"labels": {"team": "red"}})
    target.patch(home.one("a"), {"metadata": {"labels": {"team": "blue"}}})
    target.patch(home.one("a"), {"metadata": {"labels": {"team": "red"}}})
    events = target.watch(home.all, _count(3), resourceVersion=version, labelSelector="team=red")
    assert _seen(events) == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "a")]


def test_a_watch_can_follow_one_name(target: Target, home: Home) -> None:
    """kubectl wait does."""
    version = _now(target, home)
    home.create("a")
    home.create("b")
    events = target.watch(home.all, _count(1), resourceVersion=version, fieldSelector="metadata.name=b")
    assert _seen(events) == [("ADDED", "b")]


def test_a_watch_list_marks_the_end_of_what_was_there(target: Target, home: Home) -> None:
    """kubectl wait and newer informers start this way."""
    home.create("a")
    events = target.watch(
        home.all,
        _count(2),
        sendInitialEvents="true",
        resourceVersionMatch="NotOlderThan",
        allowWatchBookmarks="true",
    )
    assert _seen(events) == [("ADDED", "a"), ("BOOKMARK", "")]
    assert events[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert events[1]["object"]["kind"] == "Widget"


def test_a_watch_ends_after_its_time_with_a_bookmark(target: Target, home: Home) -> None:
    """timeoutSeconds ends the stream; before that the watcher learns how far it has come."""
    version = int(home.create("a")["metadata"]["resourceVersion"])
    events = target.watch(
        home.all, lambda _: False, resourceVersion="0", allowWatchBookmarks="true", timeoutSeconds="3"
    )
    # How many bookmarks come in between is the server's affair.
    kinds = [event["type"] for event in events]
    assert kinds == ["ADDED", *["BOOKMARK"] * (len(kinds) - 1)]
    assert len(kinds) >= 2
    assert int(events[-1]["object"]["metadata"]["resourceVersion"]) >= version


def test_a_version_before_time_is_gone(target: Target, home: Home) -> None:
    """410 as an event: the client lists again."""
    events = target.watch(home.all, bool, resourceVersion="1")
    assert events[0]["type"] == "ERROR"
    assert (events[0]["object"]["code"], events[0]["object"]["reason"]) == (410, "Expired")
    assert "too old resource version: 1 (" in events[0]["object"]["message"]


def test_a_watch_list_needs_its_match(target: Target, home: Home) -> None:
    """sendInitialEvents without resourceVersionMatch."""
    answer = target.get(home.all, watch="true", sendInitialEvents="true", timeoutSeconds="1")
    assert answer.status == 422


def test_a_watch_can_send_tables(target: Target, home: Home) -> None:
    """kubectl get -w."""
    home.create("a")
    event = target.watch(home.all, bool, accept=TABLE)[0]
    assert (event["type"], event["object"]["kind"]) == ("ADDED", "Table")
    assert event["object"]["rows"][0]["cells"][0] == "a"


@pytest.mark.parametrize("version", ["-1", "soon"])
def test_a_bad_version_is_refused(target: Target, home: Home, version: str) -> None:
    """A resourceVersion is a number; where it is read first decides the status."""
    syntax = (
        f'resourceVersion: Invalid value: "{version}": strconv.ParseUint: parsing "{version}": invalid syntax'
    )
    watched = target.get(home.all, watch="true", resourceVersion=version, timeoutSeconds="1")
    assert (watched.status, watched.message) == (500, syntax)
    listed = target.get(home.all, resourceVersion=version)
    assert (listed.status, listed.message) == (400, f"invalid resource version: {syntax}")
