"""`AgentRuntime` and `ClusterAgentRuntime`: a Foundry project, who may run agents there, and as whom.

Two kinds with nearly the same fields, since two people own them. A cluster's administrator lends the
operator's identity to namespaces; a team brings its own, in a Secret beside its runtime. A team has no field
in which to name another identity, or a Secret of another namespace.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from AgentOperatingSystem.api.v1alpha1 import (
    LIST_LIMIT,
    MODEL_PATTERN,
    ConditionedStatus,
    Model,
    ObjectName,
    RuntimeKind,
    StatusModel,
    matches,
    rule,
    rules,
)

KIND = RuntimeKind.AGENT_RUNTIME.value
PLURAL = "agentruntimes"
CLUSTER_KIND = RuntimeKind.CLUSTER_AGENT_RUNTIME.value
CLUSTER_PLURAL = "clusteragentruntimes"

VECTOR_STORE_LIMIT = 1000
_PAIR_LIMIT = 32
_LABEL = "[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?"
_ENDPOINT_PATTERN = (
    rf"^(https://{_LABEL}([.]{_LABEL})*|http://(localhost|127([.][0-9]{{1,3}}){{3}}|\\[::1\\]))"
    r"(:[0-9]{1,5})?(/[a-zA-Z0-9_~-][a-zA-Z0-9._~-]*)*/?$"
)
# Of Azure's own hosts the shape of a project is known; a gateway in front of one may have paths of its own.
_OF_AZURE = "(?i)^https://[^/]*[.]azure[.](com|us|cn)(:|/|$)"
_PROJECT_PATTERN = "^https://[^/:]+/api/projects/[^/]+/?$"
_DEPLOYMENT_PATTERN = "^([a-zA-Z0-9._-]|[{]model[}]|[{]adapter[}])+$"
_AGENT_NAME_PATTERN = "^([a-zA-Z0-9-]|[{]agentId[}]|[{]namespace[}]|[{]name[}])+$"
_LABEL_VALUE_PATTERN = "^([a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?)?$"
_SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}

LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
LabelValue = Annotated[
    str,
    Field(
        max_length=63,
        json_schema_extra=matches(
            _LABEL_VALUE_PATTERN, "must be the value of a label, at most 63 characters"
        ),
    ),
]
Namespace = Annotated[
    str,
    Field(
        min_length=1,
        max_length=63,
        json_schema_extra=matches(
            "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "must be the name of a namespace; there are no patterns"
        ),
    ),
]
ModelName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        json_schema_extra=matches(
            MODEL_PATTERN,
            "use letters, digits, '.', '_' and '-', with a letter or digit at both ends; "
            "a connected model is <connection>/<model>",
        ),
    ),
]
ClientId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        json_schema_extra=matches(
            "^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$",
            "must be the client id, such as 11111111-2222-3333-4444-555555555555",
        ),
    ),
]
TenantId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        json_schema_extra=matches(
            "^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$", "must be the tenant's id or its domain"
        ),
    ),
]


class RuntimeType(StrEnum):
    """Which agent service the project is used through."""

    FOUNDRY = "Foundry"
    FOUNDRY_CLASSIC = "FoundryClassic"


class ModelCheck(StrEnum):
    """What to do about a deployment that the project does not list."""

    ENFORCE = "Enforce"
    WARN = "Warn"
    OFF = "Off"


class Operator(StrEnum):
    """How a label is compared."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class WorkloadIdentity(Model):
    """A workload identity that the operator's service account is federated with."""

    client_id: ClientId = Field(description="The client id of the managed identity or the application.")
    tenant_id: TenantId | None = Field(
        default=None, description="Its tenant; by default that of the operator's own identity."
    )


class LabelRequirement(Model):
    """One comparison of a label."""

    key: LabelKey = Field(description="The label.")
    operator: Operator = Field(description="How it is compared.")
    values: list[LabelValue] = Field(
        default_factory=list,
        max_length=LIST_LIMIT,
        description="What it is compared with, for In and NotIn.",
        json_schema_extra=_SET,
    )


class LabelSelector(Model):
    """Labels of namespaces; all that is said must hold, and `{}` holds for every namespace."""

    match_labels: dict[str, LabelValue] = Field(
        default_factory=dict,
        max_length=_PAIR_LIMIT,
        description="Labels that the namespace must have.",
        json_schema_extra=rules(
            rule("self.all(key, size(key) <= 317)", "a label's key may have at most 317 characters")
        ),
    )
    match_expressions: list[LabelRequirement] = Field(
        default_factory=list,
        max_length=_PAIR_LIMIT,
        description="Comparisons of its labels.",
        json_schema_extra={
            "x-kubernetes-list-type": "atomic",
            **rules(
                rule(
                    "self.all(it, (it.operator in ['In', 'NotIn']) == "
                    "(has(it.values) && size(it.values) > 0))",
                    "In and NotIn need values, Exists and DoesNotExist take none",
                )
            ),
        },
    )


class AllowedNamespaces(Model):
    """The namespaces whose agents may run here: those that are named, and those that are selected."""

    names: list[Namespace] | None = Field(
        default=None, max_length=LIST_LIMIT, description="Their names.", json_schema_extra=_SET
    )
    selector: LabelSelector | None = Field(
        default=None,
        description="Their labels; `{}` is every namespace. Whoever may label a namespace may join.",
    )


class SecretReference(Model):
    """A key of a Secret in the runtime's own namespace; there is no field for another one."""

    name: ObjectName = Field(description="The Secret, in the runtime's namespace.")
    key: str = Field(
        default="clientSecret",
        min_length=1,
        max_length=253,
        description="The key in it that holds the client secret.",
        json_schema_extra=matches("^[a-zA-Z0-9._-]+$", "use letters, digits, '.', '_' and '-'"),
    )


class ServicePrincipal(Model):
    """The identity that a team brings for its own project."""

    tenant_id: TenantId = Field(description="Its tenant.")
    client_id: ClientId = Field(description="The client id of its application.")
    secret_ref: SecretReference = Field(description="Where its client secret is.")


class Limits(Model):
    """What the operator may ask of the project, over all its agents."""

    requests_per_second: int = Field(
        default=50,
        ge=1,
        le=1000,
        description="Requests a second.",
        json_schema_extra={"format": "int32"},
    )
    in_flight: int = Field(
        default=32, ge=1, le=256, description="Requests at once.", json_schema_extra={"format": "int32"}
    )
    timeout_seconds: int = Field(
        default=60,
        ge=1,
        le=600,
        description="Seconds that an agent may take to answer.",
        json_schema_extra={"format": "int32"},
    )


class RuntimeSpec(Model):
    """What both kinds say of a project and of the agents in it."""

    type: RuntimeType = Field(
        default=RuntimeType.FOUNDRY,
        description="Foundry, or FoundryClassic for the generation of agents before it. Immutable.",
        json_schema_extra=rules(
            rule("self == oldSelf", "cannot be changed: make a runtime of another name for the other type")
        ),
    )
    endpoint: str = Field(
        min_length=1,
        max_length=2048,
        description=(
            "The project, `https://<account>.services.ai.azure.com/api/projects/<project>`; its host must be "
            "one that the operator allows. Immutable."
        ),
        json_schema_extra=rules(
            rule(
                f"self.matches('{_ENDPOINT_PATTERN}')",
                "must be a plain https URL, without user, query or fragment; "
                "plain http is for the sandbox on this machine only",
            ),
            rule(
                f"!self.matches('{_OF_AZURE}') || self.matches('{_PROJECT_PATTERN}')",
                "must name the project: https://<account>.services.ai.azure.com/api/projects/<project>",
            ),
            rule(
                "self == oldSelf",
                "cannot be changed: make a runtime of another name and move its agents there",
            ),
        ),
    )
    base_model: ModelName = Field(
        default="llama-3.3-70b", description="The model's deployment of an agent that names none."
    )
    deployment_template: str = Field(
        default="{model}-{adapter}",
        min_length=1,
        max_length=128,
        description=(
            "The deployment of an agent with an adapter. `{model}` is its model, `{adapter}` its adapterName."
        ),
        json_schema_extra=rules(
            rule(
                f"self.matches('{_DEPLOYMENT_PATTERN}')",
                "use letters, digits, '.', '_', '-' and the words {model} and {adapter}",
            ),
            rule("self.contains('{model}') || self.contains('{adapter}')", "must hold {model} or {adapter}"),
        ),
    )
    agent_name_template: str = Field(
        default="{agentId}",
        min_length=1,
        max_length=128,
        description=(
            "An agent's name in the project, of `{agentId}`, `{namespace}` and `{name}`. With "
            "`{namespace}-{agentId}` two namespaces may have an agent of one id. Immutable."
        ),
        json_schema_extra=rules(
            rule(
                f"self.matches('{_AGENT_NAME_PATTERN}')",
                "use letters, digits, '-' and the words {agentId}, {namespace} and {name}",
            ),
            rule("self.contains('{agentId}')", "must hold {agentId}"),
            rule("!self.startsWith('-') && !self.endsWith('-')", "must not begin or end with '-'"),
            rule(
                "self == oldSelf",
                "cannot be changed, since the agents would be made anew under other names: "
                "make a runtime of another name",
            ),
        ),
    )
    allowed_models: list[ModelName] | None = Field(
        default=None,
        max_length=LIST_LIMIT,
        description="What an agent's model may name beside baseModel. Left out: any; `[]`: nothing else.",
        json_schema_extra=_SET,
    )
    allowed_vector_stores: list[Annotated[str, Field(min_length=1, max_length=256)]] | None = Field(
        default=None,
        max_length=VECTOR_STORE_LIMIT,
        description="Ids of the vector stores that agents may search. Left out: any; `[]`: none.",
        json_schema_extra=_SET,
    )
    max_agents: int | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        description="How many agents may run here. Left out: any number.",
        json_schema_extra={"format": "int32"},
    )
    limits: Limits = Field(
        default_factory=Limits,
        description="What the operator may ask of the project, over all its agents.",
        json_schema_extra={"default": {}},
    )
    drift_interval_seconds: int = Field(
        default=60,
        ge=5,
        le=86_400,
        description="Seconds between comparisons of every agent with its resource.",
        json_schema_extra={"format": "int32"},
    )
    model_check: ModelCheck = Field(
        default=ModelCheck.ENFORCE,
        description=(
            "Whether an agent's deployment is looked up first: Warn goes on without it, `'Off'` does not "
            "look. YAML needs the quotes."
        ),
    )


class ClusterAgentRuntimeSpec(RuntimeSpec):
    """A project that the cluster's administrator offers to namespaces."""

    identity: WorkloadIdentity | None = Field(
        default=None,
        description="The workload identity to reach the project with; without one the operator's own.",
    )
    allowed_namespaces: AllowedNamespaces = Field(
        description="The namespaces whose agents may run here, by name, by label or both.",
        json_schema_extra=rules(
            rule(
                "has(self.names) || has(self.selector)",
                "say names, selector or both; `selector: {}` allows every namespace, `names: []` none",
            )
        ),
    )


class AgentRuntimeSpec(RuntimeSpec):
    """A project that a team brings for the agents of its own namespace, with its own identity."""

    service_principal: ServicePrincipal = Field(
        description="The identity to reach the project with; the operator's own is never used for it."
    )


class LastError(StatusModel):
    """What went wrong last, kept after it is over."""

    reason: str = Field(max_length=64, description="In one word.")
    message: str = Field(max_length=2048, description="In a sentence; never a credential.")
    time: str = Field(max_length=64, description="When.", json_schema_extra={"format": "date-time"})


class RuntimeResourceStatus(ConditionedStatus):
    """What is true of the project, as the operator last saw it. Rebuilt when wiped."""

    deployments: list[Annotated[str, Field(max_length=256)]] = Field(
        default_factory=list,
        max_length=256,
        description="Model deployments seen in the project; the first 256.",
        json_schema_extra=_SET,
    )
    agents: int | None = Field(
        default=None, ge=0, description="Agents managed here.", json_schema_extra={"format": "int32"}
    )
    last_error: LastError | None = Field(default=None, description="What went wrong last.")


PRINTER_COLUMNS: list[dict[str, Any]] = [
    {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
    {"name": "Reason", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].reason'},
    {"name": "Type", "type": "string", "jsonPath": ".spec.type"},
    {"name": "Agents", "type": "integer", "jsonPath": ".status.agents"},
    {"name": "Endpoint", "type": "string", "priority": 1, "jsonPath": ".spec.endpoint"},
    {
        "name": "Message",
        "type": "string",
        "priority": 1,
        "jsonPath": '.status.conditions[?(@.type=="Ready")].message',
    },
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]
