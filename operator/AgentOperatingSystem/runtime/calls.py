"""How every request goes to a runtime's service: in its turn, within its time, with errors of the one tree.

Both adapters send through this and none of it knows a client library but azure-core: what another one raises
is read by whoever uses it (`Failures`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ServiceResponseTimeoutError,
)

from AgentOperatingSystem.model.crossing import crossing
from AgentOperatingSystem.model.errors import NotFound, RuntimeFailure, RuntimeUnavailable, Throttled
from AgentOperatingSystem.model.guard import Guard
from AgentOperatingSystem.runtime.azure_errors import Refusal, failure, seconds_to_wait
from AgentOperatingSystem.runtime.config import CONTROL_SECONDS, RuntimeConfig
from AgentOperatingSystem.runtime.pace import Pace
from AgentOperatingSystem.runtime.turns import Turns

if TYPE_CHECKING:
    from azure.core.rest import AsyncHttpResponse

T = TypeVar("T")

TOO_LONG = "it took too long"
NO_CONNECTION = "no connection"
NO_JSON = "it answered what is no JSON"


@dataclass(frozen=True, slots=True)
class Failures:
    """What a client raises when a request fails, and how the facts are read from it."""

    kinds: tuple[type[Exception], ...]
    read: Callable[[Refusal, Exception], Refusal]


def read_azure(asked: Refusal, error: Exception) -> Refusal:
    """The facts in an exception of azure-core."""
    if isinstance(error, HttpResponseError) and error.response is not None:
        return _read_answer(asked, error.response)
    if isinstance(error, ClientAuthenticationError):
        return replace(asked, status=401)  # no token was to be had: nothing was sent
    if isinstance(error, JSONDecodeError):
        return replace(asked, sentence=NO_JSON)  # the SDKs let it through
    slow = isinstance(error, TimeoutError | ServiceResponseTimeoutError)
    return replace(asked, sentence=TOO_LONG if slow else NO_CONNECTION)


AZURE = Failures((AzureError,), read_azure)


class Calls:
    """All requests to one project: slots, pace, guard, time-outs and errors, dealt with once."""

    def __init__(
        self, endpoint: str, config: RuntimeConfig, guard: Guard, *, failures: Failures = AZURE
    ) -> None:
        self._endpoint = endpoint
        self._host = urlsplit(endpoint).hostname or ""
        self._timeout = config.timeout
        rate = config.requests_per_second
        self._pace = Pace(rate, burst=2 * rate, clock=time.monotonic)
        self._turns = Turns(config.max_in_flight, self._pace, guard)
        self._kinds: tuple[type[Exception], ...] = (TimeoutError, JSONDecodeError, *failures.kinds)
        self._read = failures.read

    async def send(
        self,
        operation: str,
        request: Callable[[], Awaitable[T]],
        *,
        writes: bool = False,
        seconds: float = CONTROL_SECONDS,
    ) -> T:
        """Send one request when it is its turn; whatever goes wrong is raised from the error tree."""
        async with self._turns.turn(writes=writes):
            try:
                async with (
                    crossing(f"runtime.{operation}", server=self._host),
                    asyncio.timeout(min(seconds, self._timeout)),
                ):
                    answer = await request()
            except self._kinds as error:
                asked = Refusal(operation, self._endpoint, writes)
                problem = failure(self._read(asked, error))
                if isinstance(problem, Throttled):
                    self._pace.throttled(problem.retry_after)
                raise problem from error
            self._pace.answered()
            return answer

    def too_late(self, operation: str) -> RuntimeFailure:
        """The error for something written of which nothing was heard in time."""
        return failure(Refusal(operation, self._endpoint, writes=True, sentence=TOO_LONG))

    def stop_waiting(self) -> None:
        """From now on a request that cannot be sent at once raises Stopping."""
        self._turns.stop_waiting()


def segment(text: str) -> str:
    """An id or a name as one segment of a path. Raises NotFound for one that is none: people can write it."""
    if not text.strip("."):
        raise NotFound(f"There is nothing by the id {text!r}.")
    return quote(text, safe="")


def json_object(response: AsyncHttpResponse, holds: str) -> dict[str, Any]:
    """The object in an answer that was asked for past the typed calls of an SDK; `holds` is a key in it.

    Raises HttpResponseError for anything but a success, and DecodeError for a success without that key: half
    an answer must never be taken for "there is none".
    """
    if not 200 <= response.status_code < 300:
        raise HttpResponseError(response=response)
    try:
        body = response.json()
    except ValueError as error:
        raise DecodeError("The answer is no JSON.", response=response) from error
    if not isinstance(body, dict) or body.get(holds) is None:
        raise DecodeError(f"The answer has no {holds}.", response=response)
    return body


def is_last_page(page: Mapping[str, Any], size: int) -> bool:
    """True for the end of a listing by cursor. A full page never is, whatever it says: it might be wrong."""
    short = len(page["data"]) < size
    return not page.get("last_id") or (short and not page.get("has_more", page["data"]))


def onward(asked: T, following: T) -> T:
    """What asks for a listing's next page. Raises RuntimeUnavailable for what was asked just now."""
    if following == asked:
        raise RuntimeUnavailable("The runtime's listing leads in circles; it is tried again.")
    return following


def _read_answer(asked: Refusal, response: Any) -> Refusal:
    if response.status_code < 300:
        return replace(asked, sentence=f"it answered {response.status_code} and not what was asked for")
    detail = _error_detail(response)
    return replace(
        asked,
        status=response.status_code,
        code=str(detail.get("code") or ""),
        param=str(detail.get("param") or ""),
        sentence=str(detail.get("message") or ""),
        retry_after=seconds_to_wait(response.headers),
    )


def _error_detail(response: Any) -> dict[str, Any]:
    """The service's own `error` object, which the SDK keeps as a model or not at all."""
    try:
        body = response.json()
    except ValueError:
        return {}
    detail = body.get("error") if isinstance(body, dict) else None
    return detail if isinstance(detail, dict) else {}
