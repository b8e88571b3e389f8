"""Without a token: what is told, how often is asked, how it heals; and that no log holds a credential."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from dataclasses import replace

import pytest
from tests.contract.network.clients import CLIENTS, Client, config_for, open_adapter
from tests.harness.azure import OPERATOR_ASSERTION, OPERATOR_CLIENT, TENANT, Azure

from AgentOperatingSystem.model.errors import NotAuthorized, RuntimeUnavailable
from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.runtime import credentials
from AgentOperatingSystem.runtime.connection import connect
from AgentOperatingSystem.runtime.identity import Identity, OwnIdentity, ServicePrincipal, WorkloadIdentity

TEAM = "team-application"
SECRET = "s3cret-of-the-team"
PRINCIPAL = ServicePrincipal(TENANT, TEAM, SECRET)
TOKEN = re.compile(r"sandbox-[A-Za-z0-9_-]{43}")
each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
each_kind = pytest.mark.parametrize("kind", list(RuntimeType))


@pytest.fixture
def team(azure: Azure) -> Azure:
    azure.identity.add_secret(TENANT, TEAM, SECRET)
    return azure


@each_client
@pytest.mark.parametrize(
    ("identity", "told"),
    [
        (
            replace(PRINCIPAL, client_secret="wrong-s3cret"),
            ("client secret is wrong", TEAM, "runtime's Secret"),
        ),
        (replace(PRINCIPAL, client_id="nobody"), ("no application of that client id", "nobody", "Secret")),
        (replace(PRINCIPAL, tenant_id="nowhere"), ("no such tenant", TEAM, "runtime's Secret")),
        (WorkloadIdentity(TEAM), ("does not trust", TEAM, "federated credential")),
        (WorkloadIdentity("nobody"), ("no application of that client id", "nobody", "client id and tenant")),
    ],
)
async def test_a_refused_token_says_what_to_check(
    team: Azure, client: Client, identity: Identity, told: tuple[str, ...]
) -> None:
    with pytest.raises(NotAuthorized) as caught:
        await client.ask(team.foundry.endpoint, identity)
    message = str(caught.value)
    for words in (*told, "Foundry User", "Azure AI User"):
        assert words in message
    for secret in (SECRET, "wrong-s3cret", OPERATOR_ASSERTION, "Trace ID", "Correlation"):
        assert secret not in message
    assert team.foundry.requests == ()


@each_client
async def test_the_operators_own_identity_names_its_settings(team: Azure, client: Client) -> None:
    team.identity.distrust(TENANT, OPERATOR_CLIENT, OPERATOR_ASSERTION)
    with pytest.raises(NotAuthorized, match="AZURE_CLIENT_ID") as caught:
        await client.ask(team.foundry.endpoint, OwnIdentity())
    assert "Foundry User" in str(caught.value)


@each_kind
async def test_a_hundred_agents_ask_once_for_what_was_refused(team: Azure, kind: RuntimeType) -> None:
    wrong = replace(PRINCIPAL, client_secret="wrong")
    async with open_adapter(kind, team.foundry.endpoint, wrong) as adapter:
        for _ in range(20):
            with pytest.raises(NotAuthorized):
                await adapter.get("ceo")
    assert len(team.identity.requests) == 1


@each_kind
async def test_a_secret_that_comes_to_be_right_is_found_right(
    team: Azure, kind: RuntimeType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the application is made after the Secret."""
    monkeypatch.setattr(credentials, "REFUSED_SECONDS", 0.1)
    async with open_adapter(kind, team.foundry.endpoint, replace(PRINCIPAL, client_secret="next")) as adapter:
        with pytest.raises(NotAuthorized):
            await adapter.deployments()
        team.identity.add_secret(TENANT, TEAM, "next")
        await asyncio.sleep(0.15)
        assert await adapter.deployments()


@each_client
async def test_a_token_service_in_trouble_is_no_refusal(team: Azure, client: Client) -> None:
    """Nothing was sent to the runtime: not even a write leaves its outcome unknown."""
    team.identity.fail(503)
    with pytest.raises(RuntimeUnavailable, match=r"gives out tokens failed \(503\)") as caught:
        await client.ask(team.foundry.endpoint, PRINCIPAL)
    assert type(caught.value) is RuntimeUnavailable
    team.identity.fail(None)
    await client.ask(team.foundry.endpoint, PRINCIPAL)


@each_client
async def test_no_token_service_is_no_refusal_either(
    team: Azure, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "https://127.0.0.1:9")
    with pytest.raises(RuntimeUnavailable, match="gives out tokens does not answer"):
        await client.ask(team.foundry.endpoint, PRINCIPAL)


@each_kind
@pytest.mark.parametrize("status", [401, 403])
async def test_who_lacks_the_role_is_told_its_name_until_it_is_given(
    team: Azure, kind: RuntimeType, status: int
) -> None:
    team.foundry.admit([OPERATOR_CLIENT], denied_status=status)
    async with open_adapter(kind, team.foundry.endpoint, PRINCIPAL) as adapter:
        with pytest.raises(NotAuthorized, match="Foundry User"):
            await adapter.deployments()
        team.foundry.admit([OPERATOR_CLIENT, TEAM])
        assert await adapter.deployments()
    assert {request.client for request in team.foundry.requests} == {TEAM}


async def test_a_role_is_for_one_project(team: Azure) -> None:
    ours, theirs = team.foundry.project("ours"), team.foundry.project("theirs")
    ours.admit([TEAM])
    theirs.admit([OPERATOR_CLIENT])
    async with open_adapter(RuntimeType.FOUNDRY, ours.endpoint, PRINCIPAL) as adapter:
        assert await adapter.list_all() == []
    async with open_adapter(RuntimeType.FOUNDRY, theirs.endpoint, PRINCIPAL) as adapter:
        with pytest.raises(NotAuthorized):
            await adapter.list_all()


@each_kind
async def test_a_token_that_was_revoked_is_asked_for_anew(team: Azure, kind: RuntimeType) -> None:
    """Azure's credentials keep a token for its hour, whatever the runtime says of it."""
    async with open_adapter(kind, team.foundry.endpoint, PRINCIPAL) as adapter:
        assert await adapter.deployments()
        team.identity.revoke(TEAM)
        with pytest.raises(NotAuthorized):
            await adapter.deployments()
        assert await adapter.deployments()
    assert [one.status for one in team.identity.requests] == [200, 200]


async def test_openai_learns_of_a_revoked_token_as_well(team: Azure) -> None:
    connection = connect(team.foundry.endpoint, config_for(team.foundry.endpoint, PRINCIPAL))
    try:
        await connection.openai.conversations.create()
        team.identity.revoke(TEAM)
        with pytest.raises(Exception, match="401"):
            await connection.openai.conversations.create()
        await connection.openai.conversations.create()
    finally:
        await connection.close()


@each_kind
async def test_a_token_that_ends_is_renewed_before_anything_fails(team: Azure, kind: RuntimeType) -> None:
    team.identity.lifetime(1.0)
    async with open_adapter(kind, team.foundry.endpoint, PRINCIPAL) as adapter:
        ends = time.monotonic() + 2.5
        while time.monotonic() < ends:
            assert await adapter.deployments()
            await asyncio.sleep(0.25)
    assert len(team.identity.requests) >= 2
    statuses = [request.status for request in team.foundry.requests]
    assert statuses.count(401) <= 1, "a token may end on its way"


@each_kind
async def test_a_rotated_secret_fails_nobody(team: Azure, kind: RuntimeType) -> None:
    """Tokens outlive the secret that they were given for: the second half of a rotation needs no hurry."""
    async with open_adapter(kind, team.foundry.endpoint, PRINCIPAL) as before:
        await before.deployments()
        team.identity.add_secret(TENANT, TEAM, "n3xt")
        after = replace(PRINCIPAL, client_secret="n3xt")
        async with open_adapter(kind, team.foundry.endpoint, after) as rotated:
            team.identity.remove_secret(TENANT, TEAM, SECRET)
            answers = (adapter.deployments() for adapter in (before, rotated) for _ in range(10))
            assert all(await asyncio.gather(*answers))


@each_client
@pytest.mark.parametrize(
    "identity", [PRINCIPAL, OwnIdentity(), replace(PRINCIPAL, client_secret="wr0ng-s3cret")]
)
async def test_no_log_holds_a_credential(
    team: Azure, client: Client, identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    try:
        await client.ask(team.foundry.endpoint, identity)
    except NotAuthorized:
        logging.getLogger("test").exception("told with its traceback")
    assert "azure" in caplog.text
    for secret in (SECRET, "wr0ng-s3cret", OPERATOR_ASSERTION):
        assert secret not in caplog.text
    assert TOKEN.search(caplog.text) is None


async def test_the_token_service_records_no_credential(team: Azure) -> None:
    async with open_adapter(RuntimeType.FOUNDRY, team.foundry.endpoint, PRINCIPAL) as adapter:
        await adapter.deployments()
    seen = f"{team.identity.requests} {team.foundry.requests} {team.foundry.state()}"
    assert SECRET not in seen
    assert TOKEN.search(seen) is None
