"""The workflows: actions are pinned by commit, rights are what is needed, and what they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from tests.chart.helm import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    uses = re.findall(r"uses: (\S+)(.*)", path.read_text(encoding="utf-8"))
    assert uses
    for action, comment in uses:
        if not action.startswith("./"):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_rights_are_given_where_they_are_needed_and_jobs_end(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "uses" in job or "timeout-minutes" in job
        for step in job.get("steps", []):
            # What somebody else may name never becomes part of a script.
            assert "${{" not in step.get("run", ""), step


def test_a_change_must_pass_what_a_person_runs() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert "- run: .ci/run" in text
    assert (ROOT / ".ci" / "run").exists()


def test_a_release_is_built_signed_and_attested() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    for wanted in ("operator/Dockerfile", "cosign sign", "sbom: true", "provenance: mode=max", "needs: test"):
        assert wanted in text
    for named in re.findall(r"(?:python|file:) ([\w./-]+)", text):
        assert (ROOT / named).exists(), named
