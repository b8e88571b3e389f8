"""When the service does not do what was asked: the right word of the one tree, once, and without a secret."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.contract.runtime.bench import DESIRED, STAMP, Bench, refused
from tests.harness.secrecy import CANARY

from AgentOperatingSystem.model.definition import ObservedAgent
from AgentOperatingSystem.model.errors import (
    AOSError,
    DefinitionRejected,
    ModelNotFound,
    NotAuthorized,
    NotFound,
    OutcomeUnknown,
    RuntimeFailure,
    RuntimeUnavailable,
    Throttled,
)
from AgentOperatingSystem.model.message import Message
from AgentOperatingSystem.runtime.adapter import RuntimeAdapter
from AgentOperatingSystem.runtime.credentials import SANDBOX_TOKEN
from AgentOperatingSystem.sandbox.foundry import Fault


@dataclass(frozen=True)
class Case:
    """What a call of the protocol is about."""

    adapter: RuntimeAdapter
    agent: ObservedAgent
    thread: str


Act = Callable[[Case], Awaitable[Any]]

CHANGED = replace(DESIRED, definition=replace(DESIRED.definition, instructions="Anders."))
SAID = [Message("user", "Hallo.")]

READS: Mapping[str, Act] = {
    "get": lambda on: on.adapter.get(on.agent.agent_id),
    "list_all": lambda on: on.adapter.list_all(),
    "thread_stamp": lambda on: on.adapter.thread_stamp(on.thread),
    "messages": lambda on: on.adapter.messages(on.thread),
}
WRITES: Mapping[str, Act] = {
    "create": lambda on: on.adapter.create(replace(DESIRED, name="second")),
    "update": lambda on: on.adapter.update(on.agent, CHANGED),
    "release": lambda on: on.adapter.release(on.agent),
    "disable": lambda on: on.adapter.disable(on.agent),
    "delete": lambda on: on.adapter.delete(on.agent.agent_id),
    "create_thread": lambda on: on.adapter.create_thread(STAMP),
    "delete_thread": lambda on: on.adapter.delete_thread(on.thread),
    "add_messages": lambda on: on.adapter.add_messages(on.thread, SAID),
    "ask": lambda on: on.adapter.ask(on.agent, on.agent.version, on.thread, "Hallo?", refused),
}
POSTS = [word for word in WRITES if word not in ("disable", "delete", "delete_thread")]


async def ready(bench: Bench) -> tuple[ObservedAgent, str]:
    """An agent and a thread, and no request counted."""
    adapter = bench.adapter()
    made, thread = await adapter.create(DESIRED), await adapter.create_thread(STAMP)
    bench.service.clear_requests()
    return made, thread


def effects(bench: Bench) -> dict[str, Any]:
    """All that the service holds, without when it came."""
    threads = {thread: bench.said(thread) for thread in bench.threads()}
    agents = {key: bench.metadata(key) for key in (*bench.service.agents(), *bench.service.assistants())}
    return {"made": bench.made(), "agents": agents, "threads": threads}


# What a status means.


@pytest.mark.parametrize("word", [*READS, *WRITES])
@pytest.mark.parametrize(
    ("fault", "read", "write"),
    [
        (Fault(status=401), NotAuthorized, NotAuthorized),
        (Fault(status=403), NotAuthorized, NotAuthorized),
        (Fault(status=409), RuntimeUnavailable, RuntimeUnavailable),
        (Fault(status=429), Throttled, Throttled),
        (Fault(status=408), RuntimeUnavailable, OutcomeUnknown),
        (Fault(status=500), RuntimeUnavailable, OutcomeUnknown),
        (Fault(status=503), RuntimeUnavailable, OutcomeUnknown),
        (Fault(status=400), DefinitionRejected, DefinitionRejected),
        (Fault(status=404, code="DeploymentNotFound"), ModelNotFound, ModelNotFound),
        (Fault(location="http://127.0.0.1:9/"), RuntimeFailure, RuntimeFailure),
    ],
    ids=["401", "403", "409", "429", "408", "500", "503", "400", "no deployment", "redirect"],
)
async def test_a_refusal_is_told_in_the_words_of_the_tree_and_changes_nothing(
    bench: Bench, word: str, fault: Fault, read: type[AOSError], write: type[AOSError]
) -> None:
    agent, thread = await ready(bench)
    before = effects(bench)
    bench.service.faults.add(replace(fault, operation=bench.operation(word)))
    with pytest.raises(AOSError) as caught:
        await {**READS, **WRITES}[word](Case(bench.adapter(), agent, thread))
    assert type(caught.value) is (read if word in READS else write)
    assert bench.sent(word) == 1
    assert effects(bench) == before


@pytest.mark.parametrize("word", ["update", "release", "add_messages", "ask"])
async def test_a_write_to_what_is_gone_is_not_found(bench: Bench, word: str) -> None:
    agent, _ = await ready(bench)
    adapter = bench.adapter()
    if word in ("add_messages", "ask"):
        with pytest.raises(NotFound):
            await WRITES[word](Case(adapter, agent, "thread_none"))
        return
    await adapter.delete(agent.agent_id)
    if word == "update" and not bench.is_classic:
        assert (await adapter.update(agent, CHANGED)).version == "1"  # by its name it is made anew
        return
    with pytest.raises(NotFound):
        await WRITES[word](Case(adapter, agent, ""))


async def test_what_is_read_of_a_thread_that_is_gone_is_nothing(adapter: RuntimeAdapter) -> None:
    for thread in ("thread_none", "..", ""):
        assert await adapter.thread_stamp(thread) is None
        assert await adapter.messages(thread) == []
        await adapter.delete_thread(thread)


@pytest.mark.parametrize("word", ["get", "list_all", "create", "create_thread"])
async def test_the_wish_to_wait_is_handed_on(bench: Bench, word: str) -> None:
    agent, thread = await ready(bench)
    bench.service.faults.add(Fault(bench.operation(word), status=429, retry_after=7))
    with pytest.raises(Throttled) as caught:
        await {**READS, **WRITES}[word](Case(bench.adapter(), agent, thread))
    assert caught.value.retry_after == 7.0


async def test_after_a_429_the_next_request_waits_as_long_as_the_service_wished(bench: Bench) -> None:
    agent, _ = await ready(bench)
    bench.service.faults.add(Fault(bench.operation("get"), status=429, retry_after=0.3, times=1))
    adapter = bench.adapter()
    with pytest.raises(Throttled):
        await adapter.get(agent.agent_id)
    assert await adapter.get(agent.agent_id) == agent
    first, second = bench.service.requests
    assert second.at - first.at >= 0.28


async def test_a_read_is_tried_again_by_itself(bench: Bench) -> None:
    agent, _ = await ready(bench)
    bench.service.faults.add(Fault(bench.operation("get"), status=503, times=1))
    assert await bench.adapter(max_retries=1).get(agent.agent_id) == agent
    assert bench.sent("get") == 2


# A write is sent once.


@pytest.mark.parametrize("word", WRITES)
@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 429])
async def test_a_write_is_never_sent_twice(bench: Bench, word: str, status: int) -> None:
    agent, thread = await ready(bench)
    bench.service.faults.add(Fault(bench.operation(word), status=status, retry_after=0))
    with pytest.raises(RuntimeUnavailable):
        await WRITES[word](Case(bench.adapter(max_retries=3), agent, thread))
    assert bench.sent(word) == 1


@pytest.mark.parametrize("word", WRITES)
async def test_a_write_whose_answer_is_lost_was_done_exactly_once(bench: Bench, word: str) -> None:
    agent, thread = await ready(bench)
    adapter = bench.adapter(max_retries=3)
    bench.service.faults.add(Fault(bench.operation(word), status=500, lost=True, times=1))
    with pytest.raises(OutcomeUnknown):
        await WRITES[word](Case(adapter, agent, thread))
    assert bench.sent(word) == 1
    await holds_once(bench, adapter, word, agent, thread)


@pytest.mark.parametrize("word", WRITES)
async def test_a_write_whose_connection_drops_was_done_exactly_once(bench: Bench, word: str) -> None:
    agent, thread = await ready(bench)
    adapter = bench.adapter(max_retries=3)
    bench.service.faults.add(Fault(bench.operation(word), lost=True, times=1))
    if word in POSTS:
        with pytest.raises(OutcomeUnknown):
            await WRITES[word](Case(adapter, agent, thread))
        assert bench.sent(word) == 1
    else:  # below the SDK a DELETE is sent again, and what is gone already is no failure
        with suppress(OutcomeUnknown):
            await WRITES[word](Case(adapter, agent, thread))
    await holds_once(bench, adapter, word, agent, thread)


async def holds_once(
    bench: Bench, adapter: RuntimeAdapter, word: str, agent: ObservedAgent, thread: str
) -> None:
    """The effect of the write is there, and nothing else."""
    bench.service.faults.clear()
    key = agent.agent_id
    names = [one.name for one in await adapter.list_all()]
    if word in ("delete", "disable"):
        assert not bench.enabled(key)
        assert bench.made() == (1 if word == "disable" and not bench.is_classic else 0)
    elif word == "create":
        assert sorted(names) == ["ceo", "second"]
        assert bench.made() == 2
    elif word in ("update", "release"):
        assert bench.made() == (1 if bench.is_classic else 2)
        read = await adapter.get(key)
        assert read is not None
        assert (read.stamp is None, read.definition.instructions == "Anders.") == (
            word == "release",
            word == "update",
        )
    elif word == "create_thread":
        assert len(bench.threads()) == 2
        assert [bench.thread_metadata(one) for one in bench.threads()] == [STAMP.to_metadata()] * 2
    elif word == "delete_thread":
        assert bench.threads() == []
    elif word == "add_messages":
        assert bench.said(thread) == [("user", "Hallo.")]
    else:
        assert [text for role, text in bench.said(thread) if role == "user"] == ["Hallo?"]


@pytest.mark.parametrize("word", ["get", "create", "create_thread", "thread_stamp"])
async def test_a_service_that_is_too_slow_is_waited_for_no_longer_than_configured(
    bench: Bench, word: str
) -> None:
    agent, thread = await ready(bench)
    bench.service.faults.add(Fault(bench.operation(word), delay=3.0, status=503))
    with pytest.raises(RuntimeUnavailable, match="too long") as caught:
        await {**READS, **WRITES}[word](Case(bench.adapter(timeout=0.2), agent, thread))
    assert isinstance(caught.value, OutcomeUnknown) == (word in WRITES)


@pytest.mark.parametrize("word", ["get", "create", "add_messages"])
async def test_a_service_that_is_down_is_unavailable(bench: Bench, word: str) -> None:
    agent, thread = await ready(bench)
    adapter = bench.adapter()
    bench.service.down()
    with pytest.raises(RuntimeUnavailable, match="no connection"):
        await {**READS, **WRITES}[word](Case(adapter, agent, thread))
    bench.service.up()
    assert await adapter.get(agent.agent_id) == agent


# Who may write, and who waits.


@pytest.mark.parametrize("word", WRITES)
async def test_without_the_guards_word_nothing_is_written(bench: Bench, word: str) -> None:
    agent, thread = await ready(bench)

    class Lost(AOSError):
        pass

    def guard() -> None:
        raise Lost

    adapter, before = bench.adapter(guard=guard), effects(bench)
    with pytest.raises(Lost):
        await WRITES[word](Case(adapter, agent, thread))
    assert effects(bench) == before
    assert [one.method for one in bench.service.requests if one.method != "GET"] == []
    assert await adapter.get(agent.agent_id) == agent


# What no text ever holds.


@pytest.mark.parametrize("word", ["get", "list_all", "create", "update", "create_thread", "ask"])
@pytest.mark.parametrize("status", [401, 403, 404, 409, 429, 500])
async def test_an_error_repeats_neither_the_service_nor_the_token(
    bench: Bench, word: str, status: int
) -> None:
    agent, thread = await ready(bench)
    fault = Fault(bench.operation(word), status=status, message=f"Bearer {CANARY}", code=CANARY)
    bench.service.faults.add(fault)
    act = {**READS, **WRITES}[word]
    if (word, status) == ("get", 404):
        assert await act(Case(bench.adapter(), agent, thread)) is None
        return
    with pytest.raises(AOSError) as caught:
        await act(Case(bench.adapter(), agent, thread))
    assert CANARY not in str(caught.value)
    assert SANDBOX_TOKEN not in "".join(traceback.format_exception(caught.value))
