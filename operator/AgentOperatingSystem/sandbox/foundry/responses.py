"""The responses loop: who answers, what the thread so far is, one turn of the model, what is remembered.

Reads top to bottom in `create_response`. The refusals are those that the service and the openai API give.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from AgentOperatingSystem.sandbox.foundry.conversations import append, read_items
from AgentOperatingSystem.sandbox.foundry.errors import ApiError, Json, invalid, unknown_item
from AgentOperatingSystem.sandbox.foundry.model import Call, Model, Say, Turn, text_of
from AgentOperatingSystem.sandbox.foundry.records import AgentVersion, StoredResponse
from AgentOperatingSystem.sandbox.foundry.state import Project

NOT_WITH_AN_AGENT = ("model", "instructions", "tools")


@dataclass(frozen=True)
class Speaker:
    """Who answers: a version of an agent, or a deployment as such."""

    deployment: str
    instructions: str
    tools: tuple[Json, ...]
    version: AgentVersion | None = None


@dataclass(frozen=True)
class Thread:
    """What was said before, and where it goes on."""

    items: tuple[Json, ...] = ()
    conversation: str | None = None
    previous_response: str | None = None


@dataclass(frozen=True)
class Exchange:
    """One turn, finished."""

    speaker: Speaker
    thread: Thread
    new: tuple[Json, ...]
    output: tuple[Json, ...]

    @property
    def seen(self) -> tuple[Json, ...]:
        """What the model was given."""
        return (*self.thread.items, *self.new)


async def create_response(project: Project, body: Json, model: Model, agent_name: str | None = None) -> Json:
    """One turn. `agent_name` is given when the agent's own endpoint was called. Raises ApiError."""
    if agent_name is None:
        speaker = _speaker(project, body)
    else:
        speaker = _agent_speaker(project, body, agent_name, _selected_version(project, agent_name))
    thread = _thread(project, body)
    new = read_items(body.get("input") or [], project.account.ids)
    _check_tool_outputs((*thread.items, *new))
    with _turn_of(project, thread.conversation):
        output = await _answer(project, speaker, (*thread.items, *new), model)
        exchange = Exchange(speaker, thread, new, output)
        response = _response(project, body, exchange)
        _remember(project, exchange, response)
    return response


def get_response(project: Project, response_id: str) -> Json:
    """Raises ApiError 404."""
    return _stored(project, response_id).body


def delete_response(project: Project, response_id: str) -> Json:
    """Raises ApiError 404."""
    del project.responses[_stored(project, response_id).id]
    return {"id": response_id, "object": "response", "deleted": True}


def _stored(project: Project, response_id: str) -> StoredResponse:
    if response_id not in project.responses:
        raise unknown_item("Response", response_id)
    return project.responses[response_id]


def _speaker(project: Project, body: Json) -> Speaker:
    if "agent" in body and project.account.behaviour.refuse_agent_property:
        message = "The 'agent' property is deprecated. Use 'agent_reference' instead."
        raise invalid("agent", message, code="invalid_payload")
    reference = body.get("agent_reference") or body.get("agent")
    if reference is not None:
        if not isinstance(reference, dict) or not isinstance(reference.get("name"), str):
            raise invalid("agent_reference", "agent_reference must have a name", code="invalid_payload")
        return _agent_speaker(project, body, reference["name"], reference.get("version"))
    deployment = body.get("model")
    if not deployment:
        raise invalid(
            "model", "one of model and agent_reference is required", code="missing_required_parameter"
        )
    check_deployment(project, deployment)
    return Speaker(deployment, str(body.get("instructions") or ""), tuple(body.get("tools") or ()))


def _agent_speaker(project: Project, body: Json, name: str, version_number: object) -> Speaker:
    for param in NOT_WITH_AN_AGENT:
        if body.get(param):
            raise invalid(param, "Not allowed when agent is specified.", code="invalid_payload")
    agent = project.agent(name)
    version = agent.latest if version_number is None else project.version(name, str(version_number))
    if not agent.enabled:
        raise ApiError(400, "agent_disabled", f"Agent {name} is disabled", param="agent_name")
    status = version.status(project.account.clock())
    if status != "active":
        message = f"Agent {name} version {version.number} is {status}, not active"
        raise ApiError(400, "agent_version_not_active", message, param="agent_version")
    check_deployment(project, version.model)
    return Speaker(version.model, version.instructions, tuple(version.tools), version)


def _selected_version(project: Project, name: str) -> str | None:
    """The version that the agent's endpoint is set to: the first rule, None for the latest."""
    endpoint = project.agent(name).details.get("agent_endpoint") or {}
    rules = (endpoint.get("version_selector") or {}).get("version_selection_rules") or []
    return str(rules[0]["agent_version"]) if rules else None


def check_deployment(project: Project, deployment: object) -> None:
    """Raises ApiError 404 when the deployment does not exist."""
    if not isinstance(deployment, str) or not project.account.serves(deployment):
        message = f"The API deployment '{deployment}' for this resource does not exist."
        raise ApiError(404, "DeploymentNotFound", message, param="model")


def _thread(project: Project, body: Json) -> Thread:
    conversation = body.get("conversation")
    conversation_id = conversation.get("id") if isinstance(conversation, dict) else conversation
    previous = body.get("previous_response_id")
    if conversation_id and previous:
        message = "conversation and previous_response_id cannot be used together"
        raise invalid("previous_response_id", message, code="mutually_exclusive_parameters")
    if conversation_id:
        return Thread(project.conversation(str(conversation_id)).items, conversation=str(conversation_id))
    if previous:
        return Thread(_stored(project, str(previous)).context, previous_response=str(previous))
    return Thread()


def _check_tool_outputs(items: Sequence[Json]) -> None:
    """Every call has its output and every output its call: the API refuses a thread that was left open."""
    outputs = {item.get("call_id") for item in items if item["type"] == "function_call_output"}
    calls = {item.get("call_id") for item in items if item["type"] == "function_call"}
    for missing in sorted(str(call) for call in calls - outputs):
        raise invalid("input", f"No tool output found for function call {missing}.", code="invalid_payload")
    for stray in sorted(str(output) for output in outputs - calls):
        message = f"No tool call found for function call output with call_id {stray}."
        raise invalid("input", message, code="invalid_payload")


@contextmanager
def _turn_of(project: Project, conversation: str | None) -> Iterator[None]:
    """One turn at a time in a conversation."""
    if conversation is None:
        yield
        return
    if conversation in project.busy:
        message = (
            "Another process is currently operating on this conversation. Please retry in a few seconds."
        )
        raise invalid("conversation", message, code="conversation_locked")
    project.busy.add(conversation)
    try:
        yield
    finally:
        project.busy.discard(conversation)


async def _answer(
    project: Project, speaker: Speaker, items: tuple[Json, ...], model: Model
) -> tuple[Json, ...]:
    version = speaker.version
    turn = Turn(
        deployment=speaker.deployment,
        instructions=speaker.instructions,
        tools=speaker.tools,
        items=items,
        agent=None if version is None else version.agent,
        version=None if version is None else version.number,
    )
    return tuple(_output_item(project, part) for part in await model.answer(turn))


def _output_item(project: Project, part: Say | Call) -> Json:
    ids = project.account.ids
    if isinstance(part, Call):
        return {
            "id": ids.next("fc"),
            "type": "function_call",
            "status": "completed",
            "call_id": ids.next("call"),
            "name": part.name,
            "arguments": part.arguments,
        }
    content = {"type": "output_text", "annotations": [], "logprobs": [], "text": part.text}
    return {
        "id": ids.next("msg"),
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [content],
    }


def _usage(items: Sequence[Json], output: Sequence[Json]) -> Json:
    """Counts words as if they were tokens: plausible and deterministic."""
    taken, given = (sum(len(_words(item)) for item in part) for part in (items, output))
    return {
        "input_tokens": taken,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": given,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": taken + given,
    }


def _words(item: Json) -> list[str]:
    return (text_of(item) + str(item.get("arguments", "")) + str(item.get("output", ""))).split()


def _response(project: Project, body: Json, exchange: Exchange) -> Json:
    speaker, thread = exchange.speaker, exchange.thread
    version = speaker.version
    response: Json = {
        "id": project.account.ids.next("resp"),
        "object": "response",
        "created_at": int(project.account.clock()),
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": None,
        "model": speaker.deployment,
        "output": list(exchange.output),
        "parallel_tool_calls": True,
        "previous_response_id": thread.previous_response,
        "conversation": None if thread.conversation is None else {"id": thread.conversation},
        "reasoning": {"effort": None, "summary": None},
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": list(body.get("tools") or []),
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": _usage(exchange.seen, exchange.output),
        "user": None,
        "metadata": body.get("metadata") or {},
    }
    if version is not None:
        reference = {"type": "agent_reference", "name": version.agent, "version": str(version.number)}
        response["agent_reference"] = reference
    return response


def _remember(project: Project, exchange: Exchange, response: Json) -> None:
    if exchange.thread.conversation is not None:
        append(project, exchange.thread.conversation, (*exchange.new, *exchange.output))
    if response["store"]:
        stored = StoredResponse(response["id"], response, (*exchange.seen, *exchange.output))
        project.responses[stored.id] = stored
