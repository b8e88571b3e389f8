"""The stamp: the metadata on everything that we make in a runtime, which says whose it is.

It takes 10 of the service's 16 pairs. A pair's key holds at most 64 characters and its value 512.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

PROVIDER_KEY = "runtime_provider"
PROVIDER = "AOS"
TYPE_KEY = "agent_type"
TYPE = "purpose_driven"
OWNER_KEY = "aos_owner"
AGENT_ID_KEY = "aos_agent_id"
ADAPTER_KEY = "lora_adapter"
CLUSTER_KEY = "aos_cluster"
NAMESPACE_KEY = "aos_namespace"
NAME_KEY = "aos_name"
UID_KEY = "aos_uid"
HASH_KEY = "aos_hash"

STAMP_KEYS = frozenset(
    {
        PROVIDER_KEY,
        TYPE_KEY,
        OWNER_KEY,
        AGENT_ID_KEY,
        ADAPTER_KEY,
        CLUSTER_KEY,
        NAMESPACE_KEY,
        NAME_KEY,
        UID_KEY,
        HASH_KEY,
    }
)


class OwnerKind(StrEnum):
    """What an agent belongs to: a Kubernetes resource, or a program that called `deploy_agent`."""

    RESOURCE = "resource"
    LIBRARY = "library"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose an agent is. A resource is named by cluster id, namespace and name, never by its uid."""

    kind: OwnerKind
    cluster: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        if self.kind is OwnerKind.LIBRARY:
            return OwnerKind.LIBRARY.value
        return f"{self.cluster}/{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The owner that `str` wrote: `cluster/namespace/name` or `library`; None for anything else."""
        if text == OwnerKind.LIBRARY.value:
            return cls(OwnerKind.LIBRARY)
        parts = text.split("/")
        if len(parts) != 3 or not all(parts):
            return None
        return cls(OwnerKind.RESOURCE, *parts)


@dataclass(frozen=True, slots=True)
class AgentIdentity:
    """Which agent is whose: `name` is the runtime's key, `agent_id` the owner's word for it."""

    name: str
    owner: Owner
    agent_id: str

    def owns(self, stamp: Stamp | None) -> bool:
        """True when `stamp` says so: our owner, and made for this very agent, not copied from another."""
        return stamp is not None and (stamp.owner, stamp.agent_id) == (self.owner, self.agent_id)


@dataclass(frozen=True, slots=True)
class Stamp:
    """Owner, agent id and adapter of what bears it; `uid` and `hash` are notes that decide nothing."""

    owner: Owner
    agent_id: str
    adapter: str = ""
    uid: str = ""
    hash: str = ""

    def to_metadata(self) -> dict[str, str]:
        """The stamp as metadata pairs; an empty value is left out."""
        pairs = {
            PROVIDER_KEY: PROVIDER,
            TYPE_KEY: TYPE,
            OWNER_KEY: self.owner.kind.value,
            AGENT_ID_KEY: self.agent_id,
            ADAPTER_KEY: self.adapter,
            CLUSTER_KEY: self.owner.cluster,
            NAMESPACE_KEY: self.owner.namespace,
            NAME_KEY: self.owner.name,
            UID_KEY: self.uid,
            HASH_KEY: self.hash,
        }
        return {key: value for key, value in pairs.items() if value}


def split_metadata(metadata: Mapping[str, str]) -> tuple[Stamp | None, dict[str, str]]:
    """The stamp in `metadata`, if there is one, and the pairs that are not the stamp's.

    Pairs that do not make a whole stamp (the provider, a known kind of owner, an agent id) are no stamp.
    """
    rest = {key: value for key, value in metadata.items() if key not in STAMP_KEYS}
    kind = metadata.get(OWNER_KEY, "")
    if metadata.get(PROVIDER_KEY) != PROVIDER or kind not in set(OwnerKind) or not metadata.get(AGENT_ID_KEY):
        return None, rest
    owner = Owner(
        kind=OwnerKind(kind),
        cluster=metadata.get(CLUSTER_KEY, ""),
        namespace=metadata.get(NAMESPACE_KEY, ""),
        name=metadata.get(NAME_KEY, ""),
    )
    stamp = Stamp(
        owner=owner,
        agent_id=metadata[AGENT_ID_KEY],
        adapter=metadata.get(ADAPTER_KEY, ""),
        uid=metadata.get(UID_KEY, ""),
        hash=metadata.get(HASH_KEY, ""),
    )
    return stamp, rest
