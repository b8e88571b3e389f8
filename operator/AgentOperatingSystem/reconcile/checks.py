"""What is looked up in the project before an agent is put there: its deployment, what its tools refer to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from AgentOperatingSystem.model.definition import CodeInterpreterTool, FileSearchTool, Tool
from AgentOperatingSystem.model.errors import ModelNotFound, ReferenceMissing
from AgentOperatingSystem.model.facts import ModelCheck, ModelFinding
from AgentOperatingSystem.model.plan import Plan
from AgentOperatingSystem.reconcile.desired import DesiredState
from AgentOperatingSystem.reconcile.ports import Runtime
from AgentOperatingSystem.reconcile.resource import Resource
from AgentOperatingSystem.reconcile.status import known_model, missing_model, tools_are_resolved


class Shelves(Protocol):
    """Where a project keeps what tools refer to. Both raise from the one error tree."""

    async def has_vector_store(self, store_id: str) -> bool:
        """Whether the project has the vector store."""

    async def has_file(self, file_id: str) -> bool:
        """Whether the project has the file."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Something of the project's that a tool names: `what` it is in words; `there` when it was found."""

    what: str
    id: str
    there: bool


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
    await check_found(desired.agent.definition.tools, runtime)


async def check_found(tools: Sequence[Tool], shelves: Shelves) -> None:
    """Raise ReferenceMissing for the first vector store or file that is not there."""
    async for field, reference in looked_up(tools, shelves):
        if not reference.there:
            raise ReferenceMissing(
                f"{field}: the project has no {reference.what} {reference.id}; make it, or take it out of "
                "the spec.",
                tool=True,
            )


async def looked_up(tools: Sequence[Tool], shelves: Shelves) -> AsyncIterator[tuple[str, Reference]]:
    """What the tools name of the project's, looked up one by one, with the field that names it."""
    for tool in tools:
        match tool:
            case FileSearchTool(stores):
                for store in stores:
                    there = await shelves.has_vector_store(store)
                    yield "spec.tools.fileSearch.vectorStoreIds", Reference("vector store", store, there)
            case CodeInterpreterTool(files):
                for file in files:
                    there = await shelves.has_file(file)
                    yield "spec.tools.codeInterpreter.fileIds", Reference("file", file, there)
            case _:
                continue
