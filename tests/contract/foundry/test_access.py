"""Who may call, and that projects do not see each other; no token is kept anywhere."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import openai as sdk
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry

MODEL = "llama-3.3-70b-ceo"


def get(url: str, **headers: str) -> tuple[int, Any]:
    """A bare GET: what an SDK would never send."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=5)
    try:
        connection.request("GET", f"{where.path}?{where.query}", headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer "}])
def test_without_a_bearer_token_nothing_is_served(foundry: EmbeddedFoundry, headers: dict[str, str]) -> None:
    status, body = get(f"{foundry.endpoint}/agents?api-version=v1", **headers)
    assert (status, body["error"]["code"]) == (401, "Unauthorized")


def test_the_azure_part_needs_an_api_version(foundry: EmbeddedFoundry) -> None:
    status, body = get(f"{foundry.endpoint}/agents", Authorization="Bearer x")
    assert (status, body["error"]["code"]) == (400, "MissingApiVersionParameter")


def test_an_unknown_path_is_a_404_in_the_services_shape(foundry: EmbeddedFoundry) -> None:
    status, body = get(f"{foundry.endpoint}/nope?api-version=v1", Authorization="Bearer x")
    assert (status, body["error"]["code"]) == (404, "NotFound")
    assert foundry.requests[-1].operation == "unknown"


async def test_projects_are_isolated(foundry: EmbeddedFoundry, connect: Any) -> None:
    foundry.add_agent("ceo", MODEL)
    other = foundry.project("other")
    other.add_agent("cfo", MODEL)
    async with connect(other.endpoint) as project:
        assert [agent.name async for agent in project.agents.list()] == ["cfo"]
    assert set(foundry.agents()) == {"ceo"}
    assert {request.project for request in foundry.requests} == {"other"}


async def test_each_project_has_its_own_identities(foundry: EmbeddedFoundry, connect: Any) -> None:
    foundry.project("a").accept(tokens=["alice", "ann"], denied=["ann"])
    foundry.project("b").accept(tokens=["bob"], denied=["ann"], denied_status=401)
    expected = [
        ("a", "alice", 200),
        ("a", "bob", 401),
        ("a", "ann", 403),
        ("b", "bob", 200),
        ("b", "ann", 401),
    ]
    for project_name, token, status in expected:
        foundry.project(project_name).add_agent("ceo", MODEL)
        async with connect(foundry.project(project_name).endpoint, token) as project:
            assert await status_of(project.agents.get("ceo")) == status, (project_name, token)


async def status_of(call: Any) -> int:
    """200, or the status of the error."""
    try:
        await call
    except HttpResponseError as error:
        return error.status_code or 0
    return 200


async def test_tokens_can_be_given_from_the_start_and_lifted(connect: Any) -> None:
    with EmbeddedFoundry(tokens=["good"], environ={}) as foundry:
        async with connect(foundry.endpoint, "bad") as project:
            with pytest.raises(ClientAuthenticationError):
                await project.agents.get("ceo")
            async with project.get_openai_client(max_retries=0) as client:
                with pytest.raises(sdk.AuthenticationError):
                    await client.conversations.create()
            foundry.accept(None)
            assert await status_of(project.agents.get("ceo")) == 404


async def test_no_token_is_kept(foundry: EmbeddedFoundry, connect: Any) -> None:
    foundry.accept(["very-secret"])
    async with connect(foundry.endpoint, "very-secret") as project:
        await status_of(project.agents.get("ceo"))
    [record] = foundry.requests
    assert record.authorization is not None
    assert len(record.authorization) == 12
    assert "very-secret" not in f"{foundry.state()}{foundry.requests}"


def test_a_web_page_cannot_reach_the_control_surface(foundry: EmbeddedFoundry) -> None:
    status, _ = get(f"{foundry.base_url}/_sandbox/state", Origin="https://evil.example")
    assert status == 403
