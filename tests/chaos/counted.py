"""`aos operator` with an ear for SIGUSR1: then it appends how many asyncio tasks it has to a file.

Run as `python tests/chaos/counted.py FILE operator ...`. Why not a metric: nobody but the soak asks for it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

from AgentOperatingSystem import cli


def main() -> None:
    target = Path(sys.argv.pop(1))

    def count(_number: int, _frame: object) -> None:
        # A handler runs in the main thread, inside kopf's loop: no other loop is looked at.
        with target.open("a", encoding="ascii") as file:
            file.write(f"{len(asyncio.all_tasks())} {threading.active_count()}\n")

    signal.signal(signal.SIGUSR1, count)
    target.write_text(f"pid {os.getpid()}\n", encoding="ascii")
    cli.main()


if __name__ == "__main__":
    main()
