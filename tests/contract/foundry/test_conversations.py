"""Threads, turns and tool calls, through the openai client that the project client makes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import openai as sdk
import pytest
from azure.ai.projects.aio import AIProjectClient
from azure.ai.projects.models import FunctionTool, PromptAgentDefinition
from openai import AsyncOpenAI

from AgentOperatingSystem.sandbox.foundry import Call, EmbeddedFoundry, Say, Turn

MODEL = "llama-3.3-70b-ceo"
OBJECT = {"type": "object"}


def agent(name: str, version: str | None = None) -> dict[str, Any]:
    """The extra body that lets an agent answer."""
    reference = {"name": name, "type": "agent_reference"}
    return {"agent_reference": reference if version is None else {**reference, "version": version}}


@pytest.fixture(autouse=True)
def ceo(foundry: EmbeddedFoundry) -> None:
    tools = [{"type": "function", "name": name, "parameters": OBJECT} for name in ("look_up", "count")]
    foundry.add_agent("ceo", MODEL, instructions="You lead.", tools=tools)


async def test_a_conversation_is_stateful(foundry: EmbeddedFoundry, openai: AsyncOpenAI) -> None:
    conversation = await openai.conversations.create(metadata={"aos_name": "ceo"})
    answers = [
        await openai.responses.create(conversation=conversation.id, input=text, extra_body=agent("ceo"))
        for text in ("first", "second")
    ]
    assert [answer.output_text for answer in answers] == [
        f"[sandbox model {MODEL}, no AI] I am agent 'ceo' version 1. "
        f'I was asked: "{text}". This is turn {turn} of this thread.'
        for turn, text in ((1, "first"), (2, "second"))
    ]
    held = foundry.conversations()[conversation.id]
    assert held.metadata == {"aos_name": "ceo"}
    assert [(item["role"], item["content"][0]["text"]) for item in held.items] == [
        ("user", "first"),
        ("assistant", answers[0].output_text),
        ("user", "second"),
        ("assistant", answers[1].output_text),
    ]


async def test_answers_are_the_same_in_every_run(openai: AsyncOpenAI) -> None:
    answers = [await openai.responses.create(input="again", extra_body=agent("ceo")) for _ in range(2)]
    assert answers[0].output_text == answers[1].output_text
    assert answers[0].id != answers[1].id


async def test_conversations_are_made_read_updated_and_deleted(openai: AsyncOpenAI) -> None:
    made = await openai.conversations.create(
        metadata={"a": "b"}, items=[{"type": "message", "role": "user", "content": "hi"}]
    )
    assert (await openai.conversations.retrieve(made.id)).metadata == {"a": "b"}
    assert (await openai.conversations.update(made.id, metadata={"c": "d"})).metadata == {"c": "d"}
    assert (await openai.conversations.delete(made.id)).deleted
    with pytest.raises(sdk.NotFoundError, match=made.id):
        await openai.conversations.retrieve(made.id)


async def test_items_are_added_listed_over_pages_and_deleted(openai: AsyncOpenAI) -> None:
    conversation = await openai.conversations.create()
    messages = [{"type": "message", "role": "user", "content": f"m{number}"} for number in range(5)]
    added = await openai.conversations.items.create(conversation.id, items=messages)
    ids = [item.id for item in added.data]
    listed = openai.conversations.items.list(conversation.id, limit=2, order="asc")
    assert [item.id async for item in listed] == ids
    assert [item.id async for item in openai.conversations.items.list(conversation.id)] == ids[::-1]
    one = await openai.conversations.items.retrieve(ids[2], conversation_id=conversation.id)
    assert one.content[0].text == "m2"
    await openai.conversations.items.delete(ids[2], conversation_id=conversation.id)
    with pytest.raises(sdk.NotFoundError):
        await openai.conversations.items.retrieve(ids[2], conversation_id=conversation.id)


async def test_a_follow_up_continues_the_previous_response(openai: AsyncOpenAI) -> None:
    first = await openai.responses.create(input="one", extra_body=agent("ceo"))
    second = await openai.responses.create(
        model="", input="two", previous_response_id=first.id, extra_body=agent("ceo", "1")
    )
    assert "turn 2" in second.output_text
    assert (await openai.responses.retrieve(second.id)).output_text == second.output_text
    await openai.responses.delete(first.id)
    with pytest.raises(sdk.NotFoundError):
        await openai.responses.create(input="x", previous_response_id=first.id, extra_body=agent("ceo"))


async def test_a_response_that_is_not_stored_cannot_be_continued(openai: AsyncOpenAI) -> None:
    first = await openai.responses.create(input="one", store=False, extra_body=agent("ceo"))
    with pytest.raises(sdk.NotFoundError):
        await openai.responses.retrieve(first.id)


async def test_an_older_version_answers_when_it_is_asked(
    foundry: EmbeddedFoundry, openai: AsyncOpenAI
) -> None:
    foundry.edit_agent("ceo", instructions="other")
    latest = await openai.responses.create(input="x", extra_body=agent("ceo"))
    older = await openai.responses.create(input="x", extra_body=agent("ceo", "1"))
    assert "version 2" in latest.output_text
    assert "version 1" in older.output_text
    assert older.model_extra is not None
    assert older.model_extra["agent_reference"]["version"] == "1"


async def test_a_plain_model_answers_without_an_agent(openai: AsyncOpenAI) -> None:
    answer = await openai.responses.create(model="llama-3.3-70b", input="hi", instructions="i")
    assert answer.output_text.startswith("[sandbox model llama-3.3-70b, no AI] I am no agent")


async def test_the_agents_own_endpoint_answers_with_the_selected_version(
    foundry: EmbeddedFoundry, connect: Any
) -> None:
    foundry.edit_agent("ceo", instructions="other")
    rules = [{"agent_version": "1", "traffic_percentage": 100, "type": "FixedRatio"}]
    selector = {"agent_endpoint": {"version_selector": {"version_selection_rules": rules}}}
    async with (
        connect(foundry.endpoint, allow_preview=True) as project,
        project.get_openai_client(agent_name="ceo", max_retries=0) as client,
    ):
        assert "version 2" in (await client.responses.create(input="x")).output_text
        await project.agents.update_details("ceo", selector)
        assert "version 1" in (await client.responses.create(input="x")).output_text


async def test_streaming_tells_the_same_answer(openai: AsyncOpenAI) -> None:
    whole = await openai.responses.create(input="hi", extra_body=agent("ceo"))
    kinds, said = [], ""
    async for event in await openai.responses.create(input="hi", stream=True, extra_body=agent("ceo")):
        kinds.append(event.type)
        said += event.delta if event.type == "response.output_text.delta" else ""
    assert said == whole.output_text
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")


async def test_the_openai_accumulator_understands_a_streamed_tool_call(openai: AsyncOpenAI) -> None:
    asked = 'call tool look_up {"q": 1}'
    async with openai.responses.stream(input=asked, extra_body=agent("ceo"), model="") as stream:
        final = await stream.get_final_response()
    assert [(item.type, item.name, item.arguments) for item in final.output] == [
        ("function_call", "look_up", '{"q": 1}')
    ]


def outputs(response: Any, text: str) -> list[Any]:
    """The same output for each call of a response."""
    return [
        {"type": "function_call_output", "call_id": item.call_id, "output": text}
        for item in response.output
        if item.type == "function_call"
    ]


async def test_a_tool_is_called_and_its_output_quoted(openai: AsyncOpenAI) -> None:
    thread = (await openai.conversations.create()).id
    asked = 'Please call tool look_up {"q": {"deep": 1}} and call tool count.'
    first = await openai.responses.create(conversation=thread, input=asked, extra_body=agent("ceo"))
    calls = [(item.name, json.loads(item.arguments)) for item in first.output]
    assert calls == [("look_up", {"q": {"deep": 1}}), ("count", {})]
    second = await openai.responses.create(
        conversation=thread, input=outputs(first, "42 chairs"), extra_body=agent("ceo")
    )
    assert second.output_text.count("The tool answered: 42 chairs.") == 2
    assert "turn 1" in second.output_text


async def test_a_tool_that_the_agent_lacks_is_not_called(openai: AsyncOpenAI) -> None:
    answer = await openai.responses.create(input="call tool launch {}", extra_body=agent("ceo"))
    assert "I have no tool 'launch'." in answer.output_text


async def test_broken_arguments_are_passed_on_as_a_model_would(openai: AsyncOpenAI) -> None:
    answer = await openai.responses.create(input='call tool count {"a": ', extra_body=agent("ceo"))
    assert answer.output[0].arguments == '{"a":'


async def test_an_agent_can_be_made_to_call_for_ever(openai: AsyncOpenAI) -> None:
    answer = await openai.responses.create(input="keep calling tool count", extra_body=agent("ceo"))
    for _ in range(3):
        assert answer.output[0].type == "function_call"
        answer = await openai.responses.create(
            input=outputs(answer, "1"), previous_response_id=answer.id, extra_body=agent("ceo")
        )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("and now?", "No tool output found for function call"),
        (
            [{"type": "function_call_output", "call_id": "call_x", "output": "1"}],
            "No tool output found for function call",
        ),
    ],
)
async def test_a_thread_with_an_open_tool_call_goes_nowhere(
    openai: AsyncOpenAI, given: Any, message: str
) -> None:
    thread = (await openai.conversations.create()).id
    await openai.responses.create(conversation=thread, input="call tool count", extra_body=agent("ceo"))
    with pytest.raises(sdk.BadRequestError, match=message):
        await openai.responses.create(conversation=thread, input=given, extra_body=agent("ceo"))


async def test_an_output_that_nobody_asked_for_is_refused(openai: AsyncOpenAI) -> None:
    stray: Any = [{"type": "function_call_output", "call_id": "call_x", "output": "1"}]
    with pytest.raises(sdk.BadRequestError, match="No tool call found"):
        await openai.responses.create(input=stray, extra_body=agent("ceo"))


async def test_a_disabled_agent_rejects_requests(project: AIProjectClient, openai: AsyncOpenAI) -> None:
    await project.agents.disable("ceo")
    with pytest.raises(sdk.BadRequestError, match="disabled"):
        await openai.responses.create(input="x", extra_body=agent("ceo"))
    await project.agents.enable("ceo")
    assert (await openai.responses.create(input="x", extra_body=agent("ceo"))).status == "completed"


async def test_a_version_that_is_not_active_rejects_requests(
    foundry: EmbeddedFoundry, openai: AsyncOpenAI
) -> None:
    foundry.behave(creating_seconds=60)
    foundry.edit_agent("ceo", instructions="new")
    with pytest.raises(sdk.BadRequestError, match="creating"):
        await openai.responses.create(input="x", extra_body=agent("ceo"))


async def test_an_agent_whose_deployment_went_cannot_answer(
    foundry: EmbeddedFoundry, openai: AsyncOpenAI
) -> None:
    foundry.deployments.remove(MODEL)
    with pytest.raises(sdk.NotFoundError, match=MODEL) as caught:
        await openai.responses.create(input="x", extra_body=agent("ceo"))
    assert caught.value.code == "DeploymentNotFound"


@pytest.mark.parametrize(
    ("settings", "extra", "message", "reason"),
    [
        ({}, {}, "agent_reference is required", "somebody has to answer"),
        (
            {"tools": [{"type": "web_search"}]},
            agent("ceo"),
            "Not allowed when",
            "the agent has its own tools",
        ),
        ({"instructions": "i"}, agent("ceo"), "Not allowed when", "the agent has its own instructions"),
        ({}, agent("nope"), "doesn't exist", "the agent must exist"),
        ({}, agent("ceo", "9"), "version 9 not found", "the version must exist"),
        ({"conversation": "conv_x"}, agent("ceo"), "conv_x", "the conversation must exist"),
        (
            {"conversation": "conv_x", "previous_response_id": "resp_x"},
            agent("ceo"),
            "together",
            "a thread has one continuation",
        ),
    ],
)
async def test_the_responses_api_refuses(
    openai: AsyncOpenAI, settings: dict[str, Any], extra: dict[str, Any], message: str, reason: str
) -> None:
    with pytest.raises((sdk.BadRequestError, sdk.NotFoundError), match=message):
        await openai.responses.create(input="x", extra_body=extra, **settings)


async def test_the_older_agent_property_works_until_it_is_refused(
    foundry: EmbeddedFoundry, openai: AsyncOpenAI
) -> None:
    older = {"agent": {"name": "ceo", "type": "agent_reference"}}
    assert (await openai.responses.create(input="x", extra_body=older)).status == "completed"
    foundry.behave(refuse_agent_property=True)
    with pytest.raises(sdk.BadRequestError, match="agent_reference"):
        await openai.responses.create(input="x", extra_body=older)


class SlowModel:
    """Answers after a while, so that two turns can meet."""

    async def answer(self, turn: Turn) -> Sequence[Say | Call]:
        await asyncio.sleep(0.2)
        return [Say(f"{len(turn.items)}")]


async def test_two_turns_in_one_conversation_do_not_mix(connect: Any) -> None:
    with EmbeddedFoundry(deployments=[MODEL], environ={}, model=SlowModel()) as foundry:
        foundry.add_agent("ceo", MODEL)
        async with connect(foundry.endpoint) as project, project.get_openai_client(max_retries=0) as client:
            thread = (await client.conversations.create()).id
            both = await asyncio.gather(
                *(
                    client.responses.create(conversation=thread, input="x", extra_body=agent("ceo"))
                    for _ in "ab"
                ),
                return_exceptions=True,
            )
        refused = [one for one in both if isinstance(one, sdk.BadRequestError)]
        assert [error.code for error in refused] == ["conversation_locked"]
        assert len(foundry.conversations()[thread].items) == 2


async def test_chat_completions_answer_for_a_plain_model(openai: AsyncOpenAI) -> None:
    messages: Any = [{"role": "system", "content": "s"}, {"role": "user", "content": "call tool count {}"}]
    tools: Any = [{"type": "function", "function": {"name": "count", "parameters": OBJECT}}]
    first = await openai.chat.completions.create(model="llama-3.3-70b", messages=messages, tools=tools)
    assert first.choices[0].finish_reason == "tool_calls"
    call = first.choices[0].message.tool_calls[0]
    messages += [
        first.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "7"},
    ]
    second = await openai.chat.completions.create(model="llama-3.3-70b", messages=messages, tools=tools)
    assert "The tool answered: 7." in (second.choices[0].message.content or "")
    said = ""
    stream = await openai.chat.completions.create(
        model="llama-3.3-70b", messages=messages, tools=tools, stream=True
    )
    async for chunk in stream:
        said += (chunk.choices[0].delta.content or "") if chunk.choices else ""
    assert said == second.choices[0].message.content


async def test_an_agent_made_by_the_sdk_keeps_its_tools(
    project: AIProjectClient, openai: AsyncOpenAI
) -> None:
    tool = FunctionTool(name="erpnext__get", description="d", parameters=OBJECT, strict=False)
    await project.agents.create_version("cfo", definition=PromptAgentDefinition(model=MODEL, tools=[tool]))
    answer = await openai.responses.create(input="call tool erpnext__get {}", extra_body=agent("cfo"))
    assert answer.output[0].name == "erpnext__get"
