"""The applications, their secrets and the tokens given out: what the service knows, without HTTP.

The server's thread gives tokens while a test's thread changes secrets and another server asks whose a token
is, so that everything happens under one lock. Secrets, assertions and tokens are kept as fingerprints.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

FOUNDRY_SCOPE = "https://ai.azure.com/.default"
TOKEN_SECONDS = 3600.0


@dataclass(frozen=True)
class TokenRequest:
    """One request for a token as the service saw it, without what proves who asks.

    `proof` is `client_secret`, `client_assertion` or nothing; `code` is the AADSTS number of a refusal.
    """

    at: float
    tenant: str
    client_id: str
    scope: str
    proof: str
    status: int
    code: int | None = None


class Refused(Exception):
    """No token: the HTTP status, OAuth's word for it, and Entra's number and sentence."""

    def __init__(self, status: int, error: str, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.error = error
        self.code = code
        self.sentence = sentence


@dataclass
class _Application:
    proofs: dict[str, set[str]] = field(
        default_factory=lambda: {"client_secret": set(), "client_assertion": set()}
    )


@dataclass(frozen=True)
class _Grant:
    tenant: str
    client_id: str
    scope: str
    ends: float


class Directory:
    """Applications by tenant and client id, and whose each token is."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.token_seconds = TOKEN_SECONDS
        self._applications: dict[tuple[str, str], _Application] = {}
        self._grants: dict[str, _Grant] = {}
        self._requests: list[TokenRequest] = []
        self._lock = Lock()

    def add_proof(self, tenant: str, client_id: str, kind: str, proof: str) -> None:
        """From now on the application may prove itself so; it is made on first use."""
        with self._lock:
            application = self._applications.setdefault((tenant, client_id), _Application())
            application.proofs[kind].add(_fingerprint(proof))

    def remove_proof(self, tenant: str, client_id: str, kind: str, proof: str) -> None:
        """From now on it may not; its tokens stay good. Raises KeyError for one that it did not have."""
        with self._lock:
            self._applications[tenant, client_id].proofs[kind].remove(_fingerprint(proof))

    def revoke(self, client_id: str) -> None:
        """All tokens of an application end now."""
        with self._lock:
            self._grants = {
                token: grant for token, grant in self._grants.items() if grant.client_id != client_id
            }

    def grant(self, tenant: str, client_id: str, scope: str, kind: str, proof: str) -> str:
        """A new token. Raises Refused."""
        with self._lock:
            self._check(tenant, client_id, scope, kind, proof)
            token = f"sandbox-{secrets.token_urlsafe(32)}"
            ends = self.clock() + self.token_seconds
            self._grants[_fingerprint(token)] = _Grant(tenant, client_id, scope, ends)
            return token

    def client_of(self, token: str, scope: str) -> str | None:
        """The client id that the token was given to; None when it is unknown, over or for something else."""
        with self._lock:
            grant = self._grants.get(_fingerprint(token))
        if grant is None or grant.scope != scope or self.clock() >= grant.ends:
            return None
        return grant.client_id

    def record(self, request: TokenRequest) -> None:
        """Remember a request."""
        with self._lock:
            self._requests.append(request)

    def requests(self) -> tuple[TokenRequest, ...]:
        """A snapshot of the requests, oldest first."""
        with self._lock:
            return tuple(self._requests)

    def _check(self, tenant: str, client_id: str, scope: str, kind: str, proof: str) -> None:
        if all(known != tenant for known, _ in self._applications):
            raise Refused(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
        application = self._applications.get((tenant, client_id))
        if application is None:
            sentence = f"Application with identifier '{client_id}' was not found in the directory '{tenant}'."
            raise Refused(400, "unauthorized_client", 700016, sentence)
        if not scope.endswith("/.default"):
            raise Refused(
                400, "invalid_scope", 1002012, f"The provided value for scope {scope} is not valid."
            )
        if _fingerprint(proof) not in application.proofs[kind]:
            raise _wrong_proof(client_id, kind)


def _wrong_proof(client_id: str, kind: str) -> Refused:
    if kind == "client_assertion":
        sentence = "No matching federated identity record found for presented assertion subject."
        return Refused(401, "invalid_client", 700213, sentence)
    sentence = (
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
        f"value, not the client secret ID, for a secret added to app '{client_id}'."
    )
    return Refused(401, "invalid_client", 7000215, sentence)


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
