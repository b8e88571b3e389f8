"""Passes by hand: the real reconciler, runtime adapter and cluster port in this process, without kopf.

Why: between two passes a test can change anything, and hundreds of faults are tried in the time in which a
process starts. Both ports speak to real servers, so that what is lost on the way is lost on the wire.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from kubernetes.aio import client, config
from tests.harness.planes import EmbeddedPlane, create_namespace
from tests.harness.stage import CLUSTER_ID, FINALIZER, MODEL
from tests.reliability.actions import Action, Expected
from tests.reliability.subjects import Json, Subject

from AgentOperatingSystem.kube.client import KubernetesCluster
from AgentOperatingSystem.kube.runtimes.pool import OneRuntime
from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.reconcile.brake import DeletionBrake
from AgentOperatingSystem.reconcile.ports import ClusterFailure
from AgentOperatingSystem.reconcile.reconciler import Reconciler, Result
from AgentOperatingSystem.reconcile.resource import ObjectKey
from AgentOperatingSystem.reconcile.verdict import Retry
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.provider import AgentRuntimeProvider
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry, ProjectControl

# Never reached, unless a test wants it to be: it then says how long a call may take.
TIMEOUT_SECONDS = 20.0
BETWEEN_PASSES = timedelta(seconds=10)
ENOUGH_PASSES = 20
QUIET_PASSES = 2

PLAIN = Action("plain", "an agent like any other", Expected(versions=1))


@dataclass
class Clock:
    """The time that a test decides; it begins with the API server's, which dates deletions."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now


class Workbench:
    """An operator without kopf, for one namespace and one project of a Foundry; an async context manager.

    Everything is looked at afresh in each pass: no listing is old enough to be believed.
    """

    def __init__(
        self,
        plane: EmbeddedPlane,
        foundry: EmbeddedFoundry,
        *,
        namespace: str | None = None,
        project: str | None = None,
        cluster_id: str = CLUSTER_ID,
        timeout: float = TIMEOUT_SECONDS,
        generation: RuntimeType = RuntimeType.FOUNDRY,
    ) -> None:
        self.plane = plane
        self.foundry = foundry
        self.namespace = namespace or f"bench-{uuid.uuid4().hex[:8]}"
        self.project: ProjectControl = foundry.project(project or f"project-{uuid.uuid4().hex[:8]}")
        self.clock = Clock()
        self._settings = RuntimeConfig(
            project_endpoint=self.project.endpoint,
            model_deployment=MODEL,
            cluster_id=cluster_id,
            max_retries=0,
            timeout=timeout,
            listing_age=0.0,
            requests_per_second=1000.0,
            type=generation,
        )
        if namespace is None:
            create_namespace(plane, self.namespace)

    async def __aenter__(self) -> Self:
        settings = client.Configuration()
        await config.load_kube_config(str(self.plane.kubeconfig), client_configuration=settings)
        self._api = client.ApiClient(settings)
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.runtime.close()
        await self._api.close()

    async def restart(self, **settings: Any) -> None:
        """Begin anew, with nothing in memory, and with other settings of the runtime."""
        await self.runtime.close()
        self._settings = replace(self._settings, **settings)
        await self._begin()

    def subject(self, name: str, action: Action | None = None) -> Subject:
        """A resource of this bench, with our finalizer from its birth; nothing is sent yet."""
        action = action or replace(PLAIN, generation=self._settings.type)
        return Subject(self.plane.api, self.project, self.namespace, name, action, finalizers=(FINALIZER,))

    async def put(self, name: str, annotations: dict[str, str] | None = None, **spec: object) -> Subject:
        """A plain resource, applied and settled."""
        subject = self.subject(name)
        subject.put(spec, annotations)
        await self.settle(subject)
        return subject

    async def pass_over(self, subject: Subject) -> Result | None:
        """One pass over it, as its triggers would make one; None when the API server failed it."""
        self.clock.now += BETWEEN_PASSES
        key = ObjectKey(subject.namespace, subject.name)
        item = subject.read()
        try:
            if item is None or "deletionTimestamp" not in item["metadata"]:
                return await self._reconciler.reconcile(key)
            result = await self._reconciler.finalize(key)
        except ClusterFailure:
            return None
        if result is None:
            # Of a list, a merge patch knows only the whole.
            subject.patch({"metadata": {"finalizers": None}})
        return result or Result()

    async def settle(self, *subjects: Subject) -> None:
        """Pass after pass, until none writes anything; more than enough of them fail the test."""
        quiet = 0
        for _ in range(ENOUGH_PASSES):
            before = [_version(subject) for subject in subjects]
            results = [await self.pass_over(subject) for subject in subjects]
            done = all(result is not None and result.retry is Retry.INTERVAL for result in results)
            quiet = quiet + 1 if done and before == [_version(subject) for subject in subjects] else 0
            if quiet == QUIET_PASSES:
                return
        raise AssertionError(f"no end after {ENOUGH_PASSES} passes: {[one.read() for one in subjects]}")

    async def bring_about(self, subject: Subject) -> None:
        """Bring it to where its action begins."""
        subject.find()
        for spec in subject.action.given:
            subject.put(spec)
            await self.settle(subject)

    def requests(self) -> list[str]:
        """The operations that were asked of the project so far."""
        return [one.operation for one in self.foundry.requests if one.project == self.project.name]

    def requests_are_answered(self) -> bool:
        """False while an answer is still due."""
        asked = [one for one in self.foundry.requests if one.project == self.project.name]
        return all(one.status is not None for one in asked)

    async def _begin(self) -> None:
        self.runtime = AgentRuntimeProvider(self._settings)
        if self._settings.project_endpoint is not None:
            await self.runtime.initialize()
        self._reconciler = Reconciler(
            KubernetesCluster(self._api), OneRuntime(self.runtime), self.clock, DeletionBrake(1000)
        )


@contextmanager
def nothing_changes(project: ProjectControl) -> Iterator[None]:
    """Fails the test when an agent of the project is not afterwards what it was before."""
    before = project.agents(), project.assistants()
    yield
    assert (project.agents(), project.assistants()) == before


def _version(subject: Subject) -> str | None:
    item: Json | None = subject.read()
    return None if item is None else str(item["metadata"]["resourceVersion"])
