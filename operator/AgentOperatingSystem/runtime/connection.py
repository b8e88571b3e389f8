"""Clients for one Foundry project: credential, time-outs, and who may be spoken to without TLS.

A real credential goes to https only. Towards http on this machine, which is the sandbox, a fixed word
is sent in its place, so that no token ever crosses a plain connection.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from AgentOperatingSystem.model.errors import ConfigurationError
from AgentOperatingSystem.runtime.config import RuntimeConfig, is_loopback

if TYPE_CHECKING:
    from azure.ai.projects.aio import AIProjectClient
    from azure.core.credentials import AccessToken
    from azure.core.pipeline import PipelineRequest
    from openai import AsyncOpenAI

SANDBOX_TOKEN = "aos-sandbox"  # noqa: S105 - a word, not a secret: it is sent to loopback http only
SCOPE = "https://ai.azure.com/.default"
CONNECT_SECONDS = 5.0
CONTROL_SECONDS = 20.0
USER_AGENT = "aos-operator"


class SandboxCredential:
    """A credential for the embedded Foundry: it has nothing worth stealing."""

    async def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """The fixed word, valid for an hour."""
        from azure.core.credentials import AccessToken  # noqa: PLC0415 - Azure is imported on use

        return AccessToken(SANDBOX_TOKEN, int(time.time()) + 3600)

    async def close(self) -> None:
        """Nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Connection:
    """The two clients of a project, and what closes them."""

    project: AIProjectClient
    openai: AsyncOpenAI
    close: Callable[[], Awaitable[None]]


def connect(endpoint: str, config: RuntimeConfig) -> Connection:
    """Clients for the project at `endpoint`; nothing is sent yet. Raises ConfigurationError."""
    from azure.ai.projects.aio import AIProjectClient  # noqa: PLC0415 - Azure is imported on use

    plain = endpoint.lower().startswith("http://")
    if plain and not is_loopback(endpoint):
        raise ConfigurationError(
            "AZURE_AI_PROJECT_ENDPOINT", "must be https: plain http is for the sandbox only."
        )
    credential = SandboxCredential() if plain else _default_credential()
    options: dict[str, Any] = {
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": min(CONTROL_SECONDS, config.timeout),
        "retry_total": config.max_retries,
        "user_agent": USER_AGENT,
        # The SDK can print whole requests, tokens included, when an environment variable says so.
        "logging_enable": False,
    }
    if plain:
        options["authentication_policy"] = _loopback_policy(credential)
    project = AIProjectClient(endpoint, credential, **options)
    openai_options: dict[str, Any] = {"api_key": SANDBOX_TOKEN} if plain else {}
    openai = project.get_openai_client(max_retries=0, timeout=config.timeout, **openai_options)

    async def close() -> None:
        await openai.close()
        await project.close()
        await credential.close()

    return Connection(project, openai, close)


def _default_credential() -> Any:
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - Azure is imported on use

    return DefaultAzureCredential()


def _loopback_policy(credential: SandboxCredential) -> Any:
    """The bearer policy without its insistence on https, for the fixed word and for loopback alone."""
    from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy  # noqa: PLC0415

    class LoopbackPolicy(AsyncBearerTokenCredentialPolicy[Any, Any]):
        async def on_request(self, request: PipelineRequest[Any]) -> None:
            if not is_loopback(request.http_request.url):
                raise ConfigurationError(
                    "AZURE_AI_PROJECT_ENDPOINT", "must be https: plain http left this machine."
                )
            request.context["enforce_https"] = False
            await super().on_request(request)

    return LoopbackPolicy(credential, SCOPE)
