"""How a call ends is told once, whatever ended it, and watchers of crossings see what they always saw."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx2
import openai
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError
from kubernetes.client.exceptions import ApiException

from AgentOperatingSystem.model.crossing import Moment, crossing, watch_crossings
from AgentOperatingSystem.model.signals import (
    CallEnded,
    DriftFound,
    PassBegan,
    PassEnded,
    PassKind,
    PassResult,
    Signal,
    drift_found,
    listen,
)
from AgentOperatingSystem.telemetry.current import current_pass, one_pass


@pytest.fixture
def told() -> Iterator[list[Signal]]:
    """Every signal of the test."""
    signals: list[Signal] = []
    stop = listen(signals.append)
    yield signals
    stop()


@pytest.fixture
def watched() -> Iterator[list[tuple[str, Moment]]]:
    """Every crossing of the test."""
    seen: list[tuple[str, Moment]] = []
    stop = watch_crossings(lambda name, moment: seen.append((name, moment)))
    yield seen
    stop()


async def test_a_call_that_ends_well_is_told_after_it_took_effect(
    told: list[Signal], watched: list[tuple[str, Moment]]
) -> None:
    async with crossing("runtime.get_agent", server="acme.services.ai.azure.com"):
        assert not told
    assert watched == [("runtime.get_agent", Moment.BEFORE), ("runtime.get_agent", Moment.AFTER)]
    (call,) = told
    assert isinstance(call, CallEnded)
    assert (call.name, call.code, call.server) == ("runtime.get_agent", "ok", "acme.services.ai.azure.com")
    assert 0 <= call.seconds < 5


async def test_a_call_that_raises_is_told_and_has_no_after(
    told: list[Signal], watched: list[tuple[str, Moment]]
) -> None:
    with pytest.raises(ConnectionError):
        async with crossing("cluster.get"):
            raise ConnectionError
    assert watched == [("cluster.get", Moment.BEFORE)]
    assert [call.code for call in told if isinstance(call, CallEnded)] == ["ConnectionError"]


async def test_a_call_that_is_cancelled_is_told_too(told: list[Signal]) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), crossing("runtime.list_agents"):
            await asyncio.sleep(10)
    assert [call.code for call in told if isinstance(call, CallEnded)] == ["CancelledError"]


REQUEST = httpx2.Request("GET", "https://acme.services.ai.azure.com")
UNANSWERED = HttpResponseError("no answer")
FORBIDDEN = HttpResponseError(response=SimpleNamespace(status_code=403, reason="Forbidden"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(None, "ok", id="no error"),
        pytest.param(FORBIDDEN, "403", id="Azure's client keeps the status"),
        pytest.param(UNANSWERED, "HttpResponseError", id="Azure's client has no status without an answer"),
        pytest.param(ServiceRequestError("refused"), "ServiceRequestError", id="no connection"),
        pytest.param(ClientAuthenticationError("none"), "ClientAuthenticationError", id="no token to be had"),
        pytest.param(
            openai.RateLimitError("slow", response=httpx2.Response(429, request=REQUEST), body=None),
            "429",
            id="OpenAI's client keeps the status",
        ),
        pytest.param(ApiException(status=409), "409", id="the Kubernetes client keeps the status"),
        pytest.param(ApiException(status=0), "ApiException", id="a broken connection there has status 0"),
        pytest.param(TimeoutError(), "TimeoutError", id="anything else is named by its class"),
    ],
)
def test_the_code_of_a_call(error: BaseException | None, code: str) -> None:
    assert CallEnded("runtime.get_agent", 0, 0.1, error).code == code


def test_a_pass_is_told_from_beginning_to_end(told: list[Signal]) -> None:
    with one_pass(PassKind.RECONCILE, "boardroom", "ceo") as current:
        assert current_pass() is current
        current.result = PassResult.SETTLED
    assert current_pass() is None
    began, ended = told
    assert began == PassBegan(current.id, PassKind.RECONCILE, "boardroom", "ceo")
    assert isinstance(ended, PassEnded)
    assert (ended.id, ended.result) == (current.id, PassResult.SETTLED)


def test_a_pass_that_raises_is_told_as_crashed(told: list[Signal]) -> None:
    with pytest.raises(KeyError), one_pass(PassKind.RECONCILE, "boardroom", "ceo"):
        raise KeyError
    assert [end.result for end in told if isinstance(end, PassEnded)] == [PassResult.CRASHED]


async def test_passes_that_run_at_once_know_their_own_object() -> None:
    async def run(name: str) -> tuple[str, str]:
        with one_pass(PassKind.RECONCILE, "boardroom", name):
            await asyncio.sleep(0)
            current: Any = current_pass()
            return current.object, current.id

    seen = dict(await asyncio.gather(*(run(name) for name in ("ceo", "cfo", "cto"))))
    assert set(seen) == {"boardroom/ceo", "boardroom/cfo", "boardroom/cto"}
    assert len(set(seen.values())) == 3


def test_drift_is_told_without_knowing_who_counts(told: list[Signal]) -> None:
    drift_found(2)
    assert told == [DriftFound(2)]
