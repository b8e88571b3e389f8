"""The real client of the classic generation, pointed at an embedded Foundry."""

from __future__ import annotations

from typing import Any

from azure.ai.agents.aio import AgentsClient
from tests.contract.foundry.conftest import SCOPE, TOKEN, PlainHttpBearer, StaticCredential


def connect_classic(endpoint: str, **settings: Any) -> AgentsClient:
    """Without retries unless the test wants them, since they sleep."""
    assert endpoint.startswith("http://127.0.0.1:")
    credential = StaticCredential(TOKEN)
    policy = PlainHttpBearer(credential, SCOPE)
    return AgentsClient(endpoint, credential, authentication_policy=policy, **{"retry_total": 0, **settings})
