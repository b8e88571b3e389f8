"""One writer: of several operators the one that holds the Lease works, and the others stand by.

The election is the official client's. Here is what a process needs that may be paused, cut off or stuck:
the holder counts from the moment it asked for its Lease to be renewed, stops writing when two thirds of the
time are over, and ends; another may take the Lease when all of it is. The last third is for writes that
are on their way. What it knows is read by every thread and needs no event loop.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.baselock import BaseLock

from AgentOperatingSystem.kube.client import COMPONENT, send_json
from AgentOperatingSystem.model.errors import LeadershipLost

# The API's own defaults for its controllers: 15 s, given up after 10 s, renewed every 2 s.
LEASE_SECONDS = 15.0
LEAST_SECONDS = 5.0
# A deadline is looked at this often; it may be missed by as much.
LOOK_SECONDS = 0.25
RELEASE_SECONDS = 3.0

_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
# Unlike the monotonic clock it goes on while a machine sleeps; where there is none, that one has to do.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

logger = logging.getLogger(__name__)


def never_stopping_clock() -> float:
    """Seconds that never go back and go on while the process, or the machine, is paused."""
    return time.clock_gettime(_CLOCK)


def _identity() -> str:
    return f"{socket.gethostname()}_{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class Lease:
    """Which Lease, in whose name, and for how many seconds its holder may be silent."""

    namespace: str = ""
    name: str = COMPONENT
    seconds: float = LEASE_SECONDS
    identity: str = field(default_factory=_identity)

    @property
    def deadline(self) -> float:
        """Seconds after which a holder that could not renew writes no more."""
        return self.seconds * 2 / 3

    @property
    def period(self) -> float:
        """Seconds between two tries to renew it, or to take it."""
        return max(1.0, self.seconds * 2 / 15)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Tenure:
    """Whether this process may write, as far as it can know by itself. `clock` is looked at each time."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until: float | None = None
        self._ended = False
        self.why = ""

    @property
    def begun(self) -> bool:
        """True once the Lease was held."""
        return self._until is not None

    @property
    def holds(self) -> bool:
        """True while the Lease is held for sure."""
        return not self._ended and self._until is not None and self._clock() < self._until

    def renewed(self, asked_at: float) -> None:
        """The Lease was renewed by a request that was begun then."""
        self._until = asked_at + self._seconds

    def end(self, why: str) -> None:
        """Whatever happens to the Lease from now on, this process does not write again."""
        if not self._ended:
            self._ended = True
            self.why = why

    def guard(self) -> None:
        """What every write passes. Raises LeadershipLost."""
        if not self.holds:
            raise LeadershipLost("The Lease is not held for sure any more: nothing is written.")


class LeaseLock(BaseLock):
    """The Lease, for the official election: plain JSON, compare-and-swap, and no failure that ends a loop.

    The election decides by the wall clock when another's Lease has run out; this decides again by a clock
    that nobody sets, and by the time that the holder itself was given.
    """

    def __init__(
        self, api: client.ApiClient, lease: Lease, tenure: Tenure, clock: Callable[[], float]
    ) -> None:
        super().__init__(lease.name, lease.namespace, lease.identity)
        self._api = api
        self._lease = lease
        self._tenure = tenure
        self._clock = clock
        self._found: dict[str, Any] = {}
        self._found_at = 0.0
        self.looked_at: float | None = None
        self.problem = ""

    async def get(self, *_: Any, **__: Any) -> tuple[bool, Any]:
        """The Lease's record; (False, the refusal) when there is none to be had."""
        try:
            found = await self._send("GET", self._path)
        except client.ApiException as refusal:
            if refusal.status == 404:
                self.looked_at = self._clock()
                self._end_if_begun("somebody deleted it")  # and another may be quicker to make it anew
            return False, refusal
        self.looked_at = self._clock()
        if _version(found) != _version(self._found):
            self._found_at = self.looked_at
        self._found = found
        spec = found.get("spec", {})
        holder = spec.get("holderIdentity") or None
        if holder != self.identity:
            self._end_if_begun(f"{holder or 'nobody'} holds it")
        return True, LeaderElectionRecord(
            holder, str(_seconds(spec)), spec.get("acquireTime"), spec.get("renewTime")
        )

    async def create(self, *_: Any, **__: Any) -> bool:
        """Make the Lease, held by us; False when somebody was quicker or it failed."""
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._lease.name, "namespace": self._lease.namespace},
            "spec": self._held({}),
        }
        return await self._write("POST", self._path.rpartition("/")[0], body)

    async def update(self, *_: Any, **__: Any) -> bool:
        """Renew the Lease or take it over; False when that may not be, or failed."""
        spec = self._found.get("spec", {})
        if not self._is_free(spec):
            return False
        return await self._write("PUT", self._path, {**self._found, "spec": self._held(spec)})

    async def release(self) -> None:
        """Give the Lease back, if it is ours, so that another need not wait. Raises ApiException."""
        found = await self._send("GET", self._path)
        spec = found.get("spec", {})
        if spec.get("holderIdentity") == self.identity:
            freed = {key: value for key, value in spec.items() if key != "holderIdentity"}
            freed |= {"leaseDurationSeconds": 1, "renewTime": _now()}
            await self._send("PUT", self._path, {**found, "spec": freed})

    @property
    def _path(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self._lease.namespace}/leases/{self._lease.name}"

    def _end_if_begun(self, why: str) -> None:
        if self._tenure.begun:
            self._tenure.end(why)

    def _is_free(self, spec: Mapping[str, Any]) -> bool:
        holder = spec.get("holderIdentity")
        return holder in (None, "", self.identity) or self._clock() >= self._found_at + _seconds(spec)

    def _held(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """The spec of a Lease that we hold from now on, or go on holding."""
        taken = {}
        if spec.get("holderIdentity") != self.identity:
            taken = {"acquireTime": _now(), "leaseTransitions": spec.get("leaseTransitions", -1) + 1}
        return {
            **spec,
            **taken,
            "holderIdentity": self.identity,
            "leaseDurationSeconds": round(self._lease.seconds),
            "renewTime": _now(),
        }

    async def _write(self, method: str, path: str, body: Mapping[str, Any]) -> bool:
        if self._tenure.begun and not self._tenure.holds:
            return False  # too late: in between it may have been another's
        asked_at = self._clock()
        try:
            self._found = await self._send(method, path, body)
        except client.ApiException:
            return False
        self._found_at = self._clock()
        self._tenure.renewed(asked_at)
        return True

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One request. Raises ApiException whatever goes wrong, and says so in the log once."""
        try:
            text = await send_json(self._api, method, path, body, seconds=self._lease.deadline / 2)
            answer: dict[str, Any] = json.loads(text)
        except client.ApiException as refusal:
            self._tell(f"{refusal.status} {refusal.reason}" if refusal.status not in (404, 409) else "")
            raise
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            self._tell(type(error).__name__)
            raise client.ApiException(status=0, reason=type(error).__name__) from error
        self._tell("")
        return answer

    def _tell(self, problem: str) -> None:
        if problem and problem != self.problem:
            logger.warning(
                "the Lease %s cannot be read or renewed: %s; it is tried again", self._lease, problem
            )
        self.problem = problem


class Leadership:
    """Stands by for the Lease, and then keeps it. Runs in a loop aside.

    `on_lost` is called there, with the reason, when the Lease is lost: the process may not go on.
    """

    def __init__(
        self,
        api: client.ApiClient,
        lease: Lease,
        *,
        on_lost: Callable[[str], None],
        clock: Callable[[], float] = never_stopping_clock,
    ) -> None:
        self._lease = lease
        self._clock = clock
        self._tenure = Tenure(lease.deadline, clock)
        self._on_lost = on_lost
        self._lock = LeaseLock(api, lease, self._tenure, clock)
        self._held = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        # It logs each try that fails; ours say once what is wrong.
        logging.getLogger("kubernetes.aio.leaderelection").setLevel(logging.CRITICAL)

    @property
    def holds(self) -> bool:
        """True while the Lease is held for sure."""
        return self._tenure.holds

    def guard(self) -> None:
        """What every write passes. Raises LeadershipLost."""
        self._tenure.guard()

    async def run(self) -> None:
        """Stand by, then lead; ends with `on_lost`, or when the Lease is given back."""
        self._running = asyncio.current_task()
        logger.info("standing by for the Lease %s as %s", self._lease, self._lease.identity)
        settings = Config(
            self._lock,
            lease_duration=self._lease.seconds,
            renew_deadline=self._lease.deadline,
            retry_period=self._lease.period,
            onstarted_leading=self._begin,
            onstopped_leading=_nothing,
        )
        async with asyncio.TaskGroup() as tasks:
            election = tasks.create_task(LeaderElection(settings).run())
            await self._held.wait()
            while self._tenure.holds and not election.done():  # noqa: ASYNC110 - time is what ends it
                await asyncio.sleep(LOOK_SECONDS)
            election.cancel()
        self._on_lost(self._why())

    async def held(self) -> None:
        """Return once the Lease is held."""
        await self._held.wait()

    async def release(self) -> None:
        """Stand by no longer, and give the Lease back once nothing more is written; never fails."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        if not self._tenure.begun:
            return
        self._tenure.end("it was given back")
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._lock.release()
        except (client.ApiException, TimeoutError) as error:
            logger.warning("the Lease %s could not be given back: %s", self._lease, error)

    def standing(self) -> str:
        """What is wrong with leading or standing by; empty when nothing is."""
        if self._tenure.begun:
            return "" if self._tenure.holds else "the Lease is lost"
        looked_at = self._lock.looked_at
        if looked_at is not None and self._clock() - looked_at < 2 * self._lease.seconds:
            return ""
        return f"the Lease {self._lease} cannot be read: {self._lock.problem or 'not looked at yet'}"

    async def _begin(self) -> None:
        logger.info("leading: the Lease %s is held", self._lease)
        self._held.set()

    def _why(self) -> str:
        late = f"it could not be renewed within {self._lease.deadline:g} s"
        if self._lock.problem:
            late += f" ({self._lock.problem})"
        return self._tenure.why or late


def lease_namespace(environ: Mapping[str, str], served: tuple[str, ...]) -> str:
    """Where the Lease is: where the pod is; outside a cluster where the agents are, or the context points."""
    if named := environ.get("POD_NAMESPACE"):
        return named
    if environ.get("KUBERNETES_SERVICE_HOST") and _ACCOUNT_NAMESPACE.exists():
        return _ACCOUNT_NAMESPACE.read_text(encoding="ascii").strip()
    if served:
        return served[0]
    _, active = config.list_kube_config_contexts()
    return str(active["context"].get("namespace") or "default")


def _version(found: Mapping[str, Any]) -> Any:
    return found.get("metadata", {}).get("resourceVersion")


def _seconds(spec: Mapping[str, Any]) -> float:
    return float(spec.get("leaseDurationSeconds") or LEASE_SECONDS)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def _nothing() -> None:
    """The election wants to tell somebody that it has ended; here its task's end does."""
