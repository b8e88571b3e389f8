"""What goes wrong on purpose, and that it goes wrong as asked: seen by the real clients."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import openai as sdk
import pytest
from azure.ai.projects.aio import AIProjectClient
from azure.ai.projects.models import PromptAgentDefinition
from azure.core.exceptions import (
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from openai import AsyncOpenAI

from AgentOperatingSystem.sandbox.foundry import ControlRefused, EmbeddedFoundry, Fault

MODEL = "llama-3.3-70b-ceo"
CEO = PromptAgentDefinition(model=MODEL, instructions="x")
NO_CONNECTION = (ServiceRequestError, ServiceResponseError)


def versions(foundry: EmbeddedFoundry) -> int:
    """How many versions of ceo there are."""
    agents = foundry.agents()
    return len(agents["ceo"].versions) if "ceo" in agents else 0


def wait_for_the_answer(foundry: EmbeddedFoundry) -> None:
    """Until the service has finished the first request; it has a thread of its own."""
    deadline = time.monotonic() + 5
    while foundry.requests[0].status is None and time.monotonic() < deadline:
        time.sleep(0.02)


async def create(project: AIProjectClient, **settings: Any) -> None:
    await project.agents.create_version("ceo", definition=CEO, **settings)


async def test_a_status_before_the_effect_changes_nothing(
    foundry: EmbeddedFoundry, project: AIProjectClient
) -> None:
    foundry.faults.add(Fault("create_version", status=503, times=1))
    with pytest.raises(HttpResponseError) as caught:
        await create(project)
    assert caught.value.status_code == 503
    assert versions(foundry) == 0
    await create(project)
    assert versions(foundry) == 1


async def test_a_status_after_the_effect_loses_only_the_answer(
    foundry: EmbeddedFoundry, project: AIProjectClient
) -> None:
    foundry.faults.add(Fault("create_version", status=500, lost=True, times=1))
    with pytest.raises(HttpResponseError):
        await create(project)
    assert versions(foundry) == 1
    assert [(one.status, one.fault) for one in foundry.requests] == [(500, "lost+500")]


@pytest.mark.parametrize(
    ("fault", "effects", "label"),
    [
        (Fault("create_version", lost=True, times=1), 1, "lost"),
        (Fault("create_version", drop=True, times=1), 0, "drop"),
        (Fault("create_version", lost=True, times=1, name="lost create"), 1, "lost create"),
    ],
    ids=["dropped after the effect", "dropped before the effect", "named"],
)
async def test_a_dropped_connection(
    foundry: EmbeddedFoundry, project: AIProjectClient, fault: Fault, effects: int, label: str
) -> None:
    foundry.faults.add(fault)
    with pytest.raises(NO_CONNECTION):
        await create(project)
    assert versions(foundry) == effects
    assert [(one.status, one.fault) for one in foundry.requests] == [(None, label)]


async def test_the_sdk_itself_creates_twice_when_a_500_hides_a_success(
    foundry: EmbeddedFoundry, connect: Any
) -> None:
    foundry.faults.add(Fault("create_version", status=500, lost=True, times=1))
    async with connect(foundry.endpoint, retry_total=1, retry_backoff_factor=0) as project:
        await create(project)
    assert versions(foundry) == 2


async def test_an_idempotent_request_whose_connection_drops_is_sent_again_unasked(
    foundry: EmbeddedFoundry, project: AIProjectClient
) -> None:
    # aiohttp's own doing, below every retry setting of the SDK: a lost DELETE can come back as a 404.
    await create(project)
    foundry.faults.add(Fault("delete_agent", lost=True, times=1))
    with pytest.raises(ResourceNotFoundError):
        await project.agents.delete("ceo")
    assert [one.operation for one in foundry.requests].count("delete_agent") == 2


@pytest.mark.parametrize(
    ("fault", "effects"),
    [
        (Fault("create_version", delay=0.4), 1),
        (Fault("create_version", delay_after=0.4), 1),
        (Fault("create_version", delay=0.4, status=503), 0),
    ],
    ids=["before the effect", "after the effect", "and nothing done"],
)
async def test_a_client_that_times_out_does_not_stop_the_service(
    foundry: EmbeddedFoundry, project: AIProjectClient, fault: Fault, effects: int
) -> None:
    foundry.faults.add(fault)
    with pytest.raises(NO_CONNECTION):
        await create(project, read_timeout=0.1)
    wait_for_the_answer(foundry)
    assert versions(foundry) == effects


async def test_429_carries_its_retry_after(foundry: EmbeddedFoundry, project: AIProjectClient) -> None:
    foundry.faults.add(Fault("list_agents", status=429, retry_after=7, code="too_many_requests"))
    with pytest.raises(HttpResponseError) as caught:
        [agent async for agent in project.agents.list()]
    assert caught.value.response is not None
    assert caught.value.response.headers["Retry-After"] == "7"
    assert caught.value.error is not None
    assert caught.value.error.code == "too_many_requests"


async def test_the_sdk_waits_as_long_as_it_is_told(foundry: EmbeddedFoundry, connect: Any) -> None:
    foundry.faults.add(Fault("create_version", status=429, retry_after=0.2, times=1))
    async with connect(foundry.endpoint, retry_total=3) as project:
        await create(project)
    first, second = foundry.requests
    assert second.at - first.at >= 0.2


async def test_a_throttle_strikes_only_above_its_rate(
    foundry: EmbeddedFoundry, project: AIProjectClient
) -> None:
    foundry.add_agent("ceo", MODEL)
    foundry.faults.add(Fault("get_agent", per_second=5, retry_after=1))
    answers = []
    for _ in range(8):
        try:
            await project.agents.get("ceo")
            answers.append(200)
        except HttpResponseError as error:
            answers.append(error.status_code or 0)
    assert answers == [200] * 5 + [429] * 3
    assert foundry.requests[-1].fault == "throttle"


async def test_probability_is_the_same_in_every_run(
    foundry: EmbeddedFoundry, project: AIProjectClient
) -> None:
    foundry.add_agent("ceo", MODEL)

    async def run(seed: int) -> list[str | None]:
        foundry.faults.clear()
        foundry.clear_requests()
        foundry.faults.add(Fault("get_agent", status=400, probability=0.5, seed=seed))
        for _ in range(20):
            with suppress(HttpResponseError):
                await project.agents.get("ceo")
        return [one.fault for one in foundry.requests]

    first = await run(seed=1)
    assert first == await run(seed=1)
    assert first != await run(seed=2)
    assert 3 < first.count("400") < 17


@pytest.mark.parametrize(
    ("operation", "strikes", "reason"),
    [
        ("get_agent", True, "by name"),
        ("*_agent", True, "by a glob"),
        ("*", True, "all"),
        (r"GET .*/agents/ceo$", True, "by method and path"),
        (r"/agents/", True, "by path"),
        (r"DELETE .*/agents/ceo$", False, "another method"),
        ("*_version", False, "another operation"),
    ],
)
async def test_a_fault_finds_its_operation(
    foundry: EmbeddedFoundry, project: AIProjectClient, operation: str, strikes: bool, reason: str
) -> None:
    foundry.add_agent("ceo", MODEL)
    foundry.faults.add(Fault(operation, status=400))
    if strikes:
        with pytest.raises(HttpResponseError, match="injected"):
            await project.agents.get("ceo")
    else:
        await project.agents.get("ceo")


async def test_faults_can_wait_be_counted_and_be_removed(
    foundry: EmbeddedFoundry, project: AIProjectClient
) -> None:
    foundry.add_agent("ceo", MODEL)
    later = foundry.faults.add(Fault("get_agent", status=400, skip=1, times=1))
    await project.agents.get("ceo")
    with pytest.raises(HttpResponseError):
        await project.agents.get("ceo")
    await project.agents.get("ceo")
    assert foundry.faults.struck() == {later: 1}
    foundry.faults.remove(later)
    assert foundry.faults.struck() == {}
    with pytest.raises(ControlRefused):
        foundry.faults.remove(later)


async def test_a_fault_can_hit_one_project_only(foundry: EmbeddedFoundry, connect: Any) -> None:
    foundry.faults.add(Fault(project="sick", status=403, code="PermissionDenied"))
    async with connect(foundry.project("sick").endpoint) as sick, connect(foundry.endpoint) as well:
        with pytest.raises(HttpResponseError) as caught:
            await create(sick)
        await create(well)
    assert caught.value.status_code == 403


def test_a_fault_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="before the effect"):
        Fault(drop=True, lost=True)
    with pytest.raises(ValueError, match="regular expression"):
        Fault("GET (")


async def test_a_service_that_is_down_drops_everything_until_it_is_up(
    foundry: EmbeddedFoundry, project: AIProjectClient
) -> None:
    foundry.down()
    with pytest.raises(NO_CONNECTION):
        await create(project)
    assert foundry.requests[-1].fault == "down"
    foundry.up()
    await create(project)
    assert versions(foundry) == 1


async def test_a_service_comes_back_by_itself(foundry: EmbeddedFoundry, project: AIProjectClient) -> None:
    foundry.down(0.3)
    with pytest.raises(NO_CONNECTION):
        await create(project)
    deadline = time.monotonic() + 5
    while foundry.state()["down"] and time.monotonic() < deadline:
        time.sleep(0.02)  # noqa: ASYNC251 - the service has a thread of its own
    await create(project)


@pytest.mark.parametrize(
    ("fault", "error", "reason"),
    [
        (Fault("create_response", status=429, retry_after=1), sdk.RateLimitError, "throttled"),
        (Fault("create_response", status=503), sdk.InternalServerError, "unavailable"),
        (Fault("create_response", drop=True), sdk.APIConnectionError, "connection gone"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_the_openai_client_meets_the_same_faults(
    foundry: EmbeddedFoundry, openai: AsyncOpenAI, fault: Fault, error: type[Exception], reason: str
) -> None:
    foundry.faults.add(fault)
    with pytest.raises(error):
        await openai.responses.create(model="llama-3.3-70b", input="x")


async def test_a_lost_turn_still_stands_in_the_conversation(
    foundry: EmbeddedFoundry, openai: AsyncOpenAI
) -> None:
    thread = (await openai.conversations.create()).id
    foundry.faults.add(Fault("create_response", lost=True, times=1))
    with pytest.raises(sdk.APIConnectionError):
        await openai.responses.create(model="llama-3.3-70b", conversation=thread, input="x")
    assert len(foundry.conversations()[thread].items) == 2


async def test_a_conversation_is_made_though_the_client_gave_up(
    foundry: EmbeddedFoundry, project: AIProjectClient
) -> None:
    foundry.faults.add(Fault("create_conversation", delay=0.4))
    async with project.get_openai_client(max_retries=0, timeout=0.1) as client:
        with pytest.raises(sdk.APITimeoutError):
            await client.conversations.create(metadata={"aos_name": "ceo"})
    wait_for_the_answer(foundry)
    assert [one.metadata for one in foundry.conversations().values()] == [{"aos_name": "ceo"}]
