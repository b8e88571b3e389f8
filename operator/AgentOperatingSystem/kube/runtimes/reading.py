"""What of the cluster a runtime is made of: its resource, its Secret, the labels of a namespace.

Each is read by name, once for all who ask within an interval, and anew when somebody says that it changed.
Secrets are never listed or watched: who may list them may read all of them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

from AgentOperatingSystem.api import runtimes as api
from AgentOperatingSystem.api.v1alpha1 import GROUP, PLURAL, VERSION, RuntimeKind
from AgentOperatingSystem.kube.client import Forbidden, KubernetesCluster
from AgentOperatingSystem.model.errors import NotAuthorized, ReferenceMissing
from AgentOperatingSystem.reconcile.offer import RuntimeResource
from AgentOperatingSystem.reconcile.resource import Resource, RuntimeKey
from AgentOperatingSystem.runtime.shared import SharedRead

T = TypeVar("T")

PLURALS = {
    RuntimeKind.AGENT_RUNTIME: api.PLURAL,
    RuntimeKind.CLUSTER_AGENT_RUNTIME: api.CLUSTER_PLURAL,
}
LIST_PAGE = 500


class Reader:
    """Reads over `cluster`; `clock` gives seconds that never go back."""

    def __init__(self, cluster: KubernetesCluster, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._clock = clock
        self._runtimes: dict[RuntimeKey, SharedRead[RuntimeResource | None]] = {}
        self._secrets: dict[tuple[str, str], SharedRead[Mapping[str, str] | None]] = {}
        self._labels: dict[str, SharedRead[Mapping[str, str]]] = {}

    async def runtime(self, key: RuntimeKey, *, age: float) -> RuntimeResource | None:
        """The runtime's resource as of at most `age` seconds ago; None when there is none."""

        async def read() -> RuntimeResource | None:
            body = await self._cluster.read("get_runtime", runtime_path(key))
            return None if body is None else RuntimeResource.from_object(key.kind, body)

        return (await self._shared(self._runtimes, key, read).at_most(age)).value

    async def secret(self, namespace: str, name: str, key: str, *, age: float) -> str:
        """The text under `key` of a Secret. Raises ReferenceMissing and NotAuthorized."""

        async def read() -> Mapping[str, str] | None:
            body = await self._cluster.read("get_secret", f"/api/v1/namespaces/{namespace}/secrets/{name}")
            return None if body is None else body.get("data") or {}

        try:
            data = (await self._shared(self._secrets, (namespace, name), read).at_most(age)).value
        except Forbidden as error:
            raise NotAuthorized(
                f"The operator may not read the Secret {name} in {namespace}: bind the ClusterRole "
                "<release>-tenant-secrets to its service account in that namespace, or set the chart's "
                "runtimes.tenantSecrets."
            ) from error
        if data is None:
            raise ReferenceMissing(f"There is no Secret {name} in {namespace}; make it.")
        if not data.get(key):
            raise ReferenceMissing(
                f"The Secret {name} in {namespace} has nothing under the key {key}; add it."
            )
        try:
            # Files are written with a new line at their end, which is never part of a client secret.
            return base64.b64decode(data[key], validate=True).decode().strip()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ReferenceMissing(f"The Secret {name} in {namespace} holds no text under {key}.") from error

    async def labels(self, namespace: str, *, age: float) -> Mapping[str, str]:
        """The labels of a namespace; none of one that is gone."""

        async def read() -> Mapping[str, str]:
            body = await self._cluster.read("get_namespace", f"/api/v1/namespaces/{namespace}")
            return {} if body is None else body["metadata"].get("labels") or {}

        try:
            return (await self._shared(self._labels, namespace, read).at_most(age)).value
        except Forbidden as error:
            raise NotAuthorized(
                f"The operator may not read the namespace {namespace}, whose labels a runtime's "
                "allowedNamespaces.selector asks for; give it `get` on namespaces."
            ) from error

    async def users(self, key: RuntimeKey, namespaces: tuple[str, ...]) -> AsyncIterator[Resource]:
        """The agents that name the runtime, by the API server's own word, in the namespaces served."""
        where = (key.namespace,) if key.namespace else namespaces or ("",)
        for namespace in where:
            root = f"/apis/{GROUP}/{VERSION}" + (f"/namespaces/{namespace}" if namespace else "")
            async for item in self._cluster.pages("list_agents", f"{root}/{PLURAL}", LIST_PAGE):
                if names_runtime(item, key):
                    yield Resource.from_object(item)

    def forget(self, key: RuntimeKey) -> None:
        """The runtime changed: whoever asks next is told of it as it is then."""
        self._runtimes.pop(key, None)

    def _shared(
        self, known: dict[Any, SharedRead[T]], key: Any, read: Callable[[], Awaitable[T]]
    ) -> SharedRead[T]:
        if key not in known:
            known[key] = SharedRead(read, clock=self._clock)
        return known[key]


def runtime_path(key: RuntimeKey) -> str:
    """Where the API server has the runtime."""
    within = f"/namespaces/{key.namespace}" if key.namespace else ""
    return f"/apis/{GROUP}/{VERSION}{within}/{PLURALS[key.kind]}/{key.name}"


def names_runtime(body: Mapping[str, Any], key: RuntimeKey) -> bool:
    """True when an agent's object names the runtime."""
    named = (body.get("spec") or {}).get("runtimeRef") or {}
    inside = key.kind is RuntimeKind.CLUSTER_AGENT_RUNTIME or body["metadata"]["namespace"] == key.namespace
    return inside and (named.get("kind"), named.get("name")) == (key.kind.value, key.name)
