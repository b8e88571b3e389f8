"""What is wrong with the files in themselves: all of it is told before anything is asked of anybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from AgentOperatingSystem.api.v1alpha1 import KIND, PurposeDrivenAgentStatus, RuntimeKind
from AgentOperatingSystem.kube.planning import admission
from AgentOperatingSystem.kube.planning.manifests import Manifest, Reading
from AgentOperatingSystem.kube.planning.problems import Problem
from AgentOperatingSystem.model.errors import SpecRejected
from AgentOperatingSystem.model.facts import RuntimeFacts
from AgentOperatingSystem.reconcile.desired import desired_state
from AgentOperatingSystem.reconcile.offer import RuntimeResource
from AgentOperatingSystem.reconcile.resource import ObjectKey, Resource, RuntimeKey
from AgentOperatingSystem.runtime.config import RuntimeConfig


@dataclass(frozen=True, slots=True)
class Asked:
    """A checked resource and its file."""

    file: str
    resource: Resource


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked runtime and its file."""

    file: str
    runtime: RuntimeResource


@dataclass(slots=True)
class Checked:
    """The agents and the runtimes that are right in themselves, and all that is wrong with the others."""

    asked: list[Asked] = field(default_factory=list)
    drafts: dict[RuntimeKey, Draft] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, asked: Asked) -> None:
        """An agent; of two of one name the first stays."""
        key = asked.resource.key
        twin = next((one for one in self.asked if one.resource.key == key), None)
        if twin is None:
            self.asked.append(asked)
        else:
            self.problems.append(_twice(asked.file, twin.file, f"{KIND} {key}"))

    def add_draft(self, draft: Draft) -> None:
        """A runtime; of two of one name the first stays."""
        twin = self.drafts.setdefault(draft.runtime.key, draft)
        if twin is not draft:
            self.problems.append(_twice(draft.file, twin.file, str(draft.runtime.key)))


def check(reading: Reading, namespace: str, config: RuntimeConfig) -> Checked:
    """Check what was read; `namespace` is that of objects that name none."""
    checked = Checked(problems=list(reading.problems))
    for read in reading.manifests:
        body, wrong = admission.admit(read.body)
        manifest = replace(read, body=body)
        name = _name(manifest, namespace)
        if wrong:
            checked.problems += [Problem(manifest.file, message, name, field) for field, message in wrong]
            continue
        try:
            _add(checked, manifest, namespace, config)
        except SpecRejected as error:
            message = str(error).removeprefix(f"{error.field}: ")
            checked.problems.append(Problem(manifest.file, message, name, error.field))
    return checked


def changed_for_good(draft: Draft, live: RuntimeResource) -> list[Problem]:
    """What the API server would refuse to change of a runtime that is there already."""
    key = draft.runtime.key
    changed = admission.changed_for_good(key.kind, live.spec, draft.runtime.spec)
    return [Problem(draft.file, message, str(key), field) for field, message in changed]


def _add(checked: Checked, manifest: Manifest, namespace: str, config: RuntimeConfig) -> None:
    """Add what the operator would take. Raises SpecRejected."""
    if manifest.body["kind"] == KIND:
        resource = _resource(manifest, namespace)
        desired_state(resource, _any_facts(resource, config))
        checked.add(Asked(manifest.file, resource))
    else:
        runtime = _runtime(manifest, namespace)
        runtime.parsed()
        checked.add_draft(Draft(manifest.file, runtime))


def _any_facts(resource: Resource, config: RuntimeConfig) -> RuntimeFacts:
    """Facts for what can be wrong on any runtime; those of the resource's own are not known yet."""
    model = config.model_deployment if resource.runtime_key is None else ""
    return RuntimeFacts(config.type, "", model, "", lora_adapters=config.lora_adapters)


def _name(manifest: Manifest, namespace: str) -> str:
    """What to call an object that may lack even its name."""
    kind, metadata = manifest.body["kind"], manifest.body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not name:
        return f"{kind} (object {manifest.number})"
    if kind == RuntimeKind.CLUSTER_AGENT_RUNTIME:
        return f"{kind} {name}"
    return f"{kind} {metadata.get('namespace') or namespace}/{name}"


def _resource(manifest: Manifest, namespace: str) -> Resource:
    """The resource as it will be on the cluster, without what only a cluster gives."""
    metadata = manifest.body["metadata"]
    return Resource(
        key=ObjectKey(metadata.get("namespace") or namespace, metadata["name"]),
        uid="",
        resource_version="",
        generation=0,
        deleting=False,
        finalizers=(),
        annotations=metadata.get("annotations") or {},
        spec=manifest.body["spec"],
        status=PurposeDrivenAgentStatus(),
    )


def _runtime(manifest: Manifest, namespace: str) -> RuntimeResource:
    """The runtime as it will be on the cluster, without what only a cluster gives."""
    body: Mapping[str, Any] = manifest.body
    kind = RuntimeKind(body["kind"])
    inside = kind is RuntimeKind.AGENT_RUNTIME
    place = {"namespace": body["metadata"].get("namespace") or namespace} if inside else {}
    metadata = {"name": body["metadata"]["name"], "uid": "", **place}
    return RuntimeResource.from_object(kind, {"metadata": metadata, "spec": body["spec"]})


def _twice(file: str, other: str, name: str) -> Problem:
    return Problem(file, f"is in {other} too; keep one of the two.", name, "metadata.name")


def told_once(failures: Sequence[tuple[Asked, str]]) -> list[Problem]:
    """What kept resources from being looked at; what kept several from it is told once."""
    by_message: dict[str, list[Asked]] = {}
    for asked, message in failures:
        by_message.setdefault(message, []).append(asked)
    problems = []
    for message, kept in by_message.items():
        more = f" and {len(kept) - 1} more" if len(kept) > 1 else ""
        problems.append(Problem(kept[0].file, message, f"{KIND} {kept[0].resource.key}{more}"))
    return problems
