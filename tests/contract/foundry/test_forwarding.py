"""A real model behind the sandbox: here another sandbox, or an endpoint that fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai as sdk
import pytest
from aiohttp import web

from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry, Fault
from AgentOperatingSystem.sandbox.serving import LoopbackServer

CEO = {"agent_reference": {"name": "ceo", "type": "agent_reference"}}
TOOLS = [{"type": "function", "name": "count", "parameters": {"type": "object"}, "strict": None}]


@pytest.fixture
def upstream() -> Iterator[EmbeddedFoundry]:
    with EmbeddedFoundry(deployments=["a-real-model"], tokens=["the-key"], environ={}) as running:
        yield running


def environment(url: str) -> dict[str, str]:
    return {
        "AOS_SANDBOX_MODEL_URL": url,
        "AOS_SANDBOX_MODEL_API_KEY": "the-key",
        "AOS_SANDBOX_MODEL_NAME": "a-real-model",
    }


@pytest.fixture
def front(upstream: EmbeddedFoundry) -> Iterator[EmbeddedFoundry]:
    url = f"{upstream.endpoint}/openai/v1/"
    with EmbeddedFoundry(deployments=["llama-ceo"], environ=environment(url)) as running:
        running.add_agent("ceo", "llama-ceo", instructions="You lead.", tools=TOOLS)
        yield running


async def test_a_turn_with_a_tool_call_goes_through_the_upstream(
    front: EmbeddedFoundry, upstream: EmbeddedFoundry, connect: Any
) -> None:
    async with connect(front.endpoint) as project, project.get_openai_client(max_retries=0) as client:
        thread = (await client.conversations.create()).id
        first = await client.responses.create(
            conversation=thread, input='call tool count {"of": "chairs"}', extra_body=CEO
        )
        [call] = first.output
        output = {"type": "function_call_output", "call_id": call.call_id, "output": "12"}
        second = await client.responses.create(conversation=thread, input=[output], extra_body=CEO)
        third = await client.responses.create(conversation=thread, input="and now?", extra_body=CEO)
    assert (call.name, call.arguments) == ("count", '{"of": "chairs"}')
    assert second.output_text.startswith("[sandbox model a-real-model, no AI]")
    assert "The tool answered: 12." in second.output_text
    assert "turn 2" in third.output_text
    assert {one.operation for one in upstream.requests} == {"create_chat_completion"}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(status=500, message="out of memory"), "answered 500: .*out of memory"),
        (Fault(drop=True), "cannot be used"),
    ],
)
async def test_a_failing_upstream_is_a_clear_502(
    front: EmbeddedFoundry, upstream: EmbeddedFoundry, connect: Any, fault: Fault, reason: str
) -> None:
    upstream.faults.add(fault)
    async with connect(front.endpoint) as project, project.get_openai_client(max_retries=0) as client:
        with pytest.raises(sdk.InternalServerError, match=reason) as caught:
            await client.responses.create(input="x", extra_body=CEO)
    assert (caught.value.status_code, caught.value.code) == (502, "upstream_model_error")
    assert "the-key" not in str(caught.value)


@pytest.mark.parametrize("text", ["not JSON", "[]", '{"choices": []}'])
async def test_an_upstream_that_speaks_something_else_is_a_clear_502(connect: Any, text: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type="application/json")

    def build() -> web.Application:
        app = web.Application()
        app.router.add_post("/chat/completions", answer)
        return app

    with LoopbackServer(build) as odd, EmbeddedFoundry(model_url=odd.url, environ={}) as front:
        async with connect(front.endpoint) as project, project.get_openai_client(max_retries=0) as client:
            with pytest.raises(sdk.InternalServerError, match="model behind the sandbox"):
                await client.responses.create(model="llama-3.3-70b", input="x")
