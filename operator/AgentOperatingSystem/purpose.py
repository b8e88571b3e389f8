"""Compile a purpose into the instructions an agent runs with.

One compiler for both worlds: the operator puts its text into the runtime's definition, and the class
`PurposeDrivenAgent` runs with the same text locally. Pure: it knows neither Kubernetes nor a runtime.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Purpose:
    """What an agent is for, in its owner's words. `agent_id` and `purpose` are never blank."""

    agent_id: str
    purpose: str
    purpose_scope: str = ""
    success_criteria: Sequence[str] = field(default=())
    system_message: str = ""


def compile_instructions(purpose: Purpose) -> str:
    """The instructions for `purpose`: paragraphs of plain text, the same bytes for the same input.

    The system message comes first, since it says who the agent is; without one the agent id does.
    """
    role = purpose.system_message.strip() or f"You are the agent {purpose.agent_id}."
    paragraphs = [role, f"Your purpose: {purpose.purpose.strip()}"]
    if scope := purpose.purpose_scope.strip():
        paragraphs.append(f"Your scope: {scope}\nLeave what lies outside it to others, and say so.")
    criteria = [criterion.strip() for criterion in purpose.success_criteria if criterion.strip()]
    if criteria:
        paragraphs.append("\n".join(["You succeed when you:", *(f"- {criterion}" for criterion in criteria)]))
    paragraphs.append("Judge every event and every question by how it serves this purpose.")
    return "\n\n".join(paragraphs)
