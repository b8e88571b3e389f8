"""What every write passes, to a runtime or to Kubernetes: the word of who may say that writing is over.

A guard is a plain function, so that a process that was paused asks it first thing when it goes on.
"""

from __future__ import annotations

from collections.abc import Callable

# Raises LeadershipLost when nothing may be written any more.
Guard = Callable[[], None]


def unguarded() -> None:
    """The guard of a process that writes in nobody else's place: everything may be written."""
