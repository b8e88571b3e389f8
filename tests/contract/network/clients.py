"""All clients of a project that the operator has, each asked for something, as one identity."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.runtime.adapter import RuntimeAdapter
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.connection import connect
from AgentOperatingSystem.runtime.foundry import FoundryAdapter
from AgentOperatingSystem.runtime.foundry_classic import FoundryClassicAdapter
from AgentOperatingSystem.runtime.identity import Identity, OwnIdentity

ADAPTERS = {RuntimeType.FOUNDRY: FoundryAdapter, RuntimeType.FOUNDRY_CLASSIC: FoundryClassicAdapter}


def config_for(endpoint: str, identity: Identity | None = None, **settings: Any) -> RuntimeConfig:
    """The settings of a runtime; reads are not tried again, since that sleeps."""
    return RuntimeConfig(
        project_endpoint=endpoint, identity=identity or OwnIdentity(), **{"max_retries": 0, **settings}
    )


@asynccontextmanager
async def open_adapter(
    kind: RuntimeType, endpoint: str, identity: Identity | None = None
) -> AsyncIterator[RuntimeAdapter]:
    """The adapter of a generation, closed in the end."""
    adapter = ADAPTERS[kind](endpoint, config_for(endpoint, identity, type=kind))
    try:
        yield adapter
    finally:
        await adapter.close()


@dataclass(frozen=True)
class Client:
    """A client by its name, and one request through it."""

    name: str
    ask: Callable[[str, Identity | None], Awaitable[object]]


async def _new(endpoint: str, identity: Identity | None) -> object:
    async with open_adapter(RuntimeType.FOUNDRY, endpoint, identity) as adapter:
        return await adapter.deployments()


async def _classic(endpoint: str, identity: Identity | None) -> object:
    async with open_adapter(RuntimeType.FOUNDRY_CLASSIC, endpoint, identity) as adapter:
        return await adapter.deployments()


async def _openai(endpoint: str, identity: Identity | None) -> object:
    connection = connect(endpoint, config_for(endpoint, identity))
    try:
        return (await connection.openai.conversations.create()).id
    finally:
        await connection.close()


CLIENTS = (Client("projects", _new), Client("agents", _classic), Client("openai", _openai))
