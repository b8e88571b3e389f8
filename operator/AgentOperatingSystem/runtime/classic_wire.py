"""Translate between our records and the classic generation's wire format: assistants, threads, runs. Pure.

An assistant keeps what its tools work on apart from the tools, in `tool_resources`, and an update leaves out
nothing by leaving it away: so what is to be empty is written as empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from AgentOperatingSystem.model.definition import (
    AgentDefinition,
    CodeInterpreterTool,
    DesiredAgent,
    FileSearchTool,
    FunctionTool,
    ObservedAgent,
    OtherTool,
    Tool,
)
from AgentOperatingSystem.model.message import Message
from AgentOperatingSystem.model.stamp import split_metadata
from AgentOperatingSystem.runtime.adapter import ToolCall
from AgentOperatingSystem.runtime.foundry_wire import metadata_to_wire

# The states in which a run goes on by itself; in `requires_action` it waits for us.
UNDER_WAY = frozenset({"queued", "in_progress", "cancelling"})
WAITS_FOR_US = "requires_action"
# Only these have something to say; the others say why they have not.
SPOKEN = frozenset({"completed", "incomplete"})


def assistant_to_wire(desired: DesiredAgent) -> dict[str, Any]:
    """Everything of an assistant that is ours, for a create and an update alike.

    What is not named (temperature, response format, description) stays as it is.
    """
    definition = desired.definition
    return {
        "name": desired.name,
        "model": definition.deployment,
        "instructions": definition.instructions,
        "tools": [tool_to_wire(tool) for tool in definition.tools],
        "tool_resources": resources_to_wire(definition.tools),
        "metadata": metadata_to_wire(desired),
    }


def tool_to_wire(tool: Tool) -> dict[str, Any]:
    """One tool of an assistant. Raises ValueError for a kind that we only observe."""
    match tool:
        case FunctionTool(name, description, parameters):
            function = {"name": name, "description": description, "parameters": dict(parameters)}
            return {"type": "function", "function": function}
        case CodeInterpreterTool():
            return {"type": "code_interpreter"}
        case FileSearchTool():
            return {"type": "file_search"}
        case OtherTool(kind):
            raise ValueError(f"a tool of kind {kind} is observed, never asked for")


def resources_to_wire(tools: Iterable[Tool]) -> dict[str, Any]:
    """What the tools work on. Both kinds are always named: one that is not would keep what it had."""
    files: list[str] = []
    stores: list[str] = []
    for tool in tools:
        match tool:
            case CodeInterpreterTool(file_ids):
                files.extend(file_ids)
            case FileSearchTool(vector_store_ids):
                stores.extend(vector_store_ids)
            case _:
                continue
    return {"code_interpreter": {"file_ids": files}, "file_search": {"vector_store_ids": stores}}


def agent_from_wire(assistant: Mapping[str, Any]) -> ObservedAgent:
    """An assistant as the service reports it; it has no versions, and is ready at once."""
    stamp, metadata = split_metadata(assistant.get("metadata") or {})
    return ObservedAgent(
        name=assistant.get("name") or "",
        agent_id=assistant["id"],
        version="",
        definition=AgentDefinition(
            deployment=assistant.get("model") or "",
            instructions=assistant.get("instructions") or "",
            tools=tools_from_wire(assistant.get("tools") or (), assistant.get("tool_resources") or {}),
            metadata=metadata,
        ),
        stamp=stamp,
    )


def tools_from_wire(tools: Sequence[Mapping[str, Any]], resources: Mapping[str, Any]) -> tuple[Tool, ...]:
    """The tools of an assistant; a kind that we do not ask for is kept by its name alone."""
    return tuple(_tool_from_wire(tool, resources) for tool in tools)


def _tool_from_wire(tool: Mapping[str, Any], resources: Mapping[str, Any]) -> Tool:
    match tool.get("type"):
        case "function":
            function = tool["function"]
            return FunctionTool(
                name=function["name"],
                description=function.get("description") or "",
                parameters=function.get("parameters") or {},
            )
        case "code_interpreter":
            return CodeInterpreterTool(tuple((resources.get("code_interpreter") or {}).get("file_ids") or ()))
        case "file_search":
            return FileSearchTool(tuple((resources.get("file_search") or {}).get("vector_store_ids") or ()))
        case kind:
            return OtherTool(str(kind))


def message_to_wire(message: Message) -> dict[str, Any]:
    """A message as it is said on a thread."""
    return {"role": message.role, "content": message.text}


def message_from_wire(message: Mapping[str, Any]) -> Message:
    """A message of a thread: its text parts as lines, and in words what no text can hold."""
    parts = message.get("content") or ()
    texts = [part["text"]["value"] for part in parts if part.get("type") == "text"]
    lost = [_lost_part(part) for part in parts if part.get("type") != "text"]
    lost += [
        f"a file that it made ({annotation['file_path'].get('file_id')})"
        for part in parts
        for annotation in (part.get("text") or {}).get("annotations") or ()
        if annotation.get("type") == "file_path"
    ]
    lost += [f"an attached file ({one.get('file_id')})" for one in message.get("attachments") or ()]
    return Message(role=message["role"], text="\n".join(texts), lost=", ".join(lost))


def _lost_part(part: Mapping[str, Any]) -> str:
    match part.get("type"):
        case "image_file":
            return f"an image ({part['image_file'].get('file_id')})"
        case "image_url":
            return "an image from the web"  # not its address, which may bear a key
        case kind:
            return f"a part of kind {kind}"


def function_calls(run: Mapping[str, Any]) -> list[ToolCall] | None:
    """The calls that a run waits for; None when it waits for something else, such as an approval."""
    action = run.get("required_action") or {}
    if action.get("type") != "submit_tool_outputs":
        return None
    calls = action["submit_tool_outputs"]["tool_calls"]
    if any(call.get("type") != "function" for call in calls):
        return None
    return [
        ToolCall(call["id"], call["function"]["name"], call["function"].get("arguments") or "{}")
        for call in calls
    ]


def output_to_wire(call: ToolCall, output: Mapping[str, Any]) -> dict[str, str]:
    """What came of a call, as it is submitted."""
    return {"tool_call_id": call.call_id, "output": json.dumps(dict(output), ensure_ascii=False)}


def end_of_run(run: Mapping[str, Any]) -> str:
    """Why a run has no answer, in the service's own sentence if it has one."""
    error = run.get("last_error") or {}
    reason = (run.get("incomplete_details") or {}).get("reason")
    return error.get("message") or reason or f"The run ended as {run['status']}."
