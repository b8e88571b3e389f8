"""Our own notes on an object, which the watch brings back as if they were news.

A pass notes on the resource where its agent will be, and goes on; the event of that note arrives before the
status does, so that it looks like a resource that nobody has handled. Who knows it by its version need not
read the resource to find out. A version is never guessed at: one that we did not write is news.
"""

from __future__ import annotations

from AgentOperatingSystem.reconcile.resource import Resource

# A pass writes one or two notes; more are kept only if the watch is late.
KEPT = 4


class Echoes:
    """The versions that our notes made and that the watch has yet to bring, by the object's uid."""

    def __init__(self) -> None:
        self._versions: dict[str, tuple[str, ...]] = {}

    def wrote(self, noted: Resource) -> None:
        """The API server answered our note with `noted`, from which the pass went on."""
        self._versions[noted.uid] = (*self._versions.get(noted.uid, ()), noted.resource_version)[-KEPT:]

    def heard(self, uid: str, version: str) -> bool:
        """True for an event that shows nothing but our own note, each of which comes once."""
        versions = self._versions.get(uid, ())
        if version not in versions:
            return False
        # Versions come in the order in which they were written.
        if rest := versions[versions.index(version) + 1 :]:
            self._versions[uid] = rest
        else:
            del self._versions[uid]
        return True

    def gone(self, uid: str) -> None:
        """The object is no more."""
        self._versions.pop(uid, None)
