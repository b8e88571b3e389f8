"""Chat completions, both ways: our own endpoint for a plain model, and the words for somebody else's.

Why both in one place: the mapping between messages and response items must be the same in the two
directions, and the forwarder can then be proved against our own endpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from AgentOperatingSystem.sandbox.foundry.errors import Json, invalid
from AgentOperatingSystem.sandbox.foundry.model import Call, Model, Say, Turn, text_of
from AgentOperatingSystem.sandbox.foundry.responses import check_deployment
from AgentOperatingSystem.sandbox.foundry.state import Identifiers, Project


async def create_completion(project: Project, body: Json, model: Model) -> Json:
    """One stateless completion by a deployment. Raises ApiError."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("messages", "messages must be a list that is not empty", code="invalid_payload")
    check_deployment(project, body.get("model"))
    turn = Turn(
        deployment=body["model"],
        instructions="\n".join(
            text_of(one) for one in messages if one.get("role") in ("system", "developer")
        ),
        tools=tuple(tool_from_chat(tool) for tool in body.get("tools") or ()),
        items=tuple(item for message in messages for item in _items_of(message)),
    )
    parts = await model.answer(turn)
    taken = sum(len(text_of(message).split()) for message in messages)
    return _completion(project, turn.deployment, parts, taken)


def _completion(project: Project, deployment: str, parts: Sequence[Say | Call], taken: int) -> Json:
    account = project.account
    message = message_of(parts, account.ids)
    given = len(str(message["content"] or "").split())
    reason = "tool_calls" if "tool_calls" in message else "stop"
    return {
        "id": account.ids.next("chatcmpl"),
        "object": "chat.completion",
        "created": int(account.clock()),
        "model": deployment,
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {"prompt_tokens": taken, "completion_tokens": given, "total_tokens": taken + given},
    }


def message_of(parts: Sequence[Say | Call], ids: Identifiers) -> Json:
    """The assistant's message for what a model answered."""
    text = "".join(part.text for part in parts if isinstance(part, Say))
    message: Json = {"role": "assistant", "content": text or None}
    calls = [
        _chat_call(ids.next("call"), part.name, part.arguments) for part in parts if isinstance(part, Call)
    ]
    return {**message, "tool_calls": calls} if calls else message


def parts_of(message: Json) -> list[Say | Call]:
    """What a model answered, from the assistant's message: the inverse of `message_of`."""
    parts: list[Say | Call] = []
    if message.get("content"):
        parts.append(Say(text_of(message)))
    functions = [call["function"] for call in message.get("tool_calls") or []]
    return [*parts, *(Call(function["name"], function["arguments"]) for function in functions)]


def messages_of(turn: Turn) -> list[Json]:
    """The messages of a thread of items; neighbouring calls become one assistant message."""
    messages: list[Json] = []
    if turn.instructions:
        messages.append({"role": "system", "content": turn.instructions})
    for item in turn.items:
        if item["type"] == "message":
            messages.append({"role": item["role"], "content": text_of(item)})
        elif item["type"] == "function_call":
            if not messages or "tool_calls" not in messages[-1]:
                messages.append({"role": "assistant", "content": None, "tool_calls": []})
            call = _chat_call(item["call_id"], item["name"], item["arguments"])
            messages[-1]["tool_calls"].append(call)
        elif item["type"] == "function_call_output":
            messages.append({"role": "tool", "tool_call_id": item["call_id"], "content": str(item["output"])})
    return messages


def tool_from_chat(tool: Json) -> Json:
    """`{"type": "function", "function": {...}}` made flat, as the responses API has it."""
    return {"type": "function", **tool["function"]} if "function" in tool else dict(tool)


def tool_to_chat(tool: Json) -> Json:
    """A flat function tool, nested as chat completions have it."""
    inner = {key: value for key, value in tool.items() if key != "type" and value is not None}
    return {"type": "function", "function": inner}


def _items_of(message: Json) -> Iterator[Json]:
    role = message.get("role")
    if role == "tool":
        output = text_of(message)
        yield {"type": "function_call_output", "call_id": message.get("tool_call_id"), "output": output}
        return
    if role in ("system", "developer"):
        return
    if message.get("content") is not None:
        yield {"type": "message", "role": role, "content": message["content"]}
    for call in message.get("tool_calls") or []:
        yield {"type": "function_call", "call_id": call.get("id"), **call["function"]}


def _chat_call(call_id: str, name: str, arguments: str) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
