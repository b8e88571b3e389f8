"""The way into the control surface, the same for every part of it: who may come in, which project is meant.

Why no web page may: a browser on the same machine can reach loopback too.
"""

from __future__ import annotations

from aiohttp import web

from AgentOperatingSystem.sandbox.foundry.gate import SERVICE, Handler, Service
from AgentOperatingSystem.sandbox.foundry.routing import Route
from AgentOperatingSystem.sandbox.foundry.state import Project

DEFAULT_PROJECT = "sandbox"
NO_CONTENT = 204


def service_of(request: web.Request) -> Service:
    """What the control surface controls. Raises HTTPForbidden for a web page."""
    if "Origin" in request.headers:
        raise web.HTTPForbidden(reason="Not for web pages")
    return request.app[SERVICE]


def controlled_project(request: web.Request) -> Project:
    """The project of the query, else the default one."""
    name = request.query.get("project", DEFAULT_PROJECT)
    return service_of(request).account.project(name)


def control_route(method: str, path: str, handler: Handler) -> Route:
    """An entry of the control surface's table, named after its handler."""
    return Route(method, f"/_sandbox/{path}", f"sandbox.{getattr(handler, '__name__', path)}", handler)
