"""Conversations on Foundry, as the adapter asks for them: over the project's own pipeline, never retried."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from AgentOperatingSystem.model.errors import OutcomeUnknown, RuntimeUnavailable, Throttled
from AgentOperatingSystem.model.stamp import Owner, OwnerKind, Stamp
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.foundry import FoundryAdapter
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry, Fault

STAMP = Stamp(Owner(OwnerKind.RESOURCE, "cluster", "boardroom", "ceo"), "ceo", "ceo", uid="1", hash="2")


@pytest.fixture
def foundry() -> Iterator[EmbeddedFoundry]:
    with EmbeddedFoundry(deployments=("llama-3.3-70b",), environ={}) as running:
        yield running


@pytest.fixture
async def adapter(foundry: EmbeddedFoundry) -> AsyncIterator[FoundryAdapter]:
    connected = FoundryAdapter(foundry.endpoint, RuntimeConfig(project_endpoint=foundry.endpoint))
    yield connected
    await connected.close()


async def test_a_thread_bears_its_stamp_until_it_is_deleted(adapter: FoundryAdapter) -> None:
    thread = await adapter.create_thread(STAMP)
    assert await adapter.thread_stamp(thread) == STAMP
    await adapter.delete_thread(thread)
    assert await adapter.thread_stamp(thread) is None
    await adapter.delete_thread(thread)


@pytest.mark.parametrize(
    ("thread", "reason"),
    [
        ("conv_none", "nobody made it"),
        ("", "the whole collection is no thread"),
        (".", "nor is a step to itself"),
        ("..", "nor is a step out of it"),
        ("../../agents/ceo", "an id is one segment of the path, whatever is written in an annotation"),
        ("conv?limit=1", "and has no query"),
    ],
)
async def test_what_is_no_thread_is_not_there(
    adapter: FoundryAdapter, foundry: EmbeddedFoundry, thread: str, reason: str
) -> None:
    assert await adapter.thread_stamp(thread) is None, reason
    await adapter.delete_thread(thread)
    assert not {one.operation for one in foundry.requests} - {"get_conversation", "delete_conversation"}, (
        reason
    )


@pytest.mark.parametrize(
    ("status", "error"), [(429, Throttled), (500, OutcomeUnknown), (503, OutcomeUnknown)]
)
async def test_a_refused_creation_is_told_and_not_tried_again(
    adapter: FoundryAdapter, foundry: EmbeddedFoundry, status: int, error: type[Exception]
) -> None:
    foundry.faults.add(Fault("*", status=status, retry_after=1))
    with pytest.raises(error):
        await adapter.create_thread(STAMP)
    assert len(foundry.requests) == 1


async def test_a_refused_look_is_no_word_that_the_thread_is_gone(
    adapter: FoundryAdapter, foundry: EmbeddedFoundry
) -> None:
    thread = await adapter.create_thread(STAMP)
    foundry.faults.add(Fault("*", status=503))
    with pytest.raises(RuntimeUnavailable):
        await adapter.thread_stamp(thread)
