"""When a watch counts as silent: never for what is on its way, always for what was owed twice."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest
from kubernetes.aio import client

from AgentOperatingSystem.kube import delivery as module
from AgentOperatingSystem.kube.delivery import Deliveries, DeliveryWatch, Look, left_behind, vanished

FRESH = Look({"a": "1"}, {"a": "1"})

LOOKS: list[tuple[Look, Look, set[str], str]] = [
    (FRESH, FRESH, set(), "nothing changed"),
    (FRESH, Look({"a": "2"}, {"a": "1"}), set(), "it was just written"),
    (Look({"a": "2"}, {"a": "1"}), Look({"a": "2"}, {"a": "1"}), {"a"}, "the same is owed still"),
    (Look({"a": "2"}, {"a": "1"}), Look({"a": "3"}, {"a": "1"}), {"a"}, "more is owed, and nothing came"),
    (Look({"a": "2"}, {"a": "1"}), Look({"a": "3"}, {"a": "2"}), set(), "it is written all the time"),
    (Look({"a": "1"}, {"a": "2"}), Look({"a": "2"}, {"a": "2"}), set(), "the event was before the listing"),
    (Look({"a": "1"}, {}), Look({"a": "1"}, {}), {"a"}, "a new one never came"),
    (Look({}, {}), Look({"a": "1"}, {}), set(), "it was just made"),
    (Look({"a": "1"}, {"a": "1"}), Look({}, {"a": "1"}), set(), "it was just deleted"),
    (Look({"a": "2"}, {"a": "1"}, frozenset("a")), Look({"a": "2"}, {"a": "1"}), set(), "it was busy"),
    (Look({"a": "2"}, {"a": "1"}), Look({"a": "2"}, {"a": "1"}, frozenset("a")), set(), "it is busy"),
]


@pytest.mark.parametrize(("before", "now", "silent", "reason"), LOOKS, ids=[row[3] for row in LOOKS])
def test_an_object_is_left_behind(before: Look, now: Look, silent: set[str], reason: str) -> None:
    assert left_behind(before, now) == silent


def test_only_what_two_listings_do_not_have_is_forgotten() -> None:
    came = {"old": "1", "new": "1"}
    assert vanished(Look({}, {"old": "1"}), Look({}, came)) == {"old"}
    assert vanished(Look({"old": "1"}, came), Look({}, came)) == {"new"}


def test_an_object_is_busy_until_the_last_handler_is_done() -> None:
    deliveries = Deliveries()
    with deliveries.busy("a"):
        with deliveries.busy("a"):
            pass
        assert deliveries.snapshot()[1] == {"a"}
    assert deliveries.snapshot()[1] == frozenset()


class Listing:
    """An API server that lists what it is told to, two at a time."""

    def __init__(self) -> None:
        self.objects: dict[str, str] = {}
        self.paths: list[str] = []

    async def send(self, api: Any, method: str, path: str, *, query: dict[str, str], **_: Any) -> str:
        self.paths.append(path)
        first = int(query.get("continue", "0"))
        items = list(self.objects.items())
        rest = str(first + 2) if len(items) > first + 2 else ""
        return json.dumps(
            {
                "metadata": {"continue": rest},
                "items": [
                    {"metadata": {"uid": uid, "resourceVersion": version}}
                    for uid, version in items[first : first + 2]
                ],
            }
        )


@pytest.fixture
def listing(monkeypatch: pytest.MonkeyPatch) -> Listing:
    made = Listing()
    monkeypatch.setattr(module, "send_json", made.send)
    return made


def watch_of(deliveries: Deliveries, *namespaces: str, period: float = 50.0) -> DeliveryWatch:
    return DeliveryWatch(cast("client.ApiClient", None), deliveries, namespaces=namespaces, period=period)


async def test_it_tells_once_that_the_watch_is_silent_and_once_that_it_is_not(
    listing: Listing, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    deliveries = Deliveries()
    watch = watch_of(deliveries)
    listing.objects = dict.fromkeys("abcde", "1")
    for uid in "abcd":
        deliveries.came(uid, "1")
    await watch.look()
    assert watch.problem() == ""
    for _ in range(3):
        await watch.look()
    assert "1 resources changed" in watch.problem()
    deliveries.came("e", "1")
    await watch.look()
    assert watch.problem() == ""
    told = [record.message for record in caplog.records]
    assert len(told) == 2
    assert told[1] == "the watch delivers again"


async def test_it_lists_the_namespaces_that_are_served_or_all(listing: Listing) -> None:
    await watch_of(Deliveries(), "boardroom", "factory").look()
    await watch_of(Deliveries()).look()
    ours = "/apis/agentoperatingsystem.io/v1alpha1"
    assert listing.paths == [
        f"{ours}/namespaces/boardroom/purposedrivenagents",
        f"{ours}/namespaces/factory/purposedrivenagents",
        f"{ours}/purposedrivenagents",
    ]


@pytest.mark.parametrize(
    "broken", [client.ApiException(503, "Unavailable"), TimeoutError(), ConnectionResetError(), ValueError()]
)
async def test_a_look_that_fails_says_nothing_of_the_watch_and_is_not_the_last(
    monkeypatch: pytest.MonkeyPatch, broken: Exception
) -> None:
    looks = 0

    async def fail(*_: Any, **__: Any) -> str:
        nonlocal looks
        looks += 1
        raise broken

    monkeypatch.setattr(module, "send_json", fail)
    watch = watch_of(Deliveries(), period=0.0)
    running = asyncio.ensure_future(watch.run())
    while looks < 3:  # noqa: ASYNC110 - it never ends by itself
        await asyncio.sleep(0)
    assert watch.problem() == ""
    running.cancel()
