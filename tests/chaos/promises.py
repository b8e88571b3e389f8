"""The promises, judged by what the API server and the runtime hold. Pure.

Nothing here knows how the operator works: an expectation is a spec that a person wrote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from AgentOperatingSystem.sandbox.foundry import Agent, Conversation

Json = Mapping[str, Any]
Owner = tuple[str, str]

GROUP = "agentoperatingsystem.io"
THREAD_ANNOTATION = f"{GROUP}/thread-id"
BASE_MODEL = "llama-3.3-70b"


@dataclass(frozen=True)
class Sight:
    """What is there at one moment."""

    resources: Mapping[str, Json]
    agents: Mapping[str, Agent]
    conversations: Mapping[str, Conversation]

    def unnoted(self) -> set[str]:
        """The conversations that no resource names."""
        noted = {thread for resource in self.resources.values() for thread in noted_threads(resource)}
        return self.conversations.keys() - noted


@dataclass(frozen=True)
class Breach:
    """A promise that does not hold, and for which resource or agent."""

    promise: str
    name: str
    told: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.name}: {self.told}"


def breaches(sight: Sight, expected: Mapping[str, Json], namespace: str) -> list[Breach]:
    """Every promise that is broken, or not yet kept."""
    return [
        *_lost(sight, expected),
        *_left_over(sight, expected),
        *_duplicates(sight),
        *_orphans(sight, namespace),
        *_untrue(sight, expected, namespace),
    ]


def noted_threads(resource: Json) -> set[str]:
    """The conversations that a resource names, in its status and in its annotation."""
    annotation = (resource["metadata"].get("annotations") or {}).get(THREAD_ANNOTATION)
    return {thread for thread in (annotation, _runtime(resource).get("threadId")) if thread}


def _lost(sight: Sight, expected: Mapping[str, Json]) -> Iterator[Breach]:
    """Each resource has its agent, as the spec asks."""
    for name, spec in expected.items():
        if name not in sight.resources:
            yield Breach("0 lost", name, "the resource itself is gone")
            continue
        agent = sight.agents.get(name)
        if agent is None:
            if spec["enabled"]:
                yield Breach("0 lost", name, "has no agent")
            continue
        if agent.enabled is not spec["enabled"]:
            yield Breach("0 lost", name, f"its agent is {agent.state}")
        if spec["enabled"]:
            yield from (Breach("0 lost", name, told) for told in _wrong_definition(agent, spec))


def _wrong_definition(agent: Agent, spec: Json) -> Iterator[str]:
    """What of the newest version is not as the spec asks."""
    latest = agent.latest
    adapter = spec.get("adapterName")
    deployment = f"{BASE_MODEL}-{adapter}" if adapter else BASE_MODEL
    if latest.model != deployment:
        yield f"its agent runs on {latest.model}, not on {deployment}"
    if spec["purpose"] not in latest.instructions:
        yield f"its agent's instructions lack {spec['purpose']!r}"
    wanted = {f"{tool['serverName']}__{tool['toolName']}" for tool in spec.get("mcpTools", ())}
    if (found := {tool["name"] for tool in latest.tools}) != wanted:
        yield f"its agent has the tools {sorted(found)}, not {sorted(wanted)}"


def _left_over(sight: Sight, expected: Mapping[str, Json]) -> Iterator[Breach]:
    for name in sight.resources.keys() - expected.keys():
        finalizers = sight.resources[name]["metadata"].get("finalizers")
        yield Breach("the deleted are gone", name, f"is still there, with the finalizers {finalizers}")


def _duplicates(sight: Sight) -> Iterator[Breach]:
    """No two agents, and no two resources' conversations, are the same owner's."""
    owned = Counter(_owner(agent.metadata) for agent in sight.agents.values())
    for owner, count in owned.items():
        if count > 1:
            yield Breach("0 duplicates", "/".join(owner), f"owns {count} agents")
    threads = Counter(
        thread for resource in sight.resources.values() if (thread := _runtime(resource).get("threadId"))
    )
    for thread, count in threads.items():
        if count > 1:
            yield Breach("0 duplicates", thread, f"is the conversation of {count} resources")


def _orphans(sight: Sight, namespace: str) -> Iterator[Breach]:
    for name, agent in sight.agents.items():
        if _owner(agent.metadata) != (namespace, name) or name not in sight.resources:
            yield Breach("0 orphans", name, f"the agent's owner {_owner(agent.metadata)} is not there")


def _untrue(sight: Sight, expected: Mapping[str, Json], namespace: str) -> Iterator[Breach]:
    """Every status says what is so."""
    for name in expected.keys() & sight.resources.keys():
        resource = sight.resources[name]
        for what, told, true in _statements(resource, sight.agents.get(name)):
            if told != true:
                yield Breach("the status is true", name, f"{what} says {told!r}, and {true!r} is so")
        thread = _runtime(resource).get("threadId")
        if thread is None:
            if sight.agents.get(name) is not None and expected[name]["thread"]["scope"] == "Agent":
                yield Breach("the status is true", name, "names no conversation")
        elif thread not in sight.conversations:
            yield Breach("the status is true", name, f"names the conversation {thread}, which is not there")
        elif _owner(sight.conversations[thread].metadata) != (namespace, name):
            yield Breach("the status is true", name, f"names the conversation {thread}, which is another's")


def _statements(resource: Json, agent: Agent | None) -> Iterator[tuple[str, Any, Any]]:
    """What a status says beside what is so."""
    status, runtime = resource.get("status") or {}, _runtime(resource)
    enabled = resource["spec"]["enabled"]
    ready: Json = next((one for one in status.get("conditions", ()) if one["type"] == "Ready"), {})
    yield "observedGeneration", status.get("observedGeneration"), resource["metadata"]["generation"]
    yield "Ready", (ready.get("status"), ready.get("reason")), _ready(enabled=enabled)
    yield "runtime.version", runtime.get("version"), str(agent.latest.number) if agent else None
    if agent is not None and enabled:
        yield "runtime.deployment", runtime.get("deployment"), agent.latest.model
    yield "drift", status.get("drift") or [], []


def _ready(*, enabled: bool) -> tuple[str, str]:
    return "True", "Running" if enabled else "Disabled"


def _runtime(resource: Json) -> Json:
    return (resource.get("status") or {}).get("runtime") or {}


def _owner(metadata: Mapping[str, str]) -> Owner:
    return metadata.get("aos_namespace", ""), metadata.get("aos_name", "")
