"""What goes wrong on purpose on the classic generation and in its neighbourhood, seen by the real clients."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from azure.ai.agents.aio import AgentsClient
from azure.ai.projects.aio import AIProjectClient
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from tests.contract.foundry.classic import connect_classic

from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry, Fault

MODEL = "llama-3.3-70b-ceo"
NO_CONNECTION = (ServiceRequestError, ServiceResponseError)
SHAPES = json.loads((Path(__file__).parent / "classic_shapes.json").read_text())


@pytest.fixture
async def agents(foundry: EmbeddedFoundry) -> AsyncIterator[AgentsClient]:
    async with connect_classic(foundry.endpoint) as client:
        yield client


@pytest.mark.parametrize(
    ("fault", "left"),
    [
        (Fault("create_assistant", lost=True, times=1), 1),
        (Fault("create_assistant", drop=True, times=1), 0),
        (Fault("create_assistant", status=500, lost=True, times=1), 1),
        (Fault("create_assistant", status=429, retry_after=1, times=1), 0),
    ],
    ids=["lost", "dropped", "done and refused", "throttled"],
)
async def test_a_create_that_fails_leaves_exactly_what_the_fault_says(
    foundry: EmbeddedFoundry, agents: AgentsClient, fault: Fault, left: int
) -> None:
    foundry.faults.add(fault)
    with pytest.raises((HttpResponseError, *NO_CONNECTION)):
        await agents.create_agent(model=MODEL, metadata={"k": "v"})
    assert [one.metadata for one in foundry.assistants().values()] == [{"k": "v"}] * left
    assert [(one.operation, one.fault) for one in foundry.requests] == [("create_assistant", fault.label)]


async def test_the_sdk_itself_creates_twice_when_a_500_hides_a_success(foundry: EmbeddedFoundry) -> None:
    foundry.faults.add(Fault("create_assistant", status=500, lost=True, times=1))
    async with connect_classic(foundry.endpoint, retry_total=1, retry_backoff_factor=0) as agents:
        await agents.create_agent(model=MODEL)
    assert len(foundry.assistants()) == 2


async def every_operation(agents: AgentsClient) -> None:
    """Calls that between them touch each family of operations."""
    agent = await agents.create_agent(model=MODEL)
    await agents.get_agent(agent.id)
    await agents.update_agent(agent.id, name="x")
    _ = [one async for one in agents.list_agents()]
    thread = await agents.threads.create()
    await agents.threads.get(thread.id)
    await agents.threads.update(thread.id, metadata={})
    _ = [one async for one in agents.threads.list(limit=1)]
    message = await agents.messages.create(thread.id, role="user", content="hi")
    await agents.messages.get(thread.id, message.id)
    await agents.messages.update(thread.id, message.id, metadata={})
    run = await agents.runs.create(thread.id, agent_id=agent.id)
    _ = [one async for one in agents.messages.list(thread.id)]
    _ = [one async for one in agents.runs.list(thread.id)]
    _ = [one async for one in agents.run_steps.list(thread.id, run.id)]
    await agents.runs.get(thread.id, run.id)
    await agents.runs.update(thread.id, run.id, metadata={})
    await agents.runs.cancel(thread.id, run.id)
    await agents.threads.delete(thread.id)
    await agents.delete_agent(agent.id)
    store = await agents.vector_stores.create()
    await agents.vector_stores.get(store.id)
    await agents.vector_stores.modify(store.id, name="x")
    _ = [one async for one in agents.vector_stores.list()]
    await agents.vector_stores.delete(store.id)
    await agents.files.list()


OPERATIONS = {
    *("create_assistant", "get_assistant", "update_assistant", "list_assistants", "delete_assistant"),
    *("create_classic_thread", "get_classic_thread", "update_classic_thread", "list_classic_threads"),
    *("delete_classic_thread", "create_message", "get_message", "update_message"),
    *("list_messages", "create_run", "get_run", "update_run", "list_runs", "list_run_steps", "cancel_run"),
    *("create_vector_store", "get_vector_store", "update_vector_store", "list_vector_stores"),
    *("delete_vector_store", "list_files"),
}


async def test_each_operation_has_the_name_that_faults_go_by(
    foundry: EmbeddedFoundry, agents: AgentsClient
) -> None:
    await every_operation(agents)
    assert {one.operation for one in foundry.requests} == OPERATIONS


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
async def test_a_fault_reaches_each_operation_by_its_name(
    foundry: EmbeddedFoundry, agents: AgentsClient, operation: str
) -> None:
    foundry.faults.add(Fault(operation, status=418, code="teapot"))
    with pytest.raises(HttpResponseError) as caught:
        await every_operation(agents)
    assert caught.value.status_code == 418
    assert foundry.requests[-1].operation == operation


async def test_a_fault_on_a_vector_store_meets_both_generations(
    foundry: EmbeddedFoundry, agents: AgentsClient, openai: Any
) -> None:
    foundry.add_vector_store("vs_1")
    foundry.faults.add(Fault("get_vector_store", status=418))
    with pytest.raises(HttpResponseError):
        await agents.vector_stores.get("vs_1")
    with pytest.raises(Exception, match="418"):
        await openai.vector_stores.retrieve("vs_1")


async def test_the_classic_generation_needs_a_token_and_an_api_version(foundry: EmbeddedFoundry) -> None:
    foundry.accept(["another"])
    async with connect_classic(foundry.endpoint) as agents:
        with pytest.raises(ClientAuthenticationError):
            await agents.create_agent(model=MODEL)
    foundry.accept()
    headers = {"Authorization": "Bearer x"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for path in ("assistants", "threads", "files", "vector_stores"):
            async with session.get(f"{foundry.endpoint}/{path}") as answer:
                error = (await answer.json())["error"]
                assert (answer.status, error["code"]) == (400, "MissingApiVersionParameter")


# Redirects and links that lead elsewhere


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault("get_assistant", location="http://127.0.0.1:9/elsewhere"), 307),
        (Fault("get_assistant", location="http://127.0.0.1:9/elsewhere", status=302), 302),
    ],
    ids=["by default 307", "as asked"],
)
async def test_an_operation_answers_with_a_redirect(
    foundry: EmbeddedFoundry, fault: Fault, status: int
) -> None:
    foundry.faults.add(fault)
    url = f"{foundry.endpoint}/assistants/asst_1?api-version=v1"
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Bearer x"}) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        assert (answer.status, answer.headers["Location"]) == (status, "http://127.0.0.1:9/elsewhere")
    assert [(one.status, one.fault) for one in foundry.requests] == [(status, str(status))]


async def test_a_redirected_create_does_nothing_here_unless_it_is_lost(foundry: EmbeddedFoundry) -> None:
    with EmbeddedFoundry(environ={}) as elsewhere:
        target = f"{elsewhere.endpoint}/assistants?api-version=v1"
        for lost, left in ((False, 0), (True, 1)):
            fault_id = foundry.faults.add(Fault("create_assistant", location=target, lost=lost))
            async with (
                aiohttp.ClientSession(headers={"Authorization": "Bearer x"}) as session,
                session.post(
                    f"{foundry.endpoint}/assistants?api-version=v1",
                    json={"model": MODEL},
                    allow_redirects=False,
                ) as answer,
            ):
                assert answer.status == 307
            assert len(foundry.assistants()) == left
            foundry.faults.remove(fault_id)
        assert elsewhere.requests == ()


async def test_the_sdk_follows_a_link_to_another_host(connect: Any) -> None:
    with (
        EmbeddedFoundry(environ={}, deployments=("other",)) as elsewhere,
        EmbeddedFoundry(environ={}, deployments=("a", "b"), azure_page_size=1) as foundry,
    ):
        foundry.behave(next_link_origin=elsewhere.base_url)
        url = f"{foundry.endpoint}/deployments?api-version=v1"
        async with (
            aiohttp.ClientSession(headers={"Authorization": "Bearer x"}) as session,
            session.get(url) as answer,
        ):
            link = urlsplit((await answer.json())["nextLink"])
        assert f"{link.scheme}://{link.netloc}" == elsewhere.base_url
        assert (link.path, "skip=1" in link.query) == (urlsplit(url).path, True)
        async with connect(foundry.endpoint) as project:
            await names_of(project)
        # Left to itself the client goes there, and takes its token along.
        assert [one.authorization is not None for one in elsewhere.requests] == [True]


async def names_of(project: AIProjectClient) -> list[str]:
    return [one.name async for one in project.deployments.list()]


# Shapes


async def test_the_answers_have_the_keys_that_were_recorded(foundry: EmbeddedFoundry) -> None:
    function = {"type": "function", "function": {"name": "f"}}
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer x"}) as session:

        async def send(method: str, path: str, body: Any = None) -> Any:
            url = f"{foundry.endpoint}/{path}?api-version=v1"
            async with session.request(method, url, json=body) as answer:
                return await answer.json()

        assistant = await send("POST", "assistants", {"model": MODEL, "tools": [function]})
        thread = await send("POST", "threads", {})
        path = f"threads/{thread['id']}"
        answers = [
            assistant,
            thread,
            await send("POST", f"{path}/messages", {"role": "user", "content": "x"}),
            await send("POST", f"{path}/runs", {"assistant_id": assistant["id"]}),
            await send("POST", "vector_stores", {}),
            await send("GET", f"files/{foundry.add_file()}"),
            await send("DELETE", path),
            await send("DELETE", f"assistants/{assistant['id']}"),
            await send("GET", "assistants"),
            await send("DELETE", f"vector_stores/{foundry.add_vector_store()}"),
        ]
        missing = await send("GET", "assistants/asst_nope")
    for answer in answers:
        recorded = SHAPES[answer["object"]]
        assert answer.keys() == recorded.keys(), answer["object"]
    assert answers[-2] == {**SHAPES["list"], "first_id": None, "last_id": None, "has_more": False}
    assert missing == SHAPES["error"]
