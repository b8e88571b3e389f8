"""When a pass runs: one at a time for an object, again when something is due, none after the stop.

kopf's handlers trigger; what a pass asks for afterwards (sooner after a passing failure, else at the
next drift interval) is kept here in memory and never in annotations, since any pass may be the first.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from AgentOperatingSystem.model.errors import PassAbandoned
from AgentOperatingSystem.model.signals import PassKind, PassResult
from AgentOperatingSystem.reconcile.ports import ClusterFailure, ResourceChanged
from AgentOperatingSystem.reconcile.reconciler import Reconciler, Result
from AgentOperatingSystem.reconcile.resource import ObjectKey, RuntimeKey
from AgentOperatingSystem.reconcile.verdict import Retry
from AgentOperatingSystem.telemetry.current import one_pass

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
LONGEST_WISH = 300.0
JITTER = 0.1

_ENDINGS = {
    Retry.INTERVAL: PassResult.SETTLED,
    Retry.SOON: PassResult.AGAIN,
    Retry.AS_PLANNED: PassResult.SKIPPED,
}

logger = logging.getLogger(__name__)

R = TypeVar("R")


@dataclass(slots=True, weakref_slot=True, eq=False)
class Turn:
    """One object's place: its lock, when the next pass is due, and how many failed in a row."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    due: float = float("inf")
    failures: int = 0
    ended: bool = False
    wishes: tuple[str | None, ...] | None = None
    wished: bool = False
    runtime: RuntimeKey | None = None

    def wish(self, wishes: tuple[str | None, ...]) -> None:
        """A pass is due at once when somebody changed what they ask for by annotation."""
        if self.wishes is not None and wishes != self.wishes:
            self.hurry()
        self.wishes = wishes

    def hurry(self) -> None:
        """A pass is due at once, also when one is under way."""
        self.due = 0.0
        self.wished = True
        self.wake.set()

    def end(self) -> None:
        """No further pass is wanted: the object goes, or the operator."""
        self.ended = True
        self.wake.set()


class Passes:
    """Runs the reconciler's passes. `interval` is the drift interval in seconds; `random` gives 0 to 1."""

    def __init__(self, reconciler: Reconciler, *, interval: float, random: Callable[[], float]) -> None:
        self._reconciler = reconciler
        self._interval = interval
        self._random = random
        self._turns: weakref.WeakSet[Turn] = weakref.WeakSet()
        self._running = 0
        self._closed = False
        self._on_idle: Callable[[], None] | None = None

    def turn(self) -> Turn:
        """The place of a new object."""
        turn = Turn()
        self._turns.add(turn)
        return turn

    def wake(self, runtime: RuntimeKey) -> None:
        """The runtime changed: look at every object that names it."""
        for turn in list(self._turns):
            if turn.runtime == runtime and not turn.ended:
                turn.hurry()

    async def run(self, key: ObjectKey, turn: Turn, *, echo: bool = False) -> None:
        """One pass now, or after the one in flight; then the next one is due.

        Between two passes that are due, one is made only for a resource that asks for something new; the
        `echo` of what a pass noted itself asks for nothing, and is not read again to see that.
        """
        async with turn.lock:
            if self._closed or turn.ended:
                return
            due = turn.due == float("inf") or turn.due <= asyncio.get_running_loop().time()
            if echo and not due:
                return
            turn.wished = False
            result = await self._counted(self._attempt(key, due=due))
            self._schedule(turn, result)

    async def finalize(self, key: ObjectKey, turn: Turn) -> float | None:
        """End the resource's hold on its agent; None when done, else the seconds until the next try."""
        turn.end()
        async with turn.lock:
            if self._closed:
                return FIRST_DELAY
            result = await self._counted(self._attempt_finalize(key))
            return None if result is None else min(LONGEST_DELAY, self._delay(turn, result))

    async def repeat(self, key: ObjectKey, turn: Turn) -> None:
        """Run a pass whenever one is due, until the turn has ended."""
        while not turn.ended:
            now = asyncio.get_running_loop().time()
            if turn.due <= now:
                await self.run(key, turn)
                continue
            turn.wake.clear()
            try:
                async with asyncio.timeout_at(None if turn.due == float("inf") else turn.due):
                    await turn.wake.wait()
            except TimeoutError:
                continue

    def close(self, on_idle: Callable[[], None]) -> None:
        """Begin no further pass; call `on_idle` when those in flight have ended."""
        if self._closed:
            return
        self._closed = True
        self._on_idle = on_idle
        for turn in list(self._turns):
            turn.end()
        self._tell_if_idle()

    async def _counted(self, attempt: Awaitable[R]) -> R:
        self._running += 1
        try:
            return await attempt
        finally:
            self._running -= 1
            self._tell_if_idle()

    def _tell_if_idle(self) -> None:
        if self._closed and self._running == 0 and self._on_idle is not None:
            self._on_idle()

    async def _attempt(self, key: ObjectKey, *, due: bool) -> Result:
        with one_pass(PassKind.RECONCILE, key.namespace, key.name) as current:
            try:
                result = await self._reconciler.reconcile(key, due=due)
            except ResourceChanged:
                current.result = PassResult.CONFLICT
                return Result(Retry.SOON, retry_after=0.0)
            except ClusterFailure as error:
                current.result = PassResult.CLUSTER_FAILURE
                logger.warning("%s: %s; it is tried again", key, error)
                return Result(Retry.SOON)
            except PassAbandoned as error:
                logger.info("%s: the pass was given up: %s", key, error)
                return Result(Retry.SOON)
            current.result = _ENDINGS[result.retry]
            return result

    async def _attempt_finalize(self, key: ObjectKey) -> Result | None:
        with one_pass(PassKind.FINALIZE, key.namespace, key.name) as current:
            try:
                result = await self._reconciler.finalize(key)
            except ClusterFailure as error:
                current.result = PassResult.CLUSTER_FAILURE
                logger.warning("%s: %s; it is tried again", key, error)
                return Result(Retry.SOON)
            except PassAbandoned as error:
                logger.info("%s: the pass was given up: %s", key, error)
                return Result(Retry.SOON)
            current.result = PassResult.FINALIZED if result is None else PassResult.AGAIN
            return result

    def _schedule(self, turn: Turn, result: Result) -> None:
        if result.retry is Retry.AS_PLANNED:
            return
        turn.due = asyncio.get_running_loop().time() + self._delay(turn, result)
        if turn.wished:
            turn.due = 0.0  # a wish came during the pass, which may have read the object before it
        turn.wake.set()

    def _delay(self, turn: Turn, result: Result) -> float:
        """Seconds until the next pass: growing with each failure, and after the runtime's own wish.

        Both are spread by chance, so that those who failed together do not come back together.
        """
        if result.retry is Retry.INTERVAL:
            turn.failures = 0
            interval = self._interval if result.interval is None else result.interval
            return interval * (1 + JITTER * (2 * self._random() - 1))
        patience = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(turn.failures, 10))
        turn.failures += 1
        wish = min(LONGEST_WISH, result.retry_after or 0.0) * (1 + JITTER * self._random())
        return max(patience * (0.5 + self._random() / 2), wish)
