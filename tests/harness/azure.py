"""An Azure of the test's own: a Foundry and a token service with TLS, and what a process needs to trust them.

Why TLS: a real credential goes to nothing else, so that only here the operator speaks as somebody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.e2e.controlplane.certificates import Authority

from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry
from AgentOperatingSystem.sandbox.foundry.embedded import DEFAULT_DEPLOYMENTS
from AgentOperatingSystem.sandbox.identity import FOUNDRY_SCOPE, EmbeddedIdentity
from AgentOperatingSystem.sandbox.serving import Certificate

TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"
OPERATOR_CLIENT = "22222222-bbbb-4bbb-8bbb-222222222222"
# Opaque as the tokens: looked for in logs, and never to be found there.
OPERATOR_ASSERTION = "assertion-of-the-service-account"


@dataclass(frozen=True)
class Azure:
    """`foundry` accepts the tokens of `identity` alone; `environment` is what an operator needs to use both.

    The operator itself is a workload identity, OPERATOR_CLIENT of TENANT.
    """

    foundry: EmbeddedFoundry
    identity: EmbeddedIdentity
    certificate: Certificate
    ca_file: Path
    assertion_file: Path

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a process that trusts the authority, and may speak to this Foundry only."""
        return {
            "SSL_CERT_FILE": str(self.ca_file),
            "AOS_ALLOWED_ENDPOINTS": self.allowed,
            "AZURE_AUTHORITY_HOST": self.identity.url,
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": OPERATOR_CLIENT,
            "AZURE_FEDERATED_TOKEN_FILE": str(self.assertion_file),
            # Else a client secret in the environment, be it a wrong one, would come first.
            "AZURE_TOKEN_CREDENTIALS": "WorkloadIdentityCredential",
        }

    @property
    def allowed(self) -> str:
        """The Foundry's host and port, as AOS_ALLOWED_ENDPOINTS names it."""
        return urlsplit(self.foundry.base_url).netloc

    def trust_operator_as(self, client_id: str) -> None:
        """A further application that trusts the operator's service account."""
        self.identity.trust(TENANT, client_id, OPERATOR_ASSERTION)

    @contextmanager
    def another_foundry(self) -> Iterator[EmbeddedFoundry]:
        """A second account on a port of its own, which nothing of `environment` allows."""
        with EmbeddedFoundry(
            environ={}, principals=self.identity.client_of, certificate=self.certificate
        ) as foundry:
            yield foundry


@contextmanager
def open_azure(
    folder: Path,
    *,
    deployments: Iterable[str] = DEFAULT_DEPLOYMENTS,
    hosts: Iterable[str] = (),
    page_size: int = 50,
    scope: str = FOUNDRY_SCOPE,
) -> Iterator[Azure]:
    """An Azure in `folder`; its servers may be reached by the names in `hosts` as well, through a proxy.

    Tokens must have been asked for with `scope`, which is each cloud's own.
    """
    authority = Authority(folder / "authority")
    pair = authority.issue("azure", "azure.test", hosts=tuple(hosts))
    certificate = Certificate(pair.certificate, pair.key)
    assertion_file = folder / "service-account-token"
    assertion_file.write_text(OPERATOR_ASSERTION, encoding="ascii")
    with (
        EmbeddedIdentity(certificate, scope=scope) as identity,
        EmbeddedFoundry(
            deployments=deployments,
            environ={},
            principals=identity.client_of,
            certificate=certificate,
            azure_page_size=page_size,
        ) as foundry,
    ):
        identity.trust(TENANT, OPERATOR_CLIENT, OPERATOR_ASSERTION)
        yield Azure(foundry, identity, certificate, authority.certificate, assertion_file)
