"""Offer MCP tools to an agent as functions. Pure.

A runtime knows functions by one short name; an MCP tool is known by its server and its own name. The
conversion makes names that are valid, unique, and the same for the same tools in whatever order.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from AgentOperatingSystem.model.definition import FunctionTool
from AgentOperatingSystem.model.errors import SpecRejected

NAME_LIMIT = 64
# Deeper than any tool's input is; the check of a schema recurses, and must not run out of stack.
DEPTH_LIMIT = 32
_DIGEST_LENGTH = 8
OPEN_SCHEMA: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": True}


@dataclass(frozen=True, slots=True)
class McpToolReference:
    """A tool of an MCP server as a resource or a registry file names it."""

    server_name: str
    tool_name: str
    description: str = ""
    input_schema: Mapping[str, Any] | None = None
    configuration: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, entry: Mapping[str, Any]) -> Self:
        """An entry of a registry file: `server_name` and `tool_name`, the rest optional."""
        missing = [key for key in ("server_name", "tool_name") if not entry.get(key)]
        if missing:
            raise SpecRejected(f"mcp_tools.{missing[0]}", "required")
        return cls(
            server_name=str(entry["server_name"]),
            tool_name=str(entry["tool_name"]),
            description=str(entry.get("description") or ""),
            input_schema=entry.get("input_schema"),
            configuration=entry.get("configuration") or {},
        )


@dataclass(frozen=True, slots=True)
class McpFunction:
    """A function tool and the MCP tool that is behind it."""

    function: FunctionTool
    reference: McpToolReference

    @property
    def schema_is_open(self) -> bool:
        """True when the tool gave no input schema, so that any object is let through."""
        return self.reference.input_schema is None


def convert_mcp_tools_to_function_tools(
    mcp_tools: Iterable[McpToolReference | Mapping[str, Any]], *, path: str = "mcp_tools"
) -> list[McpFunction]:
    """The tools as functions named `<server>__<tool>`, in the order given.

    `path` names the list in errors. Raises SpecRejected for an input schema that is no JSON schema of
    an object, and for two tools of one server and name.
    """
    references = [
        tool if isinstance(tool, McpToolReference) else McpToolReference.from_mapping(tool)
        for tool in mcp_tools
    ]
    _refuse_twins(references, path)
    plain = [_plain_name(reference) for reference in references]
    used = Counter(plain)
    return [
        McpFunction(
            FunctionTool(
                name=_unique_name(reference, name, shared=used[name] > 1),
                description=reference.description.strip()
                or f"{reference.tool_name} of {reference.server_name}",
                parameters=_parameters(reference, f"{path}[{index}].inputSchema"),
            ),
            reference,
        )
        for index, (reference, name) in enumerate(zip(references, plain, strict=True))
    ]


def _refuse_twins(references: list[McpToolReference], path: str) -> None:
    seen: set[tuple[str, str]] = set()
    for index, reference in enumerate(references):
        key = (reference.server_name, reference.tool_name)
        if key in seen:
            raise SpecRejected(f"{path}[{index}]", f"{key[0]}/{key[1]} is listed twice; remove one of them.")
        seen.add(key)


def _plain_name(reference: McpToolReference) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", f"{reference.server_name}__{reference.tool_name}")


def _unique_name(reference: McpToolReference, name: str, *, shared: bool) -> str:
    """`name`, or when another tool has it too or it is too long, its head and a digest of the tool."""
    if not shared and len(name) <= NAME_LIMIT:
        return name
    identity = f"{reference.server_name}\0{reference.tool_name}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{name[: NAME_LIMIT - _DIGEST_LENGTH - 1]}_{digest}"


def _is_deeper(value: object, limit: int) -> bool:
    """True when mappings and lists are nested more than `limit` levels deep; looked at level by level."""
    level = [value]
    for _ in range(limit):
        level = [
            child
            for item in level
            if isinstance(item, Mapping | list)
            for child in (item.values() if isinstance(item, Mapping) else item)
        ]
    return any(isinstance(item, Mapping | list) for item in level)


def _parameters(reference: McpToolReference, path: str) -> Mapping[str, Any]:
    # Imported on use: the schema library is needed only where tools bring schemas.
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415

    if reference.input_schema is None:
        return OPEN_SCHEMA
    if not isinstance(reference.input_schema, Mapping):
        raise SpecRejected(path, "an input schema is a mapping with type: object.")
    schema = {"type": "object", **reference.input_schema}
    if _is_deeper(schema, DEPTH_LIMIT):
        raise SpecRejected(path, f"it is nested deeper than {DEPTH_LIMIT} levels; flatten it.")
    if schema["type"] != "object":
        raise SpecRejected(path, "a tool's input is an object; set type: object.")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join([path, *(str(part) for part in error.absolute_path)])
        raise SpecRejected(where, f"this is no JSON schema; {error.message[:200]}.") from error
    return schema
