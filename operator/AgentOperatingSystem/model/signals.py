"""What the parts tell about themselves while they work, and who listens.

This is how telemetry learns anything, so that those who tell need not know it. A signal holds names, codes
and times, never a text that somebody wrote: what is told here ends in metrics and traces. Listeners are
called at once, in the task that tells, and must neither block nor raise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class PassKind(StrEnum):
    """What a pass is for: to make the agent as the resource asks, or to end the resource's hold on it."""

    RECONCILE = "reconcile"
    FINALIZE = "finalize"


class PassResult(StrEnum):
    """How a pass ended."""

    SETTLED = "settled"  # nothing to do before the next interval; what is wrong, if anything, needs a person
    AGAIN = "again"  # to be run again soon: a passing failure, or something still on its way
    SKIPPED = "skipped"  # nothing new was asked for, so the runtime was not looked at
    FINALIZED = "finalized"  # the resource may go
    CONFLICT = "conflict"  # somebody wrote the resource meanwhile
    CLUSTER_FAILURE = "cluster_failure"  # the API server refused or was not there
    CRASHED = "crashed"  # an error that nobody foresaw, or the operator's own end


@dataclass(frozen=True, slots=True)
class PassBegan:
    """A pass over an object begins; `id` is random and short, and stands in every log line of the pass."""

    id: str
    kind: PassKind
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class PassEnded:
    """The pass with that id ended after so many seconds."""

    id: str
    result: PassResult
    seconds: float


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call to Kubernetes or to a runtime ended, well or with `error`.

    `name` is `cluster.<operation>` or `runtime.<operation>`; `started_at` is in nanoseconds since 1970;
    `server` is the host that was called, or empty when the caller did not say.
    """

    name: str
    started_at: int
    seconds: float
    error: BaseException | None = None
    server: str = ""

    @property
    def code(self) -> str:
        """`ok`, the HTTP status of a refusal, or the error's class when no answer came."""
        if self.error is None:
            return "ok"
        for attribute in ("status_code", "status"):  # of Azure and OpenAI; of Kubernetes
            status = getattr(self.error, attribute, None)
            if isinstance(status, int) and status:
                return str(status)
        return type(self.error).__name__


@dataclass(frozen=True, slots=True)
class DriftFound:
    """`count` differences between an agent and an unchanged resource were found, and not known before."""

    count: int


@dataclass(frozen=True, slots=True)
class ReadySeen:
    """The resource with that uid says so under Ready: `True`, `False` or `Unknown`."""

    uid: str
    ready: str


@dataclass(frozen=True, slots=True)
class ResourceGone:
    """The resource with that uid is no longer there."""

    uid: str


Signal = PassBegan | PassEnded | CallEnded | DriftFound | ReadySeen | ResourceGone
Listener = Callable[[Signal], None]

_listeners: list[Listener] = []


def listen(listener: Listener) -> Callable[[], None]:
    """Have `listener(signal)` called for every signal; returns the function that ends that."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def tell(signal: Signal) -> None:
    """Pass `signal` to all who listen; costs nothing when nobody does."""
    for listener in _listeners:
        listener(signal)


def drift_found(count: int) -> None:
    """Tell of drift: once when it is found, not at every later look at what is only reported."""
    tell(DriftFound(count))
