"""What runs beside kopf: the election, the check of the watch, and the heartbeats that the probes go by.

All of it is in an event loop and a thread of its own, since it judges kopf's loop and outlasts it: kopf
waits for every task in its loop when it ends, and cancels the foreign ones. When something here fails the
process ends, for nobody would be left to tell that something is wrong.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from kubernetes.aio import client

from AgentOperatingSystem.kube.client import connect
from AgentOperatingSystem.kube.delivery import Deliveries, DeliveryWatch
from AgentOperatingSystem.kube.health import Health, Pulse
from AgentOperatingSystem.kube.leadership import Leadership, Lease
from AgentOperatingSystem.kube.stopping import end_process

T = TypeVar("T")

# How long what still runs here may take to end once the process does.
END_SECONDS = 5.0

logger = logging.getLogger(__name__)


class SideLoop:
    """An event loop that turns in a daemon thread for as long as the context lasts."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="beside", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(END_SECONDS)

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Let `work` run there."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    async def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` there and wait for it here; it is cancelled with whoever waits."""
        return await asyncio.wrap_future(self.begin(work))

    def _run(self) -> None:
        # A runner cancels what is left when it closes, and then closes the loop.
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.get_loop().run_forever()


class Beside:
    """The loop aside with its own connection to the API server; `health` is told whom to ask."""

    def __init__(self, side: SideLoop, api: client.ApiClient, health: Health) -> None:
        self._side = side
        self._api = api
        self._health = health

    def candidate(self, lease: Lease) -> Leadership:
        """A leadership that does not stand by yet."""
        return Leadership(self._api, lease, on_lost=_end_without_lease)

    @asynccontextmanager
    async def leading(self, leadership: Leadership | None) -> AsyncIterator[None]:
        """Stand by until the Lease is held; it is given back in the end. None leads at once."""
        if leadership is None:
            self._health.role = lambda: "alone"
            self._health.ready = {}
            yield
            return
        self._health.role = lambda: "leader" if leadership.holds else "standing by"
        self._health.ready = {"lease": leadership.standing}
        self._begin(leadership.run())
        try:
            await self._side.call(leadership.held())
            yield
        finally:
            await self._side.call(leadership.release())

    def check_delivery(self, deliveries: Deliveries, namespaces: tuple[str, ...], period: float) -> None:
        """Compare what the watch brings with what is there, from now on."""
        watch = DeliveryWatch(self._api, deliveries, namespaces=namespaces, period=period)
        self._health.live["watch"] = watch.problem
        self._begin(watch.run())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._side.begin(work).add_done_callback(_end_if_failed)


@asynccontextmanager
async def beside(health: Health) -> AsyncIterator[Beside]:
    """Run the loop aside and connect it. Raises ConfigurationError when there is no cluster."""
    with SideLoop() as side:
        for name, loop in (("loop", asyncio.get_running_loop()), ("loop aside", side.loop)):
            health.live[name] = Pulse(loop).problem
        api = await side.call(connect())
        try:
            yield Beside(side, api, health)
        finally:
            await side.call(api.close())


def _end_without_lease(why: str) -> None:
    end_process(f"the Lease is lost: {why}; this process ends, and another one may lead")


def _end_if_failed(work: Future[None]) -> None:
    if not work.cancelled() and (error := work.exception()) is not None:
        logger.error("what runs beside failed", exc_info=error)
        end_process(f"what runs beside failed with {type(error).__name__}: this process ends")
