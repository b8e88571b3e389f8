"""Agents and their versions, deployments and connections, through the real azure-ai-projects client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from azure.ai.projects.aio import AIProjectClient
from azure.ai.projects.models import (
    AgentEndpointConfig,
    FixedRatioVersionSelectionRule,
    FunctionTool,
    PromptAgentDefinition,
    VersionSelector,
)
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from AgentOperatingSystem.sandbox.foundry import Behaviour, EmbeddedFoundry

MODEL = "llama-3.3-70b-ceo"
Connect = Callable[..., AIProjectClient]
CEO = PromptAgentDefinition(model=MODEL, instructions="You are the CEO.", temperature=0.2)


def tool(name: str, strict: bool = False) -> FunctionTool:
    return FunctionTool(name=name, description=name, parameters={"type": "object"}, strict=strict)


async def test_a_created_agent_is_read_back_as_it_was_sent(project: AIProjectClient) -> None:
    created = await project.agents.create_version(
        "ceo", definition=CEO, metadata={"aos_name": "ceo"}, description="the boss"
    )
    agent = await project.agents.get("ceo")
    assert (created.id, created.version, created.status) == ("ceo:1", "1", "active")
    assert (agent.state, agent.configuration_state, agent.name) == ("enabled", "enabled", "ceo")
    assert agent.versions.latest == created
    assert created.definition == CEO
    assert created.metadata == {"aos_name": "ceo"}
    assert created.description == "the boss"


async def test_an_identical_definition_still_makes_a_new_version(project: AIProjectClient) -> None:
    for _ in range(2):
        await project.agents.create_version("ceo", definition=CEO)
    versions = [version.version async for version in project.agents.list_versions("ceo")]
    assert versions == ["2", "1"]


async def test_without_metadata_a_version_has_none_and_inherits_none(project: AIProjectClient) -> None:
    await project.agents.create_version("ceo", definition=CEO, metadata={"a": "b"})
    second = await project.agents.create_version("ceo", definition=CEO)
    assert second.metadata == {}


async def test_what_does_not_exist_is_a_404(project: AIProjectClient) -> None:
    await project.agents.create_version("ceo", definition=CEO)
    calls = [
        project.agents.get("nope"),
        project.agents.delete("nope"),
        project.agents.enable("nope"),
        project.agents.get_version("ceo", "9"),
        project.agents.delete_version("ceo", "9"),
        project.deployments.get("nope"),
        project.connections.get("nope"),
    ]
    for call in calls:
        with pytest.raises(ResourceNotFoundError) as caught:
            await call
        assert caught.value.error is not None
        assert caught.value.error.code in ("not_found", "NotFound")


@dataclass(frozen=True)
class Refused:
    """A version that the service must not accept, the field it must name, and why."""

    param: str
    reason: str
    name: str = "ceo"
    definition: Any = field(default_factory=lambda: CEO)
    metadata: Any = None


REFUSED = [
    Refused("agent_name", "an underscore is not allowed in a name", name="bad_name"),
    Refused("agent_name", "a name starts with a letter or a digit", name="-ceo"),
    Refused("agent_name", "a name has at most 63 characters", name="c" * 64),
    Refused("metadata", "at most 16 pairs", metadata={f"k{n}": "v" for n in range(17)}),
    Refused("metadata", "a key has at most 64 characters", metadata={"k" * 65: "v"}),
    Refused("metadata", "a value has at most 512 characters", metadata={"k": "v" * 513}),
    Refused("metadata", "a value is a text", metadata={"k": 1}),
    Refused(
        "definition.instructions",
        "instructions have at most 256,000 characters",
        definition=PromptAgentDefinition(model=MODEL, instructions="x" * 256_001),
    ),
    Refused(
        "definition.tools",
        "at most 128 tools",
        definition=PromptAgentDefinition(model=MODEL, tools=[tool(f"t{n}") for n in range(129)]),
    ),
    Refused(
        "definition.model", "the deployment must exist", definition=PromptAgentDefinition(model="llama-cxo")
    ),
    Refused("definition.model", "a model is required", definition=PromptAgentDefinition(model="")),
    Refused("definition.kind", "a kind is required", definition={"model": MODEL}),
]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.reason)
async def test_the_service_refuses_what_breaks_its_limits(project: AIProjectClient, row: Refused) -> None:
    with pytest.raises(HttpResponseError) as caught:
        await project.agents.create_version(row.name, definition=row.definition, metadata=row.metadata)
    assert caught.value.status_code == 400
    assert caught.value.response is not None
    error = caught.value.response.json()["error"]
    assert (error["code"], error["param"]) == ("invalid_parameters", row.param)


async def test_a_description_has_at_most_512_characters(project: AIProjectClient) -> None:
    with pytest.raises(HttpResponseError, match="description"):
        await project.agents.create_version("ceo", definition=CEO, description="x" * 513)


async def test_an_unknown_model_is_named_and_becomes_good_once_deployed(
    foundry: EmbeddedFoundry, project: AIProjectClient
) -> None:
    definition = PromptAgentDefinition(model="llama-3.3-70b-new")
    with pytest.raises(HttpResponseError, match=r"llama-3\.3-70b-new"):
        await project.agents.create_version("ceo", definition=definition)
    foundry.deployments.add("llama-3.3-70b-new")
    assert (await project.agents.create_version("ceo", definition=definition)).version == "1"


@pytest.mark.parametrize("model", ["gateway/llama-3.3-70b", MODEL])
async def test_a_model_behind_a_connection_is_accepted(project: AIProjectClient, model: str) -> None:
    created = await project.agents.create_version("ceo", definition=PromptAgentDefinition(model=model))
    assert created.definition["model"] == model


async def test_unknown_models_can_be_let_in(foundry: EmbeddedFoundry, project: AIProjectClient) -> None:
    foundry.behave(refuse_unknown_models=False)
    await project.agents.create_version("ceo", definition=PromptAgentDefinition(model="unknown"))
    assert foundry.agents()["ceo"].latest.model == "unknown"


async def test_listing_pages_through_more_agents_than_a_page_holds(
    foundry: EmbeddedFoundry, project: AIProjectClient
) -> None:
    names = [f"agent-{number}" for number in range(105)]
    for name in names:
        foundry.add_agent(name, MODEL)
    foundry.clear_requests()
    assert [agent.name async for agent in project.agents.list(limit=100, order="asc")] == names
    # 100, 5, and the empty page: the SDK's pager asks until last_id is null.
    assert [request.query.get("after") for request in foundry.requests] == [None, "agent-99", "agent-104"]
    newest_first = [agent.name async for agent in project.agents.list()]
    assert newest_first == names[::-1]


async def test_a_cursor_survives_the_deletion_of_what_it_names(
    foundry: EmbeddedFoundry, project: AIProjectClient
) -> None:
    for number in range(4):
        foundry.add_agent(f"agent-{number}", MODEL)
    seen = []
    async for agent in project.agents.list(limit=1, order="asc"):
        seen.append(agent.name)
        await project.agents.delete(agent.name)
    assert seen == [f"agent-{number}" for number in range(4)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"order": "asc", "before": "agent-2"}, ["agent-0", "agent-1"]),
        ({"order": "desc", "before": "agent-2"}, ["agent-3"]),
        ({"order": "asc", "kind": "workflow"}, []),
    ],
)
async def test_listing_can_go_backwards_and_choose_a_kind(
    foundry: EmbeddedFoundry, project: AIProjectClient, query: dict[str, str], expected: list[str]
) -> None:
    for number in range(4):
        foundry.add_agent(f"agent-{number}", MODEL)
    pages = project.agents.list(**query).by_page()
    assert [agent.name async for agent in await anext(pages)] == expected


@pytest.mark.parametrize("limit", [0, 101])
async def test_a_page_has_between_1_and_100_agents(project: AIProjectClient, limit: int) -> None:
    with pytest.raises(HttpResponseError, match="limit"):
        [agent async for agent in project.agents.list(limit=limit)]


async def test_deleting_the_latest_version_moves_it_and_numbers_are_not_reused(
    project: AIProjectClient,
) -> None:
    for _ in range(3):
        await project.agents.create_version("ceo", definition=CEO)
    deleted = await project.agents.delete_version("ceo", "3")
    assert (deleted.name, deleted.version, deleted.deleted) == ("ceo", "3", True)
    assert (await project.agents.get("ceo")).versions.latest.version == "2"
    assert (await project.agents.create_version("ceo", definition=CEO)).version == "4"


async def test_the_only_version_cannot_be_deleted(project: AIProjectClient) -> None:
    await project.agents.create_version("ceo", definition=CEO)
    with pytest.raises(HttpResponseError, match="only one"):
        await project.agents.delete_version("ceo", "1")


async def test_an_agent_holds_at_most_1000_versions(
    foundry: EmbeddedFoundry, project: AIProjectClient
) -> None:
    foundry.add_agent("ceo", MODEL)
    for _ in range(999):
        foundry.edit_agent("ceo")
    with pytest.raises(HttpResponseError, match="1000 versions"):
        await project.agents.create_version("ceo", definition=CEO)
    await project.agents.delete_version("ceo", "1")
    assert (await project.agents.create_version("ceo", definition=CEO)).version == "1001"


@pytest.mark.parametrize("force", [None, True])
async def test_a_deleted_agent_is_gone_and_starts_again_at_1(
    project: AIProjectClient, force: bool | None
) -> None:
    for _ in range(2):
        await project.agents.create_version("ceo", definition=CEO)
    assert (await project.agents.delete("ceo", force=force)).deleted
    with pytest.raises(ResourceNotFoundError):
        await project.agents.get("ceo")
    assert (await project.agents.create_version("ceo", definition=CEO)).version == "1"


async def test_disable_and_enable_are_idempotent_and_survive_a_new_version(
    project: AIProjectClient,
) -> None:
    await project.agents.create_version("ceo", definition=CEO)
    for _ in range(2):
        await project.agents.disable("ceo")
    await project.agents.create_version("ceo", definition=CEO)
    assert (await project.agents.get("ceo")).state == "disabled"
    for _ in range(2):
        await project.agents.enable("ceo")
    assert (await project.agents.get("ceo")).state == "enabled"


async def test_details_take_a_version_selector_but_no_definition(project: AIProjectClient) -> None:
    await project.agents.create_version("ceo", definition=CEO)
    rule = FixedRatioVersionSelectionRule(agent_version="1", traffic_percentage=100)
    endpoint = AgentEndpointConfig(version_selector=VersionSelector(version_selection_rules=[rule]))
    updated = await project.agents.update_details("ceo", agent_endpoint=endpoint)
    assert updated.agent_endpoint == endpoint
    with pytest.raises(HttpResponseError, match="metadata"):
        await project.agents.update_details("ceo", {"metadata": {}})


async def test_a_version_can_be_provisioning_for_a_while(
    foundry: EmbeddedFoundry, project: AIProjectClient
) -> None:
    foundry.behave(creating_seconds=60)
    assert (await project.agents.create_version("ceo", definition=CEO)).status == "creating"
    foundry.behave(creating_seconds=0, versions_fail=True)
    assert (await project.agents.create_version("ceo", definition=CEO)).status == "failed"
    assert (await project.agents.get_version("ceo", "1")).status == "creating"


async def test_a_normalising_service_stores_another_spelling(
    foundry: EmbeddedFoundry, project: AIProjectClient
) -> None:
    assert foundry.behave(normalise=True) == Behaviour(normalise=True)
    sent = PromptAgentDefinition(
        model=MODEL, instructions=" lead \n", tools=[tool("a"), tool("b", strict=True)]
    )
    stored = (await project.agents.create_version("ceo", definition=sent)).definition
    assert stored["instructions"] == "lead"
    assert (stored["temperature"], stored["top_p"]) == (1.0, 1.0)
    assert [(one["name"], one["strict"]) for one in stored["tools"]] == [("b", True), ("a", None)]


async def test_deployments_are_listed_over_pages_and_found_by_name(connect: Connect) -> None:
    names = [f"llama-{number}" for number in range(5)]
    with EmbeddedFoundry(deployments=names, azure_page_size=2, environ={}) as foundry:
        async with connect(foundry.endpoint) as project:
            assert [one.name async for one in project.deployments.list()] == names
            chosen = project.deployments.list(model_name="llama-3", deployment_type="ModelDeployment")
            assert [one.name async for one in chosen] == ["llama-3"]
            assert (await project.deployments.get("llama-4"))["modelName"] == "llama-4"
        pages = [request for request in foundry.requests if request.operation == "list_deployments"]
        assert [page.query.get("skip") for page in pages] == [None, "2", "4", None]


async def test_connections_show_their_secret_only_on_demand(
    foundry: EmbeddedFoundry, project: AIProjectClient
) -> None:
    assert [one async for one in project.connections.list()] == []
    secret = {"type": "ApiKey", "key": "InstrumentationKey=1"}
    foundry.put_connection(
        "appi", id="/x", type="AppInsights", target="/y", isDefault=True, credentials=secret
    )
    plain = await project.connections.get("appi")
    full = await project.connections.get("appi", include_credentials=True)
    assert "key" not in plain["credentials"]
    assert full["credentials"]["key"] == "InstrumentationKey=1"
    assert await project.telemetry.get_application_insights_connection_string() == "InstrumentationKey=1"
