"""The triggers: kopf handlers, each of which only asks for a pass.

None of them fails on purpose but the deletion's: a pass tells its failures in the status and says
itself when it wants to be run again. The deletion's handler has no limit of tries, since kopf would drop
the finalizer at the last one, though the agent still exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import kopf

from AgentOperatingSystem.api.conditions import READY
from AgentOperatingSystem.api.v1alpha1 import FINALIZER, GROUP, PLURAL, VERSION, ConditionStatus
from AgentOperatingSystem.kube.client import COMPONENT
from AgentOperatingSystem.kube.delivery import Deliveries
from AgentOperatingSystem.kube.echoes import Echoes
from AgentOperatingSystem.kube.passes import Passes, Turn
from AgentOperatingSystem.kube.runtimes.tending import Users
from AgentOperatingSystem.kube.storage import MemoryProgress, ObservedGeneration
from AgentOperatingSystem.model.signals import ReadySeen, ResourceGone, tell
from AgentOperatingSystem.reconcile.resource import WISHES, ObjectKey, RuntimeKey, runtime_key_of

RESOURCE = (GROUP, VERSION, PLURAL)


def register(
    registry: kopf.OperatorRegistry,
    passes: Passes,
    deliveries: Deliveries,
    *,
    echoes: Echoes,
    users: Users,
) -> None:
    """Put the triggers of `PurposeDrivenAgent` into kopf's `registry`.

    `deliveries` is told what comes, `echoes` knows what of it are our own notes, and `users` is told which
    runtime each agent names.
    """

    def turn_of(memo: Any) -> Turn:
        if "turn" not in memo:
            memo["turn"] = passes.turn()
        turn: Turn = memo["turn"]
        return turn

    @kopf.on.event(*RESOURCE, registry=registry, id="watch")
    async def on_event(memo: Any, meta: kopf.Meta, event: Any, **_: Any) -> None:
        """Stop the repetition of an object that goes, and heed the wishes in its annotations."""
        _tell_ready(event)
        _tell_delivery(event, deliveries, echoes)
        turn = turn_of(memo)
        turn.runtime = _named_runtime(event)
        users.note(meta["uid"], turn.runtime, made=_is_made(event))
        if "deletionTimestamp" in meta:
            turn.end()
        turn.wish(tuple(meta.annotations.get(name) for name in WISHES))

    @kopf.on.create(*RESOURCE, registry=registry, id="reconcile")
    @kopf.on.resume(*RESOURCE, registry=registry, id="reconcile")
    @kopf.on.update(*RESOURCE, registry=registry, id="reconcile", field="spec")
    async def on_change(
        memo: Any, namespace: str | None, name: str, uid: str, meta: kopf.Meta, **_: Any
    ) -> None:
        echo = echoes.heard(uid, meta["resourceVersion"])
        with deliveries.busy(uid):
            await passes.run(_key(namespace, name), turn_of(memo), echo=echo)

    @kopf.daemon(*RESOURCE, registry=registry, id="repeat", cancellation_polling=1.0)
    async def on_due(memo: Any, namespace: str | None, name: str, **_: Any) -> None:
        await passes.repeat(_key(namespace, name), turn_of(memo))

    @kopf.on.delete(*RESOURCE, registry=registry, id="finalize")
    async def on_delete(memo: Any, namespace: str | None, name: str, uid: str, **_: Any) -> None:
        with deliveries.busy(uid):
            delay = await passes.finalize(_key(namespace, name), turn_of(memo))
        if delay is not None:
            raise kopf.TemporaryError("The agent is not proved gone yet.", delay=delay)


def _key(namespace: str | None, name: str) -> ObjectKey:
    return ObjectKey(namespace or "", name)


def _named_runtime(event: Mapping[str, Any]) -> RuntimeKey | None:
    """The runtime that the object of a watch event names; None when it is gone, or names none."""
    body = event["object"]
    gone = event["type"] == "DELETED"
    return None if gone else runtime_key_of(body.get("spec") or {}, body["metadata"].get("namespace", ""))


def _is_made(event: Mapping[str, Any]) -> bool:
    """True for an object whose status tells of an agent."""
    return bool(((event["object"].get("status") or {}).get("runtime") or {}).get("agentId"))


def _tell_ready(event: Mapping[str, Any]) -> None:
    """Tell what a watch event says under Ready, for the metrics."""
    body = event["object"]
    uid = body["metadata"]["uid"]
    if event["type"] == "DELETED":
        tell(ResourceGone(uid))
        return
    conditions = body.get("status", {}).get("conditions", ())
    stated = (condition["status"] for condition in conditions if condition["type"] == READY)
    tell(ReadySeen(uid, next(stated, ConditionStatus.UNKNOWN)))


def _tell_delivery(event: Mapping[str, Any], deliveries: Deliveries, echoes: Echoes) -> None:
    meta = event["object"]["metadata"]
    if event["type"] == "DELETED":
        deliveries.gone(meta["uid"])
        echoes.gone(meta["uid"])
    else:
        deliveries.came(meta["uid"], meta["resourceVersion"])


def settings() -> kopf.OperatorSettings:
    """kopf's settings, each with its reason."""
    chosen = kopf.OperatorSettings()
    chosen.persistence.finalizer = FINALIZER
    chosen.persistence.diffbase_storage = ObservedGeneration()
    chosen.persistence.progress_storage = MemoryProgress()
    # Events are the reconciler's to post: kopf would post each handler's log lines.
    chosen.posting.enabled = False
    chosen.posting.reporting_component = COMPONENT
    # A hung connection must not hang the operator.
    chosen.networking.connect_timeout = 10
    chosen.networking.request_timeout = 30
    chosen.watching.server_timeout = 600
    # Thousands of resources are listed in pages, so that the list is never in memory as a whole.
    chosen.watching.chunk_size = 500
    # An idle worker keeps its memory this long; passes come in bursts, so it need not.
    chosen.queueing.idle_timeout = 0.1
    # Passes in flight end before kopf is told to stop, and what still runs then has had its time.
    chosen.queueing.exit_timeout = 2
    # One writer is seen to by other means; kopf's peering would need a CRD and cluster-wide rights.
    chosen.peering.standalone = True
    return chosen
