"""Files and vector stores, seen by both generations: one store, whichever client asks."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import openai as sdk
import pytest
from azure.ai.agents.aio import AgentsClient
from azure.ai.agents.models import FilePurpose
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from openai import AsyncOpenAI
from tests.contract.foundry.classic import connect_classic

from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry

CONTENT = b"--a line\r\nanother\rand\n\x00\xff\xfe bytes\r\n\r\n"


@pytest.fixture
async def agents(foundry: EmbeddedFoundry) -> AsyncIterator[AgentsClient]:
    async with connect_classic(foundry.endpoint) as client:
        yield client


async def upload(agents: AgentsClient, name: str = "a.txt", content: bytes = CONTENT) -> str:
    stream = io.BytesIO(content)
    stream.name = name
    return (await agents.files.upload(file=stream, purpose=FilePurpose.AGENTS, filename=name)).id


async def test_a_file_of_the_classic_client_is_read_by_both(
    foundry: EmbeddedFoundry, agents: AgentsClient, openai: AsyncOpenAI
) -> None:
    file_id = await upload(agents)
    assert file_id.startswith("assistant-")
    classic, new = await agents.files.get(file_id), await openai.files.retrieve(file_id)
    assert (classic.filename, classic.bytes) == (new.filename, new.bytes) == ("a.txt", len(CONTENT))
    content = [chunk async for chunk in await agents.files.get_content(file_id)]
    assert b"".join(content) == CONTENT
    assert (await openai.files.content(file_id)).content == CONTENT
    assert foundry.files()[file_id].filename == "a.txt"


async def test_a_file_of_the_openai_client_is_read_by_both(agents: AgentsClient, openai: AsyncOpenAI) -> None:
    made = await openai.files.create(file=("b.bin", CONTENT), purpose="assistants")
    assert (made.filename, made.bytes, made.status) == ("b.bin", len(CONTENT), "processed")
    assert (await agents.files.get(made.id)).filename == "b.bin"
    content = [chunk async for chunk in await agents.files.get_content(made.id)]
    assert b"".join(content) == CONTENT
    assert (await openai.files.delete(made.id)).deleted
    with pytest.raises(ResourceNotFoundError, match="No such File object"):
        await agents.files.get(made.id)


async def test_files_are_listed_by_purpose_and_page(agents: AgentsClient, openai: AsyncOpenAI) -> None:
    ours = [await upload(agents, f"{n}.txt") for n in range(3)]
    other = (await openai.files.create(file=("c", b"c"), purpose="vision")).id
    assert [file.id for file in (await agents.files.list()).data] == [other, *ours[::-1]]
    only = await agents.files.list(purpose=FilePurpose.AGENTS)
    assert [file.id for file in only.data] == ours[::-1]
    assert [file.id async for file in openai.files.list(limit=2, order="asc")] == [*ours, other]


async def test_a_purpose_that_nobody_knows_is_refused(agents: AgentsClient) -> None:
    with pytest.raises(HttpResponseError, match="purpose must be one of"):
        await agents.files.upload(file=io.BytesIO(b"x"), purpose="fun", filename="x")


async def test_a_vector_store_is_the_same_for_both(
    foundry: EmbeddedFoundry, agents: AgentsClient, openai: AsyncOpenAI
) -> None:
    file_id = await upload(agents)
    made = await agents.vector_stores.create(file_ids=[file_id], name="v", metadata={"k": "v"})
    assert made.id.startswith("vs_")
    new = await openai.vector_stores.retrieve(made.id)
    assert (new.name, new.status, new.metadata) == ("v", "completed", {"k": "v"})
    assert (new.file_counts.completed, new.usage_bytes) == (1, len(CONTENT))
    changed = await agents.vector_stores.modify(made.id, name="w")
    assert (await openai.vector_stores.retrieve(made.id)).name == changed.name == "w"
    assert foundry.vector_stores()[made.id].file_ids == (file_id,)
    assert (await openai.vector_stores.delete(made.id)).deleted
    with pytest.raises(ResourceNotFoundError, match=made.id):
        await agents.vector_stores.get(made.id)
    with pytest.raises(sdk.NotFoundError, match=made.id):
        await openai.vector_stores.retrieve(made.id)
    assert set(foundry.files()) == {file_id}


async def test_vector_stores_are_listed_by_both_pagers(agents: AgentsClient, openai: AsyncOpenAI) -> None:
    made = [(await openai.vector_stores.create(name=f"v{n}")).id for n in range(5)]
    assert [store.id async for store in agents.vector_stores.list(limit=2)] == made[::-1]
    assert [store.id async for store in openai.vector_stores.list(limit=2, order="asc")] == made


async def test_files_go_in_and_out_of_a_vector_store(agents: AgentsClient, openai: AsyncOpenAI) -> None:
    store = (await agents.vector_stores.create()).id
    first, second = await upload(agents), await upload(agents)
    await agents.vector_store_files.create(store, file_id=first)
    await openai.vector_stores.files.create(file_id=second, vector_store_id=store)
    listed = [file.id async for file in agents.vector_store_files.list(store, order="asc", limit=1)]
    assert listed == [first, second]
    assert (await agents.vector_store_files.get(store, second)).status == "completed"
    await agents.vector_store_files.delete(store, first)
    assert [file.id async for file in openai.vector_stores.files.list(store)] == [second]
    await agents.files.delete(second)
    assert (await agents.vector_stores.get(store)).file_counts.total == 0


async def test_a_file_that_does_not_exist_goes_into_no_vector_store(
    foundry: EmbeddedFoundry, agents: AgentsClient
) -> None:
    store = (await agents.vector_stores.create()).id
    for call in (
        agents.vector_stores.create(file_ids=["assistant-nope"]),
        agents.vector_store_files.create(store, file_id="assistant-nope"),
        agents.vector_store_files.get(store, "assistant-nope"),
    ):
        with pytest.raises(ResourceNotFoundError, match="assistant-nope"):
            await call
    assert {key: held.file_ids for key, held in foundry.vector_stores().items()} == {store: ()}


async def test_a_wrong_expiry_and_a_long_name_are_refused(openai: AsyncOpenAI) -> None:
    with pytest.raises(sdk.BadRequestError) as caught:
        await openai.vector_stores.create(expires_after={"anchor": "last_active_at", "days": 0})
    assert (caught.value.code, caught.value.param) == ("invalid_parameters", "expires_after")
    with pytest.raises(sdk.BadRequestError) as caught:
        await openai.vector_stores.create(name="n" * 257)
    assert caught.value.param == "name"
    kept = await openai.vector_stores.create(expires_after={"anchor": "last_active_at", "days": 2})
    assert kept.expires_at == kept.created_at + 2 * 86_400


async def test_somebody_else_brings_and_takes_stores_under_names_of_ours(
    foundry: EmbeddedFoundry, agents: AgentsClient, openai: AsyncOpenAI
) -> None:
    assert foundry.add_file("assistant-policies", filename="p.md", content="be good") == "assistant-policies"
    assert foundry.add_vector_store("vs_policies", file_ids=["assistant-policies"]) == "vs_policies"
    assert (await agents.vector_stores.get("vs_policies")).file_counts.total == 1
    assert (await openai.files.content("assistant-policies")).content == b"be good"
    foundry.remove_file("assistant-policies")
    assert foundry.vector_stores()["vs_policies"].file_ids == ()
    foundry.remove_vector_store("vs_policies")
    assert (foundry.files(), foundry.vector_stores()) == ({}, {})
    assert foundry.add_file().startswith("assistant-")
    assert foundry.add_vector_store().startswith("vs_")
