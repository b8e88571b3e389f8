"""Faults: what goes wrong, when and how often. Decides; the gate carries it out.

Why `lost` is a field of its own: the answer that is lost **after** the effect took place is the failure
that makes a careless client create things twice, so it must be easy to ask for.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass

from AgentOperatingSystem.sandbox.foundry.errors import Json

THROTTLE_WINDOW_SECONDS = 1.0
TEMPORARY_REDIRECT = 307


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong. Without `status`, `drop`, `lost` or a rate, it only delays.

    `operation`: a glob on the operation's name (`create_version`, `*_version`), or, with a space or a slash
    in it, a regular expression searched in `METHOD /path`. `project`: a glob on the project's name.
    `status`: answered instead of doing anything; with `lost`, answered after it was done.
    `drop`: the connection is aborted before anything is done. `lost`: it was done, but the answer never
    comes: the connection is aborted, or `status` is answered. `delay`, `delay_after`: seconds to wait before
    and after the effect, which takes place even when the client has given up. `retry_after`: seconds, for
    the header. `location`: the header of a redirect; the status is then 307 unless given.
    `per_second`: strikes only requests above this rate; the status is then 429 unless given.
    `times`: strikes that often, None for ever. `skip`: lets that many matching requests pass first.
    `probability` in 0..1 is decided by `seed` and the request's number, the same in every run.
    """

    operation: str = "*"
    project: str = "*"
    status: int | None = None
    drop: bool = False
    lost: bool = False
    delay: float = 0.0
    delay_after: float = 0.0
    retry_after: float | None = None
    location: str | None = None
    per_second: float | None = None
    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    seed: int = 0
    code: str = "injected"
    message: str = "injected by the sandbox"
    name: str = ""

    def __post_init__(self) -> None:
        if self.per_second is not None and self.status is None:
            object.__setattr__(self, "status", 429)
        if self.location is not None and self.status is None:
            object.__setattr__(self, "status", TEMPORARY_REDIRECT)
        if self.drop and (self.lost or self.status is not None):
            raise ValueError(
                "drop goes with neither lost nor status: the connection is aborted before the effect"
            )

        if self._goes_by_path:
            try:
                re.compile(self.operation)
            except re.error as error:
                raise ValueError(f"'{self.operation}' is no regular expression: {error}") from error

    @property
    def _goes_by_path(self) -> bool:
        return " " in self.operation or "/" in self.operation

    @property
    def label(self) -> str:
        """What the request record says: the name, else the kind."""
        if self.name:
            return self.name
        kinds = ["throttle"] if self.per_second is not None else []
        kinds += [word for word in ("drop", "lost") if getattr(self, word)]
        kinds += [str(self.status)] if self.status is not None and kinds[:1] != ["throttle"] else []
        kinds += ["delay"] if self.delay or self.delay_after else []
        return "+".join(kinds) or "nothing"

    def matches(self, method: str, path: str, operation: str, project: str) -> bool:
        """Is the request one of those this fault is about?"""
        if not fnmatch.fnmatchcase(project, self.project):
            return False
        if self._goes_by_path:
            return re.search(self.operation, f"{method} {path}") is not None
        return fnmatch.fnmatchcase(operation, self.operation)


class _Armed:
    """A fault on the board with what it has seen so far."""

    def __init__(self, fault_id: str, fault: Fault) -> None:
        self.id = fault_id
        self.fault = fault
        self.seen = 0
        self.struck = 0
        self._recent: deque[float] = deque()

    def strikes(self, now: float) -> bool:
        """Count a matching request and decide; purely from the fault, the count and the time."""
        self.seen += 1
        fault = self.fault
        if self.seen <= fault.skip or self.spent:
            return False
        if fault.per_second is not None and not self._above_rate(now, fault.per_second):
            return False
        if not _lot(fault.seed, self.seen) < fault.probability:
            return False
        self.struck += 1
        return True

    @property
    def spent(self) -> bool:
        """Has it struck as often as it was to?"""
        return self.fault.times is not None and self.struck >= self.fault.times

    def _above_rate(self, now: float, per_second: float) -> bool:
        while self._recent and now - self._recent[0] >= THROTTLE_WINDOW_SECONDS:
            self._recent.popleft()
        if len(self._recent) >= per_second * THROTTLE_WINDOW_SECONDS:
            return True
        self._recent.append(now)
        return False


class FaultBoard:
    """The faults that are armed, in the order in which they were added: the first that strikes counts."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._armed: dict[str, _Armed] = {}
        self._last = 0

    def add(self, fault: Fault) -> str:
        """Arms a fault; answers the id to remove it by."""
        self._last += 1
        fault_id = f"fault-{self._last}"
        self._armed[fault_id] = _Armed(fault_id, fault)
        return fault_id

    def remove(self, fault_id: str) -> bool:
        """Disarms a fault; False when there is none by that id."""
        return self._armed.pop(fault_id, None) is not None

    def clear(self) -> None:
        """Disarms all."""
        self._armed.clear()

    def listing(self) -> list[Json]:
        """Each armed fault with its id and how often it has struck."""
        return [{"id": one.id, "struck": one.struck, **asdict(one.fault)} for one in self._armed.values()]

    def strike(self, method: str, path: str, operation: str, project: str) -> Fault | None:
        """The fault that befalls this request, if any."""
        for armed in self._armed.values():
            if armed.fault.matches(method, path, operation, project) and armed.strikes(self._clock()):
                return armed.fault
        return None


def _lot(seed: int, number: int) -> float:
    """A number in 0..1 that depends on nothing but its arguments."""
    digest = hashlib.sha256(f"{seed}:{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
