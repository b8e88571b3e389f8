"""From an identity to a credential of Azure's, whose failures are told in the words of the one error tree.

Azure says why there was no token in long texts, with numbers of tenants, applications and requests. Of these
the code alone is taken, and told as what to check; a secret, an assertion or a token is in none of it.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Self, assert_never

from AgentOperatingSystem.model.errors import ConfigurationError, NotAuthorized, RuntimeUnavailable
from AgentOperatingSystem.runtime.azure_errors import ROLE
from AgentOperatingSystem.runtime.endpoints import Endpoint
from AgentOperatingSystem.runtime.identity import Identity, OwnIdentity, ServicePrincipal, WorkloadIdentity

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.exceptions import AzureError, ClientAuthenticationError

SANDBOX_TOKEN = "aos-sandbox"  # noqa: S105 - a word, not a secret: it is sent to loopback http only
CONNECT_SECONDS = 5.0
TOKEN_SECONDS = 10.0
TOKEN_RETRIES = 2
# How long a refusal holds, and a token that was made anew: a hundred agents must not ask a hundred times.
REFUSED_SECONDS = 10.0
RENEWED_SECONDS = 60.0

_CODE = re.compile(r"AADSTS([0-9]{4,8})")
_PROBLEMS = {
    "7000215": "the client secret is wrong",
    "7000222": "the client secret has expired",
    "700016": "the tenant knows no application of that client id",
    "7000112": "the application is disabled",
    "900023": "there is no such tenant",
    "90002": "there is no such tenant",
    "700024": "the service account's token has expired",
    "70021": "the application does not trust the operator's service account",
    "700211": "the application does not trust the cluster's issuer",
    "700212": "the application does not trust the audience of the service account's token",
    "700213": "the application does not trust the operator's service account",
    "500011": "the tenant does not know Foundry in this cloud",
    "53003": "a policy of conditional access forbids it",
}


class SandboxCredential:
    """A credential for the embedded Foundry: it has nothing worth stealing."""

    async def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """The fixed word, valid for an hour."""
        from azure.core.credentials import AccessToken  # noqa: PLC0415 - Azure is imported on use

        return AccessToken(SANDBOX_TOKEN, int(time.time()) + 3600)

    def forget(self) -> None:
        """The word stays what it is."""

    async def close(self) -> None:
        """Nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        return None


class ToldCredential:
    """A credential of Azure's; without a token it raises NotAuthorized or RuntimeUnavailable.

    As neither is an error of azure-core, its pipelines try nothing again and hand them through.
    """

    def __init__(
        self,
        make: Callable[[], AsyncTokenCredential],
        identity: Identity,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        self._inner = make()
        self._retired: AsyncTokenCredential | None = None
        self._identity = identity
        self._clock = clock
        self._refusal = ""
        self._refused_until = self._next_renewal = -math.inf
        self._is_stale = False

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token for the scopes, from the memory of the credential while it is valid."""
        if self._clock() < self._refused_until:
            raise NotAuthorized(self._refusal)
        await self._renew()
        try:
            return await self._asked(*scopes, **options)
        except NotAuthorized as refusal:
            self._refusal, self._refused_until = str(refusal), self._clock() + REFUSED_SECONDS
            raise

    def forget(self) -> None:
        """The runtime did not accept the token, which Azure's credentials would keep for its hour."""
        self._is_stale = True

    async def _renew(self) -> None:
        """A new credential remembers no token. The one before stays open for those who just ask it."""
        if not self._is_stale or self._clock() < self._next_renewal:
            return
        self._is_stale, self._next_renewal = False, self._clock() + RENEWED_SECONDS
        over, self._retired, self._inner = self._retired, self._inner, self._make()
        if over is not None:
            await over.close()

    async def _asked(self, *scopes: str, **options: Any) -> AccessToken:
        from azure.core.exceptions import AzureError, ClientAuthenticationError  # noqa: PLC0415

        try:
            return await self._inner.get_token(*scopes, **options)
        except ClientAuthenticationError as error:
            raise _refused(self._identity, error) from error
        except AzureError as error:
            raise _no_answer(error) from error
        except OSError as error:
            raise ConfigurationError(
                "AZURE_FEDERATED_TOKEN_FILE", f"names a file that cannot be read: {error.strerror}."
            ) from error

    async def close(self) -> None:
        """End the connections to the token service."""
        for credential in (self._inner, self._retired):
            if credential is not None:
                await credential.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()


Credential = SandboxCredential | ToldCredential


def credential_for(
    endpoint: Endpoint, identity: Identity, environ: Mapping[str, str] | None = None
) -> Credential:
    """The credential of `identity` in the cloud of `endpoint`; nothing is asked for yet.

    Towards plain http it is the sandbox's word, whoever one is. Raises ConfigurationError, naming the
    setting, and NotAuthorized for a service principal that cannot be one.
    """
    if endpoint.is_plain:
        return SandboxCredential()
    env = os.environ if environ is None else environ
    authority = _authority(endpoint, env)
    if isinstance(identity, OwnIdentity):
        return ToldCredential(partial(_own, authority), identity)
    if isinstance(identity, WorkloadIdentity):
        return ToldCredential(partial(_workload, identity, authority, env), identity)
    if isinstance(identity, ServicePrincipal):
        return ToldCredential(partial(_principal, identity, authority), identity)
    assert_never(identity)


def _authority(endpoint: Endpoint, env: Mapping[str, str]) -> str:
    authority = env.get("AZURE_AUTHORITY_HOST", "").strip().rstrip("/") or endpoint.cloud.authority
    authority = authority if "://" in authority else f"https://{authority}"
    if not authority.lower().startswith("https://"):
        raise ConfigurationError("AZURE_AUTHORITY_HOST", "must be an https URL: secrets are sent there.")
    return authority


def _own(authority: str) -> AsyncTokenCredential:
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - Azure is imported on use

    return DefaultAzureCredential(authority=authority)


def _workload(identity: WorkloadIdentity, authority: str, env: Mapping[str, str]) -> AsyncTokenCredential:
    from azure.identity.aio import WorkloadIdentityCredential  # noqa: PLC0415 - Azure is imported on use

    return WorkloadIdentityCredential(
        client_id=identity.client_id,
        tenant_id=identity.tenant_id or _given(env, "AZURE_TENANT_ID"),
        token_file_path=_given(env, "AZURE_FEDERATED_TOKEN_FILE"),
        authority=authority,
        **_options(),
    )


def _given(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise ConfigurationError(
            name, "is not set: a workload identity needs it; give the operator's Pod Azure Workload Identity."
        )
    return value


def _principal(identity: ServicePrincipal, authority: str) -> AsyncTokenCredential:
    from azure.identity.aio import ClientSecretCredential  # noqa: PLC0415 - Azure is imported on use

    try:
        return ClientSecretCredential(
            identity.tenant_id, identity.client_id, identity.client_secret, authority=authority, **_options()
        )
    except ValueError:
        # Its text is not taken over: it may quote what it was given.
        raise NotAuthorized(
            "The runtime's Secret holds no service principal; put the tenant's id, the client id and the "
            "client secret of an application there."
        ) from None


def _options() -> dict[str, Any]:
    """The pass has seconds, not the ten tries of the default; and no request is ever printed."""
    return {
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": TOKEN_SECONDS,
        "retry_total": TOKEN_RETRIES,
        "logging_enable": False,
    }


def _refused(identity: Identity, error: ClientAuthenticationError) -> NotAuthorized | RuntimeUnavailable:
    status = None if error.response is None else error.response.status_code
    if status is not None and (status >= 500 or status == 429):
        return _no_answer(error)
    found = _CODE.search(str(error.message))
    reason = ""
    if found is not None:
        problem = _PROBLEMS.get(found[1], "the token service refuses it")
        reason = f": {problem} (AADSTS{found[1]})"
    return NotAuthorized(f"There is no token for {_who(identity)}{reason}; {_mend(identity)}")


def _no_answer(error: AzureError) -> RuntimeUnavailable:
    status = getattr(getattr(error, "response", None), "status_code", None)
    answered = "does not answer" if status is None else f"failed ({status})"
    return RuntimeUnavailable(
        f"The service that gives out tokens {answered}; it is tried again. If that lasts, check the way to "
        "it (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE)."
    )


def _who(identity: Identity) -> str:
    return (
        "the operator itself" if isinstance(identity, OwnIdentity) else f"the client id {identity.client_id}"
    )


def _mend(identity: Identity) -> str:
    role = f"and that it has the role {ROLE} on the project."
    if isinstance(identity, ServicePrincipal):
        return f"check the tenant, the client id and the client secret in {identity.kept_in}, {role}"
    if isinstance(identity, WorkloadIdentity):
        return (
            "check the runtime's client id and tenant, that the application has a federated credential for "
            f"the operator's service account, {role}"
        )
    return (
        "check its credential (AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_CLIENT_SECRET, workload identity), "
        f"the way to the token service (HTTPS_PROXY, SSL_CERT_FILE), {role}"
    )
