"""Every runtime in use, connected: which one a resource may have, as whom, and until when.

A connection is made anew when its settings or its Secret changed; the one before is closed when the last pass
on it has ended, so that a rotation fails nobody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Self

from AgentOperatingSystem.api.runtimes import AgentRuntimeSpec, ClusterAgentRuntimeSpec
from AgentOperatingSystem.api.v1alpha1 import RuntimeKind
from AgentOperatingSystem.kube.runtimes.reading import Reader
from AgentOperatingSystem.model.errors import (
    AOSError,
    NotAllowed,
    NotAuthorized,
    ReferenceMissing,
    SpecRejected,
)
from AgentOperatingSystem.model.facts import ModelCheck, RuntimeType
from AgentOperatingSystem.model.guard import Guard, unguarded
from AgentOperatingSystem.reconcile.offer import RuntimeResource, check_namespace
from AgentOperatingSystem.reconcile.ports import Runtime
from AgentOperatingSystem.reconcile.resource import Resource, RuntimeKey
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.endpoints import AllowedEndpoints
from AgentOperatingSystem.runtime.identity import Identity, OwnIdentity, ServicePrincipal, WorkloadIdentity
from AgentOperatingSystem.runtime.provider import AgentRuntimeProvider

# How old a namespace's labels may be when they decide who may use a runtime.
LABELS_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Tenancy:
    """What the operator lends to whom: hosts it speaks to, namespaces that may use its own environment.

    `served` are the namespaces that it serves, empty for all; with some it serves no ClusterAgentRuntime.
    """

    endpoints: AllowedEndpoints
    default_namespaces: frozenset[str] = frozenset()
    served: tuple[str, ...] = ()

    @classmethod
    def parse(cls, endpoints: str, default_namespaces: str, served: tuple[str, ...] = ()) -> Self:
        """Read the two settings. Raises ConfigurationError."""
        return cls(AllowedEndpoints.parse(endpoints), frozenset(default_namespaces.split()), served)


@dataclass(slots=True)
class _Entry:
    """A connected runtime, and how many passes are on it."""

    config: RuntimeConfig
    provider: AgentRuntimeProvider
    users: int = 0
    retired: bool = False


_Place = tuple[RuntimeKey | None, RuntimeType | None]


class RuntimePool:
    """The runtimes of one operator. See `reconcile.ports.Runtimes`. `config` is the environment's own."""

    def __init__(
        self,
        config: RuntimeConfig,
        reader: Reader,
        tenancy: Tenancy,
        *,
        guard: Guard = unguarded,
        connect: Callable[..., AgentRuntimeProvider] = AgentRuntimeProvider,
    ) -> None:
        self._config = config
        self._reader = reader
        self._tenancy = tenancy
        self._guard = guard
        self._connect = connect
        self._entries: dict[_Place, _Entry] = {}
        self._stopping = False

    @asynccontextmanager
    async def open(self, resource: Resource, generation: RuntimeType | None = None) -> AsyncIterator[Runtime]:
        """The runtime of an agent's resource."""
        config = await self._config_for(resource)
        async with self._using((_key_of(resource), generation), config) as provider:
            yield provider

    @asynccontextmanager
    async def open_named(self, runtime: RuntimeResource) -> AsyncIterator[AgentRuntimeProvider]:
        """The runtime of a runtime's own resource, with its Secret as it is now."""
        config = await self._config_of(runtime, secret_age=0.0)
        async with self._using((runtime.key, None), config) as provider:
            yield provider

    async def prepare(self) -> None:
        """Connect the environment's own runtime, which loads what it needs. Nothing is sent."""
        await self._entry((None, None), self._config)

    async def renewed(self, resource: Resource, used: Runtime) -> bool:
        """True when the credentials are others by now; the Secret is read again to find out."""
        key = _key_of(resource)
        if key is None:
            return False
        entry = self._entries.get((key, None))
        if entry is not None and entry.provider is not used:
            return True
        config = await self._config_for(resource, secret_age=0.0)
        return entry is None or config != entry.config

    def connected(self) -> list[AgentRuntimeProvider]:
        """Every runtime that is connected."""
        return [entry.provider for entry in self._entries.values()]

    def stop_waiting(self) -> None:
        """From now on what cannot be asked of a runtime at once raises Stopping."""
        self._stopping = True
        for provider in self.connected():
            provider.stop_waiting()

    def forget(self, key: RuntimeKey) -> None:
        """The runtime's resource changed."""
        self._reader.forget(key)

    async def is_needed_by(self, resource: Resource) -> bool:
        """True when something of the agent's may be on the runtime that its resource names.

        Naming it is not enough: who may not use a runtime could else keep it from being deleted.
        """
        key = _key_of(resource)
        if key is None or resource.recorded_endpoint is None:
            return False
        try:
            runtime = await self._named(key)
            if resource.made is None or resource.made.endpoint != runtime.parsed().endpoint.rstrip("/"):
                await self._check_namespace(runtime, resource)
        except NotAllowed:
            return False
        except AOSError:
            return True
        return True

    async def discard(self, key: RuntimeKey) -> None:
        """The runtime is gone: close what is connected for it."""
        self._reader.forget(key)
        for place in [place for place in self._entries if place[0] == key]:
            await self._retire(self._entries.pop(place))

    async def close(self) -> None:
        """Close every connection."""
        for entry in self._entries.values():
            await entry.provider.close()
        self._entries.clear()

    @asynccontextmanager
    async def _using(self, place: _Place, config: RuntimeConfig) -> AsyncIterator[AgentRuntimeProvider]:
        _, generation = place
        entry = await self._entry(place, config if generation is None else replace(config, type=generation))
        entry.users += 1
        try:
            yield entry.provider
        finally:
            entry.users -= 1
            if entry.retired and not entry.users:
                await entry.provider.close()

    async def _entry(self, place: _Place, config: RuntimeConfig) -> _Entry:
        known = self._entries.get(place)
        if known is not None and known.config == config:
            return known
        provider = self._connect(config, guard=self._guard)
        await provider.initialize()
        if known is not None:
            provider.succeed(known.provider)
        if self._stopping:
            provider.stop_waiting()
        entry = self._entries[place] = _Entry(config, provider)
        if known is not None:
            await self._retire(known)
        return entry

    async def _retire(self, entry: _Entry) -> None:
        entry.retired = True
        if not entry.users:
            await entry.provider.close()

    async def _config_for(self, resource: Resource, *, secret_age: float | None = None) -> RuntimeConfig:
        """The settings of the resource's runtime, once it may use that runtime."""
        key = _key_of(resource)
        if key is None:
            self._check_default(resource)
            return self._config
        runtime = await self._named(key)
        if runtime.deleting and resource.recorded_endpoint is None:
            raise ReferenceMissing(f"spec.runtimeRef: {key} is being deleted; name another runtime.")
        await self._check_namespace(runtime, resource)
        age = float(runtime.parsed().drift_interval_seconds)
        return await self._config_of(runtime, secret_age=age if secret_age is None else secret_age)

    async def _check_namespace(self, runtime: RuntimeResource, resource: Resource) -> None:
        spec = runtime.parsed()
        if not isinstance(spec, ClusterAgentRuntimeSpec) or _may_still_leave(resource, spec.endpoint):
            return
        allowed, namespace = spec.allowed_namespaces, resource.key.namespace
        labels: Mapping[str, str] = {}
        if allowed.selector is not None and namespace not in (allowed.names or ()):
            age = min(float(spec.drift_interval_seconds), LABELS_SECONDS)
            labels = await self._reader.labels(namespace, age=age)
        check_namespace(runtime.key, allowed, namespace, labels)

    def _check_default(self, resource: Resource) -> None:
        allowed = self._tenancy.default_namespaces
        if allowed and resource.key.namespace not in allowed and not _may_still_leave(resource, None):
            raise NotAllowed(
                f"spec.runtimeRef: the namespace {resource.key.namespace} may not use the operator's own "
                "runtime (AOS_DEFAULT_RUNTIME_NAMESPACES); name a runtime."
            )

    async def _named(self, key: RuntimeKey) -> RuntimeResource:
        if key.kind is RuntimeKind.CLUSTER_AGENT_RUNTIME and self._tenancy.served:
            raise NotAllowed(
                "spec.runtimeRef: this operator serves some namespaces only, and so no ClusterAgentRuntime; "
                "name an AgentRuntime."
            )
        runtime = await self._reader.runtime(key, age=self._config.listing_age)
        if runtime is None:
            raise ReferenceMissing(f"spec.runtimeRef: there is no {key}; make it, or name another runtime.")
        return runtime

    async def _config_of(self, runtime: RuntimeResource, *, secret_age: float) -> RuntimeConfig:
        spec = runtime.parsed()
        endpoint = self._tenancy.endpoints.check(spec.endpoint).url
        return replace(
            self._config,
            project_endpoint=endpoint,
            model_deployment=spec.base_model,
            lora_adapters=True,
            timeout=float(spec.limits.timeout_seconds),
            max_in_flight=spec.limits.in_flight,
            requests_per_second=float(spec.limits.requests_per_second),
            listing_age=float(spec.drift_interval_seconds),
            model_check=ModelCheck(spec.model_check.value),
            type=RuntimeType(spec.type.value),
            identity=await self._identity(runtime, spec, secret_age),
            source=str(runtime.key),
            deployment_template=spec.deployment_template,
            agent_name_template=spec.agent_name_template,
            allowed_models=None if spec.allowed_models is None else frozenset(spec.allowed_models),
            allowed_vector_stores=(
                None if spec.allowed_vector_stores is None else frozenset(spec.allowed_vector_stores)
            ),
            max_agents=spec.max_agents,
            shared=runtime.key.kind is RuntimeKind.CLUSTER_AGENT_RUNTIME,
        )

    async def _identity(
        self, runtime: RuntimeResource, spec: AgentRuntimeSpec | ClusterAgentRuntimeSpec, secret_age: float
    ) -> Identity:
        if isinstance(spec, ClusterAgentRuntimeSpec):
            own = spec.identity
            return OwnIdentity() if own is None else WorkloadIdentity(own.client_id, own.tenant_id or "")
        principal = spec.service_principal
        reference = principal.secret_ref
        try:
            secret = await self._reader.secret(
                runtime.key.namespace, reference.name, reference.key, age=secret_age
            )
        except (ReferenceMissing, NotAuthorized):
            # A namespace that goes takes its Secret first, and the right to read it: what is connected can
            # still delete its agents.
            known = self._entries.get((runtime.key, None))
            if not runtime.deleting or known is None:
                raise
            return known.config.identity
        where = f"the Secret {reference.name} in {runtime.key.namespace}"
        return ServicePrincipal(principal.tenant_id, principal.client_id, secret, where)


class OneRuntime:
    """A single runtime for every resource, as a program has it that asks no cluster for others."""

    def __init__(self, provider: AgentRuntimeProvider) -> None:
        self._provider = provider

    @asynccontextmanager
    async def open(self, resource: Resource, generation: RuntimeType | None = None) -> AsyncIterator[Runtime]:
        """The one runtime. Raises AOSError when it is asked for in another generation."""
        if generation is not None and generation is not self._provider.facts().type:
            raise AOSError(f"{resource.key}: this runtime has no {generation} beside it.")
        yield self._provider

    async def renewed(self, resource: Resource, used: Runtime) -> bool:  # noqa: ARG002
        """Nothing renews it."""
        return False


def _key_of(resource: Resource) -> RuntimeKey | None:
    """The runtime that the resource names; None for the operator's own. Raises SpecRejected."""
    if resource.spec.get("runtimeRef") is not None and resource.runtime_key is None:
        raise SpecRejected("spec.runtimeRef.kind", "must be AgentRuntime or ClusterAgentRuntime.")
    return resource.runtime_key


def _may_still_leave(resource: Resource, endpoint: str | None) -> bool:
    """True for a resource that goes and whose agent, as its status says, was made there."""
    if not resource.deleting or resource.made is None:
        return False
    return endpoint is None or resource.made.endpoint == endpoint.rstrip("/")
