"""The objects, their resourceVersions and the bounded log of what changed: etcd's part of the API server.

One counter numbers every write, so a resourceVersion orders all objects of all kinds. Stored objects are
never changed in place: a write replaces the whole object, so readers, the log and watches may share it.
Everything here runs in the server's event loop and needs no locks.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]
Key = tuple[str, str]
Name = tuple[str, str]

LOG_LENGTH = 20_000
# Not 1: to a client that asks for the changes since then, a real server with a past says that they are gone.
FIRST_VERSION = 100


@dataclass(frozen=True)
class Change:
    """One write: the object after it, and before it (None when it was created)."""

    version: int
    key: Key
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Json
    previous: Json | None


def clone(value: Any) -> Any:
    """A deep copy of a JSON value; several times faster than `copy.deepcopy`."""
    if isinstance(value, dict):
        return {key: clone(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clone(item) for item in value]
    return value


def name_of(item: Json) -> Name:
    """An object's namespace (empty when it has none) and name."""
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def uid_of(item: Json) -> str:
    """An object's uid."""
    return str(item["metadata"]["uid"])


def owner_uids(item: Json) -> set[str]:
    """The uids of the owners that an object names."""
    return {str(owner.get("uid", "")) for owner in item["metadata"].get("ownerReferences") or []}


class Store:
    """All objects by kind, namespace and name; every write goes through `put` or `remove`."""

    def __init__(self, log_length: int = LOG_LENGTH) -> None:
        self._objects: dict[Key, dict[Name, Json]] = {}
        self._log: deque[Change] = deque()
        self._log_length = log_length
        self._watchers: dict[Key, set[asyncio.Queue[Change]]] = {}
        self._uids: dict[str, tuple[Key, Name]] = {}
        self._dependents: dict[str, set[tuple[Key, Name]]] = {}
        self.version = FIRST_VERSION
        self.oldest = FIRST_VERSION

    def get(self, key: Key, namespace: str, name: str) -> Json | None:
        """One object, or None."""
        return self._objects.get(key, {}).get((namespace, name))

    def by_uid(self, uid: str) -> tuple[Key, Json] | None:
        """The object with this uid and where it lives, or None."""
        place = self._uids.get(uid)
        return None if place is None else (place[0], self._objects[place[0]][place[1]])

    def dependents(self, uid: str) -> list[tuple[Key, Json]]:
        """The objects that name this uid as an owner."""
        places = sorted(self._dependents.get(uid, ()))
        return [(key, self._objects[key][name]) for key, name in places]

    def select(self, key: Key, namespace: str = "", at: int | None = None) -> list[Json]:
        """The objects of a kind (of one namespace), sorted by name; as they were `at` a version."""
        objects = self._objects.get(key, {}) if at is None else self._as_of(key, at)
        names = sorted(name for name in objects if not namespace or name[0] == namespace)
        return [objects[name] for name in names]

    def put(self, key: Key, item: Json) -> Json:
        """Store an object under the next resourceVersion; returns it as stored."""
        self.version += 1
        stored = {**item, "metadata": {**item["metadata"], "resourceVersion": str(self.version)}}
        name = name_of(stored)
        previous = self._objects.setdefault(key, {}).get(name)
        self._objects[key][name] = stored
        self._index(key, name, previous, stored)
        self._publish(Change(self.version, key, "MODIFIED" if previous else "ADDED", stored, previous))
        return stored

    def remove(self, key: Key, item: Json) -> Json:
        """Forget an object; returns its last state, with the resourceVersion of the deletion."""
        self.version += 1
        name = name_of(item)
        previous = self._objects[key].pop(name)
        last = {**item, "metadata": {**item["metadata"], "resourceVersion": str(self.version)}}
        self._index(key, name, previous, None)
        self._publish(Change(self.version, key, "DELETED", last, previous))
        return last

    def since(self, key: Key, version: int) -> list[Change]:
        """The logged changes of a kind after a version; the caller checks `oldest` first."""
        log = self._log
        first = bisect_right(log, version, key=lambda change: change.version)
        return [log[at] for at in range(first, len(log)) if log[at].key == key]

    def watch(self, key: Key) -> asyncio.Queue[Change]:
        """A queue that receives every change of a kind from now on, until `unwatch`."""
        queue: asyncio.Queue[Change] = asyncio.Queue()
        self._watchers.setdefault(key, set()).add(queue)
        return queue

    def unwatch(self, key: Key, queue: asyncio.Queue[Change]) -> None:
        """Stop filling a queue."""
        self._watchers.get(key, set()).discard(queue)

    def _publish(self, change: Change) -> None:
        if len(self._log) >= self._log_length:
            self.oldest = self._log.popleft().version
        self._log.append(change)
        for queue in self._watchers.get(change.key, ()):
            queue.put_nowait(change)

    def _as_of(self, key: Key, version: int) -> dict[Name, Json]:
        objects = dict(self._objects.get(key, {}))
        for change in self._undone(key, version):
            if change.previous is None:
                objects.pop(name_of(change.object), None)
            else:
                objects[name_of(change.object)] = change.previous
        return objects

    def _undone(self, key: Key, version: int) -> Iterator[Change]:
        for change in reversed(self._log):
            if change.version <= version:
                return
            if change.key == key:
                yield change

    def _index(self, key: Key, name: Name, previous: Json | None, item: Json | None) -> None:
        if previous is not None and (item is None or uid_of(item) != uid_of(previous)):
            self._uids.pop(uid_of(previous), None)
        if item is not None:
            self._uids[uid_of(item)] = (key, name)
        before = owner_uids(previous) if previous else set()
        after = owner_uids(item) if item else set()
        for uid in before - after:
            self._dependents[uid].discard((key, name))
            if not self._dependents[uid]:
                del self._dependents[uid]
        for uid in after - before:
            self._dependents.setdefault(uid, set()).add((key, name))
