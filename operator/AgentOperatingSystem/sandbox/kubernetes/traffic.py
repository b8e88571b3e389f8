"""The record of what was asked and the faults that tests plant: shared by the server's thread and theirs."""

from __future__ import annotations

import re
import threading
from collections import deque
from dataclasses import dataclass, replace

from aiohttp import web

from .errors import ApiError

RECORD_LENGTH = 100_000
_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclass(frozen=True)
class RequestRecord:
    """One request that was answered; a watch is recorded when it starts."""

    method: str
    path: str
    query: dict[str, str]
    user_agent: str
    status: int


@dataclass(frozen=True)
class _Fault:
    method: str
    path: re.Pattern[str]
    status: int
    times: int


class Traffic:
    """The latest requests (100,000 at most), and the planted faults."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: deque[RequestRecord] = deque(maxlen=RECORD_LENGTH)
        self._faults: list[_Fault] = []

    def snapshot(self) -> tuple[RequestRecord, ...]:
        """What was asked so far, oldest first."""
        with self._lock:
            return tuple(self._records)

    def clear(self) -> None:
        """Forget what was asked."""
        with self._lock:
            self._records.clear()

    def fail_next(self, method: str, path_regex: str, status: int, times: int) -> None:
        """Answer the next matching requests with an error; method `*` matches all."""
        with self._lock:
            self._faults.append(_Fault(method.upper(), re.compile(path_regex), status, times))

    def record(self, request: web.Request, status: int) -> None:
        """Note one answered request."""
        agent = request.headers.get("User-Agent", "")
        entry = RequestRecord(request.method, request.path, dict(request.query), agent, status)
        with self._lock:
            self._records.append(entry)

    def fault_for(self, method: str, path: str) -> ApiError | None:
        """The planted error for a request, used up by one; None when there is none."""
        with self._lock:
            for index, fault in enumerate(self._faults):
                if fault.method in {"*", method} and fault.path.search(path):
                    self._faults[index : index + 1] = (
                        [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                    )
                    reason = _REASONS.get(fault.status, "InternalError")
                    return ApiError(fault.status, reason, f"a planted fault: {fault.status} {reason}")
        return None
