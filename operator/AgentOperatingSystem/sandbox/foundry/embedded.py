"""The embedded Foundry: the server in a thread of this process, together with its control.

Why it is a FoundryControl: what a test can do to a sandbox must not depend on whether it started it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from aiohttp import web

from AgentOperatingSystem.sandbox.foundry.control import FoundryControl
from AgentOperatingSystem.sandbox.foundry.control_routes import CONTROL_ROUTES
from AgentOperatingSystem.sandbox.foundry.forwarding import ForwardingModel, Upstream
from AgentOperatingSystem.sandbox.foundry.gate import Principals, Service, fingerprint
from AgentOperatingSystem.sandbox.foundry.model import Model, SandboxModel
from AgentOperatingSystem.sandbox.foundry.records import Behaviour
from AgentOperatingSystem.sandbox.foundry.server import build_application
from AgentOperatingSystem.sandbox.foundry.state import Account
from AgentOperatingSystem.sandbox.serving import LOOPBACK, Certificate, LoopbackServer

DEFAULT_DEPLOYMENTS = ("llama-3.3-70b", "llama-3.3-70b-ceo", "llama-3.3-70b-cfo", "llama-3.3-70b-cto")


class EmbeddedFoundry(FoundryControl):
    """An emulated Foundry account on loopback, as a context manager; usable once.

    `tokens` are the bearer tokens that every project accepts until it is told otherwise; None accepts any.
    `model` answers the turns; without one, the endpoint of `model_url` or of `AOS_SANDBOX_MODEL_URL` in
    `environ` does (with `_API_KEY` and `_NAME`), else the deterministic model of the sandbox.
    With `principals`, as `EmbeddedIdentity.client_of`, only the tokens of an identity service are accepted,
    and each project may say whose. With a `certificate` it serves https.
    Raises OSError on start when the port is taken.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        deployments: Iterable[str] = DEFAULT_DEPLOYMENTS,
        tokens: Iterable[str] | None = None,
        behaviour: Behaviour | None = None,
        model: Model | None = None,
        model_url: str | None = None,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
        azure_page_size: int = 50,
        principals: Principals | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        tls = None if certificate is None else certificate.trusted()
        super().__init__(f"{'http' if tls is None else 'https'}://{LOOPBACK}:{port}", tls=tls)
        upstream = Upstream.from_environment(
            {**environ, **({"AOS_SANDBOX_MODEL_URL": model_url} if model_url else {})}
        )
        thinking = ForwardingModel(upstream) if upstream is not None else SandboxModel()
        account = Account(
            deployments=deployments,
            behaviour=behaviour or Behaviour(),
            accepted=None if tokens is None else frozenset(fingerprint(token) for token in tokens),
            clock=clock,
            azure_page_size=azure_page_size,
        )
        self._service = Service(account, model or thinking, principals)
        self._server = LoopbackServer(self._build, port=port, certificate=certificate)

    def start(self) -> None:
        """Start serving; returns when the socket listens."""
        self._server.start()
        self._wire.base_url = self._server.url

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

    def _build(self) -> web.Application:
        return build_application(self._service, CONTROL_ROUTES)
