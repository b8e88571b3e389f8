"""`AgentRuntimeProvider`: the only thing that the rest of the project knows of runtimes.

The controller uses `facts`, `observe`, `apply`, `prove_absent` and the threads; people use the methods
of the seed, `deploy_agent` to `close`, which are built on the same ones: one way to make an agent.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self, TypedDict

from AgentOperatingSystem.model.crossing import Moment, watch_crossings
from AgentOperatingSystem.model.definition import (
    AgentDefinition,
    DesiredAgent,
    ObservedAgent,
    Tool,
    definition_hash,
)
from AgentOperatingSystem.model.deployment import deployment_name
from AgentOperatingSystem.model.errors import (
    AOSError,
    NotAllowed,
    NotFound,
    OutcomeUnknown,
    OwnershipConflict,
    SpecRejected,
)
from AgentOperatingSystem.model.facts import ModelFinding, RuntimeFacts, RuntimeType
from AgentOperatingSystem.model.guard import Guard, unguarded
from AgentOperatingSystem.model.message import Message
from AgentOperatingSystem.model.plan import Plan, Step, make_plan, plan_removal, surplus_versions
from AgentOperatingSystem.model.stamp import STAMP_KEYS, AgentIdentity, Owner, OwnerKind, Stamp
from AgentOperatingSystem.purpose import Purpose, compile_instructions
from AgentOperatingSystem.runtime.adapter import RuntimeAdapter, ToolCall
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.deployments import Deployments
from AgentOperatingSystem.runtime.inventory import Inventory
from AgentOperatingSystem.tools.functions import (
    McpToolReference,
    convert_mcp_tools_to_function_tools,
)

RUNTIME_NAME = "Infrastructure Runtime (Llama 3.3 70B + LoRA)"
# The service holds 16 pairs and the stamp takes 10 of them.
METADATA_LIMIT = 6
LIBRARY = Owner(OwnerKind.LIBRARY)
# How long an agent that was let in is counted among those that are there, at the least: longer than a listing
# is believed that began before it was made.
ADMISSION_SECONDS = 300.0
CLASSIC_ID_PREFIX = "asst_"


@dataclass(frozen=True, slots=True)
class DeployedAgent:
    """What `deploy_agent` made: `model` is the deployment it runs on, `version` the runtime's own."""

    agent_id: str
    name: str
    version: str
    model: str
    instructions: str
    adapter_name: str | None
    runtime: str = RUNTIME_NAME


class EventResult(TypedDict):
    """What `process_event` returns; `status` is the runtime's word, `latency_ms` whole milliseconds."""

    success: bool
    response: str
    status: str
    thread_id: str
    run_id: str
    latency_ms: int


class AgentRuntimeProvider:
    """Agents on one Foundry project.

        runtime = AgentRuntimeProvider(RuntimeConfig.from_env())
        await runtime.initialize()
        agent = await runtime.deploy_agent(agent_id="ceo", purpose="...", adapter_name="ceo")
        await runtime.close()

    Also an async context manager. Every method raises from the tree in `model.errors`.
    """

    def __init__(
        self, config: RuntimeConfig, *, adapter: RuntimeAdapter | None = None, guard: Guard = unguarded
    ) -> None:
        self._config = config
        self._guard = guard
        self._given = adapter
        self._adapter: RuntimeAdapter | None = None
        self._inventory: Inventory | None = None
        self._deployments: Deployments | None = None
        self._threads: dict[str, str] = {}
        self._admitted: dict[AgentIdentity, float] = {}
        self._requests: Counter[str] = Counter()
        self._stop_counting = watch_crossings(self._count)

    async def initialize(self) -> None:
        """Connect to the project; nothing is sent yet. Raises EndpointNotConfigured without one."""
        facts = self._config.facts()
        if self._adapter is not None:
            return
        self._adapter = self._given or _adapter_class(facts.type)(
            facts.endpoint, self._config, guard=self._guard
        )
        age = self._config.listing_age
        self._inventory = Inventory(
            self._adapter.list_all,
            names_are_keys=self._adapter.names_are_keys,
            max_age=age,
            clock=time.monotonic,
        )
        self._deployments = Deployments(
            self._adapter.deployments, self._adapter.has_deployment, max_age=age, clock=time.monotonic
        )

    def stop_waiting(self) -> None:
        """From now on what cannot be asked of the runtime at once raises Stopping: the process is to end."""
        if self._adapter is not None:
            self._adapter.stop_waiting()

    async def close(self) -> None:
        """Close connections. The agents stay as they are."""
        self._stop_counting()
        if self._adapter is not None:
            await self._adapter.close()
        self._adapter = self._inventory = self._given = None

    async def __aenter__(self) -> Self:
        await self.initialize()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # What the controller uses.

    def facts(self) -> RuntimeFacts:
        """The settings that decide an agent. Raises EndpointNotConfigured without a project."""
        return self._config.facts()

    async def observe(
        self, identity: AgentIdentity, *, fresh: bool = True, known_id: str = "", doubtful: bool = False
    ) -> ObservedAgent | None:
        """The agent as it is now (`fresh`), or as the shared listing of the project shows it.

        Where the service gives ids, the agent is read by `known_id`, if it is known, else found by its stamp
        in the listing: in one that begins now when it is `doubtful` whether the agent was just made.
        """
        adapter, inventory = self._connected()
        if adapter.names_are_keys:
            return await self._read(identity, identity.name) if fresh else await inventory.lookup(identity)
        if not fresh:
            return await inventory.lookup(identity, known_id)
        if known_id:
            observed = await self._read(identity, known_id)
            if observed is not None and identity.owns(observed.stamp):
                return observed
        elif not doubtful:
            listed = await inventory.lookup(identity)
            if listed is None:
                return None
            if not listed.namesakes:
                # The listing may be old, and whose the agent is may have changed since.
                observed = await self._read(identity, listed.agent_id)
                if observed and (observed.name, observed.stamp) == (listed.name, listed.stamp):
                    return replace(observed, twins=listed.twins)
        observed = await inventory.lookup_since_now(identity, known_id)
        inventory.note(identity, observed)
        return observed

    async def apply(self, plan: Plan) -> ObservedAgent | None:
        """Do the plan's steps in order; what the runtime holds afterwards, None when nothing."""
        observed = plan.observed
        try:
            for step in plan.steps:
                observed = await self._do(step, plan, observed)
                self._connected()[1].note(plan.identity, observed)
        except OutcomeUnknown:
            raise  # it may be there, and no listing shows it yet
        except AOSError:
            self._admitted.pop(plan.identity, None)
            raise
        if Step.CREATE not in plan.steps:
            self._admitted.pop(plan.identity, None)
        return observed

    async def admit(self, plan: Plan) -> None:
        """Raise NotAllowed when the plan would make one agent more than the runtime may have."""
        limit = self.facts().max_agents
        if limit is None or Step.CREATE not in plan.steps:
            return
        there = await self._connected()[1].owned(self.facts().cluster_id)
        now, patience = time.monotonic(), max(ADMISSION_SECONDS, 2 * self._config.listing_age)
        for over in [key for key, at in self._admitted.items() if now - at >= patience]:
            del self._admitted[over]
        if plan.identity not in there and len(there | self._admitted.keys() - {plan.identity}) >= limit:
            raise NotAllowed(
                f"{self.facts().source} may have {limit} agents (spec.maxAgents) and has them; raise "
                "maxAgents or delete an agent."
            )
        self._admitted[plan.identity] = now

    def succeed(self, former: AgentRuntimeProvider) -> None:
        """Count those whom the connection before let in: over it they may still be made."""
        self._admitted = former._admitted

    async def list_agents(self) -> list[ObservedAgent]:
        """Every agent of the project as it is now, ours or not, by name."""
        listing = await self._connected()[1].since_now()
        return sorted(listing.agents, key=lambda agent: (agent.name, agent.agent_id))

    async def prove_absent(self, identity: AgentIdentity) -> bool:
        """True when a complete listing, begun after this call, does not hold the agent."""
        return not (await self._connected()[1].since_now()).still_there(identity)

    async def prune(self, observed: ObservedAgent, identity: AgentIdentity, *, limit: int) -> int:
        """Delete the agent's twins, surplus versions, and versions beyond `limit`; how many."""
        adapter = self._connected()[0]
        for twin in observed.twins:
            held = await adapter.get(twin)
            if held is not None and identity.owns(held.stamp):  # the listing may be old
                await adapter.delete(twin)
        versions = await adapter.versions(observed.agent_id)
        if not versions or not identity.owns(versions[0].stamp):
            return len(observed.twins)
        surplus = surplus_versions(versions, identity, limit=limit)
        for version in surplus:
            await adapter.delete_version(observed.agent_id, version)
        return len(observed.twins) + len(surplus)

    async def find_model(self, deployment: str) -> ModelFinding:
        """Whether the project has the deployment, and if not the names most like it."""
        return await self._known_deployments().find(deployment)

    async def deployments(self) -> frozenset[str]:
        """The names of the project's deployments, as of at most one interval ago."""
        return await self._known_deployments().names()

    async def has_vector_store(self, store_id: str) -> bool:
        """Whether the project has the vector store."""
        return await self._connected()[0].has_vector_store(store_id)

    async def has_file(self, file_id: str) -> bool:
        """Whether the project has the file."""
        return await self._connected()[0].has_file(file_id)

    async def create_thread(self, stamp: Stamp) -> str:
        """Start a conversation that bears `stamp`; its id."""
        return await self._connected()[0].create_thread(stamp)

    async def thread_owner(self, thread_id: str) -> Owner | None:
        """The owner in a conversation's stamp; None when it bears none or does not exist."""
        stamp = await self._connected()[0].thread_stamp(thread_id)
        return stamp.owner if stamp else None

    async def delete_thread(self, thread_id: str) -> None:
        """Delete a conversation; one that is gone already is no failure."""
        await self._connected()[0].delete_thread(thread_id)

    async def messages(self, thread_id: str) -> list[Message]:
        """What was said on a thread, the oldest first."""
        return await self._connected()[0].messages(thread_id)

    async def thread_tools(self, thread_id: str) -> tuple[Tool, ...]:
        """What a thread itself gives to tools, beside what its agent has."""
        return await self._connected()[0].thread_tools(thread_id)

    async def add_messages(self, thread_id: str, messages: Sequence[Message]) -> None:
        """Say `messages` on a thread without having them answered."""
        await self._connected()[0].add_messages(thread_id, messages)

    # What people use: the calls of the seed.

    async def deploy_agent(
        self,
        agent_id: str,
        purpose: str,
        adapter_name: str | None = None,
        *,
        purpose_scope: str = "",
        success_criteria: Sequence[str] = (),
        system_message: str = "",
        mcp_tools: Iterable[McpToolReference | Mapping[str, Any]] = (),
        model: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> DeployedAgent:
        """Make the agent on the runtime be what is asked for here; doing it again changes nothing.

        Raises OwnershipConflict for an agent that a Kubernetes resource owns, and AdoptionRequired for
        one that was made by other means.
        """
        facts = self.facts()
        check_metadata(metadata or {})
        functions = convert_mcp_tools_to_function_tools(mcp_tools)
        definition = AgentDefinition(
            deployment=deployment_name(
                model or facts.base_model,
                (adapter_name or "") if facts.lora_adapters else "",
                facts.deployment_template,
            ),
            instructions=compile_instructions(
                Purpose(agent_id, purpose, purpose_scope, success_criteria, system_message)
            ),
            tools=tuple(function.function for function in functions),
            metadata=dict(metadata or {}),
        )
        stamp = Stamp(LIBRARY, agent_id, adapter_name or "")
        desired = DesiredAgent(agent_id, definition, stamp)
        desired = replace(desired, stamp=replace(stamp, hash=definition_hash(desired)))
        plan = make_plan(desired, await self.observe(desired.identity, doubtful=True))
        observed = await self.apply(plan)
        if observed is None:
            raise NotFound(f"The agent {agent_id} was made and is gone again; somebody else deleted it.")
        return DeployedAgent(
            agent_id=agent_id,
            name=observed.name,
            version=observed.version,
            model=observed.definition.deployment,
            instructions=observed.definition.instructions,
            adapter_name=adapter_name,
        )

    async def undeploy_agent(self, agent_id: str) -> bool:
        """Delete an agent that `deploy_agent` made; False when there is none.

        Raises OwnershipConflict for an agent that is not `deploy_agent`'s to delete.
        """
        identity = AgentIdentity(agent_id, LIBRARY, agent_id)
        observed = await self.observe(identity, doubtful=True)
        if observed is None:
            return False
        plan = plan_removal(identity, observed, keep=False)
        if not plan.steps:
            whose = observed.stamp.owner if observed.stamp else "somebody who left no stamp"
            raise OwnershipConflict(f"The agent {agent_id} belongs to {whose}; it is not deleted from here.")
        await self.apply(plan)
        thread_id = self._threads.pop(agent_id, None)
        if thread_id is not None:
            await self.delete_thread(thread_id)
        return True

    async def process_event(
        self,
        agent_id: str,
        event_type: str,
        payload: str | Mapping[str, Any],
        *,
        thread_id: str | None = None,
        version: str | None = None,
    ) -> EventResult:
        """Give the agent an event and wait for its answer.

        Without `thread_id` the agent's thread of this provider is used, and begun on the first event;
        with stateful threads off each event has a thread of its own. `version` is by default the newest.
        A thread that does not bear the agent's own stamp is refused.
        """
        started = time.monotonic()
        observed = await self._named(agent_id)
        if observed is None or observed.stamp is None:
            raise NotFound(f"Agent {agent_id} not found on the Foundry runtime: deploy it first.")
        thread = await self._thread(observed, observed.stamp, thread_id)
        adapter = self._connected()[0]
        answer = await adapter.ask(
            observed, version or observed.version, thread, event_text(event_type, payload), _refuse_call
        )
        return EventResult(
            success=answer.status == "completed",
            response=answer.text,
            status=answer.status,
            thread_id=thread,
            run_id=answer.run_id,
            latency_ms=round((time.monotonic() - started) * 1000),
        )

    async def get_status(self, agent_id: str | None = None) -> dict[str, Any]:
        """The runtime's state, or one agent's, in the shape of the seed's health endpoints."""
        if agent_id is None:
            ours = [agent for agent in await self.list_agents() if agent.stamp is not None]
            return {
                "status": "healthy",
                "runtime": RUNTIME_NAME,
                "endpoint": self.facts().endpoint,
                "active_agents": sum(agent.enabled for agent in ours),
                "agent_ids": [agent.name for agent in ours],
            }
        observed = await self._named(agent_id)
        if observed is None:
            raise NotFound(f"Agent {agent_id} not found on the Foundry runtime: deploy it first.")
        return {
            "agent_id": agent_id,
            "status": "running" if observed.enabled else "disabled",
            "type": "PurposeDrivenAgent",
            "runtime": RUNTIME_NAME,
            "adapter_name": (observed.stamp.adapter or None) if observed.stamp else None,
            "model": observed.definition.deployment,
            "version": observed.version,
        }

    def get_metrics(self) -> dict[str, Any]:
        """Requests sent so far in this process, by operation."""
        return {"requests": dict(self._requests), "requests_total": self._requests.total()}

    def _connected(self) -> tuple[RuntimeAdapter, Inventory]:
        self._config.facts()
        if self._adapter is None or self._inventory is None:
            raise AOSError("The runtime is not connected: call `await runtime.initialize()` first.")
        return self._adapter, self._inventory

    def _known_deployments(self) -> Deployments:
        self._connected()
        if self._deployments is None:
            raise AOSError("The runtime is not connected: call `await runtime.initialize()` first.")
        return self._deployments

    async def _read(self, identity: AgentIdentity, key: str) -> ObservedAgent | None:
        adapter, inventory = self._connected()
        observed = await adapter.get(key)
        inventory.note(identity, observed)
        return observed

    async def _named(self, agent_id: str) -> ObservedAgent | None:
        """The agent that a person means: by its key, else the one agent of ours with that agent id."""
        adapter = self._connected()[0]
        if adapter.names_are_keys or agent_id.startswith(CLASSIC_ID_PREFIX):
            return await adapter.get(agent_id)
        found = [
            agent
            for agent in await self.list_agents()
            if agent.stamp is not None and agent_id in (agent.stamp.agent_id, agent.name)
        ]
        if len(found) > 1:
            ids = ", ".join(agent.agent_id for agent in found)
            raise OwnershipConflict(f"Several agents are called {agent_id}; name one by its id: {ids}.")
        return found[0] if found else None

    async def _do(self, step: Step, plan: Plan, observed: ObservedAgent | None) -> ObservedAgent | None:
        adapter = self._connected()[0]
        if observed is None:
            return await adapter.create(plan.desired) if step is Step.CREATE and plan.desired else None
        match step:
            case Step.UPDATE | Step.ADOPT if plan.desired is not None:
                return await adapter.update(observed, plan.desired)
            case Step.ENABLE:
                return await adapter.enable(observed)
            case Step.DISABLE:
                return await adapter.disable(observed)
            case Step.RELEASE:
                return await adapter.release(observed)
            case Step.DELETE:
                for key in (observed.agent_id, *observed.twins):
                    await adapter.delete(key)
        return None

    async def _thread(self, observed: ObservedAgent, stamp: Stamp, thread_id: str | None) -> str:
        """The thread to speak on: the given one once its stamp proved it the agent's own, or ours."""
        if thread_id is not None:
            if await self.thread_owner(thread_id) != stamp.owner:
                raise OwnershipConflict(f"The thread {thread_id} is not one of the agent {observed.name}.")
            return thread_id
        if not self._config.stateful_threads:
            return await self.create_thread(stamp)
        if observed.name not in self._threads:
            self._threads[observed.name] = await self.create_thread(stamp)
        return self._threads[observed.name]

    def _count(self, name: str, moment: Moment) -> None:
        if moment is Moment.BEFORE and name.startswith("runtime."):
            self._requests[name.removeprefix("runtime.")] += 1


def _adapter_class(kind: RuntimeType) -> Callable[..., RuntimeAdapter]:
    """The adapter of a runtime; each loads its own SDK, and never the other's."""
    if kind is RuntimeType.FOUNDRY_CLASSIC:
        from AgentOperatingSystem.runtime.foundry_classic import FoundryClassicAdapter  # noqa: PLC0415

        return FoundryClassicAdapter
    from AgentOperatingSystem.runtime.foundry import FoundryAdapter  # noqa: PLC0415

    return FoundryAdapter


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Raise SpecRejected for pairs that the stamp needs for itself, or that are too many."""
    taken = sorted(key for key in metadata if key in STAMP_KEYS or key.startswith("aos_"))
    if taken:
        raise SpecRejected(f"metadata.{taken[0]}", "belongs to the operator; use another key.")
    if len(metadata) > METADATA_LIMIT:
        raise SpecRejected("metadata", f"has {len(metadata)} pairs; at most {METADATA_LIMIT} are possible.")


def event_text(event_type: str, payload: str | Mapping[str, Any]) -> str:
    """An event as the agent reads it. A question is passed as it is."""
    body = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False, indent=2)
    return body if event_type == "question" else f"Event: {event_type}\n\n{body}"


async def _refuse_call(call: ToolCall) -> dict[str, Any]:
    """The answer to a tool call while nothing executes tools: the agent is told, never left waiting."""
    await asyncio.sleep(0)
    return {"error": f"{call.name} was not executed: no tool executor is connected to this runtime."}
