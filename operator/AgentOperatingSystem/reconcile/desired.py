"""What a resource asks for. Pure: the same spec and settings give the same agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from AgentOperatingSystem.api.v1alpha1 import AdoptionPolicy, DriftPolicy, PurposeDrivenAgentSpec, Scope
from AgentOperatingSystem.model.definition import (
    AgentDefinition,
    CodeInterpreterTool,
    DesiredAgent,
    FileSearchTool,
    Tool,
    definition_hash,
)
from AgentOperatingSystem.model.deployment import DEPLOYMENT_NAME_LIMIT, deployment_name
from AgentOperatingSystem.model.errors import SpecRejected
from AgentOperatingSystem.model.facts import RuntimeFacts
from AgentOperatingSystem.model.plan import Claim
from AgentOperatingSystem.model.stamp import AgentIdentity, Owner, OwnerKind, Stamp
from AgentOperatingSystem.purpose import Purpose, compile_instructions
from AgentOperatingSystem.reconcile.resource import (
    ADOPT_FROM_ANNOTATION,
    ADOPTED_FROM_ANNOTATION,
    Resource,
)
from AgentOperatingSystem.tools.functions import (
    McpFunction,
    McpToolReference,
    convert_mcp_tools_to_function_tools,
)


@dataclass(frozen=True, slots=True)
class DesiredState:
    """The desired agent, and what the status tells of how it came about."""

    agent: DesiredAgent
    functions: tuple[McpFunction, ...]
    keeps_thread: bool
    claim: Claim
    correct_drift: bool
    version_history_limit: int


def desired_state(resource: Resource, facts: RuntimeFacts) -> DesiredState:
    """What `resource` asks the runtime for. Raises SpecRejected, naming the field."""
    spec = parsed_spec(resource.spec)
    agent_id = resource.agent_name
    functions = tuple(
        convert_mcp_tools_to_function_tools(
            [
                McpToolReference(
                    server_name=tool.server_name,
                    tool_name=tool.tool_name,
                    description=tool.description,
                    input_schema=tool.input_schema,
                    configuration=tool.configuration or {},
                )
                for tool in spec.mcp_tools
            ],
            path="spec.mcpTools",
        )
    )
    definition = AgentDefinition(
        deployment=_deployment(spec, facts),
        instructions=compile_instructions(
            Purpose(
                agent_id=agent_id,
                purpose=spec.purpose,
                purpose_scope=spec.purpose_scope,
                success_criteria=spec.success_criteria,
                system_message=spec.system_message,
            )
        ),
        tools=(*(function.function for function in functions), *_runtime_tools(spec)),
        metadata=dict(spec.runtime_metadata),
    )
    stamp = Stamp(
        owner=identity_of(resource, facts.cluster_id).owner,
        agent_id=agent_id,
        adapter=spec.adapter_name or "",
        uid=resource.uid,
    )
    agent = DesiredAgent(name=agent_id, definition=definition, stamp=stamp, enabled=spec.enabled)
    agent = replace(agent, stamp=replace(stamp, hash=definition_hash(agent)))
    keeps_thread = facts.stateful_threads and spec.thread.scope is Scope.AGENT
    return DesiredState(
        agent=agent,
        functions=functions,
        keeps_thread=keeps_thread,
        claim=_claim(resource, spec),
        correct_drift=spec.drift_policy is DriftPolicy.CORRECT,
        version_history_limit=spec.version_history_limit,
    )


def identity_of(resource: Resource, cluster_id: str) -> AgentIdentity:
    """The agent of `resource`. Its owner has no uid, so that one restored from a backup is the same."""
    owner = Owner(OwnerKind.RESOURCE, cluster_id, resource.key.namespace, resource.key.name)
    return AgentIdentity(resource.agent_name, owner, resource.agent_name)


def _claim(resource: Resource, spec: PurposeDrivenAgentSpec) -> Claim:
    wanted = resource.annotations.get(ADOPT_FROM_ANNOTATION)
    done = resource.annotations.get(ADOPTED_FROM_ANNOTATION)
    owner = None
    if wanted is not None and wanted != done:
        owner = Owner.parse(wanted)
        if owner is None:
            raise SpecRejected(
                f"metadata.annotations[{ADOPT_FROM_ANNOTATION}]",
                f"{wanted!r} names no owner; write cluster/namespace/name, or library.",
            )
    return Claim(unowned=spec.adoption_policy is AdoptionPolicy.ADOPT_UNOWNED, owner=owner)


def parsed_spec(spec: Mapping[str, Any]) -> PurposeDrivenAgentSpec:
    """The spec, checked once more by the models. Raises SpecRejected for the first wrong field."""
    try:
        return PurposeDrivenAgentSpec.model_validate(spec)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = "spec" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        raise SpecRejected(path, f"{first['msg']}.") from error


def _deployment(spec: PurposeDrivenAgentSpec, facts: RuntimeFacts) -> str:
    model = spec.model or facts.base_model
    name = deployment_name(model, (spec.adapter_name or "") if facts.lora_adapters else "")
    if len(name) > DEPLOYMENT_NAME_LIMIT and "/" not in name:
        raise SpecRejected(
            "spec.adapterName",
            f"the deployment {name} would have {len(name)} characters; "
            f"at most {DEPLOYMENT_NAME_LIMIT} are possible, so use a shorter name.",
        )
    return name


def _runtime_tools(spec: PurposeDrivenAgentSpec) -> list[Tool]:
    tools: list[Tool] = []
    if spec.tools is None:
        return tools
    if spec.tools.code_interpreter is not None:
        tools.append(CodeInterpreterTool(tuple(spec.tools.code_interpreter.file_ids)))
    if spec.tools.file_search is not None:
        tools.append(FileSearchTool(tuple(spec.tools.file_search.vector_store_ids)))
    return tools
