"""Listings: to the end, in order, everybody's, and at the pace of the project."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.contract.runtime.bench import DESIRED, STAMP, Bench, until

from AgentOperatingSystem.model.errors import NotAllowed, RuntimeUnavailable, Stopping
from AgentOperatingSystem.runtime.adapter import RuntimeAdapter
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry, Fault


@pytest.mark.parametrize("strangers", [0, 1, 99, 100, 101, 250])
async def test_every_agent_is_listed_once_and_the_oldest_first(
    bench: Bench, adapter: RuntimeAdapter, strangers: int
) -> None:
    older = bench.add_strangers(strangers // 2)
    ours = await adapter.create(DESIRED)
    younger = bench.add_strangers(strangers - len(older), first=len(older))
    listed = await adapter.list_all()
    assert [agent.agent_id for agent in listed] == [*older, ours.agent_id, *younger]
    assert [agent.agent_id for agent in listed if agent.stamp] == [ours.agent_id]


async def test_an_agent_that_goes_during_the_listing_hides_no_other(
    bench: Bench, adapter: RuntimeAdapter
) -> None:
    keys = bench.add_strangers(150)
    bench.service.faults.add(Fault(bench.operation("list_all"), delay=0.3, skip=1, times=1))
    listing = asyncio.ensure_future(adapter.list_all())
    await until(lambda: bench.sent("list_all") == 2)
    await bench.adapter().delete(keys[99])
    assert {agent.agent_id for agent in await listing} >= set(keys) - {keys[99]}


async def test_a_listing_that_breaks_off_is_no_listing(bench: Bench, adapter: RuntimeAdapter) -> None:
    bench.add_strangers(150)
    bench.service.faults.add(Fault(bench.operation("list_all"), status=500, skip=1))
    with pytest.raises(RuntimeUnavailable):
        await adapter.list_all()


async def test_every_page_of_a_classic_listing_waits_for_its_turn(classic: Bench) -> None:
    classic.service.add_assistants(600)
    adapter = classic.adapter(requests_per_second=4.0)  # so that eight may go at once
    assert len(await adapter.list_all()) == 600
    assert len(await adapter.list_all()) == 600
    times = [one.at for one in classic.service.requests]
    assert times[-1] - times[0] >= (len(times) - 8 - 1) / 4.0


async def test_a_classic_listing_costs_one_request_for_a_hundred_agents(classic: Bench) -> None:
    classic.service.add_assistants(500)
    await classic.adapter().list_all()
    assert classic.sent("list_all") == 6
    assert {one.query["limit"] for one in classic.service.requests} == {"100"}


async def test_deployments_are_listed_over_all_pages(generation: object, bench: Bench) -> None:
    names = {f"model-{number}" for number in range(120)}
    for name in names:
        bench.service.deployments.add(name)
    assert await bench.adapter().deployments() == names | {"llama-3.3-70b", "llama-3.3-70b-ceo"}


async def test_a_link_to_another_host_is_not_followed_with_our_token(bench: Bench) -> None:
    for number in range(120):
        bench.service.deployments.add(f"model-{number}")
    with EmbeddedFoundry(environ={}) as other:
        bench.service.behave(next_link_origin=other.base_url)
        with pytest.raises(NotAllowed):
            await bench.adapter().deployments()
        assert other.requests == ()


async def test_a_deployment_a_vector_store_and_a_file_are_found_by_their_names(
    bench: Bench, adapter: RuntimeAdapter
) -> None:
    store, file = bench.service.add_vector_store("vs_1"), bench.service.add_file("file-1")
    assert await adapter.has_deployment("llama-3.3-70b-ceo")
    assert await adapter.has_vector_store(store)
    assert await adapter.has_file(file)
    for name in ("none", "..", ".", "", "a/b", "vs_1/files", "ä ?#%"):
        assert not await adapter.has_vector_store(name), name
        assert not await adapter.has_file(name), name
    for name in ("none", "a b", "a%2Fb"):
        assert not await adapter.has_deployment(name), name


@pytest.mark.parametrize(
    ("operation", "ask"),
    [
        ("get_deployment", lambda adapter: adapter.has_deployment("x")),
        ("get_vector_store", lambda adapter: adapter.has_vector_store("vs_1")),
        ("get_file", lambda adapter: adapter.has_file("file-1")),
    ],
)
async def test_what_could_not_be_looked_up_is_not_taken_for_missing(
    bench: Bench, adapter: RuntimeAdapter, operation: str, ask: Callable[[RuntimeAdapter], object]
) -> None:
    bench.service.faults.add(Fault(operation, status=500))
    with pytest.raises(RuntimeUnavailable):
        await ask(adapter)  # type: ignore[misc]


async def test_whoever_waits_for_a_turn_gives_up_when_told_to(bench: Bench) -> None:
    adapter = bench.adapter(max_in_flight=1)
    bench.service.faults.add(Fault(bench.operation("get"), delay=0.3))
    running = asyncio.ensure_future(adapter.get("asst_x"))
    await until(lambda: len(bench.service.requests) > 0)
    waiting = [asyncio.ensure_future(adapter.get("asst_y")) for _ in range(3)]
    await asyncio.sleep(0)
    adapter.stop_waiting()
    for task in waiting:
        with pytest.raises(Stopping):
            await task
    assert await running is None
    assert bench.sent("get") == 1


async def test_closing_twice_is_closing_once(bench: Bench) -> None:
    adapter = bench.adapter()
    await adapter.create_thread(STAMP)
    await adapter.close()
    await adapter.close()


async def test_an_adapter_that_never_sent_anything_is_closed_as_well(bench: Bench) -> None:
    await bench.adapter().close()


async def test_agents_of_one_owner_are_told_apart_by_their_agent_id(
    bench: Bench, adapter: RuntimeAdapter
) -> None:
    stamps = [replace(STAMP, agent_id=f"a{number}") for number in range(3)]
    for stamp in stamps:
        await adapter.create(replace(DESIRED, name=stamp.agent_id, stamp=stamp))
    assert [agent.stamp for agent in await adapter.list_all()] == stamps
