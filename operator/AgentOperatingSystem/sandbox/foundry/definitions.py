"""What a version of an agent may contain, and what a service that normalises makes of it.

Pure functions. The limits are those that the service documents and that no SDK checks.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from AgentOperatingSystem.sandbox.foundry.errors import Json, invalid

AGENT_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
METADATA_PAIRS = 16
METADATA_KEY = 64
METADATA_VALUE = 512
INSTRUCTIONS = 256_000
DESCRIPTION = 512
TOOLS = 128
VERSIONS = 1000
KINDS = ("prompt", "hosted", "workflow", "external", "voice")


def check_name(name: str) -> None:
    """Alphanumeric at both ends, hyphens between, at most 63."""
    if AGENT_NAME.fullmatch(name) is None:
        raise invalid("agent_name", f"Invalid agent name '{name}'")


def read_metadata(value: object) -> dict[str, str]:
    """The metadata of a body; None reads as none. Raises ApiError 400 beyond the limits above."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid("metadata", "metadata must be an object")
    if len(value) > METADATA_PAIRS:
        raise invalid("metadata", f"metadata has {len(value)} pairs, at most {METADATA_PAIRS} are allowed")
    for key, text in value.items():
        if not isinstance(text, str):
            raise invalid("metadata", f"the value of metadata '{key}' must be a string")
        if len(key) > METADATA_KEY or len(text) > METADATA_VALUE:
            raise invalid("metadata", f"metadata '{key}' exceeds {METADATA_KEY}/{METADATA_VALUE} characters")
    return dict(value)


def read_description(value: object) -> str:
    """The description of a body, empty when it has none."""
    return read_text("description", value, DESCRIPTION) or ""


def read_text(param: str, value: object, longest: int) -> str | None:
    """A text of a body, None when it has none. Raises ApiError 400 when it is longer than `longest`."""
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > longest:
        raise invalid(param, f"{param} must be a text of at most {longest} characters")
    return value


def read_tools(param: str, value: object) -> tuple[Json, ...]:
    """The tools of a body, kept as they are. Raises ApiError 400."""
    if value is not None and (not isinstance(value, list) or len(value) > TOOLS):
        raise invalid(param, f"tools must be a list of at most {TOOLS}")
    tools = [] if value is None else value
    for place, tool in enumerate(tools):
        if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
            raise invalid(f"{param}[{place}]", "a tool must be an object with a type")
    return tuple(tools)


def read_model(param: str, value: object, accepts_model: Callable[[str], bool]) -> str:
    """The deployment of a body. Raises ApiError 400 without one, or for one that does not exist."""
    if not isinstance(value, str) or not value:
        raise invalid(param, f"{param} is required")
    if not accepts_model(value):
        raise invalid(param, f"The model deployment '{value}' does not exist")
    return value


def read_definition(value: object, accepts_model: Callable[[str], bool]) -> Json:
    """The checked definition of a body. Raises ApiError 400, naming the field that is wrong."""
    if not isinstance(value, dict):
        raise invalid("definition", "definition is required")
    if value.get("kind") not in KINDS:
        raise invalid("definition.kind", f"definition.kind must be one of {', '.join(KINDS)}")
    _check_texts(value)
    if value["kind"] == "prompt":
        read_model("definition.model", value.get("model"), accepts_model)
    return dict(value)


def _check_texts(definition: Json) -> None:
    instructions = definition.get("instructions")
    if instructions is not None and not isinstance(instructions, str):
        raise invalid("definition.instructions", "instructions must be a text")
    if instructions is not None and len(instructions) > INSTRUCTIONS:
        raise invalid("definition.instructions", f"instructions exceed {INSTRUCTIONS} characters")
    read_tools("definition.tools", definition.get("tools"))


def normalised(definition: Json) -> Json:
    """The same meaning in another spelling, as a service may store it: a client that compares what it sent
    with what it reads back, byte by byte, sees a difference that is none."""
    stored = {"temperature": 1.0, "top_p": 1.0, **definition}
    if isinstance(stored.get("instructions"), str):
        stored["instructions"] = stored["instructions"].strip()
    if stored.get("tools"):
        stored["tools"] = [_normalised_tool(tool) for tool in reversed(stored["tools"])]
    return stored


def _normalised_tool(tool: Json) -> Json:
    if tool["type"] != "function":
        return dict(tool)
    return {**tool, "strict": tool.get("strict") or None, "description": tool.get("description")}
