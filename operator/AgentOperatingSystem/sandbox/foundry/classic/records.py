"""What the classic generation holds, as frozen records; the control client gives the same ones to a test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from AgentOperatingSystem.sandbox.foundry.errors import Json

RunStatus = Literal[
    "queued",
    "in_progress",
    "requires_action",
    "cancelling",
    "cancelled",
    "failed",
    "completed",
    "expired",
]
StepStatus = Literal["in_progress", "completed", "cancelled", "failed", "expired"]
ENDED: tuple[RunStatus, ...] = ("cancelled", "failed", "completed", "expired")


@dataclass(frozen=True)
class Assistant:
    """An agent of the classic generation: found by its id only, its name need not be unique."""

    id: str
    created_at: float
    model: str
    name: str | None = None
    description: str | None = None
    instructions: str | None = None
    tools: tuple[Json, ...] = ()
    tool_resources: Json = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    temperature: float = 1.0
    top_p: float = 1.0
    response_format: str | Json = "auto"

    @classmethod
    def from_json(cls, data: Json) -> Assistant:
        """The inverse of `dataclasses.asdict`."""
        return cls(**{**data, "tools": tuple(data["tools"])})


@dataclass(frozen=True)
class ClassicMessage:
    """A message of a thread; `content` is the list of parts as it goes over the wire."""

    id: str
    thread_id: str
    created_at: float
    role: str
    content: tuple[Json, ...]
    attachments: tuple[Json, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    assistant_id: str | None = None
    run_id: str | None = None

    @property
    def text(self) -> str:
        """The text parts, put together."""
        return "".join(part["text"]["value"] for part in self.content if part.get("type") == "text")

    @classmethod
    def from_json(cls, data: Json) -> ClassicMessage:
        """The inverse of `dataclasses.asdict`."""
        parts = {key: tuple(data[key]) for key in ("content", "attachments")}
        return cls(**{**data, **parts})


@dataclass(frozen=True)
class ClassicThread:
    """A thread with its messages, oldest first."""

    id: str
    created_at: float
    tool_resources: Json = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    messages: tuple[ClassicMessage, ...] = ()

    @classmethod
    def from_json(cls, data: Json) -> ClassicThread:
        """The inverse of `dataclasses.asdict`."""
        messages = tuple(ClassicMessage.from_json(message) for message in data["messages"])
        return cls(**{**data, "messages": messages})


@dataclass(frozen=True)
class RunStep:
    """One step of a run: the calls it wanted, or the message it wrote; `details` as on the wire."""

    id: str
    created_at: float
    status: StepStatus
    details: Json
    ended_at: float | None = None


@dataclass(frozen=True)
class ClassicRun:
    """One run of an assistant on a thread.

    `items` are the calls and outputs so far, in the form that the model takes; `polls` counts how often
    it was looked at while in progress.
    """

    id: str
    thread_id: str
    assistant_id: str
    created_at: float
    expires_at: float
    status: RunStatus
    model: str
    instructions: str
    assistant_name: str | None = None
    tools: tuple[Json, ...] = ()
    tool_resources: Json = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    settings: Json = field(default_factory=dict)
    items: tuple[Json, ...] = ()
    steps: tuple[RunStep, ...] = ()
    pending: tuple[Json, ...] = ()
    polls: int = 0
    started_at: float | None = None
    ended_at: float | None = None
    usage: Json | None = None
    error: Json | None = None

    @property
    def active(self) -> bool:
        """Does it still hold its thread?"""
        return self.status not in ENDED

    @classmethod
    def from_json(cls, data: Json) -> ClassicRun:
        """The inverse of `dataclasses.asdict`."""
        plain = {key: tuple(data[key]) for key in ("tools", "items", "pending")}
        steps = tuple(RunStep(**step) for step in data["steps"])
        return cls(**{**data, **plain, "steps": steps})
