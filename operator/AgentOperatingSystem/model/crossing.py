"""The one place that every call to Kubernetes and to a runtime passes.

A crossing is named `cluster.<operation>` or `runtime.<operation>`. Watchers are told before a call starts
and after it took effect, which is where requests are counted and where a test ends the process. How a call
ended, well or not, is told as the signal `CallEnded`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from types import TracebackType

from AgentOperatingSystem.model.signals import CallEnded, tell


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


def crossing(name: str, *, server: str = "") -> AbstractAsyncContextManager[None]:
    """Mark the body as one call across a port, to the host `server`; a call that raises has no `after`."""
    return _Crossing(name, server)


class _Crossing(AbstractAsyncContextManager[None]):
    """A class, not a generator: the end of a call is told whatever ended it, and nothing is caught."""

    __slots__ = ("_began", "_name", "_server", "_started_at")

    def __init__(self, name: str, server: str) -> None:
        self._name = name
        self._server = server
        self._started_at = 0
        self._began = 0.0

    async def __aenter__(self) -> None:
        for watcher in _watchers:
            watcher(self._name, Moment.BEFORE)
        self._started_at = time.time_ns()
        self._began = time.perf_counter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = time.perf_counter() - self._began
        tell(CallEnded(self._name, self._started_at, seconds, error, self._server))
        if error is None:
            for watcher in _watchers:
                watcher(self._name, Moment.AFTER)
