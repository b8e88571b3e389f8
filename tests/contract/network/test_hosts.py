"""To whom the operator speaks: the endpoint's own host, and nobody that an answer sends it to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.core.rest import HttpRequest
from tests.contract.network.clients import CLIENTS, Client, config_for, open_adapter
from tests.harness.azure import Azure

from AgentOperatingSystem.model.errors import NotAllowed, RuntimeFailure
from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.runtime.connection import connect
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry, Fault

each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


@pytest.fixture
def elsewhere(azure: Azure) -> Iterator[EmbeddedFoundry]:
    """A server of somebody else's, whose certificate is even trusted."""
    with azure.another_foundry() as foundry:
        yield foundry


@each_client
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(
    azure: Azure, elsewhere: EmbeddedFoundry, client: Client, status: int
) -> None:
    azure.foundry.faults.add(Fault(status=status, location=f"{elsewhere.endpoint}/stolen"))
    with pytest.raises(Exception, match=r"redirect|Redirect|307|30[1238]"):
        await client.ask(azure.foundry.endpoint, None)
    assert len(azure.foundry.requests) == 1
    assert elsewhere.requests == ()


@each_client
async def test_not_even_to_the_same_host(azure: Azure, client: Client) -> None:
    """Azure has no redirects: one is a proxy's sign-in page, or worse."""
    azure.foundry.faults.add(Fault(location=f"{azure.foundry.project('other').endpoint}/agents", times=1))
    with pytest.raises(Exception, match="307"):
        await client.ask(azure.foundry.endpoint, None)
    assert {request.project for request in azure.foundry.requests} == {"sandbox"}


@pytest.mark.parametrize("kind", list(RuntimeType))
@pytest.mark.parametrize("writes", [False, True])
async def test_a_redirect_is_told_in_words(azure: Azure, kind: RuntimeType, writes: bool) -> None:
    azure.foundry.faults.add(Fault(location="https://evil.example/"))
    async with open_adapter(kind, azure.foundry.endpoint) as adapter:
        with pytest.raises(RuntimeFailure, match="redirect") as caught:
            await (adapter.delete("ceo") if writes else adapter.get("ceo"))
    assert "evil.example" not in str(caught.value), "whoever redirects does not choose our words"


@pytest.mark.parametrize("kind", list(RuntimeType))
async def test_a_link_to_another_host_is_refused_before_a_token_is_added(
    azure: Azure, elsewhere: EmbeddedFoundry, kind: RuntimeType
) -> None:
    azure.foundry.behave(next_link_origin=elsewhere.base_url)
    async with open_adapter(kind, azure.foundry.endpoint) as adapter:
        with pytest.raises(NotAllowed, match="another host"):
            await adapter.deployments()
    assert elsewhere.requests == ()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://localhost:{port}/api/projects/sandbox/agents", "the same server by another name"),
        ("http://127.0.0.1:{port}/api/projects/sandbox/agents", "in the clear"),
        ("https://127.0.0.1:{elsewhere}/api/projects/sandbox/agents", "another port"),
        ("https://127.0.0.1:{port}@localhost:{elsewhere}/", "a user"),
        ("https://127.0.0.1:{port}\\@localhost:{elsewhere}/", "a backslash"),
        ("https://[::1]:{port}/", "IPv6"),
    ],
)
async def test_no_client_sends_anything_elsewhere(
    azure: Azure, elsewhere: EmbeddedFoundry, url: str, reason: str
) -> None:
    """As if an SDK had been talked into it; not even a token is asked for."""
    ports = {"port": azure.allowed.rpartition(":")[2], "elsewhere": elsewhere.base_url.rpartition(":")[2]}
    connection = connect(azure.foundry.endpoint, config_for(azure.foundry.endpoint))
    try:
        with pytest.raises(NotAllowed):
            await connection.project.send_request(HttpRequest("GET", url.format(**ports)))
        assert azure.identity.requests == (), reason
        if "@" not in url:  # httpx makes another URL of these, or none
            with pytest.raises(NotAllowed):
                await connection.openai.get(url.format(**ports), cast_to=object)
    finally:
        await connection.close()
    assert (azure.foundry.requests, elsewhere.requests) == ((), ()), reason
