"""Python's collector at work: what is there at the start is left alone, and garbage still goes."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from weakref import ref

import pytest

from AgentOperatingSystem.kube.memory import YOUNG, settle_memory


@pytest.fixture
def settled() -> Iterator[None]:
    before = gc.get_threshold()
    settle_memory()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


class Node:
    """Something that can refer to itself."""

    me: Node


@pytest.mark.usefixtures("settled")
def test_what_is_there_is_not_looked_through_again() -> None:
    assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold()[0] == YOUNG


@pytest.mark.usefixtures("settled")
def test_cycles_that_are_made_later_are_still_collected() -> None:
    node = Node()
    node.me = node
    gone = ref(node)
    del node
    gc.collect()
    assert gone() is None
