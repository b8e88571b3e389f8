"""What the route tables of both generations and of the control surface are made of.

Why apart from them: they share one application, and none of them may have to know another.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from aiohttp import web

from AgentOperatingSystem.sandbox.foundry.errors import Json, invalid
from AgentOperatingSystem.sandbox.foundry.gate import SERVICE, Handler
from AgentOperatingSystem.sandbox.foundry.state import Project

PROJECT = "/api/projects/{project}"
NAME = "{name:[^/:]+}"


@dataclass(frozen=True)
class Route:
    """An operation of the service: where it is reached and who handles it."""

    method: str
    path: str
    operation: str
    handler: Handler


async def read_body(request: web.Request) -> Json:
    """The body as a JSON object, empty when there is none. Raises ApiError 400."""
    text = await request.text()
    if not text:
        return {}
    try:
        body = json.loads(text)
    except json.JSONDecodeError as error:
        raise invalid("body", f"The request body is not JSON: {error}", code="invalid_payload") from error
    if not isinstance(body, dict):
        raise invalid("body", "The request body must be an object", code="invalid_payload")
    return body


def project_of(request: web.Request) -> Project:
    """The project that the path names, made on first use."""
    return request.app[SERVICE].account.project(request.match_info["project"])
