"""A plan as a person reads it, line by line, and as a machine does. Pure.

What comes from the runtime or from a file is shown so that it cannot speak to the terminal or hide: every
character that does not print is written as its code.
"""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from AgentOperatingSystem.kube.planning.problems import Problem
from AgentOperatingSystem.model.facts import RuntimeFacts
from AgentOperatingSystem.model.plan import Step
from AgentOperatingSystem.reconcile.preview import NOTHING, REFUSE, Change, Preview

_CONTEXT = 3
# The summary's words, in its order; those in _ALWAYS are told even when there is none.
_COUNTED = {
    Step.CREATE.value: "to create",
    Step.UPDATE.value: "to update",
    Step.ADOPT.value: "to adopt",
    Step.ENABLE.value: "to enable",
    Step.DISABLE.value: "to disable",
    REFUSE: "to refuse",
    NOTHING: "unchanged",
}
_ALWAYS = frozenset({Step.CREATE.value, Step.UPDATE.value, REFUSE, NOTHING})
_STYLES = {REFUSE: "bold red", NOTHING: "dim", Step.CREATE.value: "bold green"}
_ADDED, _REMOVED, _HUNK = "green", "red", "cyan"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text and its style, in rich's words; empty for plain."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Drafted:
    """One resource's preview and the file that asks for it."""

    file: str
    preview: Preview


def as_lines(facts: RuntimeFacts, drafts: Sequence[Drafted]) -> Iterator[Line]:
    """The whole plan for a person."""
    yield Line(
        f"Project {facts.endpoint}, cluster {visible(facts.cluster_id)}, base model {facts.base_model}"
    )
    for drafted in drafts:
        yield Line("")
        yield from _lines(drafted)
    yield Line("")
    yield Line(summary(drafts), "bold")


def summary(drafts: Sequence[Drafted]) -> str:
    """`Plan: 1 to create, 2 to update, 0 to refuse, 5 unchanged.`"""
    counts = counted(drafts)
    parts = [f"{counts[word]} {told}" for word, told in _COUNTED.items() if counts[word] or word in _ALWAYS]
    return f"Plan: {', '.join(parts)}."


def counted(drafts: Sequence[Drafted]) -> Counter[str]:
    """How many resources there are for each first action."""
    return Counter(drafted.preview.actions[0] for drafted in drafts)


def as_json(facts: RuntimeFacts | None, drafts: Sequence[Drafted], problems: Sequence[Problem]) -> str:
    """The whole plan for a machine; with problems nothing was planned."""
    counts = counted(drafts)
    plan = {
        "project": facts.endpoint if facts else None,
        "cluster": facts.cluster_id if facts else None,
        "baseModel": facts.base_model if facts else None,
        "resources": [_resource(drafted) for drafted in drafts],
        "errors": [
            {"file": one.file, "resource": one.resource, "field": one.field, "message": one.message}
            for one in problems
        ],
        "summary": {(word if word != NOTHING else "Unchanged").lower(): counts[word] for word in _COUNTED},
    }
    return json.dumps(plan, indent=2)


def visible(text: str) -> str:
    """The text on one line or more, with what does not print written as its code."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text
    )


def _resource(drafted: Drafted) -> dict[str, Any]:
    known = drafted.preview
    refused = known.refusal
    return {
        "file": drafted.file,
        "namespace": known.key.namespace,
        "name": known.key.name,
        "agent": known.agent,
        "version": known.version,
        "actions": list(known.actions),
        "changes": [{"path": one.path, "before": one.before, "after": one.after} for one in known.changes],
        "remarks": list(known.remarks),
        "refused": {"reason": refused.reason.value, "message": refused.message} if refused else None,
    }


def _lines(drafted: Drafted) -> Iterator[Line]:
    known = drafted.preview
    version = f", version {known.version}" if known.version else ""
    head = f"{', '.join(known.actions)} {known.agent}  ({known.key}{version}, from {drafted.file})"
    yield Line(visible(head), _STYLES.get(known.actions[0], "bold yellow"))
    if known.refusal is not None:
        yield Line(visible(f"  {known.refusal.reason}: {known.refusal.message}"), _REMOVED)
    yield from (Line(visible(f"  {remark}")) for remark in known.remarks)
    for change in known.changes:
        yield from _changed(change)


def _changed(change: Change) -> Iterator[Line]:
    path = visible(change.path)
    if change.path != "instructions" and not change.path.startswith("tools."):
        before, after = (_scalar(change, value) for value in (change.before, change.after))
        yield Line(f"  {path}: {after}" if change.before is None else f"  {path}: {before} -> {after}")
        return
    if change.before is None:
        yield Line(f"  {path}: added")
    else:
        yield Line(f"  {path}: {'removed' if change.after is None else 'changed'}")
    yield from _diff(_text(change.before), _text(change.after))


def _scalar(change: Change, value: Any) -> str:
    if value is None:
        return "(none)"
    text = visible(str(value)).replace("\n", "\\n")
    return f'"{text}"' if change.path.startswith("metadata.") else text


def _text(value: Any) -> list[str]:
    """A text's lines, or those of a value's JSON; only a line feed ends one, so that a stray CR is seen."""
    if value is None:
        return []
    text = (
        value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    )
    return text.split("\n")


def _diff(before: list[str], after: list[str]) -> Iterator[Line]:
    """A unified diff, without file names, and without place marks where there is only one side."""
    styles = {"+": _ADDED, "-": _REMOVED, "@": _HUNK}
    diff = list(difflib.unified_diff(before, after, lineterm="", n=_CONTEXT))[2:]
    for line in diff:
        if line.startswith("@@") and not (before and after):
            continue
        # Space at a line's end may be the very change; that of an empty line of context is no one's.
        yield Line("" if line == " " else visible(f"    {line}"), styles.get(line[0], ""))
