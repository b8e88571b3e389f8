"""Assistants of the classic generation, through the real azure-ai-agents client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from azure.ai.agents.aio import AgentsClient
from azure.ai.agents.models import (
    CodeInterpreterTool,
    FileSearchTool,
    FunctionDefinition,
    FunctionToolDefinition,
    OpenApiAnonymousAuthDetails,
    OpenApiTool,
)
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from tests.contract.foundry.classic import connect_classic

from AgentOperatingSystem.sandbox.foundry import Behaviour, EmbeddedFoundry

MODEL = "llama-3.3-70b-ceo"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}


def function(name: str) -> FunctionToolDefinition:
    return FunctionToolDefinition(
        function=FunctionDefinition(name=name, description=name, parameters=PARAMETERS)
    )


@pytest.fixture
async def agents(foundry: EmbeddedFoundry) -> AsyncIterator[AgentsClient]:
    async with connect_classic(foundry.endpoint) as client:
        yield client


async def test_an_assistant_is_read_back_as_it_was_sent(
    foundry: EmbeddedFoundry, agents: AgentsClient
) -> None:
    search = FileSearchTool(vector_store_ids=["vs_1"])
    http = OpenApiTool("weather", {"openapi": "3.1.0"}, "the weather", OpenApiAnonymousAuthDetails())
    tools = [function("weather"), *CodeInterpreterTool().definitions, *search.definitions, *http.definitions]
    created = await agents.create_agent(
        model=MODEL,
        name="ceo",
        description="the boss",
        instructions="You are the CEO.",
        tools=tools,
        tool_resources=search.resources,
        temperature=0.2,
        top_p=0.9,
        metadata={"aos_name": "ceo"},
    )
    assert await agents.get_agent(created.id) == created
    assert (created.name, created.description, created.model) == ("ceo", "the boss", MODEL)
    assert (created.temperature, created.top_p, created.metadata) == (0.2, 0.9, {"aos_name": "ceo"})
    assert created.tools == tools
    assert created.tool_resources == search.resources
    held = foundry.assistants()[created.id]
    assert (held.name, held.model, held.instructions) == ("ceo", MODEL, "You are the CEO.")
    assert held.tools == tuple(tool.as_dict() for tool in tools)
    assert held.tool_resources == {"file_search": {"vector_store_ids": ["vs_1"]}}


async def test_an_identical_create_makes_another_assistant(
    foundry: EmbeddedFoundry, agents: AgentsClient
) -> None:
    ids = {(await agents.create_agent(model=MODEL, name="ceo")).id for _ in range(2)}
    assert set(foundry.assistants()) == ids
    assert len(ids) == 2


async def test_an_update_changes_what_it_names_in_place(agents: AgentsClient) -> None:
    before = await agents.create_agent(
        model=MODEL, name="ceo", instructions="old", tools=[function("a")], metadata={"k": "v"}
    )
    after = await agents.update_agent(before.id, instructions="new", tools=[function("b")])
    assert after == await agents.get_agent(before.id)
    assert (after.instructions, after.tools) == ("new", [function("b")])
    assert (after.id, after.name, after.metadata, after.model) == (before.id, "ceo", {"k": "v"}, MODEL)


async def test_an_empty_metadata_clears_and_none_keeps(agents: AgentsClient) -> None:
    agent = await agents.create_agent(model=MODEL, description="d", metadata={"k": "v"})
    kept = await agents.update_agent(agent.id, description=None, metadata=None)
    assert (kept.description, kept.metadata) == ("d", {"k": "v"})
    assert (await agents.update_agent(agent.id, metadata={})).metadata == {}


async def test_a_deleted_assistant_is_gone(foundry: EmbeddedFoundry, agents: AgentsClient) -> None:
    agent = await agents.create_agent(model=MODEL)
    await agents.delete_agent(agent.id)
    assert foundry.assistants() == {}
    for call in (agents.get_agent(agent.id), agents.delete_agent(agent.id), agents.update_agent(agent.id)):
        with pytest.raises(ResourceNotFoundError) as caught:
            await call
        assert caught.value.response is not None
        assert caught.value.response.json() == {
            "error": {
                "code": None,
                "message": f"No assistant found with id '{agent.id}'.",
                "type": "invalid_request_error",
                "param": None,
            }
        }


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_the_pager_sees_each_of_250_assistants_once(
    foundry: EmbeddedFoundry, agents: AgentsClient, order: str
) -> None:
    ids = foundry.add_assistants(249, "their-model", name="theirs", metadata={"team": "other"})
    ids.append((await agents.create_agent(model=MODEL, name="ceo")).id)
    foundry.clear_requests()
    seen = [agent.id async for agent in agents.list_agents(limit=100, order=order)]
    assert seen == (ids if order == "asc" else ids[::-1])
    # One more than needed: the pager ignores has_more and asks until a page is empty.
    assert [one.operation for one in foundry.requests] == ["list_assistants"] * 4


async def test_a_page_after_an_assistant_that_was_deleted_goes_on(
    foundry: EmbeddedFoundry, agents: AgentsClient
) -> None:
    ids = foundry.add_assistants(5)
    seen = []
    async for agent in agents.list_agents(limit=2, order="asc"):
        seen.append(agent.id)
        await agents.delete_agent(agent.id)
    assert seen == ids


@dataclass(frozen=True)
class Refused:
    """An assistant that the service must not accept, the field it must name, and why."""

    param: str
    reason: str
    body: dict[str, Any]


REFUSED = [
    Refused("model", "the deployment must exist", {"model": "llama-cxo"}),
    Refused("model", "a model is required", {"model": ""}),
    Refused("name", "a name has at most 256 characters", {"name": "n" * 257}),
    Refused("description", "a description has at most 512 characters", {"description": "d" * 513}),
    Refused("instructions", "at most 256,000 characters", {"instructions": "x" * 256_001}),
    Refused("tools", "at most 128 tools", {"tools": [function(f"t{n}") for n in range(129)]}),
    Refused("tools[0]", "a tool has a type", {"tools": [{"function": {}}]}),
    Refused("metadata", "at most 16 pairs", {"metadata": {f"k{n}": "v" for n in range(17)}}),
    Refused("metadata", "a key has at most 64 characters", {"metadata": {"k" * 65: "v"}}),
    Refused("metadata", "a value has at most 512 characters", {"metadata": {"k": "v" * 513}}),
    Refused("temperature", "at most 2", {"temperature": 2.5}),
    Refused("tool_resources.file_search", "ids are a list", {"tool_resources": {"file_search": "vs_1"}}),
]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.reason)
@pytest.mark.parametrize("update", [False, True], ids=["create", "update"])
async def test_the_service_refuses_what_breaks_its_limits(
    foundry: EmbeddedFoundry, agents: AgentsClient, row: Refused, update: bool
) -> None:
    (theirs,) = foundry.add_assistants(1)
    before = foundry.assistants()
    body = {"model": MODEL, **row.body}
    with pytest.raises(HttpResponseError) as caught:
        await (agents.update_agent(theirs, body=body) if update else agents.create_agent(body=body))
    assert caught.value.status_code == 400
    assert caught.value.response is not None
    error = caught.value.response.json()["error"]
    assert (error["code"], error["param"]) == ("invalid_parameters", row.param)
    assert foundry.assistants() == before


async def test_what_is_exactly_at_the_limits_is_accepted(agents: AgentsClient) -> None:
    agent = await agents.create_agent(
        model=MODEL,
        name="n" * 256,
        description="d" * 512,
        instructions="x" * 256_000,
        tools=[function(f"t{n}") for n in range(128)],
        metadata={f"{n:064}": "v" * 512 for n in range(16)},
    )
    assert len(agent.instructions or "") == 256_000


async def test_unknown_resources_are_refused_only_when_the_switch_is_on(
    foundry: EmbeddedFoundry, agents: AgentsClient
) -> None:
    wanted = FileSearchTool(vector_store_ids=["vs_gone"]).resources
    await agents.create_agent(model=MODEL, tool_resources=wanted)
    foundry.behave(refuse_unknown_resources=True)
    with pytest.raises(HttpResponseError, match="vs_gone"):
        await agents.create_agent(model=MODEL, tool_resources=wanted)
    foundry.add_vector_store("vs_gone")
    await agents.create_agent(model=MODEL, tool_resources=wanted)
    assert len(foundry.assistants()) == 2


async def test_a_service_that_normalises_keeps_the_meaning() -> None:
    with EmbeddedFoundry(behaviour=Behaviour(normalise=True), environ={}) as foundry:
        async with connect_classic(foundry.endpoint) as agents:
            tools = [function("a"), *FileSearchTool(vector_store_ids=["vs_1"]).definitions]
            created = await agents.create_agent(model=MODEL, instructions=" be good\n", tools=tools)
        assert created.instructions == "be good"
        assert [tool.type for tool in created.tools] == ["file_search", "function"]
        assert created.tools[0].as_dict()["file_search"].keys() == {"ranking_options"}
        assert created.tools[1].as_dict() == {
            "type": "function",
            "function": {"name": "a", "description": "a", "parameters": PARAMETERS, "strict": False},
        }


async def test_projects_are_isolated(foundry: EmbeddedFoundry, agents: AgentsClient) -> None:
    agent = await agents.create_agent(model=MODEL)
    other = foundry.project("other")
    async with connect_classic(other.endpoint) as theirs:
        with pytest.raises(ResourceNotFoundError):
            await theirs.get_agent(agent.id)
    assert other.assistants() == {}


async def test_a_portal_edit_changes_an_assistant_behind_our_back(
    foundry: EmbeddedFoundry, agents: AgentsClient
) -> None:
    agent = await agents.create_agent(model=MODEL, instructions="lead", name="ceo", metadata={"k": "v"})
    foundry.edit_assistant(agent.id, instructions="follow", tools=[function("x").as_dict()], name=None)
    read = await agents.get_agent(agent.id)
    assert (read.instructions, read.name, read.tools) == ("follow", None, [function("x")])
    assert read.metadata == {"k": "v"}
    foundry.remove_assistant(agent.id)
    assert foundry.assistants() == {}
