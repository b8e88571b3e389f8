"""What the cluster has already of what the files say: the operator's notes on a resource decide, too.

A file knows nothing of where its agent was made, or on which thread it speaks. Without a cluster, or without
the right to read a resource there, its annotations count as its file has them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from AgentOperatingSystem.kube.client import Forbidden, KubernetesCluster
from AgentOperatingSystem.model.errors import ConfigurationError, SpecRejected
from AgentOperatingSystem.reconcile.desired import parsed_spec
from AgentOperatingSystem.reconcile.ports import ClusterFailure
from AgentOperatingSystem.reconcile.resource import Resource

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


async def as_applied(resources: Sequence[Resource], cluster: KubernetesCluster) -> tuple[list[Resource], str]:
    """Each as it will be once it is applied, and why some count as their files have them, if some do."""
    applied: list[Resource] = []
    why = ""
    for number, resource in enumerate(resources):
        try:
            live = await cluster.get(resource.key)
        except ConfigurationError:
            return list(resources), ""  # no cluster was named, which is nothing to complain of
        except Forbidden as error:
            live, why = None, f"{error}"
        except ClusterFailure as error:
            return [*applied, *resources[number:]], f"{error}"
        applied.append(resource if live is None else _over(live, resource))
    return applied, why


def _over(live: Resource, wanted: Resource) -> Resource:
    """The live resource after `kubectl apply` of the wanted one."""
    changed = not _same_spec(live, wanted)
    return replace(
        live,
        spec=wanted.spec,
        generation=live.generation + changed,
        annotations={**_kept(live.annotations), **wanted.annotations},
    )


def _same_spec(live: Resource, wanted: Resource) -> bool:
    try:
        return parsed_spec(live.spec) == parsed_spec(wanted.spec)
    except SpecRejected:
        return False


def _kept(annotations: Mapping[str, str]) -> dict[str, str]:
    """The live annotations without those that came from a file: what the file has no more goes."""
    try:
        before = json.loads(annotations.get(LAST_APPLIED, "{}"))
        from_file = set((before.get("metadata") or {}).get("annotations") or {})
    except (ValueError, AttributeError, TypeError):
        from_file = set()  # somebody else's spelling
    return {name: value for name, value in annotations.items() if name not in from_file}
