"""Assistants: checked, stored, changed in place. They have no versions: an update overwrites.

Why nothing is de-duplicated: the service makes another assistant of every create, also of an identical one,
and only the id that it chose tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from AgentOperatingSystem.sandbox.foundry import definitions
from AgentOperatingSystem.sandbox.foundry.classic.records import Assistant
from AgentOperatingSystem.sandbox.foundry.errors import Json, invalid, unknown_object
from AgentOperatingSystem.sandbox.foundry.state import Project
from AgentOperatingSystem.sandbox.foundry.storage import check_tool_resources

NAME = 256
PREFIX = "asst"
WARMEST = 2.0
RANKING = {"ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.0}}


def create_assistant(project: Project, body: Json) -> Assistant:
    """Raises ApiError 400 for what breaks a limit, or for a deployment that does not exist."""
    checked = _checked(project, {"model": None, **body})
    return put_assistant(
        project, Assistant(id=project.new_id(PREFIX), created_at=project.account.clock(), **checked)
    )


def put_assistant(project: Project, assistant: Assistant) -> Assistant:
    """Stores it unchecked, as the portal of the real service could."""
    if project.account.behaviour.normalise:
        assistant = _normalised(assistant)
    project.assistants[assistant.id] = assistant
    return assistant


def get_assistant(project: Project, assistant_id: str) -> Assistant:
    """Raises ApiError 404."""
    if assistant_id not in project.assistants:
        raise unknown_object("assistant", assistant_id)
    return project.assistants[assistant_id]


def update_assistant(project: Project, assistant_id: str, body: Json) -> Assistant:
    """Replaces what the body names; a null takes a field back to its default. Raises ApiError."""
    assistant = get_assistant(project, assistant_id)
    return put_assistant(project, replace(assistant, **_checked(project, body)))


def edit_assistant(project: Project, assistant_id: str, changes: Json) -> Assistant:
    """Someone edits it in the portal: nothing is checked but that the fields exist."""
    assistant = get_assistant(project, assistant_id)
    return put_assistant(project, replace(assistant, **fields_of(changes)))


def delete_assistant(project: Project, assistant_id: str) -> None:
    """Its threads and its runs stay. Raises ApiError 404."""
    del project.assistants[get_assistant(project, assistant_id).id]


def fields_of(values: Json) -> dict[str, Any]:
    """Values of a request as fields of an Assistant, unchecked. Raises ApiError 400 for one that has none."""
    for key in values.keys() - EDITABLE:
        raise invalid(key, f"an assistant has no '{key}'")
    taken = {key: DEFAULTS[key] if value is None else value for key, value in values.items()}
    return {**taken, "tools": tuple(taken["tools"])} if "tools" in taken else taken


def assistant_body(assistant: Assistant) -> Json:
    """An assistant as it goes over the wire."""
    return {
        "id": assistant.id,
        "object": "assistant",
        "created_at": int(assistant.created_at),
        "name": assistant.name,
        "description": assistant.description,
        "model": assistant.model,
        "instructions": assistant.instructions,
        "tools": list(assistant.tools),
        "tool_resources": assistant.tool_resources,
        "temperature": assistant.temperature,
        "top_p": assistant.top_p,
        "response_format": assistant.response_format,
        "metadata": assistant.metadata,
    }


DEFAULTS: Mapping[str, Any] = {
    "model": "",
    "name": None,
    "description": None,
    "instructions": None,
    "tools": (),
    "tool_resources": {},
    "metadata": {},
    "temperature": 1.0,
    "top_p": 1.0,
    "response_format": "auto",
}
EDITABLE = DEFAULTS.keys()


def _checked(project: Project, body: Json) -> dict[str, Any]:
    """The fields that the body names; what nobody knows is left out, as the service does."""
    readers: Mapping[str, Any] = {
        "model": lambda value: definitions.read_model("model", value, project.account.accepts_model),
        "name": lambda value: definitions.read_text("name", value, NAME),
        "description": lambda value: definitions.read_text("description", value, definitions.DESCRIPTION),
        "instructions": lambda value: definitions.read_text("instructions", value, definitions.INSTRUCTIONS),
        "tools": lambda value: definitions.read_tools("tools", value),
        "tool_resources": lambda value: check_tool_resources(project, value),
        "metadata": definitions.read_metadata,
        "temperature": lambda value: _read_number("temperature", value, WARMEST),
        "top_p": lambda value: _read_number("top_p", value, 1.0),
        "response_format": lambda value: "auto" if value is None else value,
    }
    return {key: read(body[key]) for key, read in readers.items() if key in body}


def _read_number(param: str, value: object, largest: float) -> float:
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= largest:
        raise invalid(param, f"{param} must be a number between 0 and {largest:g}")
    return float(value)


def _normalised(assistant: Assistant) -> Assistant:
    """The same meaning in another spelling: see `definitions.normalised`."""
    instructions = assistant.instructions
    return replace(
        assistant,
        instructions=None if instructions is None else instructions.strip(),
        tools=tuple(_normalised_tool(tool) for tool in reversed(assistant.tools)),
    )


def _normalised_tool(tool: Json) -> Json:
    if tool.get("type") == "function":
        function = tool.get("function") or {}
        return {**tool, "function": {**function, "strict": function.get("strict") or False}}
    if tool.get("type") == "file_search":
        return {**tool, "file_search": {**RANKING, **(tool.get("file_search") or {})}}
    return dict(tool)
