"""A survey as a person reads it, project by project, and as a machine does. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from AgentOperatingSystem.kube.migrating.survey import FOUNDRY, Finding
from AgentOperatingSystem.kube.planning.rendering import move_json, visible
from AgentOperatingSystem.model.facts import RETIREMENT, RuntimeType
from AgentOperatingSystem.runtime.config import RuntimeConfig

RETIRES = RETIREMENT[RuntimeType.FOUNDRY_CLASSIC]
NOTHING = "Nothing is on FoundryClassic."
_HEADS = ("agent", "messages", "vector stores, files", "cannot move", "afterwards removed")


def as_report(findings: Sequence[Finding]) -> RenderableType:
    """The whole survey for a person."""
    if not findings:
        return Text(NOTHING)
    parts: list[RenderableType] = []
    for alike in _grouped(findings):
        parts += [*_group(alike), Text("")]
    return Group(*parts, Text(summary(findings), "bold"))


def summary(findings: Sequence[Finding]) -> str:
    """`5 agents on FoundryClassic, which retires on ...; of 2 not everything can move.`"""
    partly = sum(bool(one.preview and one.preview.move and one.preview.move.lost) for one in findings)
    refused = sum(bool(one.preview and one.preview.refusal) for one in findings)
    unknown = sum(bool(one.problem) for one in findings)
    told = [
        f"{_agents(len(findings))} on FoundryClassic, which retires on {RETIRES}",
        *([f"of {partly} not everything can move"] if partly else []),
        *([f"{refused} would be refused"] if refused else []),
        *([f"{unknown} could not be looked at"] if unknown else []),
    ]
    return f"{'; '.join(told)}."


def as_json(findings: Sequence[Finding]) -> str:
    """The whole survey for a machine."""
    survey = {
        "retires": RETIRES,
        "agents": [_finding_json(finding) for finding in findings],
    }
    return json.dumps(survey, indent=2)


def edit(finding: Finding) -> str:
    """What to change in Git so that the operator moves the agent."""
    if finding.under_way:
        return f"none: {finding.target} is named already, and the operator moves the agent"
    if finding.target is not None:
        return f"spec.runtimeRef: {{kind: {finding.target.kind}, name: {finding.target.name}}}"
    if finding.runtime is None:
        return (
            "the operator's setting AOS_RUNTIME=Foundry (in its chart foundry.type: Foundry), for all at once"
        )
    return (
        f"no runtime of type Foundry for this project can be named: make one as {finding.runtime} is, with "
        "another name and type: Foundry, then name it in spec.runtimeRef"
    )


def _grouped(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Those of one project and one runtime together."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.project, _source(finding)), []).append(finding)
    return list(groups.values())


def _group(alike: Sequence[Finding]) -> Iterator[RenderableType]:
    first = alike[0]
    yield Text(visible(f"Project {first.project}, {_source(first)}: {_agents(len(alike))}"), "bold")
    table = Table(show_lines=True, expand=True)
    for head in _HEADS:
        table.add_column(head, overflow="fold")  # an id that is cut short is of no use
    for finding in alike:
        table.add_row(*(Text(visible(cell)) for cell in _row(finding)))
    yield table
    edits: dict[str, list[str]] = {}
    for finding in alike:
        edits.setdefault(edit(finding), []).append(str(finding.key))
    for words, keys in edits.items():
        yield Text(visible(f"Edit for {', '.join(keys)}:"))
        yield Text(visible(f"  {words}"))


def _row(finding: Finding) -> tuple[str, ...]:
    known = finding.preview
    lost = (
        [f"would be refused: {known.refusal.reason}: {known.refusal.message}"]
        if known and known.refusal
        else []
    )
    if finding.problem:
        lost.append(f"could not be looked at: {finding.problem}")
    if known is None or known.move is None:
        return str(finding.key), "", "", "\n".join([*lost, *(known.remarks if known else ())]), ""
    move = known.move
    references = [one.id if one.there else f"{one.id} (not found)" for one in move.references]
    gone = [one for one in (move.agent_id, move.thread_id) if one]
    return (
        str(finding.key),
        str(move.messages),
        "\n".join(references) or "none",
        "\n".join([*lost, *move.lost]) or "nothing",
        "\n".join(gone) or "nothing",
    )


def _finding_json(finding: Finding) -> dict[str, Any]:
    known = finding.preview
    refusal = known.refusal if known else None
    changed = [change.path for change in known.changes] if known else []
    return {
        "namespace": finding.key.namespace,
        "name": finding.key.name,
        "project": finding.project,
        "runtime": _source(finding),
        "underWay": finding.under_way,
        "edit": _edit_json(finding),
        "changes": changed,
        "move": move_json(known.move) if known and known.move else None,
        "remarks": list(known.remarks) if known else [],
        "refused": {"reason": refusal.reason.value, "message": refusal.message} if refusal else None,
        "problem": finding.problem or None,
    }


def _edit_json(finding: Finding) -> dict[str, Any] | None:
    """The edit as the fields to set; null where there is none to make, or a runtime has to be made first."""
    if finding.under_way:
        return None
    if finding.target is not None:
        return {"runtimeRef": {"kind": finding.target.kind.value, "name": finding.target.name}}
    if finding.runtime is None:
        return {"operator": {"AOS_RUNTIME": FOUNDRY.value}}
    return None


def _source(finding: Finding) -> str:
    return str(finding.runtime) if finding.runtime else RuntimeConfig().source


def _agents(count: int) -> str:
    return f"{count} agents" if count != 1 else "1 agent"
