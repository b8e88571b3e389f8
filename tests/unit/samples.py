"""One plain example of each record, for tests to change in the one place that they are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from AgentOperatingSystem.api.v1alpha1 import FINALIZER, PurposeDrivenAgentStatus
from AgentOperatingSystem.model.definition import AgentDefinition, DesiredAgent, FunctionTool, ObservedAgent
from AgentOperatingSystem.model.facts import RuntimeFacts
from AgentOperatingSystem.model.stamp import Owner, OwnerKind, Stamp
from AgentOperatingSystem.reconcile.resource import ObjectKey, Resource

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
ENDPOINT = "https://acme.services.ai.azure.com/api/projects/board"

OWNER = Owner(OwnerKind.RESOURCE, cluster="c1", namespace="boardroom", name="ceo")
STRANGER = replace(OWNER, namespace="elsewhere")
LIBRARY = Owner(OwnerKind.LIBRARY)
STAMP = Stamp(OWNER, agent_id="ceo", adapter="ceo", uid="uid-1", hash="sha256:0")
FUNCTION = FunctionTool(
    name="erpnext__get_company_overview",
    description="Figures of the company",
    parameters={"type": "object", "properties": {"year": {"type": "integer"}}},
)
DEFINITION = AgentDefinition(
    deployment="llama-3.3-70b-ceo",
    instructions="You are the agent ceo.",
    tools=(FUNCTION,),
    metadata={"team": "board"},
)
DESIRED = DesiredAgent(name="ceo", definition=DEFINITION, stamp=STAMP)
OBSERVED = ObservedAgent(name="ceo", agent_id="ceo", version="3", definition=DEFINITION, stamp=STAMP)
FACTS = RuntimeFacts(type="Foundry", endpoint=ENDPOINT, base_model="llama-3.3-70b", cluster_id="c1")

SPEC: Mapping[str, Any] = {"purpose": "Strategic oversight", "adapterName": "ceo"}


def resource(
    spec: Mapping[str, Any] | None = None,
    status: PurposeDrivenAgentStatus | None = None,
    *,
    generation: int = 1,
    annotations: Mapping[str, str] | None = None,
    name: str = "ceo",
    uid: str = "uid-1",
) -> Resource:
    """A resource `boardroom/ceo` as the API server holds it."""
    return Resource(
        key=ObjectKey("boardroom", name),
        uid=uid,
        resource_version="7",
        generation=generation,
        deleting=False,
        finalizers=(FINALIZER,),
        annotations=annotations or {},
        spec=SPEC if spec is None else spec,
        status=status or PurposeDrivenAgentStatus(),
    )
