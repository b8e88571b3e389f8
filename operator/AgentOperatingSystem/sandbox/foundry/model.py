"""The model of the sandbox: deterministic, without any intelligence, and it says so.

Two conventions let a test or a demo drive the tool loop. In the newest user message
`call tool NAME {"json": ...}` makes the model call that function tool, when the agent has it, and quote the
output afterwards; several such phrases are parallel calls; what starts with `{` is passed on even when it
is not JSON, as a real model may produce. `keep calling tool NAME {...}` calls again after each output,
for ever.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from AgentOperatingSystem.sandbox.foundry.errors import Json

CALL = re.compile(
    r"\b(?P<again>keep calling|call) tool (?P<name>[A-Za-z0-9_.-]*[A-Za-z0-9_-])\s*", re.IGNORECASE
)


@dataclass(frozen=True)
class Say:
    """The model says something."""

    text: str


@dataclass(frozen=True)
class Call:
    """The model wants a function tool called; `arguments` is JSON text, or meant to be."""

    name: str
    arguments: str


@dataclass(frozen=True)
class Turn:
    """All that a model sees: `items` is the whole thread, oldest first, the new input included."""

    deployment: str
    instructions: str
    tools: tuple[Json, ...]
    items: tuple[Json, ...]
    agent: str | None = None
    version: int | None = None


class Model(Protocol):
    """Answers one turn. Raises ApiError when it cannot."""

    async def answer(self, turn: Turn) -> Sequence[Say | Call]:
        """What the model says or wants called, in order."""
        ...


class SandboxModel:
    """Deterministic from deployment, agent, input and number of turns."""

    async def answer(self, turn: Turn) -> Sequence[Say | Call]:
        """See the module's conventions."""
        asked = last_user_text(turn.items)
        calls = _calls(asked)
        outputs = _outputs_since_the_question(turn.items)
        known = {tool.get("name") for tool in turn.tools if tool.get("type") == "function"}
        wanted = [call for again, call in calls if call.name in known and (again or not outputs)]
        if wanted:
            return wanted
        missing = [call.name for _, call in calls if call.name not in known]
        return [Say(_speech(turn, asked, outputs, missing))]


def text_of(item: Json) -> str:
    """The text of a message item, whether its content is a text or a list of parts."""
    content = item.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def last_user_text(items: Sequence[Json]) -> str:
    """What was asked last; empty when nobody asked."""
    return next((text_of(item) for item in reversed(items) if is_question(item)), "")


def is_question(item: Json) -> bool:
    """Is it a message of the user?"""
    return item.get("type", "message") == "message" and item.get("role") == "user"


def _speech(turn: Turn, asked: str, outputs: Sequence[str], missing: Sequence[str]) -> str:
    number = sum(1 for item in turn.items if is_question(item))
    said = [f"[sandbox model {turn.deployment}, no AI] I am {_who(turn)}.", f'I was asked: "{asked}".']
    said += [f"The tool answered: {output}." for output in outputs]
    said += [f"I have no tool '{name}'." for name in missing]
    said.append(f"This is turn {number} of this thread.")
    return " ".join(said)


def _who(turn: Turn) -> str:
    if turn.agent is None:
        return "no agent, just the model"
    return f"agent '{turn.agent}'" + ("" if turn.version is None else f" version {turn.version}")


def _calls(asked: str) -> list[tuple[bool, Call]]:
    """Each phrase that asks for a call, and whether it is to be repeated."""
    found = list(CALL.finditer(asked))
    calls = []
    for place, match in enumerate(found):
        end = found[place + 1].start() if place + 1 < len(found) else len(asked)
        arguments = _arguments(asked[match.end() : end])
        calls.append((match["again"].lower() == "keep calling", Call(match["name"], arguments)))
    return calls


def _arguments(rest: str) -> str:
    if not rest.startswith("{"):
        return "{}"
    try:
        _, length = json.JSONDecoder().raw_decode(rest)
    except json.JSONDecodeError:
        return rest.strip()
    return rest[:length]


def _outputs_since_the_question(items: Sequence[Json]) -> list[str]:
    outputs: list[str] = []
    for item in items:
        if is_question(item):
            outputs = []
        elif item.get("type") == "function_call_output":
            output = item.get("output")
            outputs.append(output if isinstance(output, str) else json.dumps(output))
    return outputs
