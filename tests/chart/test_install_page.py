"""The pages on installing and running say what is: every file, value and name on them exists."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from tests.chart.helm import OPERATOR_CHART, ROOT, Helm, Json, only

PAGES = ["install.md", "operations.md"]


def text(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_each_file_that_is_named_is_there(page: str) -> None:
    linked = [ROOT / "docs" / name for name in re.findall(r"\]\(([^)#]+)\)", text(page))]
    named = [
        ROOT / name
        for name in re.findall(r"(?<![\w/.:-])((?:charts|examples|operator|crds)/[\w./-]*)", text(page))
    ]
    assert [path for path in linked + named if not path.exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_each_value_that_is_named_is_one(page: str) -> None:
    values = yaml.safe_load((OPERATOR_CHART / "values.yaml").read_text(encoding="utf-8"))
    named = re.findall(r"--set (?:\"?)([\w.]+)=", text(page))
    named += re.findall(r"`((?:foundry|azure|crds|rbac|sandbox)\.[\w.]+)", text(page))
    for name in named:
        found: Json = values
        for part in name.split("."):
            assert part in found, name
            found = found[part]


def test_the_limits_that_are_told_are_the_defaults() -> None:
    values = yaml.safe_load((OPERATOR_CHART / "values.yaml").read_text(encoding="utf-8"))["foundry"]
    told = re.findall(r"`foundry\.(\w+)` \((\d+)\)", text("operations.md"))
    assert len(told) == 3
    assert {name: values[name] for name, _ in told} == {name: int(number) for name, number in told}


def test_the_federated_subject_is_the_charts_account(helm: Helm) -> None:
    account = only(helm.objects(OPERATOR_CHART), "ServiceAccount")["metadata"]
    assert f"system:serviceaccount:{account['namespace']}:{account['name']}" in text("install.md")


def test_the_permissions_that_are_told_are_all() -> None:
    rules = yaml.safe_load((OPERATOR_CHART / "rbac" / "rules.yaml").read_text(encoding="utf-8"))
    told = text("operations.md").partition("## Permissions")[2].partition("## Limits")[0]
    mine = [rule for name, section in rules.items() if name not in ("viewers", "editors") for rule in section]
    for verb in {verb for rule in mine for verb in rule["verbs"]}:
        assert re.search(rf"\b{verb}\b", told), verb
    kinds = {"purposedrivenagents": "agents", "agentruntimes": "AgentRuntimes"}
    kinds |= {"clusteragentruntimes": "ClusterAgentRuntimes"}
    kinds |= {"customresourcedefinitions": "CRDs", "namespaces": "namespace"}
    named = {part for rule in mine for resource in rule["resources"] for part in resource.split("/")}
    for kind in named:
        assert kinds.get(kind, kind) in told, json.dumps(kind)
