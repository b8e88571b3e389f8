"""`aos` as a child of a test: found in this environment, and proved to leave no process behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AOS = str(Path(sys.executable).with_name("aos"))
KUBECTL = str(Path(sys.executable).with_name("kubectl"))
SECONDS = 90.0


@contextmanager
def started(*arguments: str, marker: str, out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`aos` running, its output in `out`; `marker` is inherited by every process that it starts."""
    environment = {**os.environ, "MARKER_OF_TEST": marker, "TMPDIR": str(out.parent)}
    with out.open("wb") as stdout, out.with_suffix(".err").open("wb") as stderr:
        process = subprocess.Popen([AOS, *arguments], stdout=stdout, stderr=stderr, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def run(*arguments: str, marker: str, out: Path) -> tuple[int, str]:
    """The exit code of `aos` and what it printed."""
    with started(*arguments, marker=marker, out=out) as process:
        code = process.wait(SECONDS)
    return code, out.read_text()


def until_printed(text: str, out: Path, process: subprocess.Popen[bytes]) -> str:
    """What was printed, once `text` is among it."""
    deadline = time.monotonic() + SECONDS
    while text not in (printed := out.read_text()):
        assert process.poll() is None, f"ended with {process.returncode}:\n{printed}"
        assert time.monotonic() < deadline, f"no {text!r} within {SECONDS} s:\n{printed}"
        time.sleep(0.05)
    return printed


def left_behind(marker: str, *, seconds: float = 3.0) -> list[str]:
    """The processes that still bear `marker` after a short grace, as their command lines."""
    deadline = time.monotonic() + seconds
    while (found := _bearing(marker)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _bearing(marker: str) -> list[str]:
    wanted = f"MARKER_OF_TEST={marker}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # it has ended, or is not ours to look at
    return [command for command in found if command]
