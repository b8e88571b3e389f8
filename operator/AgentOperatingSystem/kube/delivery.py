"""Whether the watch still delivers: what it brought last of each object, held against a listing.

A watch can fall silent with its connection open, and then everything looks well and nothing happens. The
listing is made aside, over a connection of its own, and of names and versions only.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
from kubernetes.aio import client

from AgentOperatingSystem.api.conditions import timestamp
from AgentOperatingSystem.api.v1alpha1 import GROUP, PLURAL, VERSION
from AgentOperatingSystem.kube.client import send_json

# Two looks find a silent watch: within a minute, and before kopf lists anew, which it does when nothing at
# all, not even a bookmark, has come for 70 s.
LOOK_SECONDS = 30.0
PAGE = 500
REQUEST_SECONDS = 30.0
_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

logger = logging.getLogger(__name__)

Versions = Mapping[str, str]


class Deliveries:
    """What the watch delivered last: the resourceVersion of each object, by uid. Read by other threads."""

    def __init__(self) -> None:
        self._versions: dict[str, str] = {}
        self._busy: Counter[str] = Counter()

    def came(self, uid: str, version: str) -> None:
        """The watch brought the object in that version."""
        self._versions[uid] = version

    def gone(self, uid: str) -> None:
        """The watch told that the object is no more."""
        self._versions.pop(uid, None)

    @contextmanager
    def busy(self, uid: str) -> Iterator[None]:
        """While the body runs, kopf keeps what the watch brings of the object in its queue."""
        self._busy[uid] += 1
        try:
            yield
        finally:
            self._busy[uid] -= 1
            if not self._busy[uid]:
                del self._busy[uid]

    def snapshot(self) -> tuple[dict[str, str], frozenset[str]]:
        """The versions by uid, and the uids that are busy, as they are now."""
        return self._versions.copy(), frozenset(self._busy.copy())

    def forget(self, uids: Iterable[str]) -> None:
        """Drop what vanished while nobody watched: no event tells of that."""
        for uid in uids:
            self._versions.pop(uid, None)


@dataclass(frozen=True, slots=True)
class Look:
    """One comparison: what the API server listed, what the watch had brought by then, and who was busy."""

    listed: Versions
    came: Versions
    busy: frozenset[str] = frozenset()

    def behind(self) -> frozenset[str]:
        """The objects of which the watch has not brought the present version."""
        late = {uid for uid, version in self.listed.items() if self.came.get(uid) != version}
        return frozenset(late - self.busy)


def left_behind(before: Look, now: Look) -> frozenset[str]:
    """The objects that were behind at both looks, and of which nothing came in between.

    An object that was just written is behind for a moment, one that is written all the time is often.
    """
    both = before.behind() & now.behind()
    return frozenset(uid for uid in both if before.came.get(uid) == now.came.get(uid))


def vanished(before: Look, now: Look) -> frozenset[str]:
    """The objects that the watch once brought and that neither listing has; a new one may be in none."""
    return frozenset(before.came.keys() - before.listed.keys() - now.listed.keys())


class DeliveryWatch:
    """Looks every `period` seconds, in a loop aside. `namespaces` empty for all."""

    def __init__(
        self,
        api: client.ApiClient,
        deliveries: Deliveries,
        *,
        namespaces: tuple[str, ...],
        period: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api = api
        self._deliveries = deliveries
        self._paths = [f"/apis/{GROUP}/{VERSION}/namespaces/{name}/{PLURAL}" for name in namespaces] or [
            f"/apis/{GROUP}/{VERSION}/{PLURAL}"
        ]
        self._period = period
        self._clock = clock
        self._before: tuple[datetime, Look] | None = None
        self._problem = ""

    def problem(self) -> str:
        """What is wrong with the watch; empty while it delivers, or while nothing else is known."""
        return self._problem

    async def run(self) -> None:
        """Look for ever; a look that fails tells nothing of the watch."""
        while True:
            await asyncio.sleep(self._period)
            try:
                await self.look()
            except client.ApiException as refusal:
                logger.warning("the watch could not be checked: %s %s", refusal.status, refusal.reason)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                logger.warning("the watch could not be checked: %s", type(error).__name__)

    async def look(self) -> None:
        """Compare once. Raises what the API client raises, and ValueError for an answer that is no JSON."""
        began = self._clock()
        listed = {uid: version for path in self._paths async for uid, version in self._list(path)}
        now = Look(listed, *self._deliveries.snapshot())
        if self._before is not None:
            since, before = self._before
            self._judge(left_behind(before, now), since)
            self._deliveries.forget(vanished(before, now))
        self._before = (began, now)

    def _judge(self, silent: Collection[str], since: datetime) -> None:
        if silent and not self._problem:
            self._problem = (
                f"the watch is silent since {timestamp(since)} or before: {len(silent)} resources changed "
                "and it did not say so"
            )
            logger.error("%s", self._problem)
        elif self._problem and not silent:
            self._problem = ""
            logger.info("the watch delivers again")

    async def _list(self, path: str) -> AsyncIterator[tuple[str, str]]:
        """Each object's uid and resourceVersion, page by page."""
        query = {"limit": str(PAGE)}
        while True:
            text = await send_json(
                self._api, "GET", path, query=query, accept=_NAMES_ONLY, seconds=REQUEST_SECONDS
            )
            page = json.loads(text)
            for item in page["items"]:
                yield item["metadata"]["uid"], item["metadata"]["resourceVersion"]
            rest = page["metadata"].get("continue")
            if not rest:
                return
            query = {"limit": str(PAGE), "continue": rest}
