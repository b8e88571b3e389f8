"""A stage: a namespace, a Foundry and an operator process on a control plane, and how to look at them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from tests.harness import secrecy
from tests.harness.kubectl import Kubectl
from tests.harness.planes import Plane, Request, create_namespace
from tests.harness.polling import PATIENCE_SECONDS, eventually
from tests.harness.process import OperatorProcess

from AgentOperatingSystem.sandbox.foundry import Agent, EmbeddedFoundry, Fault
from AgentOperatingSystem.sandbox.foundry import RequestRecord as RuntimeRequest

GROUP, VERSION, PLURAL = "agentoperatingsystem.io", "v1alpha1", "purposedrivenagents"
FINALIZER = f"{GROUP}/finalizer"
MODEL = "llama-3.3-70b"
DEPLOYMENTS = (MODEL, *(f"{MODEL}-{adapter}" for adapter in ("ceo", "cfo", "cmo", "coo")))
CLUSTER_ID = "test-cluster"

Json = dict[str, Any]


def manifest(name: str, /, **spec: Any) -> str:
    """A resource as kubectl reads it, with a purpose unless told otherwise; None leaves a field out."""
    wanted = {"purpose": "Be of use.", **spec}
    return json.dumps(
        {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "PurposeDrivenAgent",
            "metadata": {"name": name},
            "spec": {key: value for key, value in wanted.items() if value is not None},
        }
    )


@dataclass(frozen=True)
class Stage:
    """Everything that a scenario has: it acts through kubectl, and looks past it."""

    plane: Plane
    namespace: str
    kubectl: Kubectl
    foundry: EmbeddedFoundry
    operator: OperatorProcess

    def read(self, name: str) -> Json | None:
        """The resource as it is now; None when it is gone."""
        objects = client.CustomObjectsApi(self.plane.api)
        where = (GROUP, VERSION, self.namespace, PLURAL, name)
        try:
            return cast("Json", objects.get_namespaced_custom_object(*where))
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    def read_all(self) -> list[Json]:
        """Every resource of the namespace as it is now."""
        objects = client.CustomObjectsApi(self.plane.api)
        listing = cast("Json", objects.list_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL))
        return list(listing["items"])

    def events(self, name: str) -> list[str]:
        """The reasons of the Events on a resource, in alphabetical order."""
        found = client.CoreV1Api(self.plane.api).list_namespaced_event(self.namespace).items
        return sorted(str(event.reason) for event in found if event.involved_object.name == name)

    def told(self, name: str, *reasons: str) -> None:
        """Wait until the Events on a resource have these reasons, no more and no less: they come last."""
        eventually(lambda: self.events(name), lambda seen: seen == sorted(reasons), what=f"Events {reasons}")

    def ready(self, name: str, *, within: float = PATIENCE_SECONDS) -> Json:
        """The resource once its status says Ready about its present spec."""
        return self.reason(name, "Running", within=within)

    def reason(self, name: str, reason: str, *, within: float = PATIENCE_SECONDS) -> Json:
        """The resource once Ready has that reason, about its present spec."""
        self.operator.check_running()
        found = eventually(
            lambda: self.read(name),
            lambda item: item is not None and is_about(item, reason),
            what=f"{name} is {reason}",
            within=within,
        )
        assert found is not None
        return found

    def gone(self, name: str, *, within: float = PATIENCE_SECONDS) -> None:
        """Wait until there is no such resource."""
        eventually(lambda: self.read(name) is None, what=f"{name} is gone", within=within)

    def agent(self, name: str) -> Agent:
        """The agent in the runtime."""
        return self.foundry.agents()[name]

    def versions(self, name: str) -> int:
        """How many versions the runtime has of the agent; 0 when there is no agent."""
        agent = self.foundry.agents().get(name)
        return len(agent.versions) if agent else 0

    def requests(self) -> list[Request]:
        """What the operator asked the API server so far, oldest first."""
        return self.plane.requests(self.namespace)

    def runtime_requests(self, *operations: str) -> list[RuntimeRequest]:
        """What was asked of the runtime so far; with operations, only these."""
        return [one for one in self.foundry.requests if not operations or one.operation in operations]

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        """The runtime has this fault, until the context ends."""
        armed = self.foundry.faults.add(fault)
        try:
            yield
        finally:
            self.foundry.faults.remove(armed)

    def passes_go_by(self, count: int, *, within: float = PATIENCE_SECONDS) -> None:
        """Wait until the operator has listed the runtime's agents that many times more: as many passes."""
        before = len(self.runtime_requests("list_agents"))
        eventually(
            lambda: len(self.runtime_requests("list_agents")) - before,
            lambda more: more >= count,
            what=f"{count} further drift passes",
            within=within,
        )


def condition(item: Json, kind: str) -> Json:
    """A condition of a resource; empty when it is not there."""
    conditions = item.get("status", {}).get("conditions", [])
    return next((one for one in conditions if one["type"] == kind), {})


def is_about(item: Json, reason: str) -> bool:
    """True when Ready has that reason and speaks of the present spec."""
    ready = condition(item, "Ready")
    return (
        ready.get("reason") == reason
        and item["status"].get("observedGeneration") == item["metadata"]["generation"]
    )


@contextmanager
def open_stage(plane: Plane, folder: Path) -> Iterator[Stage]:
    """A stage of its own, with the operator not yet started; afterwards nothing of it is left running."""
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    create_namespace(plane, namespace)
    with EmbeddedFoundry(deployments=DEPLOYMENTS, environ={}) as foundry:
        operator = OperatorProcess(
            lambda cluster_wide, identity: plane.admit_operator(
                namespace, cluster_wide=cluster_wide, identity=identity
            ),
            namespace,
            {
                "AZURE_AI_PROJECT_ENDPOINT": foundry.endpoint,
                "AZURE_AI_MODEL_DEPLOYMENT": MODEL,
                "AOS_CLUSTER_ID": CLUSTER_ID,
                **secrecy.ENVIRONMENT,
            },
            folder / f"operator-{namespace}.log",
        )
        stage = Stage(plane, namespace, plane.kubectl(namespace), foundry, operator)
        try:
            yield stage
        finally:
            operator.kill()
            told = all_that_is_told(stage)
            _sweep(stage)
        assert not list(secrecy.secrets_in(told)), "a secret is told"


def all_that_is_told(stage: Stage) -> dict[str, str]:
    """Everything that a scenario left for people to read, by where it stands."""
    events = client.CoreV1Api(stage.plane.api).list_namespaced_event(stage.namespace).items
    agents = stage.foundry.agents().values()
    return {
        "log": stage.operator.log,
        "status": json.dumps([item.get("status", {}) for item in stage.read_all()]),
        "annotations": json.dumps([_our_annotations(item) for item in stage.read_all()]),
        "events": "\n".join(str(event.message) for event in events),
        "agents": json.dumps([dict(agent.latest.metadata) for agent in agents]),
        "conversations": json.dumps(
            [dict(conversation.metadata) for conversation in stage.foundry.conversations().values()]
        ),
    }


def _our_annotations(item: Json) -> Json:
    """What the operator wrote; kubectl's copy of what the author applied is the author's."""
    annotations = item["metadata"].get("annotations", {})
    return {name: value for name, value in annotations.items() if name.startswith(GROUP)}


def _sweep(stage: Stage) -> None:
    """Remove the stage's resources, which a cluster-wide operator of another test would serve."""
    objects = client.CustomObjectsApi(stage.plane.api)
    for item in stage.read_all():
        where = (GROUP, VERSION, stage.namespace, PLURAL, item["metadata"]["name"])
        try:
            objects.delete_namespaced_custom_object(*where)
            if item["metadata"].get("finalizers"):
                objects.patch_namespaced_custom_object(*where, {"metadata": {"finalizers": None}})
        except ApiException as error:
            if error.status != 404:
                raise
