"""The end of a resource's hold on its agent: deleted and proved gone, or released, or left on purpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from AgentOperatingSystem.api.v1alpha1 import DeletionPolicy
from AgentOperatingSystem.model.errors import (
    AOSError,
    ConfigurationError,
    NotAllowed,
    OwnershipError,
    Paused,
    ReferenceMissing,
    RuntimeFailure,
    RuntimeUnavailable,
)
from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.model.plan import Step, plan_removal
from AgentOperatingSystem.model.stamp import Owner
from AgentOperatingSystem.reconcile.access import in_runtime
from AgentOperatingSystem.reconcile.brake import DeletionBrake
from AgentOperatingSystem.reconcile.desired import identity_of
from AgentOperatingSystem.reconcile.home import belongs_to, check_project, generations_besides, look
from AgentOperatingSystem.reconcile.intents import Intents
from AgentOperatingSystem.reconcile.moves import Moves
from AgentOperatingSystem.reconcile.ports import Cluster, Notice, Runtime, Runtimes
from AgentOperatingSystem.reconcile.resource import (
    DETACH,
    POLICY_ANNOTATION,
    SKIP,
    SUCCESSOR_ANNOTATION,
    Resource,
)
from AgentOperatingSystem.reconcile.telling import announce

# How long a detached agent's stamp is tried to be taken off, before the agent is left as it is.
RELEASE_PATIENCE = timedelta(minutes=1)

# What a detached resource's agent is left for, stamp and all.
_LEAVABLE = (RuntimeFailure, OwnershipError, ConfigurationError, NotAllowed, ReferenceMissing)


class Parting:
    """Lets agents go. `clock` gives the time, with a time zone; `brake` holds back deletions in mass."""

    def __init__(
        self,
        cluster: Cluster,
        runtimes: Runtimes,
        clock: Callable[[], datetime],
        brake: DeletionBrake,
        intents: Intents,
    ) -> None:
        self._cluster = cluster
        self._runtimes = runtimes
        self._clock = clock
        self._brake = brake
        self._intents = intents
        self._moves = Moves(cluster, runtimes, clock, intents)

    async def let_go(self, resource: Resource) -> bool:
        """Delete or release the agent; True when it is proved gone, or is left on purpose."""
        detach = resource.annotations.get(POLICY_ANNOTATION) == DETACH
        if resource.recorded_endpoint is None:
            return True  # the note is written before the agent is made: without it nothing was
        keep = detach or _keeps_agent(resource)
        try:
            return await in_runtime(
                self._runtimes, resource, lambda runtime: self._remove(resource, runtime, keep=keep)
            )
        except _LEAVABLE as error:
            if not detach or self._may_yet_release(resource, error):
                raise
            message = f"Left the agent as it is, stamp included, since the runtime cannot be asked: {error}"
            await self._cluster.emit(resource, Notice("Detached", message, warning=True))
            return True

    def _may_yet_release(self, resource: Resource, error: AOSError) -> bool:
        """True for a failure that may pass, while the deletion is young: the stamp is worth some tries."""
        since = resource.deleting_since
        young = since is not None and self._clock() - since < RELEASE_PATIENCE
        return young and isinstance(error, RuntimeUnavailable)

    async def _remove(self, resource: Resource, runtime: Runtime, *, keep: bool) -> bool:
        facts = runtime.facts()
        check_project(resource, facts)
        if resource.paused:
            raise Paused(
                f"Paused by the annotation {POLICY_ANNOTATION}: {SKIP}; remove it to have the agent "
                f"deleted, or set it to {DETACH} to leave the agent in the runtime."
            )
        if keep:
            resource = await self._end_move(resource, runtime)
        gone = await self._remove_from(resource, runtime, keep=keep)
        for other in generations_besides(resource, facts):
            async with self._runtimes.open(resource, other) as former:
                gone = await self._remove_from(resource, former, keep=keep) and gone
        return gone

    async def _end_move(self, resource: Resource, runtime: Runtime) -> Resource:
        """Of an agent that is to stay, only one stays: what a move began or left behind goes."""
        if SUCCESSOR_ANNOTATION in resource.annotations:
            return await self._moves.give_up(resource)
        if resource.moved_from is not None and runtime.facts().type is RuntimeType.FOUNDRY:
            return await self._moves.clean_up(resource, runtime, at_once=True)
        return resource

    async def _remove_from(self, resource: Resource, runtime: Runtime, *, keep: bool) -> bool:
        """Delete or release the agent in one generation of the project; True when it is proved gone."""
        facts = runtime.facts()
        identity = replace(identity_of(resource, facts), name=resource.recorded_name or resource.agent_name)
        looked = self._intents.now()
        observed = await look(resource, runtime, identity, fresh=True)
        if observed is not None:
            self._intents.seen(resource)
        plan = plan_removal(identity, observed, keep=keep)
        if Step.DELETE in plan.steps:
            self._brake.take(self._clock(), resource.uid)
        await runtime.apply(plan)
        if not keep:
            await self._delete_threads(resource, runtime, identity.owner)
            if not await runtime.prove_absent(identity):
                return False
        if observed is None:
            # A creation may yet take effect whose answer was lost: nobody would look for it afterwards.
            self._intents.check(resource, facts, looked=looked)
        await announce(self._cluster, resource, plan, observed)
        return True

    async def _delete_threads(self, resource: Resource, runtime: Runtime, owner: Owner) -> None:
        """Delete the conversations that are noted on the resource, each once its stamp proved it ours."""
        for thread_id in resource.known_threads:
            if belongs_to(thread_id, runtime.facts().type) and await runtime.thread_owner(thread_id) == owner:
                await runtime.delete_thread(thread_id)


def _keeps_agent(resource: Resource) -> bool:
    return resource.spec.get("deletionPolicy") == DeletionPolicy.ORPHAN
