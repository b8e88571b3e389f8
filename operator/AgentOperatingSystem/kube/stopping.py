"""SIGTERM and SIGINT in every phase: the first asks for a clean end, the second does not ask.

What a clean end is differs: before anything is served the start is given up, afterwards passes end first.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable

logger = logging.getLogger(__name__)


class StopRequests:
    """The signals that ask for the end. `stop` is what the first one calls, until it is replaced."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self.stop = stop
        self.asked = False

    def take_over(self) -> None:
        """Have the running loop call us, whoever was called before."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask)

    def _ask(self) -> None:
        if self.asked:
            end_process("asked to stop a second time: ending at once")
        self.asked = True
        self.stop()


def end_process(reason: str) -> None:
    """End this process here and now, with code 1 and one line in the log; from any thread."""
    logger.critical("%s", reason)
    for handler in logging.getLogger().handlers:
        handler.flush()
    os._exit(1)
