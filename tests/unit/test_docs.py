"""The pages people are sent to say what the code does: no reason, setting or command is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from AgentOperatingSystem.reconcile.resource import WISHES
from AgentOperatingSystem.reconcile.verdict import Reason

ROOT = Path(__file__).parents[2]
TROUBLESHOOTING = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for path in (ROOT / "operator" / "AgentOperatingSystem").rglob("*.py")
    if "sandbox" not in path.parts
)


@pytest.mark.parametrize("reason", list(Reason))
def test_each_reason_has_its_meaning_and_its_mend(reason: Reason) -> None:
    row = re.search(rf"^\| `{reason}` \|(.+)\|(.+)\|$", TROUBLESHOOTING, re.MULTILINE)
    assert row is not None, f"docs/troubleshooting.md has no row for {reason}"
    assert all(len(cell.strip()) > 4 for cell in row.groups())


def test_no_reason_is_told_that_does_not_exist() -> None:
    told = set(re.findall(r"^\| `([A-Z][A-Za-z]+)` \|", TROUBLESHOOTING, re.MULTILINE))
    assert told <= {reason.value for reason in Reason}


def test_each_setting_that_is_read_is_told() -> None:
    read = set(re.findall(r"\"((?:AOS|AZURE_AI|RUNTIME|ENABLE|USE)_[A-Z_]+)\"", SOURCES))
    missing = {name for name in read if f"`{name}`" not in SETTINGS}
    assert not missing, f"docs/settings.md does not tell {sorted(missing)}"


@pytest.mark.parametrize("annotation", WISHES)
def test_each_annotation_that_is_heeded_is_told(annotation: str) -> None:
    assert annotation.split("/")[1] in SETTINGS
