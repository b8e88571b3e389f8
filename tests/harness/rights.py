"""The operator's rights as they ship: from the file that the chart renders to roles on a real API server.

Why not a role of the tests' own: then the tests would show that some operator works, not the one that ships.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

RULES_FILE = Path(__file__).resolve().parents[2] / "charts" / "aos-operator" / "rbac" / "rules.yaml"
ACCOUNT = "aos-operator"

NAMESPACED, CLUSTER_WIDE, CLUSTER_IDENTITY = "namespaced", "clusterWide", "clusterIdentity"
LEADER_ELECTION = "leaderElection"
TENANT_SECRETS = "tenantSecrets"


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one resource; the subresource is part of it, as in `purposedrivenagents/status`."""

    group: str
    resource: str
    verb: str


@cache
def sections() -> dict[str, list[dict[str, Any]]]:
    """The rules by section, as they stand in the file."""
    read: dict[str, list[dict[str, Any]]] = yaml.safe_load(RULES_FILE.read_text(encoding="utf-8"))
    return read


def rights(*names: str) -> set[Right]:
    """Every single right that the sections give."""
    return {
        Right(group, resource, verb)
        for name in names
        for rule in sections()[name]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def grant(api: client.ApiClient, namespace: str, *, cluster_wide: bool, identity: bool) -> None:
    """Give the operator's account in `namespace` what its way of running needs, and nothing else."""
    everywhere = [CLUSTER_WIDE, NAMESPACED] if cluster_wide else []
    everywhere += [CLUSTER_IDENTITY] if identity else []
    # Untyped: plain JSON goes where the client's stubs want its models.
    rbac: Any = client.RbacAuthorizationV1Api(api)
    subjects = [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}]
    name = f"{ACCOUNT}-{namespace}"
    _remove(rbac, namespace, name)
    if everywhere:
        rbac.create_cluster_role({"metadata": {"name": name}, "rules": _rules(everywhere)})
        rbac.create_cluster_role_binding(
            {"metadata": {"name": name}, "roleRef": _reference("ClusterRole", name), "subjects": subjects}
        )
    here = [LEADER_ELECTION] if cluster_wide else [LEADER_ELECTION, NAMESPACED]
    rbac.create_namespaced_role(namespace, {"metadata": {"name": name}, "rules": _rules(here)})
    rbac.create_namespaced_role_binding(
        namespace, {"metadata": {"name": name}, "roleRef": _reference("Role", name), "subjects": subjects}
    )


def lend_secrets(api: client.ApiClient, namespace: str, home: str) -> None:
    """Bind the role for a namespace's Secrets there, as its administrator does; it goes with it."""
    rbac: Any = client.RbacAuthorizationV1Api(api)
    name = f"{ACCOUNT}-{home}-tenant-secrets"
    try:
        rbac.create_cluster_role({"metadata": {"name": name}, "rules": _rules([TENANT_SECRETS])})
    except ApiException as error:
        if error.status != 409:
            raise
    subjects = [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": home}]
    binding = {"metadata": {"name": name}, "roleRef": _reference("ClusterRole", name), "subjects": subjects}
    rbac.create_namespaced_role_binding(namespace, binding)


def _rules(names: Iterable[str]) -> list[dict[str, Any]]:
    return [rule for name in names for rule in sections()[name]]


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}


def _remove(rbac: Any, namespace: str, name: str) -> None:
    """Take back what an earlier start in this namespace was given."""
    for delete, where in (
        (rbac.delete_cluster_role_binding, (name,)),
        (rbac.delete_cluster_role, (name,)),
        (rbac.delete_namespaced_role_binding, (name, namespace)),
        (rbac.delete_namespaced_role, (name, namespace)),
    ):
        try:
            delete(*where)
        except ApiException as error:
            if error.status != 404:
                raise
