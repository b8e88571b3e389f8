"""What the audience sees: titles, commands, answers and check marks, with colour where there is a terminal.

Why every text goes in as plain text: an answer or a log line may hold brackets that rich would read as
markup.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

INDENT = 2
WIDTH = 100  # longer lines of prose are hard to read


class Stage:
    """Writes to standard output."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._console.width = min(self._console.width, WIDTH)
        utf8 = self._console.encoding.lower().startswith("utf")
        self._tick = "\u2713" if utf8 else "ok"

    def opening(self) -> None:
        """What this is."""
        self._console.print(Rule(Text("AgentOperatingSystem: the demo", "bold")))
        self.say(
            "Four officers of a company become AI agents by `kubectl apply`. All of it is on this machine. "
            "The operator and kubectl are the real ones; the Kubernetes API and Foundry are small stand-ins "
            "that speak the real protocols."
        )

    def act(self, number: int, title: str) -> None:
        """The heading of an act."""
        self._console.print()
        self._print(f"{number}. {title}", "bold cyan")

    def say(self, text: str) -> None:
        """A paragraph of plain words."""
        self._console.print(Text(text))

    def line(self, text: str) -> None:
        """A line to be copied: indented and never wrapped."""
        self._print(" " * INDENT + text, "")

    def blank(self) -> None:
        """An empty line."""
        self._console.print()

    def command(self, typed: str, *, aside: str = "") -> None:
        """A command as it could be typed; never wrapped, so that it can be copied. Dim with an `aside`."""
        self._print(f"$ {typed}" + (f"  # {aside}" if aside else ""), "dim" if aside else "bold")

    def output(self, text: str) -> None:
        """What a command printed."""
        if text.strip():
            self._print(textwrap.indent(text.rstrip(), " " * INDENT), "")

    def checked(self, text: str) -> None:
        """A fact that was checked and holds."""
        self._print(f"{self._tick} {text}", "green")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A small table; without `columns` it has no header."""
        table = Table(
            box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold", show_header=bool(columns)
        )
        for column in columns:
            table.add_column(column)
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self._console.print(Padding(table, (0, 0, 0, INDENT), expand=False))

    def waiting(self, text: str) -> AbstractContextManager[object]:
        """Say what is waited for, with a spinner on a terminal."""
        self.say(f"{text} ...")
        return self.busy()

    def busy(self) -> AbstractContextManager[object]:
        """A spinner on a terminal, nothing elsewhere."""
        return self._console.status("running") if self._console.is_terminal else nullcontext()

    def failure(self, text: str) -> None:
        """What was expected and what was seen instead."""
        self._console.print()
        self._print("The demo failed.", "bold red")
        self._print(text, "")

    def log_tail(self, title: str, lines: str) -> None:
        """The end of a log."""
        self._console.print()
        self._print(title, "bold")
        self._print(lines, "dim")
        self.blank()

    def closing(self, seconds: float, lessons: Sequence[str]) -> None:
        """What the audience has seen."""
        self._console.print()
        self._console.print(Rule(Text(f"What you saw, in {seconds:.0f} seconds", "bold")))
        for lesson in lessons:
            self.line(f"- {lesson}")
        self.blank()

    def where_next(self) -> None:
        """What to do after the demo."""
        self._console.print()
        self.say("Where to go next:")
        self.table(
            (),
            (
                ("make demo KEEP=1", "the same, and it runs on for you to play with"),
                ("aos sandbox", "the two stand-ins alone, for your own operator"),
                ("README.md", "the operator on a real cluster, with a real Foundry project"),
            ),
        )

    def _print(self, text: str, style: str) -> None:
        self._console.print(Text(text, style), soft_wrap=True)
