"""What is looked up in the project before an agent is put there: its deployment, what its tools refer to."""

from __future__ import annotations

from AgentOperatingSystem.model.definition import CodeInterpreterTool, FileSearchTool
from AgentOperatingSystem.model.errors import ModelNotFound, ReferenceMissing
from AgentOperatingSystem.model.facts import ModelCheck, ModelFinding
from AgentOperatingSystem.model.plan import Plan
from AgentOperatingSystem.reconcile.desired import DesiredState
from AgentOperatingSystem.reconcile.ports import Runtime
from AgentOperatingSystem.reconcile.resource import Resource
from AgentOperatingSystem.reconcile.status import known_model, missing_model, tools_are_resolved


async def check_model(
    resource: Resource, runtime: Runtime, desired: DesiredState, plan: Plan
) -> ModelFinding | None:
    """Look the deployment up before an agent is put on it, and once for a status that does not say.

    None when there was nothing to look up. Raises ModelNotFound where the check is enforced.
    """
    facts = runtime.facts()
    name = desired.agent.definition.deployment
    unchecked = facts.model_check is ModelCheck.OFF or "/" in name or not desired.agent.enabled
    if unchecked or (not plan.steps and known_model(resource, name) is not None):
        return None
    found = await runtime.find_model(name)
    if not found.available and facts.model_check is ModelCheck.ENFORCE:
        raise ModelNotFound(missing_model(name, found, facts.endpoint))
    return found


async def check_references(resource: Resource, runtime: Runtime, desired: DesiredState, plan: Plan) -> None:
    """Look vector stores and files up before an agent gets them. Raises ReferenceMissing."""
    if not desired.agent.enabled or not (plan.steps or resource.changed or not tools_are_resolved(resource)):
        return
    for tool in desired.agent.definition.tools:
        match tool:
            case FileSearchTool(stores):
                for store in stores:
                    if not await runtime.has_vector_store(store):
                        raise _missing("spec.tools.fileSearch.vectorStoreIds", "vector store", store)
            case CodeInterpreterTool(files):
                for file in files:
                    if not await runtime.has_file(file):
                        raise _missing("spec.tools.codeInterpreter.fileIds", "file", file)
            case _:
                continue


def _missing(field: str, what: str, name: str) -> ReferenceMissing:
    return ReferenceMissing(
        f"{field}: the project has no {what} {name}; make it, or take it out of the spec.", tool=True
    )
