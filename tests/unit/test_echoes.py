"""Our own notes come back by the watch: each is known once, by its version, and nothing else is one."""

from __future__ import annotations

from typing import Any

from AgentOperatingSystem.kube.echoes import KEPT, Echoes
from AgentOperatingSystem.reconcile.resource import Resource

CEO, CFO = "uid-ceo", "uid-cfo"


def noted(version: str, *, uid: str = CEO) -> Resource:
    """The API server's answer to a note."""
    body: dict[str, Any] = {
        "metadata": {"name": "ceo", "namespace": "boardroom", "uid": uid, "resourceVersion": version}
    }
    return Resource.from_object(body)


def test_a_note_is_an_echo_once() -> None:
    echoes = Echoes()
    echoes.wrote(noted("7"))
    assert echoes.heard(CEO, "7")
    assert not echoes.heard(CEO, "7"), "what the watch brings again is news: it began anew"


def test_what_we_did_not_write_is_news() -> None:
    echoes = Echoes()
    assert not echoes.heard(CEO, "7")
    echoes.wrote(noted("7"))
    assert not echoes.heard(CEO, "8")
    assert not echoes.heard(CFO, "7"), "another object's version is no echo"
    assert echoes.heard(CEO, "7")


def test_a_later_note_says_that_the_earlier_ones_are_past() -> None:
    echoes = Echoes()
    for version in ("7", "8", "9"):
        echoes.wrote(noted(version))
    assert echoes.heard(CEO, "8")
    assert not echoes.heard(CEO, "7")
    assert echoes.heard(CEO, "9")


def test_little_is_kept_of_a_watch_that_brings_nothing() -> None:
    echoes = Echoes()
    for version in range(100):
        echoes.wrote(noted(str(version)))
    assert not echoes.heard(CEO, str(99 - KEPT))
    assert echoes.heard(CEO, str(100 - KEPT))


def test_an_object_that_is_gone_leaves_nothing() -> None:
    echoes = Echoes()
    echoes.wrote(noted("7"))
    echoes.gone(CEO)
    assert not echoes.heard(CEO, "7")
