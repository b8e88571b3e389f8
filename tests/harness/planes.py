"""The two control planes behind one face: the embedded API and a real etcd and kube-apiserver.

They differ in who the operator is there and in where its requests are read: on the real one it is a service
account and the audit log tells; on the embedded one, which knows no users, its user agents tell.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import yaml
from kubernetes import client, config
from tests.e2e.controlplane import AuditEvent, ControlPlane
from tests.harness import rights
from tests.harness.kubectl import Kubectl
from tests.harness.polling import eventually

from AgentOperatingSystem.sandbox.kubernetes import EmbeddedKubernetes, RequestRecord

CRDS = Path(__file__).resolve().parents[2] / "crds"
HARNESS_AGENT = "test-harness"
_CLIENTS_OF_OPERATOR = ("kopf/", "OpenAPI-Generator/")
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_PATH = re.compile(
    r"^/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/[^/]))?"
    r"/(?P<resource>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<subresource>[^/]+))?$"
)


@dataclass(frozen=True)
class Request:
    """One request of an operator, in the words of RBAC; `code` is the HTTP status of the answer."""

    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int | None

    @property
    def writes(self) -> bool:
        """True when it changes something; renewing the Lease is no work on any object."""
        return self.verb in _WRITES and self.resource != "leases"

    @property
    def right(self) -> rights.Right:
        """The right that it needs."""
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return rights.Right(self.group, resource, self.verb)

    def __str__(self) -> str:
        return f"{self.verb} {self.right.resource}"


class Plane(Protocol):
    """A control plane with our CRDs, started."""

    name: str
    api: client.ApiClient
    kubeconfig: Path

    def admit_operator(self, namespace: str, *, cluster_wide: bool, identity: bool) -> Path:
        """The kubeconfig of an operator at home in `namespace`, with the rights of its way of running."""

    def lend_secrets(self, namespace: str, home: str) -> None:
        """Let the operator at home in `home` read the Secrets of `namespace`, by their names."""

    def requests(self, namespace: str) -> list[Request]:
        """What the operator at home in `namespace` asked so far, discovery left out, oldest first."""

    def kubectl(self, namespace: str) -> Kubectl:
        """kubectl as the administrator."""


class EmbeddedPlane:
    """The embedded API: no users, so every operator may do everything."""

    name = "embedded"

    def __init__(self, server: EmbeddedKubernetes, kubeconfig: Path, api: client.ApiClient) -> None:
        self.server = server
        self.kubeconfig = kubeconfig
        self.api = api

    def admit_operator(self, namespace: str, *, cluster_wide: bool, identity: bool) -> Path:
        return self.kubeconfig

    def lend_secrets(self, namespace: str, home: str) -> None:
        """Nothing is forbidden here."""

    def requests(self, namespace: str) -> list[Request]:
        told = [_from_record(record) for record in self.server.requests if _is_operators(record)]
        return [request for request in told if request and request.namespace in (namespace, "")]

    def kubectl(self, namespace: str) -> Kubectl:
        return Kubectl(self.kubeconfig, self.kubeconfig.parent / "kubectl-cache", namespace)


class RealPlane:
    """etcd and kube-apiserver: the operator is its own service account, never an administrator."""

    name = "real"

    def __init__(self, plane: ControlPlane, api: client.ApiClient) -> None:
        self._plane = plane
        self.kubeconfig = plane.admin_kubeconfig
        self.api = api

    def admit_operator(self, namespace: str, *, cluster_wide: bool, identity: bool) -> Path:
        rights.grant(self.api, namespace, cluster_wide=cluster_wide, identity=identity)
        kubeconfig = self._plane.kubeconfig_for_service_account(namespace, rights.ACCOUNT)
        # What a pod's environment says to the in-cluster client, the context says to the others.
        content = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        for context in content["contexts"]:
            context["context"]["namespace"] = namespace
        kubeconfig.write_text(yaml.safe_dump(content), encoding="utf-8")
        return kubeconfig

    def lend_secrets(self, namespace: str, home: str) -> None:
        rights.lend_secrets(self.api, namespace, home)

    def requests(self, namespace: str) -> list[Request]:
        user = f"system:serviceaccount:{namespace}:{rights.ACCOUNT}"
        return [
            _from_audit(event)
            for event in self._plane.audit()
            if event.user == user and event.resource and _is_counted(event)
        ]

    def kubectl(self, namespace: str) -> Kubectl:
        return Kubectl(self.kubeconfig, self._plane.folder / "kubectl-cache", namespace)


@contextmanager
def embedded_plane() -> Iterator[EmbeddedPlane]:
    """The embedded API with our CRDs, for as long as the context lasts."""
    folder = Path(tempfile.mkdtemp(prefix="embedded-plane-"))
    try:
        with EmbeddedKubernetes() as server:
            kubeconfig = server.write_kubeconfig(folder / "kubeconfig")
            with _client(kubeconfig) as api:
                plane = EmbeddedPlane(server, kubeconfig, api)
                _install_crds(plane)
                yield plane
    finally:
        shutil.rmtree(folder)


@contextmanager
def real_plane() -> Iterator[RealPlane]:
    """A real control plane with our CRDs, for as long as the context lasts. Raises ControlPlaneError."""
    with ControlPlane(controllers=True) as running, _client(running.admin_kubeconfig) as api:
        plane = RealPlane(running, api)
        _install_crds(plane)
        yield plane


def plane_of(kind: str) -> AbstractContextManager[Plane]:
    """A control plane of its own, `embedded` or `real`, for as long as the context lasts."""
    return real_plane() if kind == "real" else embedded_plane()


def create_namespace(plane: Plane, name: str) -> None:
    """Create a namespace."""
    client.CoreV1Api(plane.api).create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))


def _client(kubeconfig: Path) -> client.ApiClient:
    made: client.ApiClient = config.new_client_from_config(config_file=str(kubeconfig))
    made.user_agent = HARNESS_AGENT
    return made


def _install_crds(plane: Plane) -> None:
    kubectl = plane.kubectl("default")
    kubectl("apply", "-f", str(CRDS))
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    # Established is a moment before the paths are served.
    eventually(lambda: kubectl.run("get", "pda").code == 0, what="the CRDs are served")


def _is_operators(record: RequestRecord) -> bool:
    return record.user_agent.startswith(_CLIENTS_OF_OPERATOR)


def _from_record(record: RequestRecord) -> Request | None:
    found = _PATH.match(record.path)
    if found is None:
        return None
    return Request(
        verb=_verb(record, named=bool(found["name"])),
        group=found["group"] or "",
        resource=found["resource"],
        subresource=found["subresource"] or "",
        namespace=found["namespace"] or "",
        name=found["name"] or "",
        code=record.status,
    )


def _verb(record: RequestRecord, *, named: bool) -> str:
    """The verb that RBAC sees behind an HTTP method."""
    match record.method:
        case "GET" if record.query.get("watch") in ("true", "1"):
            return "watch"
        case "GET":
            return "get" if named else "list"
        case "DELETE":
            return "delete" if named else "deletecollection"
        case method:
            return {"POST": "create", "PUT": "update"}.get(method, method.lower())


def _is_counted(event: AuditEvent) -> bool:
    """True once for a request: a watch counts when it starts, everything else when it is answered."""
    watches = event.verb == "watch"
    refused = event.code is not None and event.code >= 400
    return event.stage == ("ResponseStarted" if watches and not refused else "ResponseComplete")


def _from_audit(event: AuditEvent) -> Request:
    return Request(
        event.verb,
        event.group,
        event.resource,
        event.subresource,
        event.namespace,
        event.name,
        event.code,
    )
