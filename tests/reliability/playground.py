"""Where actions are played with real processes: a control plane, a project, as many namespaces as wanted."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client
from tests.harness.planes import Plane, create_namespace
from tests.harness.polling import eventually
from tests.harness.rights import ACCOUNT
from tests.harness.stage import CLUSTER_ID, MODEL
from tests.reliability.actions import Action
from tests.reliability.processes import Operator
from tests.reliability.subjects import Subject, settled

from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry

# Every step of a hundred actions at once on two busy cores.
WITHIN = 120.0
LOOK_EVERY = 0.2
LISTINGS = ("list_agents", "list_assistants")
# A lost creation is waited for twice as long as a write may take; what a move left as long as an answer.
IMPATIENT = {"RUNTIME_TIMEOUT": "4"}


@dataclass(frozen=True)
class Playground:
    """`folder` gets the operators' logs and what they record."""

    plane: Plane
    foundry: EmbeddedFoundry
    folder: Path

    def subject(self, action: Action) -> Subject:
        """A subject in a namespace of its own; nothing of it is there yet."""
        mark = uuid.uuid4().hex[:8]
        namespace = f"play-{mark}"
        create_namespace(self.plane, namespace)
        return Subject(self.plane.api, self.foundry, namespace, f"{action.name}-{mark}", action)

    def operator(
        self,
        namespaces: Sequence[str],
        name: str,
        *,
        interval: int,
        generation: RuntimeType = RuntimeType.FOUNDRY,
        impatient: bool = False,
    ) -> Operator:
        """An operator for these namespaces, not started; its drift interval is in seconds."""
        environment = {
            "AOS_RUNTIME": generation.value,
            **(IMPATIENT if impatient or generation is RuntimeType.FOUNDRY_CLASSIC else {}),
            "AZURE_AI_PROJECT_ENDPOINT": self.foundry.endpoint,
            "AZURE_AI_MODEL_DEPLOYMENT": MODEL,
            "AOS_CLUSTER_ID": CLUSTER_ID,
            "AOS_DRIFT_INTERVAL": str(interval),
            "AOS_MAX_DELETES_PER_MINUTE": "10000",
        }
        return Operator(name, self._admit(namespaces), namespaces, environment, self.folder)

    def bring_about(self, subjects: Sequence[Subject]) -> None:
        """Bring every subject to where its action begins, and leave no operator running."""
        for subject in subjects:
            subject.find()
        rounds = max((len(subject.action.given) for subject in subjects), default=0)
        if rounds == 0:
            return
        (generation,) = {subject.action.generation for subject in subjects}
        namespaces = [subject.namespace for subject in subjects]
        operator = self.operator(namespaces, "given", interval=60, generation=generation)
        operator.start()
        try:
            for number in range(rounds):
                ready = [subject for subject in subjects if len(subject.action.given) > number]
                for subject in ready:
                    subject.put(subject.action.given[number])
                for subject in ready:
                    _settle(operator, subject, subject.action.given[number])
            # What it was to say beside the status, its Events, is said when it has stopped.
            operator.stop()
        finally:
            operator.kill()
        for subject in subjects:
            subject.age()

    def passes_go_by(self, count: int) -> None:
        """Wait until the runtime's agents were listed that many times more: at least as many passes."""
        listed = self._listings()
        eventually(
            lambda: self._listings() - listed,
            lambda more: more >= count,
            what=f"{count} further passes",
            within=WITHIN,
            every=LOOK_EVERY,
        )

    def _listings(self) -> int:
        return sum(one.operation in LISTINGS for one in self.foundry.requests)

    def _admit(self, namespaces: Sequence[str]) -> Path:
        """One operator's kubeconfig for all the namespaces: its account is at home in the first."""
        home, *others = namespaces
        for namespace in others:
            self.plane.admit_operator(namespace, cluster_wide=False, identity=False)
            if self.plane.name == "real":
                self._bind(home, namespace)
        return self.plane.admit_operator(home, cluster_wide=False, identity=False)

    def _bind(self, home: str, namespace: str) -> None:
        """Give the account at home in one namespace the rights that the role in another one gives."""
        binding: Any = {
            "metadata": {"generateName": f"{home}-"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": f"{ACCOUNT}-{namespace}",
            },
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": home}],
        }
        client.RbacAuthorizationV1Api(self.plane.api).create_namespaced_role_binding(namespace, binding)


def _settle(operator: Operator, subject: Subject, spec: Mapping[str, Any]) -> None:
    def done() -> bool:
        operator.check_running()
        return settled(subject, spec)

    eventually(done, what=f"{subject} is as given", within=WITHIN, every=LOOK_EVERY)
