"""Argo CD's view: what it synced stays Synced after the operator worked on it; its health is the truth.

Argo CD itself is not run. What it asks the API server is: a server-side dry run in its name, and a diff.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.chart.health import ARGOCD, health, scripts
from tests.chart.helm import AGENTS_CHART, CHARTS, EXAMPLES, Helm, Json
from tests.harness.planes import create_namespace
from tests.harness.polling import eventually
from tests.harness.stage import Stage

pytestmark = pytest.mark.timeout(1800)

APPLICATION_CRD = CHARTS.parent / "tests" / "chart" / "applications.yaml"
HEALTH = "agentoperatingsystem.io_PurposeDrivenAgent"
ARGO = ("--server-side", "--field-manager=argocd-controller")
FILES = sorted(EXAMPLES.glob("*-agent.yaml"))


def from_files() -> list[Json]:
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES]


def from_kustomize(stage: Stage) -> list[Json]:
    told = stage.kubectl("kustomize", str(EXAMPLES / "kustomize" / "overlays" / "production")).stdout
    return list(yaml.safe_load_all(told))


def from_chart(stage: Stage, folder: Path) -> list[Json]:
    values = EXAMPLES / "helm" / "agents.yaml"
    return Helm(folder).objects(AGENTS_CHART, values, release="board", namespace=stage.namespace)


def objects(source: str, stage: Stage, folder: Path) -> list[Json]:
    """The agents of a source, as Argo CD would apply them to the stage's namespace."""
    found: list[Json]
    match source:
        case "files":
            found = from_files()
        case "kustomize":
            found = from_kustomize(stage)
        case _:
            found = from_chart(stage, folder)
    for one in found:
        one["metadata"]["namespace"] = stage.namespace
        group, name = "agentoperatingsystem.io/PurposeDrivenAgent", one["metadata"]["name"]
        tracking = f"agents:{group}:{stage.namespace}/{name}"
        one["metadata"].setdefault("annotations", {})["argocd.argoproj.io/tracking-id"] = tracking
    return found


def comparable(found: Json) -> Json:
    """An object without what is another at every write."""
    metadata = {key: value for key, value in found["metadata"].items() if key != "managedFields"}
    return {**found, "metadata": metadata}


def apply(stage: Stage, text: str, *how: str) -> list[Json]:
    """What `kubectl apply` gives back."""
    told: Any = json.loads(stage.kubectl("apply", *how, "-o", "json", "-f", "-", stdin=text).stdout)
    return list(told["items"]) if told["kind"] == "List" else [told]


@pytest.mark.parametrize("how", [ARGO, ()], ids=["server-side", "client-side"])
@pytest.mark.parametrize("source", ["files", "kustomize", "chart"])
def test_what_the_operator_worked_on_stays_synced(
    stage: Stage, tmp_path: Path, source: str, how: tuple[str, ...]
) -> None:
    wanted = objects(source, stage, tmp_path)
    text = yaml.safe_dump_all(wanted)
    apply(stage, text, *how)
    names = [one["metadata"]["name"] for one in wanted]
    assert health(scripts()[HEALTH], stage.read(names[0]) or {})[0] == "Progressing"
    stage.operator.start(AOS_DRIFT_INTERVAL="1")
    for name in names:
        stage.ready(name)
    stage.passes_go_by(2)

    assert stage.kubectl("diff", "-f", "-", stdin=text).stdout == ""
    before = {name: stage.read(name) for name in names}
    if how == ARGO:
        assert stage.kubectl("diff", *ARGO, "-f", "-", stdin=text).stdout == ""
        for one in apply(stage, text, *ARGO, "--dry-run=server"):
            live = before[one["metadata"]["name"]]
            assert live is not None
            assert comparable(one) == comparable(live)
    for live in before.values():
        assert live is not None
        assert health(scripts()[HEALTH], live)[0] == "Healthy"
    # Applied once more it writes nothing: not even the resource version moves.
    apply(stage, text, *how)
    assert {name: stage.read(name) for name in names} == before


def test_the_health_is_what_is_true(stage: Stage) -> None:
    def told() -> str:
        return health(scripts()[HEALTH], stage.read("ceo") or {})[0]

    source = (EXAMPLES / "ceo-agent.yaml").read_text(encoding="utf-8")
    stage.operator.start(AOS_DRIFT_INTERVAL="1")
    stage.kubectl.apply(source)
    eventually(told, lambda seen: seen == "Healthy", what="Healthy")
    stage.kubectl.apply(source.replace("adapterName: ceo", "adapterName: nobody"))
    eventually(told, lambda seen: seen == "Degraded", what="Degraded")
    stage.kubectl.apply(source + "  enabled: false\n")
    eventually(told, lambda seen: seen == "Suspended", what="Suspended")


def test_the_applications_and_the_config_map_are_taken(stage: Stage) -> None:
    stage.kubectl("apply", "-f", str(APPLICATION_CRD))
    stage.kubectl("wait", "--for=condition=Established", "-f", str(APPLICATION_CRD), "--timeout=30s")
    kubectl = stage.plane.kubectl("argocd")
    create_namespace(stage.plane, "argocd")
    eventually(lambda: kubectl.run("get", "applications").code == 0, what="Applications are served")
    for folder in (ARGOCD, ARGOCD / "apps"):
        told = kubectl("apply", "--server-side", "--validate=strict", "-f", str(folder)).stdout
        assert "serverside-applied" in told
