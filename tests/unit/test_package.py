"""How the package lies and loads: it must not shadow the standard library, nor load what is not used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "operator"
HEAVY = ("agent_framework", "aiohttp", "azure", "kopf", "kubernetes", "openai")

SCRIPT = """
import sys
import {modules}
loaded = sorted({{name.partition(".")[0] for name in sys.modules}} & {{{heavy}}})
print(" ".join(loaded))
"""


def loaded_by(modules: str) -> set[str]:
    """Which of the heavy packages a fresh interpreter has after the import."""
    script = SCRIPT.format(modules=modules, heavy=", ".join(map(repr, HEAVY)))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_the_source_root_does_not_shadow_the_standard_library() -> None:
    assert (SOURCE / "AgentOperatingSystem" / "__init__.py").exists()
    assert not (SOURCE / "__init__.py").exists(), "`import operator` would find our folder"


@pytest.mark.parametrize(
    ("modules", "reason"),
    [
        ("AgentOperatingSystem, AgentOperatingSystem.cli", "`aos --help` is quick"),
        ("AgentOperatingSystem.runtime", "settings are read before a runtime is chosen"),
        ("AgentOperatingSystem.reconcile.reconciler", "the pass talks to nobody but its ports"),
        ("AgentOperatingSystem.api.crd", "`aos crds` needs no cluster"),
    ],
)
def test_what_is_not_used_is_not_loaded(modules: str, reason: str) -> None:
    assert loaded_by(modules) == set(), reason


def test_the_class_loads_the_framework_alone() -> None:
    assert loaded_by("AgentOperatingSystem.agents") == {"agent_framework"}
