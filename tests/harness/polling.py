"""Waiting for what is true sooner or later: by looking, with a limit, and with what was last seen.

Why no test sleeps for a fixed time: it would be too short on a busy machine and too long on every other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 25.0
POLL_SECONDS = 0.05


def eventually(
    look: Callable[[], T],
    until: Callable[[T], bool] = bool,
    *,
    what: str = "",
    within: float = PATIENCE_SECONDS,
    every: float = POLL_SECONDS,
) -> T:
    """What `look` gives once `until` holds for it; an AssertionError with the last value if it never does."""
    deadline = time.monotonic() + within
    while not until(seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what or 'the awaited'}; last seen: {seen!r}")
        time.sleep(every)
    return seen
