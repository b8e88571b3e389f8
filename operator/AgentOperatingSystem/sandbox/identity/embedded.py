"""The embedded token service: the server in a thread of this process, together with its directory.

Why https: a credential of Azure's sends its secret to nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from AgentOperatingSystem.sandbox.identity.directory import FOUNDRY_SCOPE, Directory, TokenRequest
from AgentOperatingSystem.sandbox.identity.server import TokenService
from AgentOperatingSystem.sandbox.serving import Certificate, LoopbackServer


class EmbeddedIdentity:
    """A token service on loopback, as a context manager; usable once. `url` is its authority.

    `scope` is what tokens must have been asked for to be good for `client_of`.
    """

    def __init__(
        self,
        certificate: Certificate,
        *,
        port: int = 0,
        scope: str = FOUNDRY_SCOPE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._scope = scope
        self._directory = Directory(clock)
        self._service = TokenService(self._directory)
        self._server = LoopbackServer(self._service.application, port=port, certificate=certificate)

    @property
    def url(self) -> str:
        """The authority, for AZURE_AUTHORITY_HOST; valid once started."""
        return self._server.url

    @property
    def requests(self) -> tuple[TokenRequest, ...]:
        """A snapshot of the requests seen so far, oldest first."""
        return self._directory.requests()

    def add_secret(self, tenant: str, client_id: str, secret: str) -> None:
        """A further secret of the application, which is made on first use: the first half of a rotation."""
        self._directory.add_proof(tenant, client_id, "client_secret", secret)

    def remove_secret(self, tenant: str, client_id: str, secret: str) -> None:
        """The second half: the secret gives no tokens any more; those given stay good. Raises KeyError."""
        self._directory.remove_proof(tenant, client_id, "client_secret", secret)

    def trust(self, tenant: str, client_id: str, assertion: str) -> None:
        """A federated credential: who shows this token of a service account may speak as the application."""
        self._directory.add_proof(tenant, client_id, "client_assertion", assertion)

    def distrust(self, tenant: str, client_id: str, assertion: str) -> None:
        """The federated credential is gone. Raises KeyError."""
        self._directory.remove_proof(tenant, client_id, "client_assertion", assertion)

    def revoke(self, client_id: str) -> None:
        """All tokens that the application has end now."""
        self._directory.revoke(client_id)

    def lifetime(self, seconds: float) -> None:
        """How long the tokens live that are given from now on."""
        self._directory.token_seconds = seconds

    def fail(self, status: int | None) -> None:
        """Answer every request with this status until told None, as a service in trouble."""
        self._service.failing = status

    def client_of(self, token: str) -> str | None:
        """The client id of a token that is good now: the `principals` of an EmbeddedFoundry."""
        return self._directory.client_of(token, self._scope)

    def start(self) -> None:
        """Start serving; returns when the socket listens."""
        self._server.start()

    def stop(self) -> None:
        """Stop serving and wait for the thread."""
        self._server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
