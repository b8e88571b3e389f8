"""A runtime resource as a pass reads it, and whether a namespace may use it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from pydantic import ValidationError

from AgentOperatingSystem.api.runtimes import (
    AgentRuntimeSpec,
    AllowedNamespaces,
    ClusterAgentRuntimeSpec,
    LabelRequirement,
    LabelSelector,
    Operator,
    RuntimeResourceStatus,
)
from AgentOperatingSystem.api.v1alpha1 import RuntimeKind
from AgentOperatingSystem.model.errors import NotAllowed, SpecRejected
from AgentOperatingSystem.reconcile.resource import RuntimeKey


@dataclass(frozen=True)
class RuntimeResource:
    """An `AgentRuntime` or a `ClusterAgentRuntime` as read from the API server; `spec` is unchecked.

    One that was read serves the passes of all its agents for an interval, so that its spec is parsed once.
    """

    key: RuntimeKey
    uid: str
    generation: int
    deleting: bool
    spec: Mapping[str, Any]
    status: RuntimeResourceStatus

    @classmethod
    def from_object(cls, kind: RuntimeKind, body: Mapping[str, Any]) -> Self:
        """Read a Kubernetes object. A status that is not of this version's shape counts as wiped."""
        metadata = body["metadata"]
        try:
            status = RuntimeResourceStatus.model_validate(body.get("status") or {})
        except ValidationError:
            status = RuntimeResourceStatus()
        return cls(
            key=RuntimeKey(kind, metadata.get("namespace", ""), metadata["name"]),
            uid=metadata["uid"],
            generation=metadata.get("generation", 0),
            deleting="deletionTimestamp" in metadata,
            spec=body.get("spec") or {},
            status=status,
        )

    def parsed(self) -> AgentRuntimeSpec | ClusterAgentRuntimeSpec:
        """The spec, checked once more by the models. Raises SpecRejected for the first wrong field."""
        return self._parsed

    @cached_property
    def _parsed(self) -> AgentRuntimeSpec | ClusterAgentRuntimeSpec:
        model = (
            ClusterAgentRuntimeSpec
            if self.key.kind is RuntimeKind.CLUSTER_AGENT_RUNTIME
            else AgentRuntimeSpec
        )
        try:
            return model.model_validate(self.spec)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            path = ".".join(("spec", *(str(part) for part in first["loc"])))
            raise SpecRejected(path, f"{first['msg']}, in {self.key}.") from error


def check_namespace(
    key: RuntimeKey, allowed: AllowedNamespaces, namespace: str, labels: Mapping[str, str]
) -> None:
    """Raise NotAllowed when the agents of the namespace, which has `labels`, may not run on the runtime."""
    if namespace in (allowed.names or ()):
        return
    if allowed.selector is not None and selects(allowed.selector, labels):
        return
    raise NotAllowed(
        f"spec.runtimeRef: {key} does not allow the namespace {namespace} (spec.allowedNamespaces); ask "
        "whoever administers the cluster to add it, or name another runtime."
    )


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """True when all that the selector says holds for `labels`; nothing said holds for all."""
    equal = all(labels.get(key) == value for key, value in selector.match_labels.items())
    return equal and all(_holds(requirement, labels) for requirement in selector.match_expressions)


def _holds(requirement: LabelRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case Operator.IN:
            return value in requirement.values
        case Operator.NOT_IN:
            return value not in requirement.values
        case Operator.EXISTS:
            return value is not None
        case Operator.DOES_NOT_EXIST:
            return value is None
