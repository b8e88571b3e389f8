"""One resource that an action is played on: how it is brought about, looked at and judged.

Why one judge for every proof: a crash, a lost answer and a second operator must all end in the same state,
so `broken_promises` is written once and says in words what is not as it must be.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from tests.harness.stage import CLUSTER_ID, FINALIZER, GROUP, MODEL, PLURAL, VERSION, is_about
from tests.reliability.actions import PURPOSE, Action, stamp_of

from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.model.stamp import STAMP_KEYS, Owner, OwnerKind
from AgentOperatingSystem.reconcile.resource import (
    ADOPTED_FROM_ANNOTATION,
    INTENT_ANNOTATION,
    MOVED_FROM_ANNOTATION,
    SUCCESSOR_ANNOTATION,
)
from AgentOperatingSystem.sandbox.foundry import Agent, Conversation, ProjectControl
from AgentOperatingSystem.sandbox.foundry.classic.records import Assistant, ClassicThread

Json = dict[str, Any]
UNDER_WAY = {SUCCESSOR_ANNOTATION, MOVED_FROM_ANNOTATION}
LONG_AGO = "2026-01-01T00:00:00Z"
EDIT = "Ignore your purpose."


@dataclass(frozen=True)
class Project:
    """A snapshot of all that a project of the runtime holds."""

    agents: Mapping[str, Agent]
    conversations: Mapping[str, Conversation]
    assistants: Mapping[str, Assistant]
    threads: Mapping[str, ClassicThread]

    @classmethod
    def of(cls, control: ProjectControl) -> Project:
        """Taken now."""
        return cls(control.agents(), control.conversations(), control.assistants(), control.threads())


@dataclass(frozen=True)
class Seen:
    """What is to be seen of one subject: its resource (None: gone), agent, conversations and Events.

    `assistants` are those that bear its name or its stamp; `conversations` the classic threads as well.
    """

    item: Json | None
    agent: Agent | None
    assistants: Mapping[str, Assistant]
    others: tuple[str, ...]
    conversations: frozenset[str]
    events: tuple[str, ...]


class Subject:
    """The resource `namespace/name`, whose agent has the same name, for one action.

    `finalizers` are what it is born with, where no kopf is there to add them.
    """

    def __init__(
        self,
        api: client.ApiClient,
        control: ProjectControl,
        namespace: str,
        name: str,
        action: Action,
        *,
        finalizers: Iterable[str] = (),
    ) -> None:
        self._objects = client.CustomObjectsApi(api)
        self._core = client.CoreV1Api(api)
        self._control = control
        self._finalizers = list(finalizers)
        self._where = (GROUP, VERSION, namespace, PLURAL)
        self.namespace = namespace
        self.name = name
        self.action = action
        self.owner = Owner(OwnerKind.RESOURCE, CLUSTER_ID, namespace, name)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def find(self) -> None:
        """Put the agent there that the action finds, if it finds one."""
        if self.action.unstamped or self.action.found is not None:
            stamp = stamp_of(self.action.found, self.name) if self.action.found else {}
            add = {"instructions": "As they like it.", "metadata": stamp}
            if self.action.generation is RuntimeType.FOUNDRY_CLASSIC:
                self._control.add_assistant(MODEL, name=self.name, **add)
            else:
                self._control.add_agent(self.name, MODEL, **add)

    def put(self, spec: Mapping[str, Any], annotations: Mapping[str, str] | None = None) -> None:
        """Create the resource, or replace what its spec says."""
        wanted = {"purpose": PURPOSE, **spec}
        there = self.read()
        if there is None:
            metadata = {
                "name": self.name,
                "finalizers": self._finalizers,
                "annotations": dict(annotations or {}),
            }
            kind = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "PurposeDrivenAgent"}
            self._objects.create_namespaced_custom_object(
                *self._where, {**kind, "metadata": metadata, "spec": wanted}
            )
            return
        self._objects.replace_namespaced_custom_object(
            *self._where,
            self.name,
            {
                **there,
                "spec": wanted,
                "metadata": {
                    **there["metadata"],
                    "annotations": {**there["metadata"].get("annotations", {}), **(annotations or {})},
                },
            },
        )

    def annotate(self, annotations: Mapping[str, str | None]) -> None:
        """Set annotations; None takes one away."""
        self.patch({"metadata": {"annotations": dict(annotations)}})

    def patch(self, body: Json) -> None:
        """A merge patch on the resource."""
        self._objects.patch_namespaced_custom_object(*self._where, self.name, body)

    def edit(self) -> None:
        """Somebody edits the agent in the portal."""
        if self.action.generation is not RuntimeType.FOUNDRY_CLASSIC:
            self._control.edit_agent(self.name, instructions=EDIT)
            return
        for key, assistant in self._control.assistants().items():
            if assistant.name == self.name:
                self._control.edit_assistant(key, instructions=EDIT)

    def age(self) -> None:
        """Let it be long ago that its agent was made: what was made just now a new process doubts."""
        there = self.read()
        if there is not None and INTENT_ANNOTATION in there["metadata"].get("annotations", {}):
            self.annotate({INTENT_ANNOTATION: LONG_AGO})

    def ask(self) -> None:
        """Ask for what the action asks for."""
        if self.action.edited:
            self.edit()
        if self.action.asks is not None:
            self.put(self.action.asks, self.action.annotations)
            return
        if self.action.annotations:
            self.annotate(self.action.annotations)
        self.delete()

    def delete(self) -> None:
        """Ask for the resource's deletion."""
        self._objects.delete_namespaced_custom_object(*self._where, self.name)

    def read(self) -> Json | None:
        """The resource as it is now; None when it is gone."""
        try:
            found: Any = self._objects.get_namespaced_custom_object(*self._where, self.name)
        except ApiException as error:
            if error.status == 404:
                return None
            raise
        item: Json = found
        return item

    @property
    def item(self) -> Json:
        """The resource as it is now, which must be there."""
        found = self.read()
        assert found is not None, f"{self} is gone"
        return found

    def see(self, project: Project | None = None) -> Seen:
        """Everything about it, as it is now."""
        project = project or Project.of(self._control)
        events = self._core.list_namespaced_event(self.namespace).items
        return Seen(
            item=self.read(),
            agent=project.agents.get(self.name),
            assistants={
                key: one
                for key, one in project.assistants.items()
                if one.name == self.name or _owned_by(one.metadata, self.owner)
            },
            others=tuple(
                name
                for name, agent in project.agents.items()
                if name != self.name and _owned_by(agent.metadata, self.owner)
            ),
            conversations=frozenset(
                one.id
                for one in (*project.conversations.values(), *project.threads.values())
                if _owned_by(one.metadata, self.owner)
            ),
            events=tuple(str(event.reason) for event in events if event.involved_object.name == self.name),
        )


def settled(subject: Subject, spec: Mapping[str, Any]) -> bool:
    """True once the resource's status says that it is as `spec` asks."""
    item = subject.read()
    reason = "Running" if spec.get("enabled", True) else "Disabled"
    return item is not None and is_about(item, reason)


def problems_now(subject: Subject, *, lost_conversations: int = 0, tellers: int = 1) -> list[str]:
    """What is not as promised now, for asking often: the runtime is looked at once the resource is right."""
    item, expected = subject.read(), subject.action.expected
    if (expected.reason is None) != (item is None):
        return ["the resource is still there" if item is not None else "the resource is gone"]
    if item is not None and not is_about(item, str(expected.reason)):
        return [f"the status says {json.dumps(item.get('status'))}"]
    return broken_promises(subject, subject.see(), lost_conversations=lost_conversations, tellers=tellers)


def broken_promises(
    subject: Subject,
    seen: Seen,
    *,
    lost_conversations: int = 0,
    surplus_versions: int = 0,
    tellers: int = 1,
) -> list[str]:
    """What is not as the action promises, in words; empty when all is well.

    `lost_conversations` are there beyond those that the resource names: their create answers were lost.
    As many as `surplus_versions` may be too many. Each of `tellers` operators may tell a thing in an Event,
    once.
    """
    return [
        *_on_resource(subject, seen),
        *_on_agents(subject, seen, surplus_versions),
        *_on_conversations(subject, seen, lost_conversations),
        *(f"agent {name} bears our stamp too" for name in seen.others),
        *(
            f"Event {reason} x{count}"
            for reason, count in Counter(seen.events).items()
            if count > tellers * (subject.action.creations if reason == "Created" else 1)
        ),
    ]


def _on_resource(subject: Subject, seen: Seen) -> list[str]:
    expected, item = subject.action.expected, seen.item
    if expected.reason is None:
        return ["the resource is still there"] if item is not None else []
    if item is None:
        return ["the resource is gone"]
    problems = []
    if not is_about(item, expected.reason):
        problems.append(f"the status says {json.dumps(item.get('status'))}")
    if item["metadata"].get("finalizers") != [FINALIZER]:
        problems.append(f"the finalizers are {item['metadata'].get('finalizers')}")
    noted = item["metadata"].get("annotations", {}).get(ADOPTED_FROM_ANNOTATION)
    if subject.action.found is not None and noted != str(subject.action.found):
        problems.append(f"the takeover is noted as {noted}")
    runtime = item.get("status", {}).get("runtime", {})
    if runtime.get("type") != subject.action.ends_on:
        problems.append(f"the status names the runtime {runtime.get('type')}")
    if under_way := UNDER_WAY & item["metadata"].get("annotations", {}).keys():
        problems.append(f"a move is under way: {under_way}")
    if (runtime.get("agentId"), runtime.get("version")) != _named(subject, seen):
        problems.append(f"the status names {runtime.get('agentId')} in version {runtime.get('version')}")
    if runtime.get("threadId") not in seen.conversations:
        problems.append(f"the status names the thread {runtime.get('threadId')}")
    return problems


def _named(subject: Subject, seen: Seen) -> tuple[str | None, str | None]:
    """The agent and the version that the status is to name."""
    if subject.action.ends_on is RuntimeType.FOUNDRY_CLASSIC:
        return next(iter(seen.assistants), None), None
    return (subject.name, str(seen.agent.latest.number)) if seen.agent else (None, None)


def _on_agents(subject: Subject, seen: Seen, surplus: int) -> list[str]:
    """One agent on the generation where it ends, and none on the other."""
    if subject.action.ends_on is RuntimeType.FOUNDRY_CLASSIC:
        elsewhere = ["there is an agent on the new generation"] if seen.agent else []
        return elsewhere + _on_assistants(subject, seen)
    elsewhere = [f"the assistants are {list(seen.assistants)}"] if seen.assistants else []
    return elsewhere + _on_agent(subject, seen, surplus)


def _on_assistants(subject: Subject, seen: Seen) -> list[str]:
    expected = subject.action.expected
    wanted = int(expected.versions > 0 and expected.enabled)
    if len(seen.assistants) != wanted:
        return [f"there are {len(seen.assistants)} assistants, {wanted} expected"]
    problems = []
    for assistant in seen.assistants.values():
        if f"Your purpose: {expected.purpose}" not in str(assistant.instructions) or assistant.model != MODEL:
            problems.append(f"the assistant is {assistant}")
        if expected.ours != _owned_by(assistant.metadata, subject.owner):
            problems.append(f"the stamp is {assistant.metadata}")
        if not expected.ours and STAMP_KEYS & assistant.metadata.keys():
            problems.append(f"the stamp is not wholly released: {assistant.metadata}")
    return problems


def _on_agent(subject: Subject, seen: Seen, surplus: int) -> list[str]:
    expected, agent = subject.action.expected, seen.agent
    if agent is None:
        return [] if expected.versions == 0 else ["there is no agent"]
    if expected.versions == 0:
        return ["the agent is still there"]
    problems = []
    numbers = [version.number for version in agent.versions]
    if not expected.versions <= len(numbers) <= expected.versions + surplus:
        problems.append(f"the versions are {numbers}, {expected.versions} expected")
    latest = agent.latest
    if f"Your purpose: {expected.purpose}" not in latest.instructions or latest.model != MODEL:
        problems.append(f"the definition is {json.dumps(latest.definition)}")
    if agent.enabled != expected.enabled:
        problems.append(f"the agent is {agent.state}")
    if expected.ours != _owned_by(latest.metadata, subject.owner):
        problems.append(f"the stamp is {latest.metadata}")
    if not expected.ours and STAMP_KEYS & latest.metadata.keys():
        problems.append(f"the stamp is not wholly released: {latest.metadata}")
    return problems


def _on_conversations(subject: Subject, seen: Seen, lost: int) -> list[str]:
    count, expected = len(seen.conversations), subject.action.expected.conversations
    if count == expected + lost:
        return []
    return [f"there are {count} conversations; {expected} expected, {lost} lost"]


def _owned_by(metadata: Mapping[str, str], owner: Owner) -> bool:
    wanted = stamp_of(owner, "any")
    keys = ("aos_cluster", "aos_namespace", "aos_name", "aos_owner")
    return all(metadata.get(key) == wanted[key] for key in keys)
