"""The one place that every call to Kubernetes and to a runtime passes.

A crossing is named `cluster.<operation>` or `runtime.<operation>`. Watchers are told before a call starts
and after it took effect, which is where requests are counted and where a test ends the process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import StrEnum


class Moment(StrEnum):
    """When a watcher is called: before the call is sent, or after its answer came."""

    BEFORE = "before"
    AFTER = "after"


Watcher = Callable[[str, Moment], None]

_watchers: list[Watcher] = []


def watch_crossings(watcher: Watcher) -> Callable[[], None]:
    """Have `watcher(name, moment)` called at every crossing; returns the function that ends that."""
    _watchers.append(watcher)
    return lambda: _watchers.remove(watcher)


@asynccontextmanager
async def crossing(name: str) -> AsyncIterator[None]:
    """Mark the body as one call across a port; a call that raises has no `after`."""
    for watcher in _watchers:
        watcher(name, Moment.BEFORE)
    yield
    for watcher in _watchers:
        watcher(name, Moment.AFTER)
