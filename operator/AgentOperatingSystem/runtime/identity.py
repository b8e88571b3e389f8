"""As whom the operator speaks to a project: frozen records, without any of Azure's code.

A secret never shows in a `repr`, so that no log or traceback of a record tells it.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class OwnIdentity:
    """The operator's own: whatever Azure's default chain of credentials finds in its surroundings."""


@dataclass(frozen=True, slots=True)
class WorkloadIdentity:
    """Another application that trusts the operator's service account, by a federated credential.

    `tenant_id` empty: the operator's own, from AZURE_TENANT_ID.
    """

    client_id: str
    tenant_id: str = ""


@dataclass(frozen=True, slots=True)
class ServicePrincipal:
    """A tenant's own application and its client secret; `kept_in` says in words where that is kept."""

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    kept_in: str = "the runtime's Secret"


Identity = OwnIdentity | WorkloadIdentity | ServicePrincipal
