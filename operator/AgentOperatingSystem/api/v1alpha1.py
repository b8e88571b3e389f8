"""`PurposeDrivenAgent` in version v1alpha1: the one source of the CRD, of validation and of the reference.

What one field can say alone is a bound or a `RULES` entry of the field; what spans fields is a rule of the
model. Every text and list is bounded, since a real API server refuses rules over unbounded ones.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP = "agentoperatingsystem.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "PurposeDrivenAgent"
PLURAL = "purposedrivenagents"
FINALIZER = f"{GROUP}/finalizer"

TEXT_LIMIT = 32_768
LIST_LIMIT = 128
AGENT_ID_PATTERN = "^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$"
NAME_PATTERN = "^[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?$"
MODEL_PATTERN = "^[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?(/[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?)?$"
OBJECT_NAME_PATTERN = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"
RUNTIME_METADATA_LIMIT = 6


class Scope(StrEnum):
    """How long a thread lasts."""

    AGENT = "Agent"
    EVENT = "Event"


class DeletionPolicy(StrEnum):
    """What becomes of the agent when its resource is deleted."""

    DELETE = "Delete"
    ORPHAN = "Orphan"


class AdoptionPolicy(StrEnum):
    """What to do about an agent of that name that bears no stamp."""

    NEVER = "Never"
    ADOPT_UNOWNED = "AdoptUnowned"


class DriftPolicy(StrEnum):
    """What to do about an edit of the agent that was made in the runtime."""

    CORRECT = "Correct"
    REPORT = "Report"


class RuntimeKind(StrEnum):
    """The kinds of resources that are a runtime."""

    AGENT_RUNTIME = "AgentRuntime"
    CLUSTER_AGENT_RUNTIME = "ClusterAgentRuntime"


class ConditionStatus(StrEnum):
    """The three values of a condition's status."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


def rule(expression: str, message: str, **more: str) -> dict[str, str]:
    """A CEL validation rule with the sentence that a user reads when it does not hold."""
    return {"rule": expression, "message": message, **more}


def rules(*entries: dict[str, str]) -> dict[str, Any]:
    """The JSON schema extension that carries CEL rules."""
    return {"x-kubernetes-validations": list(entries)}


def matches(pattern: str, message: str) -> dict[str, Any]:
    """A rule that a text matches `pattern`, told in words instead of as a regular expression."""
    return rules(rule(f"self.matches('{pattern}')", message))


class Model(BaseModel):
    """Camel case outside, snake case inside; unknown fields are refused; frozen."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, use_enum_values=False
    )


_NOT_BLANK = matches(r"\\S", "must not be blank")
_TOOL_NAME = matches(
    NAME_PATTERN, "use letters, digits, '.', '_' and '-', with a letter or digit at both ends"
)

Text = Annotated[str, Field(max_length=TEXT_LIMIT)]
ObjectName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        json_schema_extra=matches(
            OBJECT_NAME_PATTERN, "must be the name of an object: lower-case letters, digits, '-' and '.'"
        ),
    ),
]


class McpTool(Model):
    """A tool of an MCP server, offered to the agent as a function named `<serverName>__<toolName>`."""

    server_name: str = Field(
        max_length=128, description="The MCP server that has the tool.", json_schema_extra=_TOOL_NAME
    )
    tool_name: str = Field(
        max_length=128, description="The tool's name on that server.", json_schema_extra=_TOOL_NAME
    )
    description: Annotated[str, Field(max_length=1024)] = Field(
        default="", description="What the tool does, for the model to decide when to call it."
    )
    input_schema: dict[str, Any] | None = Field(
        default=None,
        description="JSON schema of the tool's input, `type: object`. Without one any object is let through.",
        json_schema_extra={
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"type": {"type": "string", "enum": ["object"]}},
        },
    )
    configuration: dict[str, Any] | None = Field(
        default=None,
        description="Settings handed to whatever executes the tool. No place for a secret.",
        json_schema_extra={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    )


class CodeInterpreter(Model):
    """The runtime's code interpreter."""

    file_ids: list[Annotated[str, Field(min_length=1, max_length=256)]] = Field(
        default_factory=list,
        max_length=LIST_LIMIT,
        description="Ids of the runtime's files that the interpreter can read.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )


class FileSearch(Model):
    """The runtime's search over documents."""

    vector_store_ids: list[Annotated[str, Field(min_length=1, max_length=256)]] = Field(
        min_length=1,
        max_length=LIST_LIMIT,
        description="Ids of the runtime's vector stores to search.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )


class Tools(Model):
    """Tools that the runtime itself has."""

    code_interpreter: CodeInterpreter | None = Field(
        default=None, description="Lets the agent write and run code; `{}` turns it on."
    )
    file_search: FileSearch | None = Field(
        default=None, description="Lets the agent search the given vector stores."
    )


class Thread(Model):
    """The agent's stateful conversation."""

    scope: Scope = Field(
        default=Scope.AGENT,
        description="Agent keeps one conversation for the agent's life; Event starts one for each event.",
    )


class RuntimeRef(Model):
    """The runtime that the agent runs on."""

    kind: RuntimeKind = Field(
        description="AgentRuntime, of the agent's own namespace, or ClusterAgentRuntime."
    )
    name: ObjectName = Field(description="Its name.")


class PurposeDrivenAgentSpec(Model):
    """The agent as its team wants it."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.agentId) == has(oldSelf.agentId) && "
                "(!has(self.agentId) || self.agentId == oldSelf.agentId)",
                "agentId is immutable, set or left out: delete the resource and create it with the other id",
                fieldPath=".agentId",
            ),
            rule(
                "!has(self.model) || !has(self.adapterName) || "
                "size(self.model) + size(self.adapterName) + 1 <= 64 || self.model.contains('/')",
                "the deployment {model}-{adapterName} may have at most 64 characters",
                fieldPath=".adapterName",
            ),
        )
    )

    purpose: str = Field(
        min_length=1,
        max_length=TEXT_LIMIT,
        description="What the agent is for. Every event and question is judged by it.",
        json_schema_extra=_NOT_BLANK,
    )
    purpose_scope: Text = Field(
        default="", description="What the purpose covers, and so what it leaves to others."
    )
    success_criteria: list[Annotated[str, Field(min_length=1, max_length=1024)]] = Field(
        default_factory=list,
        max_length=LIST_LIMIT,
        description="What the agent is measured by.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    system_message: Text = Field(default="", description="Who the agent is; opens its instructions.")
    adapter_name: str | None = Field(
        default=None,
        max_length=62,
        description="The LoRA adapter; the agent runs on the deployment `{model}-{adapterName}`.",
        json_schema_extra=matches(
            NAME_PATTERN,
            "use letters, digits, '.', '_' and '-', with a letter or digit at both ends",
        ),
    )
    model: str | None = Field(
        default=None,
        max_length=128,
        description=(
            "The base model's deployment, or `<connection>/<model>`. By default the runtime's baseModel; "
            "without a runtimeRef the operator's AZURE_AI_MODEL_DEPLOYMENT."
        ),
        json_schema_extra=matches(
            MODEL_PATTERN,
            "use letters, digits, '.', '_' and '-', with a letter or digit at both ends; "
            "a connected model is <connection>/<model>",
        ),
    )
    mcp_tools: list[McpTool] = Field(
        default_factory=list,
        max_length=LIST_LIMIT,
        description="Tools of MCP servers that the agent may call.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["serverName", "toolName"],
        },
    )
    tools: Tools | None = Field(default=None, description="Tools that the runtime itself has.")
    thread: Thread = Field(default_factory=Thread, description="How the agent keeps its conversation.")
    runtime_ref: RuntimeRef | None = Field(
        default=None,
        description="Where the agent runs. Without one, the operator's environment is the runtime.",
    )
    enabled: bool = Field(
        default=True,
        description="With false the agent does not run and nothing of it is lost; true brings it back.",
    )
    deletion_policy: DeletionPolicy = Field(
        default=DeletionPolicy.DELETE,
        description="Delete removes the agent with the resource; Orphan leaves it in the runtime.",
    )
    drift_policy: DriftPolicy = Field(
        default=DriftPolicy.CORRECT,
        description="Correct repairs an edit made in the runtime; Report only tells of it in the status.",
    )
    adoption_policy: AdoptionPolicy = Field(
        default=AdoptionPolicy.NEVER,
        description="Whether an agent of that name that somebody made by other means may be taken over.",
    )
    version_history_limit: int = Field(
        default=10,
        ge=1,
        le=100,
        description="How many of the agent's versions are kept in the runtime, the newest included.",
        json_schema_extra={"format": "int32"},
    )
    agent_id: str | None = Field(
        default=None,
        max_length=63,
        description="The agent's name in the runtime, by default the resource's. Immutable.",
        json_schema_extra=matches(
            AGENT_ID_PATTERN, "use at most 63 letters, digits and '-', with a letter or digit at both ends"
        ),
    )
    runtime_metadata: dict[str, Annotated[str, Field(max_length=512)]] = Field(
        default_factory=dict,
        max_length=RUNTIME_METADATA_LIMIT,
        description="Your own pairs on the agent in the runtime: at most 6, the stamp takes the rest.",
        json_schema_extra=rules(
            rule("self.all(key, size(key) <= 64)", "a key may have at most 64 characters"),
            rule(
                "!self.exists(key, key.startsWith('aos_') || "
                "key in ['runtime_provider', 'agent_type', 'lora_adapter'])",
                "aos_*, runtime_provider, agent_type and lora_adapter belong to the operator: use other keys",
            ),
        ),
    )


class StatusModel(Model):
    """Part of a status. Fields of a newer operator are passed over, so that a downgrade can read it."""

    model_config = ConfigDict(extra="ignore")


class Condition(StatusModel):
    """One statement on the resource, as Kubernetes writes them."""

    type: str = Field(max_length=316)
    status: ConditionStatus
    reason: str = Field(min_length=1, max_length=1024, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    message: str = Field(max_length=TEXT_LIMIT)
    last_transition_time: str = Field(json_schema_extra={"format": "date-time"})
    observed_generation: int | None = Field(default=None, ge=0, json_schema_extra={"format": "int64"})


class ConditionedStatus(StatusModel):
    """What every status of ours begins with: which spec it is about, and the statements on it."""

    observed_generation: int | None = Field(default=None, ge=0, json_schema_extra={"format": "int64"})
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )


class RuntimeStatus(StatusModel):
    """Where and as what the agent runs."""

    type: str = Field(max_length=64, description="The runtime: Foundry.")
    endpoint: str = Field(max_length=2048, description="The project that holds the agent.")
    agent_id: str | None = Field(
        default=None, max_length=256, description="The runtime's own id of the agent."
    )
    version: str | None = Field(default=None, max_length=64, description="The agent's version that runs.")
    deployment: str | None = Field(default=None, max_length=256, description="The deployment it runs on.")
    thread_id: str | None = Field(default=None, max_length=256, description="The agent's conversation.")
    definition_hash: str | None = Field(
        default=None, max_length=80, description="A digest of the definition."
    )


class ToolStatus(StatusModel):
    """A tool as the agent sees it."""

    name: str = Field(max_length=64, description="The function's name.")
    server: str = Field(max_length=128, description="The MCP server that has it.")


class Drift(StatusModel):
    """A part of the agent that is not in the runtime as the spec has it."""

    path: str = Field(max_length=256, description="What differs: instructions, deployment, tools.<name>...")
    since: str = Field(
        description="When it was first seen.", json_schema_extra={"format": "date-time"}, max_length=64
    )


class PurposeDrivenAgentStatus(ConditionedStatus):
    """What is true, as the operator last saw it. Rebuilt when wiped."""

    runtime: RuntimeStatus | None = None
    tools: list[ToolStatus] = Field(
        default_factory=list,
        max_length=LIST_LIMIT,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    drift: list[Drift] = Field(
        default_factory=list,
        max_length=256,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["path"]},
    )
    last_handled_reconcile_at: str | None = Field(
        default=None, max_length=256, description="The last wish for a pass that was fulfilled."
    )


PRINTER_COLUMNS: list[dict[str, Any]] = [
    {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
    {"name": "Reason", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].reason'},
    {"name": "Deployment", "type": "string", "jsonPath": ".status.runtime.deployment"},
    {"name": "Runtime", "type": "string", "jsonPath": ".status.runtime.type"},
    {"name": "Agent", "type": "string", "priority": 1, "jsonPath": ".status.runtime.agentId"},
    {"name": "Version", "type": "string", "priority": 1, "jsonPath": ".status.runtime.version"},
    {
        "name": "Message",
        "type": "string",
        "priority": 1,
        "jsonPath": '.status.conditions[?(@.type=="Ready")].message',
    },
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]

RESOURCE_RULES = [
    rule(
        "has(self.spec.agentId) || self.metadata.name.matches('^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$')",
        "metadata.name becomes the agent's name in the runtime, so use at most 63 lower-case letters, digits "
        "and '-'; or set spec.agentId",
    ),
]
