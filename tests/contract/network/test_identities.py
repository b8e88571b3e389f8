"""As whom the operator speaks: each kind of identity is its own application's, with every client."""

from __future__ import annotations

from dataclasses import fields

import pytest
from tests.contract.network.clients import CLIENTS, Client, config_for
from tests.harness.azure import OPERATOR_CLIENT, TENANT, Azure

from AgentOperatingSystem.model.errors import ConfigurationError, NotAuthorized
from AgentOperatingSystem.runtime.connection import azure_credential, azure_options, connect
from AgentOperatingSystem.runtime.endpoints import Endpoint
from AgentOperatingSystem.runtime.identity import Identity, OwnIdentity, ServicePrincipal, WorkloadIdentity
from AgentOperatingSystem.sandbox.identity import FOUNDRY_SCOPE

TEAM = "team-application"
SECRET = "s3cret-of-the-team"
PRINCIPAL = ServicePrincipal(TENANT, TEAM, SECRET)
PROJECT = "https://acme.services.ai.azure.com/api/projects/board"
each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


@each_client
@pytest.mark.parametrize(
    ("identity", "client_id", "proof"),
    [
        (OwnIdentity(), OPERATOR_CLIENT, "client_assertion"),
        (WorkloadIdentity("another"), "another", "client_assertion"),
        (WorkloadIdentity("another", TENANT), "another", "client_assertion"),
        (PRINCIPAL, TEAM, "client_secret"),
    ],
)
async def test_each_identity_speaks_as_itself(
    azure: Azure, client: Client, identity: Identity, client_id: str, proof: str
) -> None:
    azure.identity.add_secret(TENANT, TEAM, SECRET)
    azure.trust_operator_as("another")
    await client.ask(azure.foundry.endpoint, identity)
    assert {request.client for request in azure.foundry.requests} == {client_id}
    asked = azure.identity.requests
    assert [(one.tenant, one.client_id, one.scope, one.proof) for one in asked] == [
        (TENANT, client_id, FOUNDRY_SCOPE, proof)
    ], "one token for all requests, from the authority that is set, for Foundry alone"


@each_client
async def test_the_operators_own_may_be_a_secret_too(
    azure: Azure, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure.identity.add_secret(TENANT, OPERATOR_CLIENT, SECRET)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", SECRET)
    await client.ask(azure.foundry.endpoint, OwnIdentity())
    assert {request.client for request in azure.foundry.requests} == {OPERATOR_CLIENT}
    assert {one.proof for one in azure.identity.requests} == {"client_secret"}


@each_client
async def test_to_the_sandbox_nobody_speaks_as_anybody(client: Client, azure: Azure) -> None:
    """Plain http is loopback's: a secret is not even turned into a token for it."""
    from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry  # noqa: PLC0415

    with EmbeddedFoundry(environ={}) as plain:
        await client.ask(plain.endpoint, PRINCIPAL)
        assert plain.requests
    assert azure.identity.requests == ()


@pytest.mark.parametrize("missing", ["AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE"])
def test_a_workload_identity_names_the_setting_that_it_misses(
    azure: Azure, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delenv(missing)
    with pytest.raises(ConfigurationError, match=f"{missing} is not set") as caught:
        connect(PROJECT, config_for(PROJECT, WorkloadIdentity("another")))
    assert caught.value.setting == missing


@each_client
async def test_a_token_file_that_is_gone_names_its_setting(azure: Azure, client: Client) -> None:
    azure.assertion_file.unlink()
    azure.trust_operator_as("another")
    with pytest.raises(ConfigurationError, match="AZURE_FEDERATED_TOKEN_FILE names a file"):
        await client.ask(azure.foundry.endpoint, WorkloadIdentity("another"))


def test_secrets_go_to_an_authority_with_tls_only(
    bare_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "http://127.0.0.1:8080")
    with pytest.raises(ConfigurationError, match="AZURE_AUTHORITY_HOST must be an https URL"):
        connect(PROJECT, config_for(PROJECT, PRINCIPAL))


@pytest.mark.parametrize(
    ("principal", "reason"),
    [
        (ServicePrincipal("", TEAM, SECRET), "no tenant"),
        (ServicePrincipal("tenant/../x", TEAM, SECRET), "a tenant that would be a path"),
        (ServicePrincipal("tenant?x=1", TEAM, SECRET), "a tenant that would be a query"),
        (ServicePrincipal(TENANT, "", SECRET), "no client"),
        (ServicePrincipal(TENANT, TEAM, ""), "no secret"),
    ],
)
def test_a_secret_that_holds_no_principal_is_told_without_quoting_it(
    bare_environment: None, principal: ServicePrincipal, reason: str
) -> None:
    with pytest.raises(NotAuthorized, match="Secret holds no service principal") as caught:
        connect(PROJECT, config_for(PROJECT, principal))
    assert SECRET not in str(caught.value), reason
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("host", "authority", "scope"),
    [
        ("acme.services.ai.azure.com", "login.microsoftonline.com", "https://ai.azure.com/.default"),
        ("acme.services.ai.azure.us", "login.microsoftonline.us", "https://ai.azure.us/.default"),
        ("acme.services.ai.azure.cn", "login.chinacloudapi.cn", "https://ai.azure.cn/.default"),
        ("foundry.acme.com", "login.microsoftonline.com", "https://ai.azure.com/.default"),
    ],
)
async def test_each_cloud_has_its_tokens(
    bare_environment: None, host: str, authority: str, scope: str
) -> None:
    endpoint = f"https://{host}/api/projects/board"
    config = config_for(endpoint, PRINCIPAL)
    assert Endpoint.parse(endpoint).cloud.authority == f"https://{authority}"
    credential = azure_credential(endpoint, config)
    try:
        assert azure_options(endpoint, config, credential)["credential_scopes"] == [scope]
    finally:
        await credential.close()


def test_no_record_of_an_identity_shows_a_secret() -> None:
    assert SECRET not in repr(config_for(PROJECT, PRINCIPAL))
    assert [one.name for one in fields(ServicePrincipal) if not one.repr] == ["client_secret"]


async def test_no_token_service_is_asked_before_a_request(azure: Azure) -> None:
    connection = connect(azure.foundry.endpoint, config_for(azure.foundry.endpoint, PRINCIPAL))
    await connection.close()
    assert azure.identity.requests == ()
