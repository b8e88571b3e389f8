"""`python -m tests.smoke`: one agent on a real project, then the same on the embedded Foundry, compared.

Ends with 2 when a setting is missing, with 1 when a step failed or something was left behind, with 130 when
it was broken off, and with 0 otherwise: differences are told, they are what it is for.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from tests.smoke.comparing import Difference
from tests.smoke.play import Outcome
from tests.smoke.run import run
from tests.smoke.settings import NotReady, Settings
from tests.smoke.shapes import Leak, dumped

from AgentOperatingSystem.model.errors import AOSError

OK, FAILED, NOT_RUN, BROKEN_OFF = 0, 1, 2, 130


class Terminal:
    """Tells a person how it goes; this, and not the file, may name the project."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, sentence: str, style: str = "") -> None:
        """A line."""
        self._console.print(Text(sentence, style=style), soft_wrap=True)

    def begins(self, where: str) -> None:
        """A play begins."""
        self.say(where)

    def ended(self, outcome: Outcome) -> None:
        """A step has ended."""
        if outcome.problem:
            self.say(f"  {outcome.step}: {outcome.problem}", style="bold red")
        else:
            self.say(f"  {outcome.step}: {outcome.shows}", style="green")

    def compared(self, found: list[Difference], exchanges: int) -> None:
        """All differences, as a table."""
        if not found:
            self.say(f"{exchanges} exchanges, and the embedded Foundry answers none of them otherwise.")
            return
        table = Table(
            "where", "what", "Azure", "embedded", title="Where the embedded Foundry answers otherwise"
        )
        for one in found:
            cells = (Text(cell, overflow="fold") for cell in (one.where, one.what, one.azure, one.embedded))
            table.add_row(*cells)
        self._console.print(table)
        self.say(f"{exchanges} exchanges, {len(found)} differences; '-' is: not there.")


async def _run_until_told(settings: Settings, terminal: Terminal) -> tuple[bool, dict[str, Any]]:
    """As `run`; SIGTERM ends it as Ctrl-C does, with the cleaning up."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await run(settings, terminal)


def main() -> int:
    parser = argparse.ArgumentParser(prog="smoke", description="One agent on a real Foundry project.")
    parser.add_argument("--record", type=Path, help="the file to write; by default one in a new folder")
    given = parser.parse_args()
    terminal = Terminal(Console(width=None if sys.stdout.isatty() else 160, highlight=False))
    try:
        settings = Settings.from_env(os.environ)
    except NotReady as reason:
        terminal.say(f"smoke-azure was not run: {str(reason).rstrip('.')}.")
        return NOT_RUN
    try:
        all_well, document = asyncio.run(_run_until_told(settings, terminal))
    except (KeyboardInterrupt, asyncio.CancelledError):
        terminal.say("Broken off; what was made is deleted, but for what is named above.")
        return BROKEN_OFF
    except (AOSError, Leak) as error:
        terminal.say(str(error), style="bold red")
        return FAILED
    path = given.record or Path(tempfile.mkdtemp(prefix="smoke-")) / "recording.json"
    path.write_text(dumped(document), encoding="ascii")
    terminal.say(f"Recorded, without names and secrets, in {path}")
    return OK if all_well else FAILED


if __name__ == "__main__":
    sys.exit(main())
