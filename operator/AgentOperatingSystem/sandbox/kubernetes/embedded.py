"""`EmbeddedKubernetes`: the API server as a context manager, for the demo and the tests."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from aiohttp import web

from AgentOperatingSystem.sandbox.serving import LoopbackServer

from .server import ApiServer
from .store import LOG_LENGTH
from .traffic import RequestRecord, Traffic

CONTEXT = "aos-sandbox"
WAIT_SECONDS = 10.0


class EmbeddedKubernetes:
    """An in-memory Kubernetes API on loopback. Its state lives as long as the context.

    Port 0 takes a free port. A watch may start from any of the last `log_length` writes, else it gets 410.
    """

    def __init__(self, port: int = 0, *, log_length: int = LOG_LENGTH) -> None:
        self._log_length = log_length
        self._traffic = Traffic()
        self._api: ApiServer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server = LoopbackServer(self._build, port=port)

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        return self._server.url

    @property
    def requests(self) -> tuple[RequestRecord, ...]:
        """The requests answered so far, oldest first: an audit log."""
        return self._traffic.snapshot()

    def clear_requests(self) -> None:
        """Empty the audit log."""
        self._traffic.clear()

    def fail_next(self, method: str, path_regex: str, status: int, times: int = 1) -> None:
        """Answer the next `times` requests whose method and path match with this HTTP status."""
        self._traffic.fail_next(method, path_regex, status, times)

    def mute_watches(self, muted: bool) -> None:
        """While muted, watches stay open and deliver nothing; what was held back comes afterwards."""
        self._run(lambda api: api.mute(muted))

    def restart(self) -> None:
        """Cut every connection and go on with the same state, as after a restart of the API server."""
        self._run(lambda api: api.drop_connections())

    def write_kubeconfig(self, path: Path | str) -> Path:
        """Write a kubeconfig for kubectl, kopf and the clients; returns its path."""
        target = Path(path)
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": CONTEXT, "cluster": {"server": self.url}}],
            "users": [{"name": CONTEXT, "user": {}}],
            "contexts": [
                {"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": "default"}}
            ],
            "current-context": CONTEXT,
        }
        target.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return target

    def start(self) -> None:
        """Start serving; returns when the socket listens."""
        self._server.start()

    def stop(self) -> None:
        """Stop serving; the state is gone."""
        self._server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _build(self) -> web.Application:
        self._loop = asyncio.get_running_loop()
        self._api = ApiServer(self._traffic, log_length=self._log_length)
        return self._api.application()

    def _run(self, action: Any) -> None:
        if self._api is None or self._loop is None:
            raise RuntimeError("the embedded API is not started")
        work: Coroutine[Any, Any, None] = action(self._api)
        asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_SECONDS)
