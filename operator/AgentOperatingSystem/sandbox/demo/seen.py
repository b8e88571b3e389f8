"""What both sides say of an agent, and how an expectation that does not hold is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from AgentOperatingSystem.model.errors import AOSError


class ExpectationFailed(AOSError):
    """A step did not do what the demo says that it does."""

    def __init__(self, expected: str, seen: object) -> None:
        super().__init__(f"Expected: {expected}\nSeen: {seen}")


def expect(expected: str, *, seen: object, wanted: object) -> None:
    """Raises ExpectationFailed unless `seen` is `wanted`."""
    if seen != wanted:
        raise ExpectationFailed(f"{expected}: {wanted}", seen)


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """What the resource's status says, as kubectl shows it; a text that is not there is empty."""

    name: str
    ready: str
    reason: str
    message: str
    deployment: str
    version: str
    thread: str

    @classmethod
    def from_object(cls, resource: Mapping[str, Any]) -> Self:
        """The status of a `PurposeDrivenAgent` as JSON."""
        status = resource.get("status", {})
        conditions = {one["type"]: one for one in status.get("conditions", [])}
        ready = conditions.get("Ready", {})
        runtime = status.get("runtime", {})
        return cls(
            name=resource["metadata"]["name"],
            ready=ready.get("status", ""),
            reason=ready.get("reason", ""),
            message=ready.get("message", ""),
            deployment=runtime.get("deployment", ""),
            version=runtime.get("version", ""),
            thread=runtime.get("threadId", ""),
        )
