"""What a resource asks for. Pure: the same spec and settings give the same agent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from AgentOperatingSystem.api.v1alpha1 import (
    AGENT_ID_PATTERN,
    AdoptionPolicy,
    DriftPolicy,
    PurposeDrivenAgentSpec,
    Scope,
)
from AgentOperatingSystem.model.definition import (
    AgentDefinition,
    CodeInterpreterTool,
    DesiredAgent,
    FileSearchTool,
    Tool,
    definition_hash,
)
from AgentOperatingSystem.model.deployment import (
    AGENT_NAME_LIMIT,
    AGENT_NAME_TEMPLATE,
    DEPLOYMENT_NAME_LIMIT,
    agent_name,
    deployment_name,
)
from AgentOperatingSystem.model.errors import NotAllowed, SpecRejected
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

NAMES_TOLD = 10


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
    identity = identity_of(resource, facts)
    _check_name(identity.name, facts)
    _check_allowed(spec, facts)
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
        owner=identity.owner,
        agent_id=agent_id,
        adapter=spec.adapter_name or "",
        uid=resource.uid,
    )
    agent = DesiredAgent(name=identity.name, definition=definition, stamp=stamp, enabled=spec.enabled)
    agent = replace(agent, stamp=replace(stamp, hash=definition_hash(agent)))
    keeps_thread = facts.stateful_threads and spec.thread.scope is Scope.AGENT
    return DesiredState(
        agent=agent,
        functions=functions,
        keeps_thread=keeps_thread,
        claim=_claim(resource, spec, facts),
        correct_drift=spec.drift_policy is DriftPolicy.CORRECT,
        version_history_limit=spec.version_history_limit,
    )


def identity_of(resource: Resource, facts: RuntimeFacts) -> AgentIdentity:
    """The agent of `resource`. Its owner has no uid, so that one restored from a backup is the same."""
    owner = Owner(OwnerKind.RESOURCE, facts.cluster_id, resource.key.namespace, resource.key.name)
    name = agent_name(
        facts.agent_name_template,
        agent_id=resource.agent_name,
        namespace=resource.key.namespace,
        name=resource.key.name,
    )
    return AgentIdentity(name, owner, resource.agent_name)


def _check_name(name: str, facts: RuntimeFacts) -> None:
    """Raise SpecRejected for a name that the template makes and the service does not take."""
    if re.fullmatch(AGENT_ID_PATTERN, name):
        return
    if facts.agent_name_template == AGENT_NAME_TEMPLATE:
        problem = f"{name!r} is no agent's name"
    else:
        problem = f"{facts.agent_name_template} of {facts.source} makes {name!r} of it"
    raise SpecRejected(
        "spec.agentId",
        f"{problem}; it may have at most {AGENT_NAME_LIMIT} letters, digits and '-', so set another agentId.",
    )


def _check_allowed(spec: PurposeDrivenAgentSpec, facts: RuntimeFacts) -> None:
    """Raise NotAllowed for a model or a vector store that the runtime's owner did not allow."""
    models = facts.allowed_models
    if models is not None:
        # A template without the model lets the adapter's name choose the deployment alone.
        free = "{model}" not in facts.deployment_template and spec.adapter_name
        named = _deployment(spec, facts) if free else spec.model or facts.base_model
        if named not in models | {facts.base_model}:
            raise NotAllowed(
                f"spec.model: {named} is not allowed by {facts.source} (spec.allowedModels): use one of "
                f"{_listed({facts.base_model, *models})}."
            )
    stores = facts.allowed_vector_stores
    if stores is None or spec.tools is None or spec.tools.file_search is None:
        return
    for store in spec.tools.file_search.vector_store_ids:
        if store not in stores:
            raise NotAllowed(
                f"spec.tools.fileSearch.vectorStoreIds: {store} is not allowed by {facts.source} "
                "(spec.allowedVectorStores); ask its owner to add it."
            )


def _listed(names: Iterable[str]) -> str:
    """Some names in words, the rest as a number."""
    known = sorted(names)
    more = f" and {len(known) - NAMES_TOLD} more" if len(known) > NAMES_TOLD else ""
    return ", ".join(known[:NAMES_TOLD]) + more


def _claim(resource: Resource, spec: PurposeDrivenAgentSpec, facts: RuntimeFacts) -> Claim:
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
        # Whoever may annotate their own resource must not thereby have another tenant's agent.
        if facts.shared and owner.kind is OwnerKind.RESOURCE and owner.namespace != resource.key.namespace:
            raise NotAllowed(
                f"metadata.annotations[{ADOPT_FROM_ANNOTATION}]: on {facts.source}, which tenants share, an "
                f"agent of the namespace {owner.namespace} is not taken over; have it released there first."
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
    adapter = (spec.adapter_name or "") if facts.lora_adapters else ""
    name = deployment_name(model, adapter, facts.deployment_template)
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
