"""Threads, messages and runs of the classic generation, through the real azure-ai-agents client."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any

import pytest
from azure.ai.agents.aio import AgentsClient
from azure.ai.agents.models import (
    AgentThreadCreationOptions,
    FunctionDefinition,
    FunctionToolDefinition,
    ListSortOrder,
    MessageImageUrlParam,
    MessageInputImageUrlBlock,
    MessageInputTextBlock,
    MessageRole,
    RunStatus,
    RunStepFunctionToolCall,
    RunStepMessageCreationDetails,
    RunStepToolCallDetails,
    SubmitToolOutputsAction,
    ThreadMessageOptions,
    ThreadRun,
    ToolOutput,
)
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.rest import HttpRequest
from tests.contract.foundry.classic import connect_classic

from AgentOperatingSystem.sandbox.foundry import ApiError, Call, EmbeddedFoundry, Say, Turn

MODEL = "llama-3.3-70b-ceo"
WEATHER = FunctionToolDefinition(
    function=FunctionDefinition(name="weather", description="d", parameters={"type": "object"})
)


@pytest.fixture
async def agents(foundry: EmbeddedFoundry) -> AsyncIterator[AgentsClient]:
    async with connect_classic(foundry.endpoint) as client:
        yield client


async def ask(agents: AgentsClient, thread_id: str, agent_id: str, text: str) -> ThreadRun:
    """A question and a run to answer it, queued."""
    await agents.messages.create(thread_id, role="user", content=text)
    return await agents.runs.create(thread_id, agent_id=agent_id)


async def polled(agents: AgentsClient, run: ThreadRun) -> ThreadRun:
    """The run as far as it goes by polling alone."""
    while run.status in (RunStatus.QUEUED, RunStatus.IN_PROGRESS, RunStatus.CANCELLING):
        run = await agents.runs.get(run.thread_id, run.id)
    return run


def calls_of(run: ThreadRun) -> list[tuple[str, str, str]]:
    """Id, name and arguments of the calls that a run requires."""
    assert isinstance(run.required_action, SubmitToolOutputsAction)
    calls = run.required_action.submit_tool_outputs.tool_calls
    return [(call.id, call["function"]["name"], call["function"]["arguments"]) for call in calls]


async def refused(call: Awaitable[Any]) -> str:
    """The message of a 400 without a code, as the classic generation gives it."""
    with pytest.raises(HttpResponseError) as caught:
        await call
    assert caught.value.status_code == 400
    assert caught.value.response is not None
    error = caught.value.response.json()["error"]
    assert error["code"] is None
    return str(error["message"])


# Threads and messages


async def test_a_thread_keeps_what_it_was_made_with(foundry: EmbeddedFoundry, agents: AgentsClient) -> None:
    made = await agents.threads.create(
        metadata={"aos": "x"}, messages=[ThreadMessageOptions(role="user", content="hi")]
    )
    assert await agents.threads.get(made.id) == made
    assert made.metadata == {"aos": "x"}
    assert [message.text for message in foundry.messages(made.id)] == ["hi"]
    changed = await agents.threads.update(made.id, metadata={"aos": "y"})
    assert (changed.id, changed.metadata) == (made.id, {"aos": "y"})
    await agents.threads.delete(made.id)
    assert foundry.threads() == {}
    with pytest.raises(ResourceNotFoundError, match=f"No thread found with id '{made.id}'"):
        await agents.threads.get(made.id)


async def test_a_wrong_first_message_leaves_no_thread(foundry: EmbeddedFoundry, agents: AgentsClient) -> None:
    with pytest.raises(HttpResponseError, match="role must be"):
        await agents.threads.create(messages=[ThreadMessageOptions(role="robot", content="hi")])
    assert foundry.threads() == {}


async def test_threads_are_listed_page_by_page(agents: AgentsClient) -> None:
    made = [(await agents.threads.create()).id for _ in range(5)]
    assert [thread.id async for thread in agents.threads.list(limit=2)] == made[::-1]


async def test_messages_are_listed_in_either_order_and_between_cursors(agents: AgentsClient) -> None:
    thread = (await agents.threads.create()).id
    made = [(await agents.messages.create(thread, role="user", content=f"m{n}")).id for n in range(5)]
    listed = [message.id async for message in agents.messages.list(thread, order=ListSortOrder.ASCENDING)]
    assert listed == made
    pages = agents.messages.list(thread, order=ListSortOrder.ASCENDING, limit=2, before=made[3])
    first_page = [message.id async for message in await anext(pages.by_page())]
    assert first_page == made[1:3]
    assert [message.id async for message in agents.messages.list(thread, limit=2)] == made[::-1]


async def test_a_message_can_be_read_marked_and_deleted(agents: AgentsClient) -> None:
    thread = (await agents.threads.create()).id
    image = MessageInputImageUrlBlock(image_url=MessageImageUrlParam(url="http://127.0.0.1/x.png"))
    made = await agents.messages.create(
        thread, role="user", content=[MessageInputTextBlock(text="look"), image]
    )
    assert [part.type for part in made.content] == ["text", "image_url"]
    assert made.text_messages[0].text.value == "look"
    marked = await agents.messages.update(thread, made.id, metadata={"k": "v"})
    assert (await agents.messages.get(thread, made.id)).metadata == marked.metadata == {"k": "v"}
    # The client has no call for it; the service does.
    target = HttpRequest("DELETE", f"/threads/{thread}/messages/{made.id}", params={"api-version": "v1"})
    assert (await agents.send_request(target)).json()["object"] == "thread.message.deleted"
    with pytest.raises(ResourceNotFoundError, match="No message found"):
        await agents.messages.get(thread, made.id)


async def test_an_empty_message_is_refused(agents: AgentsClient) -> None:
    thread = (await agents.threads.create()).id
    with pytest.raises(HttpResponseError) as caught:
        await agents.messages.create(thread, role="user", content="")
    assert caught.value.status_code == 400


async def test_a_message_that_somebody_else_wrote_is_in_the_thread(
    foundry: EmbeddedFoundry, agents: AgentsClient
) -> None:
    thread = foundry.add_thread(metadata={"by": "them"})
    foundry.add_message(thread, "psst")
    assert [m.text_messages[0].text.value async for m in agents.messages.list(thread)] == ["psst"]
    foundry.remove_thread(thread)
    with pytest.raises(ResourceNotFoundError):
        await agents.messages.create(thread, role="user", content="hello?")


# Runs


async def test_a_run_passes_its_stages_as_it_is_polled(agents: AgentsClient) -> None:
    agent = await agents.create_agent(model=MODEL, name="ceo", instructions="lead")
    thread = (await agents.threads.create()).id
    run = await ask(agents, thread, agent.id, "hello")
    stages = [run.status]
    for _ in range(3):
        run = await agents.runs.get(thread, run.id)
        stages.append(run.status)
    assert stages == ["queued", "in_progress", "completed", "completed"]
    assert (run.agent_id, run.model, run.instructions) == (agent.id, MODEL, "lead")
    assert run.usage is not None
    assert run.usage.prompt_tokens == 1
    answer = [message async for message in agents.messages.list(thread, run_id=run.id)]
    assert [(one.role, one.agent_id, one.run_id) for one in answer] == [("assistant", agent.id, run.id)]
    assert "I am agent 'ceo'. I was asked: \"hello\"." in answer[0].text_messages[0].text.value


async def test_a_long_run_stays_in_progress_as_often_as_it_is_told(
    foundry: EmbeddedFoundry, agents: AgentsClient
) -> None:
    foundry.behave(run_polls=3)
    agent = await agents.create_agent(model=MODEL)
    run = await ask(agents, (await agents.threads.create()).id, agent.id, "hello")
    stages = [(await agents.runs.get(run.thread_id, run.id)).status for _ in range(4)]
    assert stages == ["in_progress"] * 3 + ["completed"]


async def test_a_thread_goes_on_where_it_stopped(agents: AgentsClient) -> None:
    agent = await agents.create_agent(model=MODEL, name="ceo")
    thread = (await agents.threads.create()).id
    for turn in (1, 2, 3):
        await polled(agents, await ask(agents, thread, agent.id, f"question {turn}"))
        newest = await agents.messages.get_last_message_text_by_role(thread, MessageRole.AGENT)
        assert newest is not None
        assert f"This is turn {turn} of this thread." in newest.text.value
    assert len([message async for message in agents.messages.list(thread)]) == 6


async def test_a_run_asks_for_its_tools_and_uses_what_they_answer(
    foundry: EmbeddedFoundry, agents: AgentsClient
) -> None:
    agent = await agents.create_agent(model=MODEL, tools=[WEATHER])
    thread = (await agents.threads.create()).id
    question = 'call tool weather {"city": "Bonn"} call tool weather {"city": "Rome"}'
    run = await polled(agents, await ask(agents, thread, agent.id, question))
    assert run.status == "requires_action"
    calls = calls_of(run)
    assert [call[1:] for call in calls] == [
        ("weather", '{"city": "Bonn"}'),
        ("weather", '{"city": "Rome"}'),
    ]
    outputs = [ToolOutput(tool_call_id=call[0], output=f"sun{n}") for n, call in enumerate(calls)]
    queued = await agents.runs.submit_tool_outputs(thread, run.id, tool_outputs=outputs)
    assert (queued.status, queued.required_action) == ("queued", None)
    run = await polled(agents, run=queued)
    assert run.status == "completed"
    answer = foundry.messages(thread)[-1]
    assert "The tool answered: sun0. The tool answered: sun1." in answer.text
    await the_steps_tell_the_story(agents, run, answer.id)


async def the_steps_tell_the_story(agents: AgentsClient, run: ThreadRun, message_id: str) -> None:
    steps = [step async for step in agents.run_steps.list(run.thread_id, run.id, order="asc", limit=1)]
    assert [(step.type, step.status) for step in steps] == [
        ("tool_calls", "completed"),
        ("message_creation", "completed"),
    ]
    called, wrote = (step.step_details for step in steps)
    assert isinstance(called, RunStepToolCallDetails)
    assert isinstance(wrote, RunStepMessageCreationDetails)
    assert all(isinstance(call, RunStepFunctionToolCall) for call in called.tool_calls)
    assert [call["function"]["output"] for call in called.tool_calls] == ["sun0", "sun1"]
    assert wrote.message_creation.message_id == message_id
    assert await agents.run_steps.get(run.thread_id, run.id, steps[0].id) == steps[0]


async def test_outputs_must_fit_the_calls(agents: AgentsClient) -> None:
    agent = await agents.create_agent(model=MODEL, tools=[WEATHER])
    thread = (await agents.threads.create()).id
    run = await ask(agents, thread, agent.id, "call tool weather")
    stray = [ToolOutput(tool_call_id="call_x", output="1")]
    early = await refused(agents.runs.submit_tool_outputs(thread, run.id, tool_outputs=stray))
    assert early == 'Runs in status "queued" do not accept tool outputs.'
    run = await polled(agents, run)
    wrong = await refused(agents.runs.submit_tool_outputs(thread, run.id, tool_outputs=stray))
    assert wrong == f"Expected tool outputs for call_ids ['{calls_of(run)[0][0]}'], got ['call_x']"
    assert (await agents.runs.get(thread, run.id)).status == "requires_action"


async def test_one_run_at_a_time_holds_a_thread(foundry: EmbeddedFoundry, agents: AgentsClient) -> None:
    agent = await agents.create_agent(model=MODEL)
    thread = (await agents.threads.create()).id
    run = await ask(agents, thread, agent.id, "hello")
    second = await refused(agents.runs.create(thread, agent_id=agent.id))
    assert second == f"Thread {thread} already has an active run {run.id}."
    message = await refused(agents.messages.create(thread, role="user", content="and?"))
    assert message == f"Can't add messages to {thread} while a run {run.id} is active."
    assert len(foundry.messages(thread)) == 1
    await polled(agents, run)
    again = await ask(agents, thread, agent.id, "now")
    assert set(foundry.runs(thread)) == {run.id, again.id}


async def test_a_run_is_cancelled_at_any_stage(agents: AgentsClient) -> None:
    agent = await agents.create_agent(model=MODEL, tools=[WEATHER])
    for polls, seen in ((0, "cancelled"), (1, "cancelling"), (2, "cancelled")):
        thread = (await agents.threads.create()).id
        run = await ask(agents, thread, agent.id, "call tool weather")
        for _ in range(polls):
            await agents.runs.get(thread, run.id)
        assert (await agents.runs.cancel(thread, run.id)).status == seen
        assert (await agents.runs.get(thread, run.id)).status == "cancelled"
        steps = [step.status async for step in agents.run_steps.list(thread, run.id)]
        assert steps == (["cancelled"] if polls == 2 else [])
        assert await refused(agents.runs.cancel(thread, run.id)) == (
            "Cannot cancel run with status 'cancelled'."
        )
        await ask(agents, thread, agent.id, "the thread is free again")


async def test_a_run_past_its_time_has_expired_and_frees_the_thread() -> None:
    times = [1000.0]
    with EmbeddedFoundry(environ={}, clock=lambda: times[0]) as foundry:
        async with connect_classic(foundry.endpoint) as agents:
            agent = await agents.create_agent(model=MODEL, tools=[WEATHER])
            thread = (await agents.threads.create()).id
            run = await polled(agents, await ask(agents, thread, agent.id, "call tool weather"))
            times[0] = 1599.0
            assert (await agents.runs.get(thread, run.id)).status == "requires_action"
            times[0] = 1600.0
            assert [one.status async for one in agents.runs.list(thread)] == ["expired"]
            outputs = [ToolOutput(tool_call_id=calls_of(run)[0][0], output="late")]
            late = await refused(agents.runs.submit_tool_outputs(thread, run.id, tool_outputs=outputs))
            assert late == 'Runs in status "expired" do not accept tool outputs.'
            assert (await ask(agents, thread, agent.id, "again")).status == "queued"
            times[0] = 2200.0
            unseen = await ask(agents, thread, agent.id, "nobody looked at the one before")
            assert [one.status async for one in agents.runs.list(thread)][1:] == ["expired", "expired"]
            assert unseen.status == "queued"


async def test_a_run_of_a_deployment_that_is_gone_fails(
    foundry: EmbeddedFoundry, agents: AgentsClient
) -> None:
    agent = await agents.create_agent(model=MODEL)
    foundry.deployments.remove(MODEL)
    run = await polled(agents, await ask(agents, (await agents.threads.create()).id, agent.id, "hi"))
    assert (run.status, run.last_error.code) == ("failed", "invalid_engine_error")
    assert len(foundry.messages(run.thread_id)) == 1


async def test_what_the_run_says_goes_before_what_the_assistant_says(agents: AgentsClient) -> None:
    agent = await agents.create_agent(model=MODEL, instructions="lead", temperature=0.5, tools=[WEATHER])
    thread = (await agents.threads.create()).id
    run = await agents.runs.create(
        thread,
        agent_id=agent.id,
        model="llama-3.3-70b",
        additional_instructions="now",
        additional_messages=[ThreadMessageOptions(role="user", content="added")],
        tools=[],
        metadata={"z": "1"},
    )
    assert (run.model, run.instructions, run.tools) == ("llama-3.3-70b", "lead\nnow", [])
    assert (run.temperature, run.metadata) == (0.5, {"z": "1"})
    assert (await agents.runs.update(thread, run.id, metadata={"z": "2"})).metadata == {"z": "2"}
    await polled(agents, run)
    answer = await agents.messages.get_last_message_text_by_role(thread, MessageRole.AGENT)
    assert answer is not None
    assert 'I was asked: "added".' in answer.text.value


async def test_a_thread_and_its_run_can_be_made_in_one_request(
    foundry: EmbeddedFoundry, agents: AgentsClient
) -> None:
    agent = await agents.create_agent(model=MODEL)
    options = AgentThreadCreationOptions(messages=[ThreadMessageOptions(role="user", content="go")])
    run = await agents.create_thread_and_run(agent_id=agent.id, thread=options)
    assert (await polled(agents, run)).status == "completed"
    assert [message.role for message in foundry.messages(run.thread_id)] == ["user", "assistant"]
    with pytest.raises(ResourceNotFoundError, match="asst_nope"):
        await agents.create_thread_and_run(agent_id="asst_nope", thread=options)
    assert set(foundry.threads()) == {run.thread_id}


async def test_what_does_not_exist_is_a_404(agents: AgentsClient) -> None:
    agent = await agents.create_agent(model=MODEL)
    thread, other = (await agents.threads.create()).id, (await agents.threads.create()).id
    run = await agents.runs.create(thread, agent_id=agent.id)
    for call in (
        agents.runs.create(other, agent_id="asst_nope"),
        agents.runs.create("thread_nope", agent_id=agent.id),
        agents.runs.get(thread, "run_nope"),
        agents.runs.get(other, run.id),
        agents.runs.cancel(other, run.id),
        agents.run_steps.get(thread, run.id, "step_nope"),
        agents.messages.get(thread, "msg_nope"),
    ):
        with pytest.raises(ResourceNotFoundError):
            await call


class WaitingModel:
    """Answers when it is let go; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.thinking = threading.Event()
        self.go = threading.Event()

    async def answer(self, turn: Turn) -> Sequence[Say | Call]:
        self.asked += 1
        self.thinking.set()
        await asyncio.to_thread(self.go.wait, 10)
        return [Say("too late?")]


@pytest.mark.parametrize("ending", ["answered", "cancelled", "deleted"])
async def test_what_happens_while_the_model_thinks_counts(ending: str) -> None:
    model = WaitingModel()
    with EmbeddedFoundry(environ={}, model=model) as foundry:
        async with connect_classic(foundry.endpoint) as agents:
            agent = await agents.create_agent(model=MODEL)
            thread = (await agents.threads.create()).id
            run = await ask(agents, thread, agent.id, "hi")
            await agents.runs.get(thread, run.id)
            answering = asyncio.create_task(agents.runs.get(thread, run.id))
            await asyncio.to_thread(model.thinking.wait, 10)
            assert (await agents.runs.get(thread, run.id)).status == "in_progress"
            if ending == "cancelled":
                foundry.cancel_run(thread, run.id)
            elif ending == "deleted":
                foundry.remove_thread(thread)
            model.go.set()
            if ending == "deleted":
                with pytest.raises(ResourceNotFoundError):
                    await answering
                assert (foundry.threads(), foundry.runs()) == ({}, {})
                return
            assert (await answering).status == {"answered": "completed", "cancelled": "cancelling"}[ending]
            assert (await polled(agents, run)).status == {"answered": "completed"}.get(ending, ending)
            assert len(foundry.messages(thread)) == (2 if ending == "answered" else 1)
    assert model.asked == 1


class FailingModel:
    """Refuses with a status."""

    def __init__(self, status: int) -> None:
        self.status = status

    async def answer(self, turn: Turn) -> Sequence[Say | Call]:
        raise ApiError(self.status, "upstream", "the model is tired")


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limit_exceeded"), (502, "server_error")])
async def test_a_model_that_refuses_fails_the_run(status: int, code: str) -> None:
    with EmbeddedFoundry(environ={}, model=FailingModel(status)) as foundry:
        async with connect_classic(foundry.endpoint) as agents:
            agent = await agents.create_agent(model=MODEL)
            run = await polled(agents, await ask(agents, (await agents.threads.create()).id, agent.id, "hi"))
    assert run.status == "failed"
    assert (run.last_error.code, run.last_error.message) == (code, "the model is tired")
