"""A snapshot of what each example's values render: a change of the charts is seen whole in a review.

AOS_UPDATE_SNAPSHOTS=1 writes them anew. The CRD is left out: another test compares it with crds/.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.chart.helm import AGENTS_CHART, EXAMPLES, OPERATOR_CHART, Helm

SNAPSHOTS = Path(__file__).parent / "snapshots"
VALUES = sorted((EXAMPLES / "helm").glob("*.yaml"))
# The values of aos-agents; the others are the operator's.
AGENTS = {"agents", "team"}
CRD = "# Source: aos-operator/templates/crds.yaml"


def rendered(helm: Helm, values: Path) -> str:
    if values.stem in AGENTS:
        return helm.text(AGENTS_CHART, values, release="board", namespace="boardroom")
    return helm.text(OPERATOR_CHART, values)


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_an_example_renders_what_it_did(helm: Helm, values: Path) -> None:
    documents = rendered(helm, values).split("---\n")
    text = "---\n".join(document for document in documents if not document.startswith(CRD))
    snapshot = SNAPSHOTS / values.name
    if os.environ.get("AOS_UPDATE_SNAPSHOTS"):
        snapshot.parent.mkdir(exist_ok=True)
        snapshot.write_text(text, encoding="utf-8")
    assert text == snapshot.read_text(encoding="utf-8"), "AOS_UPDATE_SNAPSHOTS=1 writes it anew"


def test_there_is_no_snapshot_of_an_example_that_is_gone() -> None:
    assert {path.name for path in SNAPSHOTS.iterdir()} == {path.name for path in VALUES}


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_a_second_render_is_the_same(helm: Helm, values: Path) -> None:
    assert rendered(helm, values) == rendered(helm, values)
