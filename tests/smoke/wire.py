"""What goes over the wire, as it is: heard inside the SDKs' transports for the time of a run.

Heard there by patching, since a proxy in between is what TLS and tokens are against, and the production code
has no other need of a seam. What is heard is raw: it is never written anywhere, only its shape is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.runtime.endpoints import Endpoint

# What of a run has an id that the service gave, and must be deleted by it.
_THREADS, _ASSISTANTS = ("/openai/v1/conversations", "/threads"), ("/assistants",)


@dataclass(frozen=True)
class Exchange:
    """One request and its answer; `status` is None when none came. Never shown: it holds tokens and names."""

    step: str
    method: str
    path: str = field(repr=False)
    query: str = field(repr=False)
    sent_headers: Mapping[str, str] = field(repr=False)
    sent: bytes = field(repr=False)
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def writes(self) -> bool:
        """Whether it may have changed something."""
        return self.method not in ("GET", "HEAD")

    @property
    def created_id(self) -> str:
        """The id in the answer of a create; empty when there is none."""
        if not self.writes or self.status is None or self.status >= 300:
            return ""
        body = parsed(self.body)
        return str(body.get("id") or "") if isinstance(body, dict) else ""


class Wire:
    """Every exchange with one project, in order. What goes elsewhere, as for a token, is not kept."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = Endpoint.parse(endpoint)
        self.step = ""
        self.exchanges: list[Exchange] = []

    def heard(self, request: _Request, answer: _Answer | None) -> None:
        """One exchange has ended."""
        if not self._endpoint.is_origin_of(request.url):
            return
        path, _, query = request.url.partition("?")
        path = path.split("/", 3)[3] if path.count("/") >= 3 else ""
        answered = answer or _Answer(None, {}, b"")
        self.exchanges.append(
            Exchange(
                self.step,
                request.method.upper(),
                f"/{path}".removeprefix(self._endpoint.path),
                query,
                request.headers,
                request.body,
                answered.status,
                answered.headers,
                answered.body,
            )
        )

    def created_threads(self) -> list[str]:
        """The ids of the conversations and threads that were made."""
        return self._created(_THREADS)

    def created_assistants(self) -> list[str]:
        """The ids of the classic agents that were made."""
        return self._created(_ASSISTANTS)

    def _created(self, paths: tuple[str, ...]) -> list[str]:
        ids = [one.created_id for one in self.exchanges if one.path in paths]
        return [one for one in dict.fromkeys(ids) if one]


@dataclass(frozen=True)
class _Request:
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class _Answer:
    status: int | None
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@contextmanager
def listening(wire: Wire, generation: RuntimeType) -> Iterator[None]:
    """While this lasts, all that the generation's SDK sends and gets is heard, each try of it."""
    with _azure(wire):
        if generation is RuntimeType.FOUNDRY:
            with _openai(wire):
                yield
        else:
            yield


@contextmanager
def _azure(wire: Wire) -> Iterator[None]:
    from azure.core.pipeline.transport import AioHttpTransport  # noqa: PLC0415 - Azure is imported on use

    send: Any = AioHttpTransport.send

    async def heard(self: Any, request: Any, **options: Any) -> Any:
        asked = _Request(request.method, request.url, _small(request.headers), _bytes(request.content))
        try:
            response = await send(self, request, **options)
        except BaseException:
            wire.heard(asked, None)
            raise
        wire.heard(asked, _answer(response))
        return response

    with _replaced(AioHttpTransport, "send", heard):
        yield


@contextmanager
def _openai(wire: Wire) -> Iterator[None]:
    from openai import DefaultAsyncHttpxClient  # noqa: PLC0415 - openai is imported on use

    send: Any = DefaultAsyncHttpxClient.send

    async def heard(self: Any, request: Any, **options: Any) -> Any:
        asked = _Request(request.method, str(request.url), _small(request.headers), _bytes(request.content))
        try:
            response = await send(self, request, **options)
        except BaseException:
            wire.heard(asked, None)
            raise
        wire.heard(asked, _answer(response))
        return response

    with _replaced(DefaultAsyncHttpxClient, "send", heard):
        yield


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """An attribute of the class itself, which afterwards has it only if it had it before."""
    missing = object()
    before = vars(owner).get(name, missing)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is missing:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


def _answer(response: Any) -> _Answer:
    try:
        body = response.content
    except Exception:  # noqa: BLE001 - each library has an error of its own for a stream that was not read
        body = b""
    return _Answer(response.status_code, _small(response.headers), _bytes(body))


def _small(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _bytes(content: Any) -> bytes:
    if isinstance(content, str):
        return content.encode()
    return content if isinstance(content, bytes) else b""


def parsed(body: bytes) -> Any:
    """The JSON in a body; None when there is none."""
    try:
        return json.loads(body)
    except ValueError:
        return None
