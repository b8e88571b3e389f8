"""The steps of a run, played with the project's own parts: the real pass, the real client, no cluster.

The same steps run against Azure and against the embedded Foundry. Whatever happens, what was made is deleted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.reconcile.desk import MemoryCluster
from tests.smoke.settings import PREFIX
from tests.smoke.wire import Wire

from AgentOperatingSystem.api.conditions import READY
from AgentOperatingSystem.kube.runtimes.pool import OneRuntime
from AgentOperatingSystem.model.errors import AOSError
from AgentOperatingSystem.model.facts import ModelCheck, RuntimeType
from AgentOperatingSystem.reconcile.brake import DeletionBrake
from AgentOperatingSystem.reconcile.reconciler import Reconciler
from AgentOperatingSystem.reconcile.resource import ObjectKey
from AgentOperatingSystem.reconcile.verdict import Reason
from AgentOperatingSystem.runtime import AgentRuntimeProvider, RuntimeConfig
from AgentOperatingSystem.runtime.adapter import RuntimeAdapter
from AgentOperatingSystem.runtime.connection import azure_credential, azure_options, connect

RUNNING, DISABLED = f"True/{Reason.RUNNING}", f"True/{Reason.DISABLED}"
# What may pass by itself; anything else ends the step.
PASSING = frozenset(
    {"-", Reason.RUNNING, Reason.DISABLED, Reason.PROVISIONING, Reason.THROTTLED, Reason.RUNTIME_UNAVAILABLE}
)
EDITED = "Edited behind the operator's back."
QUESTION = "Answer with one word: are you there?"
CLEAN_UP = "clean up"
# So often a look must find nothing: a create that was broken off may take effect after the first.
QUIET_LOOKS = 2


class StepFailed(Exception):
    """A step did not come out as it must; the text says how."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a step may take, and the pause between two looks, in seconds."""

    seconds: float
    pause: float


PATIENT, HASTY = Patience(180.0, 2.0), Patience(15.0, 0.02)


@dataclass
class Scene:
    """One agent on one project; `spec` is what its resource asks for now."""

    name: str
    config: RuntimeConfig
    wire: Wire
    patience: Patience
    adapter: RuntimeAdapter
    provider: AgentRuntimeProvider
    cluster: MemoryCluster
    reconciler: Reconciler
    spec: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> ObjectKey:
        return ObjectKey("smoke", self.name)

    @property
    def is_classic(self) -> bool:
        return self.config.type is RuntimeType.FOUNDRY_CLASSIC

    def ask_for(self, **fields: Any) -> None:
        """Apply the resource, with these fields changed."""
        self.spec = {**self.spec, **fields}
        self.cluster.put(self.key, self.spec)

    def ready(self) -> tuple[str, str]:
        """Ready as `status/reason`, and its message."""
        conditions = self.cluster.resources[self.key].status.conditions
        found = next((one for one in conditions if one.type == READY), None)
        return (f"{found.status}/{found.reason}", found.message) if found else ("-", "nothing was said")

    def made(self) -> tuple[str, str, str]:
        """Agent id, version and thread, as the status says. Raises StepFailed."""
        runtime = self.cluster.resources[self.key].status.runtime
        if runtime is None or not runtime.agent_id or not runtime.thread_id:
            raise StepFailed("the status names no agent, or no thread")
        return runtime.agent_id, runtime.version or "", runtime.thread_id

    async def until(self, wanted: str, done: Callable[[], bool] = lambda: True) -> None:
        """Passes, until Ready says what is wanted. Raises StepFailed."""
        deadline = time.monotonic() + self.patience.seconds
        while True:
            await self.reconciler.reconcile(self.key)
            says, message = self.ready()
            if says == wanted and done():
                return
            if says.rpartition("/")[2] not in PASSING or time.monotonic() > deadline:
                raise StepFailed(f"Ready is {says} and not {wanted}: {message}")
            await asyncio.sleep(self.patience.pause)


@dataclass(frozen=True, slots=True)
class Step:
    """A step and what it shows."""

    name: str
    shows: str
    do: Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended; `problem` is for the eyes of whoever runs it, and empty when all went well."""

    step: str
    shows: str = ""
    problem: str = ""
    kind: str = ""


@asynccontextmanager
async def open_scene(
    config: RuntimeConfig, name: str, wire: Wire, patience: Patience
) -> AsyncIterator[Scene]:
    """The parts of a pass, on a real client and on a cluster in memory."""
    adapter = _adapter(config)
    provider = AgentRuntimeProvider(config, adapter=adapter)
    await provider.initialize()
    cluster = MemoryCluster()
    reconciler = Reconciler(cluster, OneRuntime(provider), lambda: datetime.now(UTC), DeletionBrake(30))
    try:
        yield Scene(name, config, wire, patience, adapter, provider, cluster, reconciler)
    finally:
        await provider.close()


async def play(
    scene: Scene, steps: Sequence[Step], tell: Callable[[Outcome], None]
) -> tuple[list[Outcome], list[str]]:
    """Play the steps up to the first that fails, and clean up: the outcomes, and what is left behind."""
    outcomes: list[Outcome] = []
    try:
        for step in steps:
            scene.wire.step = step.name
            outcomes.append(await _outcome(scene, step))
            tell(outcomes[-1])
            if outcomes[-1].problem:
                break
    finally:
        scene.wire.step = CLEAN_UP
        left = await clean_up(scene)
        for one in left:
            tell(Outcome(CLEAN_UP, problem=f"{one} is still there: delete it by hand", kind="Left"))
    return outcomes, left


async def _outcome(scene: Scene, step: Step) -> Outcome:
    try:
        await step.do(scene)
    except (AOSError, StepFailed) as error:
        return _failed(step, str(error), error)
    except Exception as error:  # noqa: BLE001 - what nobody foresaw is what a smoke test is for
        return _failed(step, f"{type(error).__name__}: {error}", error)
    return Outcome(step.name, step.shows)


def _failed(step: Step, problem: str, error: Exception) -> Outcome:
    return Outcome(step.name, step.shows, problem, type(error).__name__)


async def clean_up(scene: Scene) -> list[str]:
    """Delete the agent and its threads, whatever is there; what is left all the same."""
    if not any(exchange.writes for exchange in scene.wire.exchanges):
        return []
    deadline = time.monotonic() + scene.patience.seconds
    quiet, left = 0, ["the agent " + scene.name]
    while quiet < QUIET_LOOKS and time.monotonic() < deadline:
        try:
            left = await _delete_all(scene)
        except Exception:  # noqa: BLE001 - whatever it is, another look is worth more
            quiet = 0
        else:
            quiet = 0 if left else quiet + 1
        if quiet < QUIET_LOOKS:
            await asyncio.sleep(scene.patience.pause)
    return left if quiet < QUIET_LOOKS else []


async def _delete_all(scene: Scene) -> list[str]:
    """Delete what a look finds, each thing whatever becomes of the others; say what was found."""
    found = await _agents(scene)
    threads = scene.wire.created_threads()
    there = [thread for thread in threads if await scene.adapter.thread_stamp(thread) is not None]
    deletions = [scene.adapter.delete(key) for key in found]
    deletions += [scene.adapter.delete_thread(thread) for thread in there]
    await asyncio.gather(*deletions, return_exceptions=True)
    return [*(f"the agent {key}" for key in found), *(f"the thread {thread}" for thread in there)]


async def _agents(scene: Scene) -> list[str]:
    if not scene.is_classic:
        return [scene.name] if await scene.adapter.get(scene.name) is not None else []
    listed = {agent.agent_id for agent in await scene.adapter.list_all() if agent.name == scene.name}
    for key in scene.wire.created_assistants():
        if await scene.adapter.get(key) is not None:
            listed.add(key)
    return sorted(listed)


def _adapter(config: RuntimeConfig) -> RuntimeAdapter:
    endpoint = config.facts().endpoint
    if config.type is RuntimeType.FOUNDRY_CLASSIC:
        from AgentOperatingSystem.runtime.foundry_classic import FoundryClassicAdapter  # noqa: PLC0415

        return FoundryClassicAdapter(endpoint, config)
    from AgentOperatingSystem.runtime.foundry import FoundryAdapter  # noqa: PLC0415

    return FoundryAdapter(endpoint, config)


# The steps.


async def look(scene: Scene) -> None:
    model = scene.config.model_deployment
    found = await scene.provider.find_model(model)
    if not found.available and scene.config.model_check is ModelCheck.ENFORCE:
        raise StepFailed(f"the project has no deployment {model}; the nearest are {', '.join(found.nearest)}")
    if (await scene.provider.find_model(f"{PREFIX}no-such-deployment")).available:
        raise StepFailed("the project has a deployment that nobody made")


async def create(scene: Scene) -> None:
    scene.ask_for(
        agentId=scene.name,
        purpose="Show that the operator works with this project.",
        mcpTools=[{"serverName": "smoke", "toolName": "look_around"}],
        runtimeMetadata={"made_by": "smoke"},
        versionHistoryLimit=1,
    )
    await scene.until(RUNNING)
    scene.made()


async def rest(scene: Scene) -> None:
    before = len(scene.wire.exchanges)
    await scene.reconciler.reconcile(scene.key)
    written = [one.method for one in scene.wire.exchanges[before:] if one.writes]
    drift = [one.path for one in scene.cluster.resources[scene.key].status.drift]
    if written or drift:
        raise StepFailed(
            f"a pass over an agent that is as it should be found {', '.join(drift) or 'no drift'} and sent "
            f"{', '.join(written) or 'no write'}: the service holds something else than it was sent"
        )
    await scene.until(RUNNING)


async def update(scene: Scene) -> None:
    agent, version, thread = scene.made()
    scene.ask_for(purpose="Show that the operator works with this project, and that it goes on working.")
    await scene.until(RUNNING)
    now = scene.made()
    if (now[0], now[2]) != (agent, thread) or (not scene.is_classic and now[1] == version):
        raise StepFailed("the update made another agent, another thread, or no version")


async def drift(scene: Scene) -> None:
    await (_edit_classic if scene.is_classic else _edit)(scene)


async def _edit(scene: Scene) -> None:
    from azure.ai.projects.models import PromptAgentDefinition  # noqa: PLC0415 - Azure is imported on use

    connection = connect(scene.config.facts().endpoint, scene.config)
    try:
        agents = connection.project.agents
        latest = (await agents.get(scene.name)).versions.latest
        definition = PromptAgentDefinition(model=scene.config.model_deployment, instructions=EDITED)
        await agents.create_version(scene.name, definition=definition, metadata=latest.metadata)
    finally:
        await connection.close()


async def _edit_classic(scene: Scene) -> None:
    from azure.ai.agents.aio import AgentsClient  # noqa: PLC0415 - Azure is imported on use

    endpoint = scene.config.facts().endpoint
    credential = azure_credential(endpoint, scene.config)
    client = AgentsClient(endpoint, credential, **azure_options(endpoint, scene.config, credential))
    try:
        await client.update_agent(scene.made()[0], instructions=EDITED)
    finally:
        await client.close()
        await credential.close()


async def correct(scene: Scene) -> None:
    def corrected() -> bool:
        return any(notice.reason == "DriftCorrected" for notice in scene.cluster.notices)

    await scene.until(RUNNING, corrected)
    agent = await scene.adapter.get(scene.made()[0])
    if agent is None or agent.definition.instructions == EDITED:
        raise StepFailed("the edit is still there, or the agent is gone")


async def disable(scene: Scene) -> None:
    thread = scene.made()[2]
    scene.ask_for(enabled=False)
    await scene.until(DISABLED)
    if await scene.provider.thread_owner(thread) is None:
        raise StepFailed("the thread is gone")


async def enable(scene: Scene) -> None:
    scene.ask_for(enabled=True)
    await scene.until(RUNNING)


async def ask(scene: Scene) -> None:
    agent, _, thread = scene.made()
    result = await scene.provider.process_event(agent, "question", QUESTION, thread_id=thread)
    if not result["success"]:
        raise StepFailed(f"the answer ended as {result['status']}: {result['response']}")
    if len(await scene.provider.messages(thread)) < 2:
        raise StepFailed("the thread does not hold the question and its answer")


async def delete(scene: Scene) -> None:
    agent, _, thread = scene.made()
    scene.cluster.delete(scene.key)
    deadline = time.monotonic() + scene.patience.seconds
    while await scene.reconciler.finalize(scene.key) is not None:
        if time.monotonic() > deadline:
            raise StepFailed(f"the agent is not proved gone: {scene.ready()[1]}")
        await asyncio.sleep(scene.patience.pause)
    if await scene.adapter.get(agent) is not None or await scene.provider.thread_owner(thread) is not None:
        raise StepFailed("the resource was let go, and the agent or its thread is still there")


def steps(*, asks: bool) -> tuple[Step, ...]:
    """All steps in their order; the one that asks a question only if it is wanted, as it costs tokens."""
    question = (Step("ask", "the agent answers on its thread, which keeps both", ask),)
    return (
        Step("look", "the deployment is there, and one that nobody made is not", look),
        Step("create", "one agent, Ready, with a thread", create),
        Step("rest", "a second pass finds nothing to do", rest),
        Step("update", "a changed purpose reaches the same agent; its former version is pruned", update),
        Step("drift", "somebody edits the agent by the SDK", drift),
        Step("correct", "the edit is found and undone", correct),
        Step("disable", "the agent cannot run, and its thread is kept", disable),
        Step("enable", "it runs again", enable),
        *(question if asks else ()),
        Step("delete", "agent and thread are gone, proved by a listing", delete),
    )
