"""The port to the API server, over the official client's asyncio flavour.

kopf watches; this reads past its caches and writes. Every request passes `_call`, where errors become
the two that a pass knows.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from urllib.request import getproxies_environment

import aiohttp
from kubernetes.aio import client, config

from AgentOperatingSystem.api.conditions import broken_rules, timestamp
from AgentOperatingSystem.api.v1alpha1 import (
    API_VERSION,
    GROUP,
    KIND,
    PLURAL,
    VERSION,
    PurposeDrivenAgentStatus,
)
from AgentOperatingSystem.kube.echoes import Echoes
from AgentOperatingSystem.model.crossing import crossing
from AgentOperatingSystem.model.errors import ConfigurationError
from AgentOperatingSystem.model.guard import Guard, unguarded
from AgentOperatingSystem.reconcile.ports import ClusterFailure, Notice, ResourceChanged
from AgentOperatingSystem.reconcile.resource import ObjectKey, Resource
from AgentOperatingSystem.runtime.lastword import LastWord

COMPONENT = "aos-operator"
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
REQUEST_SECONDS = 30.0
# Each is a handshake and a quarter of a megabyte of buffers in asyncio's TLS: what a burst of passes asks
# for is done as soon over a few.
CONNECTIONS = 8

logger = logging.getLogger(__name__)


class Forbidden(ClusterFailure):
    """The API server does not let the operator do that."""


async def connect(last_word: LastWord | None = None) -> client.ApiClient:
    """A client with the pod's service account, or outside a cluster with KUBECONFIG's current context.

    Its writes are sent only if `last_word` lets them. Raises ConfigurationError when there is neither.
    """
    settings = client.Configuration()
    settings.connection_pool_maxsize = CONNECTIONS
    # Two trips to a thread for each request otherwise, to look for proxies and passwords that are not there.
    settings.client_session_kwargs = {"trust_env": bool(getproxies_environment())}
    if last_word is not None:
        settings.client_session_kwargs["request_class"] = last_word.request_class()
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        config.load_incluster_config(client_configuration=settings)
        return client.ApiClient(settings)
    try:
        await config.load_kube_config(client_configuration=settings)
    except (config.ConfigException, OSError) as error:
        raise ConfigurationError(
            "KUBECONFIG",
            f"names no usable cluster ({error}): point it to a kubeconfig file, or run inside a cluster.",
        ) from error
    return client.ApiClient(settings)


class KubernetesCluster:
    """The resources of one cluster, as far as a pass needs them. See `reconcile.ports.Cluster`.

    Sends plain JSON through the official client's transport: its typed methods for the core API alone
    would cost 24 MB of models that nobody here looks at. `echoes` is told of each note.
    """

    def __init__(
        self, api: client.ApiClient, *, guard: Guard = unguarded, echoes: Echoes | None = None
    ) -> None:
        self._api = api
        self._guard = guard
        self._echoes = echoes or Echoes()

    async def get(self, key: ObjectKey) -> Resource | None:
        body = await self._send("get", "GET", _path(key), may_be_gone=True)
        return None if body is None else Resource.from_object(body)

    async def annotate(self, resource: Resource, annotations: Mapping[str, str | None]) -> Resource:
        patch = {
            "metadata": {
                "annotations": dict(annotations),
                "resourceVersion": resource.resource_version,
                "uid": resource.uid,
            }
        }
        noted = Resource.from_object(await self._send("annotate", "PATCH", _path(resource.key), patch))
        self._echoes.wrote(noted)
        return noted

    async def patch_status(self, resource: Resource, status: PurposeDrivenAgentStatus) -> None:
        if problems := broken_rules(status):
            raise AssertionError(f"a status of {resource.key} breaks the rules: {'; '.join(problems)}")
        # uid in the patch: a resource made anew under the name gets no status of the one before it.
        patch = {
            "metadata": {"uid": resource.uid},
            "status": merged(
                resource.status.model_dump(mode="json", by_alias=True, exclude_none=True),
                status.model_dump(mode="json", by_alias=True, exclude_none=True),
            ),
        }
        await self._send("patch_status", "PATCH", f"{_path(resource.key)}/status", patch, may_be_gone=True)

    async def emit(self, resource: Resource, notice: Notice) -> None:
        path = f"/api/v1/namespaces/{resource.key.namespace}/events"
        try:
            await self._send(
                "emit", "POST", path, _event(resource, notice, datetime.now(UTC)), may_be_gone=True
            )
        except ClusterFailure as error:
            # An Event is a courtesy: the status and the log have the same, so the pass goes on.
            logger.warning("%s: no Event %s could be posted: %s", resource.key, notice.reason, error)

    async def read(self, operation: str, path: str) -> Any:
        """The object at `path` as it is now; None when there is none."""
        return await self._send(operation, "GET", path, may_be_gone=True)

    async def pages(self, operation: str, path: str, size: int) -> AsyncIterator[Mapping[str, Any]]:
        """Every object of a listing, read in pages of `size`."""
        following = ""
        while True:
            query = {"limit": str(size), **({"continue": following} if following else {})}
            listing = await self._send(operation, "GET", path, query=query)
            for item in listing["items"]:
                yield item
            following = listing["metadata"].get("continue") or ""
            if not following:
                return

    async def patch_runtime_status(self, path: str, uid: str, patch: Mapping[str, Any]) -> None:
        """Merge `patch` into the status of the runtime at `path`. One that is gone by now is no failure."""
        body = {"metadata": {"uid": uid}, "status": dict(patch)}
        await self._send("patch_runtime_status", "PATCH", f"{path}/status", body, may_be_gone=True)

    async def cluster_id(self) -> str:
        """The kube-system namespace's uid, which names the cluster. Raises ConfigurationError."""
        try:
            namespace = await self._send("get_cluster_id", "GET", "/api/v1/namespaces/kube-system")
        except ClusterFailure as error:
            raise ConfigurationError(
                "AOS_CLUSTER_ID",
                f"not set, and the kube-system namespace's uid cannot be read in its place ({error}): set it "
                "to a name for this cluster that never changes.",
            ) from error
        return str(namespace["metadata"]["uid"])

    async def _send(
        self,
        operation: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        may_be_gone: bool = False,
        query: Mapping[str, str] = MappingProxyType({}),
    ) -> Any:
        """Send one request and return the JSON of its answer; None for a 404 where that is no failure."""
        if method != "GET":
            self._guard()
        try:
            async with crossing(f"cluster.{operation}"):
                text = await send_json(self._api, method, path, body, query=query)
        except client.ApiException as error:
            if error.status == 404 and may_be_gone:
                return None
            raise _failure(operation, error) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ClusterFailure(
                f"{operation}: the API server cannot be reached ({type(error).__name__})"
            ) from error
        return json.loads(text)


async def send_json(
    api: client.ApiClient,
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    query: Mapping[str, str] = MappingProxyType({}),
    accept: str = JSON,
    seconds: float = REQUEST_SECONDS,
) -> str:
    """The answer's text. Raises ApiException for an error status, and aiohttp's errors and TimeoutError."""
    request = await api.param_serialize(
        method,
        path,
        query_params=[("fieldManager", COMPONENT)] if body is not None else list(query.items()),
        header_params={"Accept": accept, "Content-Type": MERGE_PATCH if method == "PATCH" else JSON},
        body=body,
        auth_settings=["BearerToken"],
    )
    response = await api.call_api(*request, _request_timeout=seconds)
    text: str = (await response.read()).decode()
    if response.status >= 400:
        raise client.ApiException(status=response.status, reason=response.reason, body=text)
    return text


def _path(key: ObjectKey) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{key.namespace}/{PLURAL}/{key.name}"


def _failure(operation: str, error: client.ApiException) -> ClusterFailure:
    if error.status == 409:
        return ResourceChanged(f"{operation}: the resource changed meanwhile")
    kind = Forbidden if error.status == 403 else ClusterFailure
    return kind(f"{operation}: the API server answered {error.status} {error.reason}: {_sentence(error)}")


def _sentence(error: client.ApiException) -> str:
    """What the API server itself said, out of the Status object in its answer."""
    try:
        status = json.loads(error.body or "{}")
    except ValueError:
        return "no reason given"
    return str(status.get("message", "no reason given")) if isinstance(status, dict) else "no reason given"


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that turns `old` into `new`: what is gone is null, lists are whole."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if value != before:
                patch[key] = merged(before, value)
        elif value != before:
            patch[key] = value
    return patch


def _event(resource: Resource, notice: Notice, now: datetime) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{resource.key.name}.{uuid.uuid4().hex[:16]}",
            "namespace": resource.key.namespace,
        },
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": resource.key.namespace,
            "name": resource.key.name,
            "uid": resource.uid,
            "resourceVersion": resource.resource_version,
        },
        "type": "Warning" if notice.warning else "Normal",
        "reason": notice.reason,
        "message": notice.message[:1024],
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": os.environ.get("HOSTNAME", COMPONENT),
        "action": "Reconcile",
        "firstTimestamp": timestamp(now),
        "lastTimestamp": timestamp(now),
        "count": 1,
    }
