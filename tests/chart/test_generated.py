"""What the charts repeat is what they repeat it from: CRDs, an agent's schema, READMEs, versions."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from tests.chart.helm import AGENTS_CHART, CHARTS, OPERATOR_CHART

from AgentOperatingSystem.api.reference import reference


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", CHARTS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATED: dict[Path, str] = generator().generated()


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: str(path.relative_to(CHARTS)))
def test_it_is_fresh(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == GENERATED[path], "stale: run make generate"


def test_the_reference_is_fresh() -> None:
    written = (CHARTS.parent / "docs" / "reference.md").read_text(encoding="utf-8")
    assert written == reference(), "stale: run make generate"


def test_the_chart_brings_no_crd_that_the_project_does_not_have() -> None:
    brought = {path.name for path in (OPERATOR_CHART / "files" / "crds").iterdir()}
    assert brought == {path.name for path in (CHARTS.parent / "crds").iterdir()}


@pytest.mark.parametrize("chart", [OPERATOR_CHART, AGENTS_CHART], ids=lambda chart: chart.name)
def test_the_charts_bear_the_version_of_the_package(chart: Path) -> None:
    about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    version = importlib.metadata.version("agent-operating-system")
    assert (about["version"], about["appVersion"]) == (version, version)


@pytest.mark.parametrize("chart", [OPERATOR_CHART, AGENTS_CHART], ids=lambda chart: chart.name)
def test_every_value_is_in_the_schema_and_every_one_of_the_schema_is_a_value(chart: Path) -> None:
    values = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))
    schema = yaml.safe_load((chart / "values.schema.json").read_text(encoding="utf-8"))
    assert set(schema["properties"]) - {"global"} == set(values)
