"""Says on stderr what is being done: a build of minutes that says nothing looks like a hang."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

Say = Callable[[str], None]


def say_on(stream: TextIO) -> Say:
    """A `say` that writes one line a call, with the seconds since it was made."""
    began = time.monotonic()

    def say(text: str) -> None:
        stream.write(f"[control plane {time.monotonic() - began:6.1f} s] {text}\n")
        stream.flush()

    return say


def say_on_stderr() -> Say:
    return say_on(sys.stderr)
