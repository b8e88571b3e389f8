"""Threads: whose they are, what was said on them, and what an agent answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.contract.runtime.bench import DESIRED, FUNCTION, STAMP, Bench, Tools, refused, until

from AgentOperatingSystem.model.definition import ObservedAgent
from AgentOperatingSystem.model.errors import (
    ModelNotFound,
    OutcomeUnknown,
    RuntimeFailure,
    RuntimeUnavailable,
)
from AgentOperatingSystem.model.message import Message
from AgentOperatingSystem.runtime.adapter import RuntimeAdapter, ToolCall
from AgentOperatingSystem.sandbox.foundry import Fault

CALL = f'call tool {FUNCTION.name} {{"year": 2026}}'


async def ready(adapter: RuntimeAdapter) -> tuple[ObservedAgent, str]:
    return await adapter.create(DESIRED), await adapter.create_thread(STAMP)


def talk(count: int) -> list[Message]:
    return [Message("assistant" if n % 2 else "user", f"Satz {n} ⚖") for n in range(count)]


async def test_a_thread_bears_the_stamp_that_it_was_given(bench: Bench, adapter: RuntimeAdapter) -> None:
    thread = await adapter.create_thread(STAMP)
    assert bench.thread_metadata(thread) == STAMP.to_metadata()
    assert await adapter.thread_stamp(thread) == STAMP


async def test_a_thread_of_somebody_elses_bears_none(bench: Bench, adapter: RuntimeAdapter) -> None:
    thread = await adapter.create_thread(replace(STAMP, agent_id=""))
    assert await adapter.thread_stamp(thread) is None


async def test_a_deleted_thread_is_gone_and_no_other(bench: Bench, adapter: RuntimeAdapter) -> None:
    gone, kept = await adapter.create_thread(STAMP), await adapter.create_thread(STAMP)
    await adapter.delete_thread(gone)
    await adapter.delete_thread(gone)
    assert bench.threads() == [kept]
    assert await adapter.thread_stamp(gone) is None


@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 50, 101, 250])
async def test_what_is_said_is_read_in_its_order_to_the_end(
    bench: Bench, adapter: RuntimeAdapter, count: int
) -> None:
    thread, said = await adapter.create_thread(STAMP), talk(count)
    await adapter.add_messages(thread, said)
    assert await adapter.messages(thread) == said
    assert bench.said(thread) == [(one.role, one.text) for one in said]


async def test_messages_that_were_cut_off_can_be_gone_on_with(bench: Bench, adapter: RuntimeAdapter) -> None:
    thread, said = await adapter.create_thread(STAMP), talk(50)
    bench.service.faults.add(Fault(bench.operation("add_messages"), status=500, lost=True, skip=1, times=1))
    with pytest.raises(OutcomeUnknown):
        await adapter.add_messages(thread, said)
    there = await adapter.messages(thread)
    assert there == said[: len(there)]
    assert 0 < len(there) < 50
    await adapter.add_messages(thread, said[len(there) :])
    assert await adapter.messages(thread) == said


async def test_a_text_of_any_kind_is_said_as_it_is(adapter: RuntimeAdapter) -> None:
    thread = await adapter.create_thread(STAMP)
    said = [Message("user", text) for text in ("größer\n\t🚀", '{"a": [1]}', "x" * 100_000, "  ")]
    await adapter.add_messages(thread, said)
    assert await adapter.messages(thread) == said


async def test_a_thread_goes_on_over_several_questions(bench: Bench, adapter: RuntimeAdapter) -> None:
    agent, thread = await ready(adapter)
    answers = [await adapter.ask(agent, agent.version, thread, f"Frage {n}", refused) for n in range(1, 4)]
    assert [answer.status for answer in answers] == ["completed"] * 3
    assert len({answer.run_id for answer in answers}) == 3
    for number, answer in enumerate(answers, 1):
        assert f"turn {number} of this thread" in answer.text
        assert f"Frage {number}" in answer.text
    assert [role for role, _ in bench.said(thread)] == ["user", "assistant"] * 3
    assert [one.text for one in await adapter.messages(thread)][1::2] == [one.text for one in answers]


async def test_a_thread_goes_on_after_its_agent_was_made_anew(adapter: RuntimeAdapter) -> None:
    agent, thread = await ready(adapter)
    await adapter.ask(agent, agent.version, thread, "Frage", refused)
    disabled = await adapter.disable(agent)
    again = await adapter.enable(disabled) if disabled else await adapter.create(DESIRED)
    answer = await adapter.ask(again, again.version, thread, "Frage", refused)
    assert "turn 2 of this thread" in answer.text


async def test_an_agent_asked_for_what_was_said_before_knows_it(adapter: RuntimeAdapter) -> None:
    agent, thread = await ready(adapter)
    await adapter.add_messages(thread, talk(50))
    answer = await adapter.ask(agent, agent.version, thread, "Frage", refused)
    assert "turn 26 of this thread" in answer.text


async def test_threads_do_not_hear_of_each_other(adapter: RuntimeAdapter) -> None:
    agent, first = await ready(adapter)
    second = await adapter.create_thread(STAMP)
    answers = await asyncio.gather(
        *(adapter.ask(agent, agent.version, thread, "Frage", refused) for thread in (first, second))
    )
    assert all("turn 1 of this thread" in answer.text for answer in answers)


async def test_a_call_of_a_function_is_executed_and_its_output_heard(
    bench: Bench, adapter: RuntimeAdapter
) -> None:
    agent, thread = await ready(adapter)
    tools = Tools()
    answer = await adapter.ask(agent, agent.version, thread, CALL, tools)
    assert [(call.name, call.arguments) for call in tools.calls] == [(FUNCTION.name, '{"year": 2026}')]
    assert tools.calls[0].call_id
    assert 'The tool answered: {"revenue": 42, "währung": "€"}' in answer.text
    assert answer.status == "completed"


async def test_several_calls_at_once_are_all_executed(adapter: RuntimeAdapter) -> None:
    agent, thread = await ready(adapter)
    tools = Tools()
    answer = await adapter.ask(agent, agent.version, thread, f"{CALL} and {CALL}", tools)
    assert len({call.call_id for call in tools.calls}) == 2
    assert answer.text.count("The tool answered") == 2


async def test_an_agent_that_goes_round_in_circles_is_stopped(bench: Bench, adapter: RuntimeAdapter) -> None:
    agent, thread = await ready(adapter)
    tools = Tools()
    with pytest.raises(RuntimeFailure, match="circles"):
        await adapter.ask(agent, agent.version, thread, f"keep calling tool {FUNCTION.name} {{}}", tools)
    assert len(tools.calls) == 16


async def test_the_agents_deployment_is_gone_and_its_word_for_that_is_told(
    bench: Bench, adapter: RuntimeAdapter
) -> None:
    agent, thread = await ready(adapter)
    bench.service.deployments.remove("llama-3.3-70b-ceo")
    if bench.is_classic:
        answer = await adapter.ask(agent, "", thread, "Frage", refused)
        assert answer.status == "failed"
        assert "llama-3.3-70b-ceo" in answer.text
        return
    with pytest.raises(ModelNotFound, match=re.escape("llama-3.3-70b-ceo")):
        await adapter.ask(agent, agent.version, thread, "Frage", refused)


# The classic generation alone: runs hold their thread.


async def asked(
    classic: Bench, text: str = "Frage", **settings: Any
) -> tuple[RuntimeAdapter, ObservedAgent, str]:
    adapter = classic.adapter(**settings)
    return (adapter, *await ready(adapter))


def statuses(classic: Bench, thread: str) -> list[str]:
    return [run.status for run in classic.service.runs(thread).values()]


async def test_a_second_question_waits_for_the_first_ones_run(classic: Bench) -> None:
    adapter, agent, thread = await asked(classic)
    classic.service.behave(run_polls=5)
    answers = await asyncio.gather(*(adapter.ask(agent, "", thread, f"Frage {n}", refused) for n in range(3)))
    assert {answer.status for answer in answers} == {"completed"}
    assert [role for role, _ in classic.said(thread)] == ["user", "assistant"] * 3
    for number, answer in enumerate(answers):
        assert f"Frage {number}" in answer.text


async def test_a_thread_that_stays_busy_is_told_as_such(classic: Bench) -> None:
    adapter, agent, thread = await asked(classic, timeout=0.5)
    held = asyncio.Event()

    async def execute(call: ToolCall) -> Mapping[str, Any]:
        await held.wait()
        return {}

    first = asyncio.ensure_future(adapter.ask(agent, "", thread, CALL, execute))
    await until(lambda: statuses(classic, thread) == ["requires_action"])
    with pytest.raises(
        RuntimeUnavailable, match=r"is busy: its run run_.* has not ended \(requires_action\)"
    ):
        await adapter.ask(agent, "", thread, "Und ich?", refused)
    held.set()
    assert (await first).status == "completed"
    assert "Und ich?" not in str(classic.said(thread))


async def test_a_run_that_takes_too_long_is_cancelled_and_its_thread_is_free(classic: Bench) -> None:
    adapter, agent, thread = await asked(classic, timeout=0.3)
    classic.service.behave(run_polls=10_000)
    with pytest.raises(OutcomeUnknown, match="too long"):
        await adapter.ask(agent, "", thread, "Frage", refused)
    assert statuses(classic, thread) == ["cancelling"]
    classic.service.behave(run_polls=1)
    answer = await adapter.ask(agent, "", thread, "Noch eine", refused)
    assert (answer.status, statuses(classic, thread)) == ("completed", ["cancelled", "completed"])


async def test_a_run_whose_lost_creation_nobody_follows_is_cancelled(classic: Bench) -> None:
    adapter, agent, thread = await asked(classic)
    classic.service.faults.add(Fault("create_run", lost=True, times=1))
    with pytest.raises(OutcomeUnknown):
        await adapter.ask(agent, "", thread, "Frage", refused)
    assert statuses(classic, thread) == ["cancelled"]


async def test_somebody_elses_run_is_never_cancelled(classic: Bench) -> None:
    adapter, agent, thread = await asked(classic, timeout=0.3)
    other = asyncio.ensure_future(classic.adapter().ask(agent, "", thread, CALL, Tools()))
    classic.service.behave(run_polls=10_000)
    await until(lambda: statuses(classic, thread) != [])
    with pytest.raises(RuntimeUnavailable, match="busy"):
        await adapter.ask(agent, "", thread, "Frage", refused)
    classic.service.behave(run_polls=1)
    assert (await other).status == "completed"


async def test_a_lost_creation_cancels_no_run_but_its_own(classic: Bench) -> None:
    adapter, agent, thread = await asked(classic)
    released = asyncio.Event()

    async def execute(call: ToolCall) -> Mapping[str, Any]:
        await released.wait()
        return {}

    other = asyncio.ensure_future(adapter.ask(agent, "", thread, CALL, execute))
    await until(lambda: statuses(classic, thread) == ["requires_action"])
    classic.service.faults.add(Fault("create_run", drop=True, times=1))
    with pytest.raises(OutcomeUnknown):
        await classic.adapter().ask(agent, "", thread, "Frage", refused)
    released.set()
    assert (await other).status == "completed"


@pytest.mark.parametrize("error", [ValueError("the tool is broken"), asyncio.CancelledError()])
async def test_a_run_whose_function_cannot_be_executed_is_cancelled(
    classic: Bench, error: BaseException
) -> None:
    adapter, agent, thread = await asked(classic)

    async def execute(call: ToolCall) -> Mapping[str, Any]:
        raise error

    with pytest.raises(type(error)):
        await adapter.ask(agent, "", thread, CALL, execute)
    assert statuses(classic, thread) == ["cancelled"]


async def test_whoever_stops_asking_leaves_no_run_behind(classic: Bench) -> None:
    adapter, agent, thread = await asked(classic)
    classic.service.behave(run_polls=10_000)
    asking = asyncio.ensure_future(adapter.ask(agent, "", thread, "Frage", refused))
    await until(lambda: statuses(classic, thread) == ["in_progress"])
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert statuses(classic, thread) == ["cancelling"]


async def test_a_run_that_somebody_cancelled_is_told_as_such(classic: Bench) -> None:
    adapter, agent, thread = await asked(classic)

    async def execute(call: ToolCall) -> Mapping[str, Any]:
        classic.service.cancel_run(thread, next(iter(classic.service.runs(thread))))
        return {}

    answer = await adapter.ask(agent, "", thread, CALL, execute)
    assert (answer.status, answer.text) == ("cancelled", "The run ended as cancelled.")


async def test_a_run_that_expired_is_told_as_such(classic: Bench) -> None:
    adapter, agent, thread = await asked(classic)
    classic.service.behave(run_seconds=0.3)

    async def execute(call: ToolCall) -> Mapping[str, Any]:
        await asyncio.sleep(0.5)
        return {}

    assert (await adapter.ask(agent, "", thread, CALL, execute)).status == "expired"


async def test_a_lost_answer_to_the_outputs_leaves_no_run_behind(classic: Bench) -> None:
    adapter, agent, thread = await asked(classic)
    classic.service.faults.add(Fault("submit_tool_outputs", status=500, lost=True, times=1))
    tools = Tools()
    with pytest.raises(OutcomeUnknown):
        await adapter.ask(agent, "", thread, CALL, tools)
    assert (len(tools.calls), statuses(classic, thread)) == (1, ["cancelled"])


async def test_looks_at_a_run_grow_rarer(classic: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter, agent, thread = await asked(classic)
    classic.service.behave(run_polls=10)
    await adapter.ask(agent, "", thread, "Frage", refused)
    looks = [one.at for one in classic.service.requests if one.operation == "get_run"]
    assert len(looks) == 11
    assert looks[-1] - looks[-2] > 3 * (looks[2] - looks[1])
