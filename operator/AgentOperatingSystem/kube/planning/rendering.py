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
from AgentOperatingSystem.reconcile.preview import MIGRATE, NOTHING, REFUSE, Change, Move, Preview
from AgentOperatingSystem.runtime.config import RuntimeConfig

_CONTEXT = 3
# The summary's words, in its order; those in _ALWAYS are told even when there is none.
_COUNTED = {
    Step.CREATE.value: "to create",
    Step.UPDATE.value: "to update",
    Step.ADOPT.value: "to adopt",
    Step.ENABLE.value: "to enable",
    Step.DISABLE.value: "to disable",
    MIGRATE: "to migrate",
    REFUSE: "to refuse",
    NOTHING: "unchanged",
}
_ALWAYS = frozenset({Step.CREATE.value, Step.UPDATE.value, REFUSE, NOTHING})
_STYLES = {REFUSE: "bold red", NOTHING: "dim", Step.CREATE.value: "bold green"}
_ADDED, _REMOVED, _HUNK = "green", "red", "cyan"
_ENVIRONMENT = RuntimeConfig().source


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


def as_lines(drafts: Sequence[Drafted]) -> Iterator[Line]:
    """The whole plan for a person, headed by a line for each runtime that was looked at."""
    looked_at = runtimes(drafts)
    several = len(looked_at) > 1
    for facts in looked_at:
        yield Line(_header(facts, several=several))
    for drafted in drafts:
        yield Line("")
        yield from _lines(drafted, several=several)
    yield Line("")
    yield Line(summary(drafts), "bold")


def runtimes(drafts: Sequence[Drafted]) -> list[RuntimeFacts]:
    """The runtimes that were looked at, each once."""
    return list(dict.fromkeys(one.preview.facts for one in drafts if one.preview.facts is not None))


def _header(facts: RuntimeFacts, *, several: bool) -> str:
    whose = f", {visible(facts.source)}" if several or facts.source != _ENVIRONMENT else ""
    classic = f", {facts.type}" if facts.ids_are_given else ""
    cluster = f"cluster {visible(facts.cluster_id)}"
    return f"Project {facts.endpoint}{whose}{classic}, {cluster}, base model {facts.base_model}"


def summary(drafts: Sequence[Drafted]) -> str:
    """`Plan: 1 to create, 2 to update, 0 to refuse, 5 unchanged.`"""
    counts = counted(drafts)
    parts = [f"{counts[word]} {told}" for word, told in _COUNTED.items() if counts[word] or word in _ALWAYS]
    return f"Plan: {', '.join(parts)}."


def counted(drafts: Sequence[Drafted]) -> Counter[str]:
    """How many resources there are for each first action."""
    return Counter(drafted.preview.actions[0] for drafted in drafts)


def as_json(drafts: Sequence[Drafted], problems: Sequence[Problem]) -> str:
    """The whole plan for a machine; with problems nothing was planned.

    `project` and `baseModel` are those of the only runtime, null when there are several.
    """
    counts = counted(drafts)
    looked_at = runtimes(drafts)
    only = looked_at[0] if len(looked_at) == 1 else None
    plan = {
        "project": only.endpoint if only else None,
        "cluster": looked_at[0].cluster_id if looked_at else None,
        "baseModel": only.base_model if only else None,
        "runtimes": [_runtime(facts) for facts in looked_at],
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
        "runtime": known.facts.source if known.facts else None,
        "version": known.version,
        "actions": list(known.actions),
        "changes": [{"path": one.path, "before": one.before, "after": one.after} for one in known.changes],
        "remarks": list(known.remarks),
        "move": move_json(known.move) if known.move else None,
        "refused": {"reason": refused.reason.value, "message": refused.message} if refused else None,
    }


def _runtime(facts: RuntimeFacts) -> dict[str, str]:
    return {
        "source": facts.source,
        "type": facts.type.value,
        "project": facts.endpoint,
        "baseModel": facts.base_model,
    }


def move_json(move: Move) -> dict[str, Any]:
    """A move for a machine."""
    return {
        "retires": move.retires,
        "messages": move.messages,
        "references": [{"what": one.what, "id": one.id, "there": one.there} for one in move.references],
        "lost": list(move.lost),
        "removed": {"agent": move.agent_id or None, "thread": move.thread_id or None},
    }


def _lines(drafted: Drafted, *, several: bool) -> Iterator[Line]:
    known = drafted.preview
    version = f", version {known.version}" if known.version else ""
    where = f", on {known.facts.source}" if several and known.facts else ""
    head = f"{', '.join(known.actions)} {known.agent}  ({known.key}{version}{where}, from {drafted.file})"
    yield Line(visible(head), _STYLES.get(known.actions[0], "bold yellow"))
    if known.refusal is not None:
        yield Line(visible(f"  {known.refusal.reason}: {known.refusal.message}"), _REMOVED)
    yield from (Line(visible(f"  {remark}")) for remark in known.remarks)
    if known.move is not None:
        yield from _moved(known.move, changed=bool(known.changes))
    for change in known.changes:
        yield from _changed(change)


def _moved(move: Move, *, changed: bool) -> Iterator[Line]:
    yield Line(f"  from FoundryClassic, which retires on {move.retires}, to Foundry in the same project")
    yield Line(f"  definition: {'changed, as below' if changed else 'carried over as it is'}")
    thread = f" of thread {move.thread_id}" if move.thread_id else ""
    yield Line(visible(f"  messages: {move.messages}{thread}"))
    for one in move.references:
        there = "found" if one.there else "not found"
        yield Line(visible(f"  {one.what} {one.id}: {there} in the project"), "" if one.there else _REMOVED)
    yield from (Line(visible(f"  cannot move: {lost}"), _REMOVED) for lost in move.lost)
    yield Line(visible(f"  afterwards removed: {removed(move)}"))


def removed(move: Move) -> str:
    """What is removed of the classic generation once the move is done."""
    gone = [f"classic agent {move.agent_id}"] * bool(move.agent_id)
    gone += [f"thread {move.thread_id}"] * bool(move.thread_id)
    return ", ".join(gone) or "nothing, for nothing is there"


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
