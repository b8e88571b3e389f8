"""The Lease, moment by moment: who may take it, who may go on writing, and what a lost answer means."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any, cast

import pytest
from kubernetes.aio import client

from AgentOperatingSystem.kube import leadership as module
from AgentOperatingSystem.kube.leadership import Leadership, Lease, LeaseLock, Tenure, lease_namespace
from AgentOperatingSystem.model.errors import LeadershipLost

OURS, THEIRS = Lease("home", seconds=15, identity="ours"), Lease("home", seconds=15, identity="theirs")


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Api:
    """One Lease with compare-and-swap; `fail` is raised before the next requests, `lost` after them."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.fail: Exception | None = None
        self.lost: Exception | None = None
        self.sent: list[str] = []

    async def send(
        self, api: Any, method: str, path: str, body: Mapping[str, Any] | None, *, seconds: float
    ) -> str:
        self.sent.append(method)
        if self.fail:
            raise self.fail
        if method == "GET":
            if self.lease is None:
                raise client.ApiException(404, "Not Found", body=json.dumps({"code": 404}))
            return json.dumps(self.lease)
        self._write(method, copy.deepcopy(dict(body or {})))
        if self.lost:
            raise self.lost
        return json.dumps(self.lease)

    def _write(self, method: str, body: dict[str, Any]) -> None:
        known = None if self.lease is None else self.lease["metadata"]["resourceVersion"]
        if body["metadata"].get("resourceVersion") != known or (method == "POST" and known):
            raise client.ApiException(409, "Conflict")
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.lease = body

    @property
    def spec(self) -> dict[str, Any]:
        assert self.lease is not None
        spec: dict[str, Any] = self.lease["spec"]
        return spec


class Candidate:
    """One process: its lock, its tenure, and one round of the official election."""

    def __init__(self, lease: Lease, clock: Clock) -> None:
        self.tenure = Tenure(lease.deadline, clock)
        self.lock = LeaseLock(cast("client.ApiClient", None), lease, self.tenure, clock)

    async def takes(self) -> bool:
        """Look, then write, whatever the election's own clock says."""
        found, _ = await self.lock.get()
        return await (self.lock.update() if found else self.lock.create())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api()
    monkeypatch.setattr(module, "send_json", api.send)
    return api


@pytest.fixture
def us(api: Api, clock: Clock) -> Candidate:
    return Candidate(OURS, clock)


@pytest.fixture
def them(api: Api, clock: Clock) -> Candidate:
    return Candidate(THEIRS, clock)


async def test_the_first_makes_the_lease_and_writes_until_two_thirds_of_it_are_over(
    us: Candidate, clock: Clock, api: Api
) -> None:
    with pytest.raises(LeadershipLost):
        us.tenure.guard()
    assert await us.takes()
    assert api.spec["holderIdentity"] == "ours"
    clock.now += 9.9
    us.tenure.guard()
    clock.now += 0.2
    with pytest.raises(LeadershipLost):
        us.tenure.guard()


async def test_another_takes_it_only_once_it_was_silent_for_the_whole_time(
    us: Candidate, them: Candidate, clock: Clock, api: Api
) -> None:
    assert await us.takes()
    assert not await them.takes()
    clock.now += 14.9
    assert not await them.takes()
    assert not us.tenure.holds
    clock.now += 0.2
    assert await them.takes()
    assert api.spec["leaseTransitions"] == 1


async def test_a_holder_that_renews_keeps_it(us: Candidate, them: Candidate, clock: Clock, api: Api) -> None:
    assert await us.takes()
    taken = api.spec["acquireTime"]
    for _ in range(20):
        clock.now += 5
        assert await us.takes()
        assert not await them.takes()
    assert (api.spec["acquireTime"], api.spec["leaseTransitions"]) == (taken, 0)


async def test_the_holders_own_time_counts_not_the_challengers(clock: Clock, api: Api) -> None:
    long = Candidate(Lease("home", seconds=60, identity="long"), clock)
    short = Candidate(Lease("home", seconds=5, identity="short"), clock)
    assert await long.takes()
    assert not await short.takes()
    clock.now += 39
    assert not await short.takes()
    assert long.tenure.holds
    clock.now += 22
    assert await short.takes()


async def test_it_counts_from_when_it_asked_not_from_the_answer(
    us: Candidate, clock: Clock, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = api.send

    async def slowly(*arguments: Any, **keywords: Any) -> str:
        answer = await send(*arguments, **keywords)
        clock.now += 4
        return answer

    monkeypatch.setattr(module, "send_json", slowly)
    assert await us.takes()  # a look of 4 s, then a write of 4 s
    clock.now += 5.9
    assert us.tenure.holds
    clock.now += 0.2
    assert not us.tenure.holds


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (TimeoutError(), "it took too long"),
        (ConnectionResetError(), "no connection"),
        (client.ApiException(503, "Unavailable"), "the API server says so"),
        (client.ApiException(403, "Forbidden"), "the role is gone"),
    ],
)
async def test_whatever_goes_wrong_it_is_not_renewed_and_nothing_is_raised(
    us: Candidate, clock: Clock, api: Api, broken: Exception, reason: str
) -> None:
    assert await us.takes()
    clock.now += 5
    api.fail = broken
    assert not await us.takes(), reason
    assert us.tenure.holds
    clock.now += 5.1
    assert not us.tenure.holds
    api.fail = None
    assert not await us.takes(), "too late: it is never renewed again"


async def test_a_renewal_whose_answer_is_lost_does_not_count(us: Candidate, clock: Clock, api: Api) -> None:
    assert await us.takes()
    clock.now += 6
    api.lost = TimeoutError()
    assert not await us.takes()
    clock.now += 4.1
    assert not us.tenure.holds


@pytest.mark.parametrize(
    ("meanwhile", "why"),
    [
        ({"holderIdentity": "theirs"}, "theirs holds it"),
        ({"holderIdentity": None}, "nobody holds it"),
        (None, "somebody deleted it"),
    ],
)
async def test_a_lease_that_was_anybody_elses_ends_the_tenure_for_good(
    us: Candidate, api: Api, meanwhile: dict[str, Any] | None, why: str
) -> None:
    assert await us.takes()
    assert api.lease is not None
    api.lease = None if meanwhile is None else {**api.lease, "spec": {**api.spec, **meanwhile}}
    assert not await us.takes()
    assert not us.tenure.holds
    assert us.tenure.why == why
    assert not await us.takes()


async def test_of_two_that_take_it_at_once_one_does(us: Candidate, them: Candidate, api: Api) -> None:
    assert not (await us.lock.get())[0]
    assert not (await them.lock.get())[0]
    assert await us.lock.create()
    assert not await them.lock.create()
    assert not them.tenure.begun


async def test_given_back_it_is_free_at_once(us: Candidate, them: Candidate, api: Api) -> None:
    assert await us.takes()
    us.tenure.end("it was given back")
    await us.lock.release()
    assert "holderIdentity" not in api.spec
    assert await them.takes()
    api.sent.clear()
    await us.lock.release()
    assert api.sent == ["GET"], "another's Lease is left alone"
    assert api.spec["holderIdentity"] == "theirs"


async def test_readiness_means_to_lead_or_to_see_the_lease(api: Api, clock: Clock) -> None:
    lost: list[str] = []
    standing = Leadership(cast("client.ApiClient", None), OURS, on_lost=lost.append, clock=clock)
    assert "not looked at yet" in standing.standing()
    api.fail = client.ApiException(403, "Forbidden")
    await standing._lock.get()
    assert "403 Forbidden" in standing.standing()
    api.fail = None
    await standing._lock.get()
    assert standing.standing() == ""
    clock.now += 31
    assert "cannot be read" in standing.standing()


@pytest.mark.parametrize(
    ("environ", "served", "namespace"),
    [
        ({"POD_NAMESPACE": "system"}, ("boardroom",), "system"),
        ({}, ("boardroom", "factory"), "boardroom"),
    ],
)
def test_the_lease_is_where_the_pod_is_or_the_agents_are(
    environ: dict[str, str], served: tuple[str, ...], namespace: str
) -> None:
    assert lease_namespace(environ, served) == namespace


def test_the_times_are_those_of_kubernetes_own_controllers() -> None:
    lease = Lease("home")
    assert (lease.seconds, lease.deadline, lease.period) == (15, 10, 2)
