"""The pass that is under way in this task: how a log line or a call knows what it belongs to.

It is in a context variable, so that no function has to hand it on.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from AgentOperatingSystem.model.signals import PassBegan, PassEnded, PassKind, PassResult, tell


@dataclass(slots=True)
class CurrentPass:
    """A pass under way. `result` is said by who runs it; one that raises keeps `crashed`."""

    id: str
    object: str
    result: PassResult = PassResult.CRASHED


# Not the system's: a name for the log needs no secrecy, which is a system call for each.
_chance = random.Random()  # noqa: S311
_current: ContextVar[CurrentPass | None] = ContextVar("current_pass", default=None)


def current_pass() -> CurrentPass | None:
    """The pass that the running task works on; None outside of one."""
    return _current.get()


@contextmanager
def one_pass(kind: PassKind, namespace: str, name: str) -> Iterator[CurrentPass]:
    """Tell of the body as one pass over an object."""
    current = CurrentPass(f"{_chance.getrandbits(32):08x}", f"{namespace}/{name}")
    token = _current.set(current)
    began = time.perf_counter()
    tell(PassBegan(current.id, kind, namespace, name))
    try:
        yield current
    finally:
        tell(PassEnded(current.id, current.result, time.perf_counter() - began))
        _current.reset(token)
