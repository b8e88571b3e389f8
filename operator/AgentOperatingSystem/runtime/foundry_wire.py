"""Translate between our records and Foundry's wire format for prompt agents. Pure.

What the service adds on its own (defaults of a tool, order) is left out on the way in, so that it is
never taken for a difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from AgentOperatingSystem.model.stamp import split_metadata


def definition_to_wire(definition: AgentDefinition) -> dict[str, Any]:
    """The `definition` of a prompt agent's version."""
    wire: dict[str, Any] = {
        "kind": "prompt",
        "model": definition.deployment,
        "instructions": definition.instructions,
    }
    if definition.tools:
        wire["tools"] = [tool_to_wire(tool) for tool in definition.tools]
    return wire


def metadata_to_wire(desired: DesiredAgent) -> dict[str, str]:
    """The owner's own pairs and the stamp, which wins."""
    return {**desired.definition.metadata, **desired.stamp.to_metadata()}


def tool_to_wire(tool: Tool) -> dict[str, Any]:
    """One tool of a version. Raises ValueError for a kind that we only observe."""
    match tool:
        case FunctionTool(name, description, parameters):
            return {
                "type": "function",
                "name": name,
                "description": description,
                "parameters": dict(parameters),
                "strict": False,
            }
        case CodeInterpreterTool(file_ids):
            return {"type": "code_interpreter", "container": {"type": "auto", "file_ids": list(file_ids)}}
        case FileSearchTool(vector_store_ids):
            return {"type": "file_search", "vector_store_ids": list(vector_store_ids)}
        case OtherTool(kind):
            raise ValueError(f"a tool of kind {kind} is observed, never asked for")


def agent_from_wire(agent: Mapping[str, Any]) -> ObservedAgent:
    """An agent as `GET /agents/{name}` and the listing report it, seen through its latest version."""
    return version_from_wire(agent["versions"]["latest"], enabled=agent.get("state", "enabled") != "disabled")


def version_from_wire(version: Mapping[str, Any], *, enabled: bool) -> ObservedAgent:
    """One version as the agent that it makes."""
    stamp, metadata = split_metadata(version.get("metadata") or {})
    wire = version["definition"]
    status = version.get("status") or "active"
    return ObservedAgent(
        name=version["name"],
        agent_id=version["name"],
        version=str(version["version"]),
        definition=AgentDefinition(
            deployment=wire.get("model") or "",
            instructions=wire.get("instructions") or "",
            tools=tools_from_wire(wire.get("tools") or ()),
            metadata=metadata,
        ),
        stamp=stamp,
        enabled=enabled,
        ready=status == "active",
        failed=status == "failed",
    )


def tools_from_wire(tools: Sequence[Mapping[str, Any]]) -> tuple[Tool, ...]:
    """The tools of a version; a kind that we do not ask for is kept by its name alone."""
    return tuple(_tool_from_wire(tool) for tool in tools)


def _tool_from_wire(tool: Mapping[str, Any]) -> Tool:
    match tool.get("type"):
        case "function":
            return FunctionTool(
                name=tool["name"],
                description=tool.get("description") or "",
                parameters=tool.get("parameters") or {},
            )
        case "code_interpreter":
            container = tool.get("container")
            files = container.get("file_ids") if isinstance(container, Mapping) else None
            return CodeInterpreterTool(tuple(files or ()))
        case "file_search":
            return FileSearchTool(tuple(tool.get("vector_store_ids") or ()))
        case kind:
            return OtherTool(str(kind))
