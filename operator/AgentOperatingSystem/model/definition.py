"""What a runtime must hold for an agent, and what it is seen to hold: frozen records without behaviour.

Shapes are the project's own; each runtime adapter translates them to and from its wire format.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from AgentOperatingSystem.model.stamp import AgentIdentity, Stamp


@dataclass(frozen=True, slots=True)
class FunctionTool:
    """A function the agent may call; `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CodeInterpreterTool:
    """The runtime's code interpreter, with the ids of the files it starts with."""

    file_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileSearchTool:
    """The runtime's search over vector stores, by their ids."""

    vector_store_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OtherTool:
    """A tool that we never ask for: seen on an agent that somebody else edited."""

    kind: str


Tool = FunctionTool | CodeInterpreterTool | FileSearchTool | OtherTool


@dataclass(frozen=True, slots=True)
class AgentDefinition:
    """Everything of an agent that decides how it answers, plus the owner's own `metadata` pairs."""

    deployment: str
    instructions: str
    tools: tuple[Tool, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DesiredAgent:
    """The agent that a resource, or a call of `deploy_agent`, asks for. `name` is the runtime's key."""

    name: str
    definition: AgentDefinition
    stamp: Stamp
    enabled: bool = True

    @property
    def identity(self) -> AgentIdentity:
        """Which agent this is, and whose."""
        return AgentIdentity(self.name, self.stamp.owner, self.stamp.agent_id)


@dataclass(frozen=True, slots=True)
class ObservedAgent:
    """The agent as the runtime reports it.

    `agent_id` is the runtime's own id, by which it is written: the name on Foundry, `asst_...` on the classic
    generation. `version` is the newest version's, empty where there are none. `stamp` is None for an agent
    that bears none. `ready` is False while the runtime still prepares the version; `failed` when it gave up.
    Where a name is no key, `twins` are the ids of further agents that bear the same owner's stamp, and
    `namesakes`, of an agent that is not the owner's, the others of its name.
    """

    name: str
    agent_id: str
    version: str
    definition: AgentDefinition
    stamp: Stamp | None
    enabled: bool = True
    ready: bool = True
    failed: bool = False
    twins: tuple[str, ...] = ()
    namesakes: tuple[ObservedAgent, ...] = ()


def definition_hash(desired: DesiredAgent) -> str:
    """`sha256:` and 64 hex digits over the definition and its owner: a hint for people, never a gate.

    The uid is no part of it, so that a resource restored from a backup makes no new version.
    """
    definition = desired.definition
    content = {
        "deployment": definition.deployment,
        "instructions": definition.instructions,
        "tools": [tool_content(tool) for tool in definition.tools],
        "metadata": dict(definition.metadata),
        "owner": str(desired.stamp.owner),
        "agentId": desired.stamp.agent_id,
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def tool_content(tool: Tool) -> dict[str, Any]:
    """A tool as plain JSON, in a form in which equal tools are equal whatever order a service keeps."""
    match tool:
        case FunctionTool(name, description, parameters):
            return {
                "type": "function",
                "name": name,
                "description": description.strip(),
                "parameters": dict(parameters),
            }
        case CodeInterpreterTool(file_ids):
            return {"type": "code_interpreter", "fileIds": sorted(file_ids)}
        case FileSearchTool(vector_store_ids):
            return {"type": "file_search", "vectorStoreIds": sorted(vector_store_ids)}
        case OtherTool(kind):
            return {"type": kind}
