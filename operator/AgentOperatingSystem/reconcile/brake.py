"""Slow down when many agents would be deleted at once: it may be a mistake, and a mistake needs time.

A namespace deleted by accident, or a Git folder emptied by a bad merge, takes its resources with it at
once. Their agents follow no faster than a person can notice.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

from AgentOperatingSystem.model.errors import DeletionSlowed

WINDOW = timedelta(minutes=1)


class DeletionBrake:
    """Lets `per_minute` agents be deleted in any minute; the tries for one of them count once."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._recent: deque[tuple[datetime, str]] = deque()

    def take(self, now: datetime, uid: str) -> None:
        """Count the deletion for the resource `uid`.

        Raises DeletionSlowed, with the seconds to wait, when there were too many.
        """
        while self._recent and now - self._recent[0][0] >= WINDOW:
            self._recent.popleft()
        if any(uid == counted for _, counted in self._recent):
            return
        if len(self._recent) >= self._per_minute:
            wait = (self._recent[0][0] + WINDOW - now).total_seconds()
            raise DeletionSlowed(
                f"More than {self._per_minute} agents would be deleted within a minute, so this one waits "
                "its turn; if that is too slow, raise AOS_MAX_DELETES_PER_MINUTE.",
                retry_after=wait,
            )
        self._recent.append((now, uid))
