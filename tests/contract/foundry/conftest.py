"""The real SDK clients, pointed at an embedded Foundry of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from azure.ai.projects.aio import AIProjectClient
from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy
from openai import AsyncOpenAI

from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry

SCOPE = "https://ai.azure.com/.default"
TOKEN = "a-token"
FAR_FUTURE = 2**33

Connect = Callable[..., AIProjectClient]


class StaticCredential:
    """A credential with one token that never expires."""

    def __init__(self, token: str) -> None:
        self.token = token

    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        return AccessToken(self.token, FAR_FUTURE)

    async def close(self) -> None:
        pass


class PlainHttpBearer(AsyncBearerTokenCredentialPolicy):
    """The bearer policy, allowed over http: for a loopback endpoint only."""

    async def on_request(self, request: Any) -> None:
        request.context["enforce_https"] = False
        await super().on_request(request)


def connect_to(endpoint: str, token: str = TOKEN, **settings: Any) -> AIProjectClient:
    """A real client; without retries unless the test wants them, since they sleep."""
    assert endpoint.startswith("http://127.0.0.1:")
    credential = StaticCredential(token)
    policy = PlainHttpBearer(credential, SCOPE)
    settings = {"retry_total": 0, **settings}
    return AIProjectClient(endpoint, credential, authentication_policy=policy, **settings)


@pytest.fixture
def foundry() -> Iterator[EmbeddedFoundry]:
    with EmbeddedFoundry(deployments=("llama-3.3-70b", "llama-3.3-70b-ceo"), environ={}) as running:
        yield running


@pytest.fixture
def connect() -> Connect:
    return connect_to


@pytest.fixture
async def project(foundry: EmbeddedFoundry) -> AsyncIterator[AIProjectClient]:
    async with connect_to(foundry.endpoint) as client:
        yield client


@pytest.fixture
async def openai(project: AIProjectClient) -> AsyncIterator[AsyncOpenAI]:
    async with project.get_openai_client(max_retries=0) as client:
        yield client
