"""Which agents are on the classic generation, where each could go, and what of it would come along."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from AgentOperatingSystem.api.v1alpha1 import GROUP, PLURAL, VERSION, RuntimeKind
from AgentOperatingSystem.kube.client import Forbidden, KubernetesCluster
from AgentOperatingSystem.kube.runtimes.reading import LIST_PAGE, PLURALS
from AgentOperatingSystem.model.errors import AOSError, SpecRejected
from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.reconcile.offer import RuntimeResource
from AgentOperatingSystem.reconcile.preview import Lookouts, Preview, admitted, preview
from AgentOperatingSystem.reconcile.resource import ObjectKey, Resource, RuntimeKey
from AgentOperatingSystem.runtime.endpoints import Endpoint, InvalidEndpoint

FOUNDRY, CLASSIC = RuntimeType.FOUNDRY, RuntimeType.FOUNDRY_CLASSIC


@dataclass(frozen=True, slots=True)
class Finding:
    """An agent on the classic generation of a project.

    `runtime` is what its resource names, None for the operator's environment; `target` the runtime that it
    could name instead, None where there is none. With `under_way` the edit is made already. `preview` is what
    the move would do, None when it cannot be told for the reason in `problem`.
    """

    key: ObjectKey
    project: str
    runtime: RuntimeKey | None
    target: RuntimeKey | None = None
    under_way: bool = False
    preview: Preview | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """All that was found; `unread` says which runtimes could not be listed, empty when all could."""

    findings: tuple[Finding, ...]
    unread: str = ""


async def make_survey(
    cluster: KubernetesCluster, runtimes: Lookouts, *, namespace: str, to: RuntimeKey | None
) -> Survey:
    """Look at every agent of the cluster, or of one namespace; `to` is the target for all of them.

    As `to` an AgentRuntime is one of each agent's namespace. Raises ClusterFailure and ConfigurationError.
    """
    resources = [resource async for resource in _on_classic(cluster, namespace)]
    offers, unread = await _offers(cluster, namespace) if resources else ([], "")
    planned = [_planned(resource, offers, to) for resource in resources]
    findings = await asyncio.gather(
        *(
            _looked_at(resource, finding, runtimes)
            for resource, finding in zip(resources, planned, strict=True)
        )
    )
    counted = [
        await _admitted(resource, finding, runtimes)
        for resource, finding in zip(resources, findings, strict=True)
    ]
    return Survey(tuple(counted), unread)


async def _on_classic(cluster: KubernetesCluster, namespace: str) -> AsyncIterator[Resource]:
    async for body in cluster.pages("list_agents", _listing(PLURAL, namespace), LIST_PAGE):
        resource = Resource.from_object(body)
        if resource.recorded_type is CLASSIC and not resource.deleting:
            yield resource


async def _offers(cluster: KubernetesCluster, namespace: str) -> tuple[list[RuntimeResource], str]:
    """The runtimes that an agent could name, and which kinds of them may not be listed."""
    offers: list[RuntimeResource] = []
    unread: list[str] = []
    for kind in RuntimeKind:
        inside = namespace if kind is RuntimeKind.AGENT_RUNTIME else ""
        try:
            pages = cluster.pages("list_runtimes", _listing(PLURALS[kind], inside), LIST_PAGE)
            offers += [RuntimeResource.from_object(kind, body) async for body in pages]
        except Forbidden as error:
            unread.append(f"{error}")
    return sorted(offers, key=lambda offer: (offer.key.kind, offer.key.name)), "; ".join(unread)


def _listing(plural: str, namespace: str) -> str:
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP}/{VERSION}{within}/{plural}"


def _planned(resource: Resource, offers: Sequence[RuntimeResource], to: RuntimeKey | None) -> Finding:
    """Where the agent is, and where it could go."""
    project = resource.recorded_endpoint or ""
    finding = Finding(resource.key, project, resource.runtime_key)
    if to is not None:
        inside = resource.key.namespace if to.kind is RuntimeKind.AGENT_RUNTIME else ""
        return replace(finding, target=replace(to, namespace=inside))
    if resource.runtime_key is None:
        return finding  # the operator's environment is the one edit for all of these
    fitting = [offer.key for offer in offers if _fits(offer, project, resource.key.namespace)]
    if resource.runtime_key in fitting:
        return replace(finding, target=resource.runtime_key, under_way=True)
    return replace(finding, target=fitting[0] if fitting else None)


def _fits(offer: RuntimeResource, project: str, namespace: str) -> bool:
    """True for a runtime of the new generation on the same project, which the namespace can name."""
    try:
        spec = offer.parsed()
        same = Endpoint.parse(spec.endpoint).url == project
    except (SpecRejected, InvalidEndpoint):
        return False
    reachable = offer.key.namespace in ("", namespace)
    return same and reachable and not offer.deleting and spec.type.value == FOUNDRY


async def _looked_at(resource: Resource, finding: Finding, runtimes: Lookouts) -> Finding:
    moved, generation = _as_moved(resource, finding)
    try:
        known = await preview(moved, runtimes, generation)
    except AOSError as error:
        return replace(finding, problem=f"{error}")
    if known.facts is not None and known.facts.ids_are_given:
        return replace(finding, problem=f"{finding.target} is not of type Foundry; name one that is.")
    return replace(finding, preview=known)


async def _admitted(resource: Resource, finding: Finding, runtimes: Lookouts) -> Finding:
    """With the move refused where it would make one agent too many for its runtime."""
    if finding.preview is None:
        return finding
    moved, generation = _as_moved(resource, finding)
    return replace(finding, preview=await admitted(moved, finding.preview, runtimes, generation))


def _as_moved(resource: Resource, finding: Finding) -> tuple[Resource, RuntimeType | None]:
    """The resource after the edit; where it can name no runtime, its present one as if of the new type."""
    if finding.target is None:
        return resource, FOUNDRY
    named = {"kind": finding.target.kind.value, "name": finding.target.name}
    return replace(resource, spec={**resource.spec, "runtimeRef": named}), None
