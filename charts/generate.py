"""Writes what the charts repeat: the copy of the CRDs, the schema of an agent's values, the READMEs.

Run by `make generate`. The sources are crds/ (itself from the models) and each chart's values.yaml.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHARTS = Path(__file__).resolve().parent
CRDS = CHARTS.parent / "crds"
AGENTS_CRD = "agentoperatingsystem.io_purposedrivenagents.yaml"
RUNTIMES_CRD = "agentoperatingsystem.io_agentruntimes.yaml"

_KEY = re.compile(r"^( *)([A-Za-z][A-Za-z0-9]*):(.*)$")
_DESCRIPTION = re.compile(r"^ *# -- (.*)$")
_MORE = re.compile(r"^ *# (.*)$")
_MATCHES = re.compile(r"^self\.matches\('(.*)'\)$")

Json = dict[str, Any]


def generated() -> dict[Path, str]:
    """Every generated file of the charts, with its text."""
    files = {
        CHARTS / "aos-operator" / "files" / "crds" / path.name: path.read_text(encoding="utf-8")
        for path in sorted(CRDS.glob("*.yaml"))
    }
    files[CHARTS / "aos-agents" / "values.schema.json"] = json.dumps(agents_schema(), indent=2) + "\n"
    for chart in ("aos-operator", "aos-agents"):
        files[CHARTS / chart / "README.md"] = readme(CHARTS / chart)
    return files


def agents_schema() -> Json:
    """The schema of aos-agents' values: agents and runtimes are checked before the API server sees them."""
    spec, runtime = spec_of(AGENTS_CRD), spec_of(RUNTIMES_CRD)
    texts = {"type": "object", "additionalProperties": {"type": "string"}}
    return {
        "$schema": "https://json-schema.org/draft-07/schema#",
        "title": "Values of aos-agents",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "global": {"type": "object", "description": "What Helm gives to a subchart; unused."},
            "agents": {
                "type": "object",
                "propertyNames": {"pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "maxLength": 63},
                "additionalProperties": {"$ref": "#/definitions/agent"},
            },
            "runtimes": {
                "type": "object",
                "propertyNames": {"pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "maxLength": 63},
                "additionalProperties": {"$ref": "#/definitions/runtime"},
            },
            "defaults": {**spec, "required": []},
            "keep": {"type": "boolean"},
            "commonLabels": texts,
            "commonAnnotations": texts,
        },
        "definitions": {"agent": spec, "runtime": runtime},
    }


def spec_of(crd: str) -> Json:
    """The schema of a kind's spec, from the file of its CRD."""
    found = yaml.safe_load((CRDS / crd).read_text(encoding="utf-8"))
    return closed(found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"])


def closed(node: Json) -> Json:
    """A structural schema as a JSON schema that lets no unknown field through."""
    result = {key: value for key, value in node.items() if not key.startswith("x-kubernetes-")}
    for rule in node.get("x-kubernetes-validations", []):
        if found := _MATCHES.match(rule["rule"]):
            result["pattern"] = found[1].replace("\\\\", "\\")
    if result.get("format") in ("int32", "int64"):
        del result["format"]
    if "properties" in node:
        result["properties"] = {name: closed(child) for name, child in node["properties"].items()}
        result["additionalProperties"] = bool(node.get("x-kubernetes-preserve-unknown-fields"))
    for part in ("items", "additionalProperties"):
        if isinstance(node.get(part), dict):
            result[part] = closed(node[part])
    return result


def readme(chart: Path) -> str:
    """The chart's README: what it is, and its values as a table."""
    about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    text = (chart / "values.yaml").read_text(encoding="utf-8")
    rows = [f"| `{name}` | `{default}` | {told} |" for name, default, told in documented(text)]
    lines = [
        "<!-- Generated from Chart.yaml and values.yaml by `make generate`. Do not edit. -->",
        f"# {about['name']}",
        "",
        about["description"],
        f"Kubernetes {about['kubeVersion'].removesuffix('-0')}. How to install it: `docs/install.md`.",
        "",
        "| value | default | what it does |",
        "|---|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def documented(text: str) -> Iterator[tuple[str, str, str]]:
    """Each value of a values.yaml that has a `# -- ` comment: its path, its default, the comment."""
    values = yaml.safe_load(text)
    path: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        if found := _DESCRIPTION.match(line):
            comment = [found[1]]
        elif comment and (found := _MORE.match(line)):
            comment.append(found[1])
        elif found := _KEY.match(line):
            indent = len(found[1])
            path = [step for step in path if step[0] < indent] + [(indent, found[2])]
            if comment:
                names = [name for _, name in path]
                yield ".".join(names), json.dumps(_at(values, names)), " ".join(comment).replace("|", "\\|")
            comment = []
        else:
            comment = []


def _at(values: Json, names: list[str]) -> Any:
    found: Any = values
    for name in names:
        found = found[name]
    return found


def main() -> int:
    """Write every generated file."""
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
