"""A Foundry that answers otherwise than the embedded one: what Azure may turn out to be.

It also says what no recording may tell, in headers, values and keys, all with one mark.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiohttp import web

from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry
from AgentOperatingSystem.sandbox.foundry.gate import CONTROL_PREFIX

# Stands in everything that is not to be told; looked for in what is written.
MARK = "c4n4ry"
DEPLOYMENT = f"gpt-{MARK}"
HEADERS = {
    "x-ms-request-id": f"request-{MARK}",
    "apim-request-id": MARK,
    "x-ms-error-code": f"tenant-{MARK}",
    "Set-Cookie": f"session={MARK}",
    "x-ms-region": MARK,
}

Json = dict[str, Any]


class OtherFoundry(EmbeddedFoundry):
    """An embedded Foundry whose answers are altered on their way out, after everything else."""

    def _build(self) -> web.Application:
        app = super()._build()
        app.middlewares.insert(0, _otherwise)
        return app


@web.middleware
async def _otherwise(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    response = await handler(request)
    if request.path.startswith(CONTROL_PREFIX) or not isinstance(response, web.Response):
        return response
    response.headers.update(HEADERS)
    if response.content_type == "application/json" and response.body:
        body = json.loads(response.text or "")
        _alter(request, response, body)
        response.text = json.dumps(body)
    return response


def _alter(request: web.Request, response: web.Response, body: Json) -> None:
    operation = request.match_info.route.name or ""
    if response.status == 404:
        # The error shape of another gateway, and a status of its own.
        body["error"] = {"code": "ResourceNotFound", "message": f"no {MARK}", "innererror": {"code": MARK}}
    elif operation in ("get_agent", "get_assistant"):
        body["owner"] = {"tenant": MARK, f"of_{MARK}": MARK}
        body.pop("configuration_state", None)
        body.pop("temperature", None)
    elif operation in ("create_version", "create_assistant"):
        body["created_at"] = str(body["created_at"])
    elif operation in ("list_agents", "list_assistants"):
        body["data"] = [*_strangers(body["data"]), *body["data"]]
    elif operation == "delete_agent":
        response.set_status(202)


def _strangers(listed: Iterable[Json]) -> list[Json]:
    """Somebody else's agents, with fields and keys of their own; clients can read them as they read ours."""
    return [{**one, "name": f"theirs-{MARK}", "id": f"id-{MARK}", f"field_{MARK}": MARK} for one in listed]
