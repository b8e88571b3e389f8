"""What every data-plane request passes on its way in and out, whatever the operation.

The order is the story of a request: it is recorded, it may meet a service that is down, a fault may strike
before anything happened, the caller must be known, the operation runs, and a fault may still lose the answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import web

from AgentOperatingSystem.sandbox.foundry.errors import (
    ApiError,
    permission_denied,
    unauthorized,
)
from AgentOperatingSystem.sandbox.foundry.faults import Fault, FaultBoard
from AgentOperatingSystem.sandbox.foundry.model import Model
from AgentOperatingSystem.sandbox.foundry.records import RequestRecord
from AgentOperatingSystem.sandbox.foundry.state import Access, Account

CONTROL_PREFIX = "/_sandbox/"
OPENAI_PART = "openai"
RECORDS_KEPT = 50_000
FINGERPRINT_SHOWN = 12

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# From a bearer token to the client id of the application that it was given to; None for one that is no good.
Principals = Callable[[str], str | None]


class RequestLog:
    """The requests seen, oldest first; the oldest are forgotten beyond a bound."""

    def __init__(self) -> None:
        self._records: dict[int, RequestRecord] = {}
        self._last = 0

    def open(self, record: RequestRecord) -> RequestRecord:
        """Adds a record under a number of its own."""
        self._last += 1
        numbered = replace(record, number=self._last)
        self._records[self._last] = numbered
        if len(self._records) > RECORDS_KEPT:
            del self._records[next(iter(self._records))]
        return numbered

    def close(self, record: RequestRecord) -> None:
        """Replaces the record of the same number, unless it was cleared meanwhile."""
        if record.number in self._records:
            self._records[record.number] = record

    def clear(self) -> None:
        """Forgets all."""
        self._records.clear()

    def listing(self) -> list[RequestRecord]:
        """A snapshot."""
        return list(self._records.values())


class Service:
    """What the handlers share: account, model, faults, log, and whether the service is down."""

    def __init__(self, account: Account, model: Model, principals: Principals | None = None) -> None:
        self.account = account
        self.model = model
        self.principals = principals
        self.faults = FaultBoard(account.clock)
        self.log = RequestLog()
        self._down_until = -math.inf

    @property
    def is_down(self) -> bool:
        """Does the service abort every connection now?"""
        return self.account.clock() < self._down_until

    def go_down(self, seconds: float | None) -> None:
        """For so many seconds, None until `come_up`."""
        self._down_until = math.inf if seconds is None else self.account.clock() + seconds

    def come_up(self) -> None:
        """Serve again."""
        self._down_until = -math.inf


SERVICE: web.AppKey[Service] = web.AppKey("service", Service)


def fingerprint(token: str) -> str:
    """What stands for a token wherever something is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


def refusal(error: ApiError) -> web.Response:
    """An error as an answer."""
    return web.json_response(error.body(), status=error.status)


@web.middleware
async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One data-plane request; the control surface passes untouched."""
    if request.path.startswith(CONTROL_PREFIX):
        return await _answer(request, handler)
    service = request.app[SERVICE]
    await request.read()  # now: a client that gives up during a delay would take its body with it
    fault = None if service.is_down else service.faults.strike(*_address(request))
    record = service.log.open(_record(request, service.account.clock(), fault))
    response = None if service.is_down else await _under(fault, request, handler)
    if service.is_down:  # also when it went down meanwhile
        record, response = replace(record, fault="down"), None
    service.log.close(replace(record, status=None if response is None else response.status))
    return _abort(request) if response is None else response


async def _under(fault: Fault | None, request: web.Request, handler: Handler) -> web.StreamResponse | None:
    """The answer as the fault leaves it; None when there is none."""
    if fault is None:
        return await _serve(request, handler)
    await asyncio.sleep(fault.delay)
    if fault.drop:
        return None
    if fault.status is not None and not fault.lost:
        return _injected(fault, fault.status)
    response = await _serve(request, handler)
    await asyncio.sleep(fault.delay_after)
    if not fault.lost:
        return response
    return None if fault.status is None else _injected(fault, fault.status)


def _injected(fault: Fault, status: int) -> web.Response:
    response = refusal(ApiError(status, fault.code, fault.message, kind=None))
    if fault.retry_after is not None:
        response.headers["Retry-After"] = f"{fault.retry_after:g}"
    if fault.location is not None:
        response.headers["Location"] = fault.location
    return response


async def _serve(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        _check_caller(request)
        _check_api_version(request)
    except ApiError as error:
        return refusal(error)
    return await _answer(request, handler)


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return refusal(error)
    except web.HTTPException as error:
        message = f"{request.method} {request.path}: {error.reason}"
        return refusal(ApiError(error.status, error.reason.replace(" ", ""), message, kind=None))


def _check_caller(request: web.Request) -> None:
    token = _token(request)
    if token is None:
        raise unauthorized()
    access, client = _access(request), _client(request, token)
    if client is None and request.app[SERVICE].principals is not None:
        raise unauthorized()
    known = fingerprint(token)
    if known in access.denied or (access.clients is not None and client not in access.clients):
        raise permission_denied(access.denied_status, f"{request.method} {request.path}")
    if access.accepted is not None and known not in access.accepted:
        raise unauthorized()


def _client(request: web.Request, token: str | None) -> str | None:
    principals = request.app[SERVICE].principals
    return None if principals is None or token is None else principals(token)


def _access(request: web.Request) -> Access:
    project = request.match_info.get("project")
    return Access() if project is None else request.app[SERVICE].account.project(project).access


def _check_api_version(request: web.Request) -> None:
    is_openai = OPENAI_PART in request.path.split("/")[4:5]
    if not is_openai and not request.query.get("api-version"):
        message = "The api-version query parameter (?api-version=) is required for all requests."
        raise ApiError(400, "MissingApiVersionParameter", message, kind=None)


def _token(request: web.Request) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _address(request: web.Request) -> tuple[str, str, str, str]:
    """Method, path, operation and project: what a fault goes by."""
    match = request.match_info
    return request.method, request.path, match.route.name or "unknown", match.get("project", "")


def _record(request: web.Request, now: float, fault: Fault | None) -> RequestRecord:
    method, path, operation, project = _address(request)
    token = _token(request)
    return RequestRecord(
        number=0,
        at=now,
        method=method,
        path=path,
        query=dict(request.query),
        project=project,
        operation=operation,
        fault=None if fault is None else fault.label,
        authorization=None if token is None else fingerprint(token)[:FINGERPRINT_SHOWN],
        user_agent=request.headers.get("User-Agent", ""),
        client=_client(request, token),
    )


def _abort(request: web.Request) -> web.Response:
    """Close the connection without a word: the client sees a reset, as from a service that is gone."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)
