"""Clients for one Foundry project: as whom they speak, how long they wait, and to whom they speak at all.

A real credential goes to https only, and to the endpoint's own host alone: no redirect is followed, and a
request to anywhere else, as a link in an answer may ask for, is refused before a token is added to it.
Towards http on this machine, which is the sandbox, a fixed word is sent in the token's place.
"""

from __future__ import annotations

import ssl
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies_environment

from AgentOperatingSystem.model.errors import ConfigurationError, NotAllowed
from AgentOperatingSystem.model.guard import Guard, unguarded
from AgentOperatingSystem.runtime.config import CONTROL_SECONDS, RuntimeConfig
from AgentOperatingSystem.runtime.credentials import (
    CONNECT_SECONDS,
    SANDBOX_TOKEN,
    Credential,
    credential_for,
)
from AgentOperatingSystem.runtime.endpoints import Endpoint, InvalidEndpoint
from AgentOperatingSystem.runtime.lastword import guarded_transport

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineRequest, PipelineResponse
    from openai import AsyncOpenAI
    from openai import DefaultAsyncHttpxClient as HttpClient

USER_AGENT = "aos-operator"
UNAUTHORIZED = 401


class Connection:
    """The two clients of a project: `project` for all but the answers, which come through `openai`."""

    def __init__(self, endpoint: str, config: RuntimeConfig, guard: Guard = unguarded) -> None:
        from azure.ai.projects.aio import AIProjectClient  # noqa: PLC0415 - Azure is imported on use

        self._endpoint = _parsed(endpoint)
        self._timeout = config.timeout
        self._credential = azure_credential(endpoint, config)
        options = azure_options(endpoint, config, self._credential, guard)
        self.project = AIProjectClient(self._endpoint.url, self._credential, **options)

    @cached_property
    def openai(self) -> AsyncOpenAI:
        """Made on first use: most projects are never asked anything.

        The SDK's own choice is the public cloud's scope, and a client that follows redirects past any proxy.
        """
        return self.project.get_openai_client(
            api_key=_token_for_openai(self._endpoint, self._credential),
            http_client=_http_client(self._endpoint, self._credential),
            max_retries=0,
            timeout=self._timeout,
        )

    async def close(self) -> None:
        """End the connections to the project and to the token service."""
        if "openai" in self.__dict__:
            await self.openai.close()
        await self.project.close()
        await self._credential.close()


def connect(endpoint: str, config: RuntimeConfig, guard: Guard = unguarded) -> Connection:
    """Clients for the project at `endpoint`; nothing is sent yet.

    Raises ConfigurationError, and NotAuthorized for an identity that cannot be one.
    """
    return Connection(endpoint, config, guard)


def azure_credential(endpoint: str, config: RuntimeConfig) -> Credential:
    """The credential of the runtime's identity for its endpoint; whoever asked for it closes it.

    Raises ConfigurationError, and NotAuthorized for an identity that cannot be one.
    """
    return credential_for(_parsed(endpoint), config.identity)


def azure_options(
    endpoint: str, config: RuntimeConfig, credential: Credential, guard: Guard = unguarded
) -> dict[str, Any]:
    """The options of every client of Azure's, as keyword arguments after endpoint and credential."""
    parsed = _parsed(endpoint)
    waits = {
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": min(CONTROL_SECONDS, config.timeout),
        # Where no proxy is set, aiohttp need not look for one: it does so in a thread, twice a request.
        "use_env_settings": bool(getproxies_environment()),
    }
    return {
        **waits,
        "transport": guarded_transport(guard, **waits),
        "retry_total": config.max_retries,
        "permit_redirects": False,
        "user_agent": USER_AGENT,
        # The SDK can print whole requests, tokens included, when an environment variable says so.
        "logging_enable": False,
        "credential_scopes": [parsed.cloud.scope],
        "authentication_policy": _bearer_policy(parsed, credential),
    }


def _parsed(endpoint: str) -> Endpoint:
    try:
        return Endpoint.parse(endpoint)
    except InvalidEndpoint as error:
        raise ConfigurationError("AZURE_AI_PROJECT_ENDPOINT", str(error)) from error


def _bearer_policy(endpoint: Endpoint, credential: Credential) -> Any:
    """Adds the token to a request to the endpoint's own host, and refuses any other request."""
    from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy  # noqa: PLC0415

    class OwnHostPolicy(AsyncBearerTokenCredentialPolicy[Any, Any]):
        async def on_request(self, request: PipelineRequest[Any]) -> None:
            _check_host(endpoint, request.http_request.url)
            if endpoint.is_plain:
                request.context["enforce_https"] = False
            await super().on_request(request)

        def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:  # noqa: ARG002
            if response.http_response.status_code == UNAUTHORIZED:
                credential.forget()

    return OwnHostPolicy(credential, endpoint.cloud.scope)


def _token_for_openai(endpoint: Endpoint, credential: Credential) -> Any:
    """Asked for at each request, and remembered by the credential."""
    if endpoint.is_plain:
        return SANDBOX_TOKEN

    async def token() -> str:
        return (await credential.get_token(endpoint.cloud.scope)).token

    return token


def _http_client(endpoint: Endpoint, credential: Credential) -> HttpClient:
    """For openai: the usual settings of proxy and certificates hold, as they do for Azure's clients."""
    from openai import DefaultAsyncHttpxClient  # noqa: PLC0415 - openai is imported on use

    async def check(request: Any) -> None:
        _check_host(endpoint, str(request.url))

    async def learn(response: Any) -> None:
        if response.status_code == UNAUTHORIZED:
            credential.forget()

    return DefaultAsyncHttpxClient(
        follow_redirects=False,
        event_hooks={"request": [check], "response": [learn]},
        verify=_trusted(),
    )


@cache
def _trusted() -> ssl.SSLContext:
    """The machine's certificates, or those of SSL_CERT_FILE: read once, since each copy is a megabyte."""
    return ssl.create_default_context()


def _check_host(endpoint: Endpoint, url: str) -> None:
    if not endpoint.is_origin_of(url):
        raise NotAllowed(
            f"A request to another host than {endpoint.authority} was asked for, and was not sent; "
            "an answer of the runtime led there: check who serves the endpoint."
        )
