"""The control surface of the sandbox, under `/_sandbox/`: what a test does behind the service's back.

Why over HTTP also within one process: the operator, the sandbox and the test may live in three, and one way
in needs no locks and cannot drift from a second. It answers on loopback only and never to a web page.
"""

from __future__ import annotations

from dataclasses import fields, replace

from aiohttp import web

from AgentOperatingSystem.sandbox.foundry.errors import Json, invalid, unknown_resource
from AgentOperatingSystem.sandbox.foundry.faults import Fault
from AgentOperatingSystem.sandbox.foundry.gate import SERVICE, Handler, Service
from AgentOperatingSystem.sandbox.foundry.records import Behaviour, to_json
from AgentOperatingSystem.sandbox.foundry.server import NAME, Route, read_body
from AgentOperatingSystem.sandbox.foundry.state import Access, Project

DEFAULT_PROJECT = "sandbox"
NO_CONTENT = 204


def _service(request: web.Request) -> Service:
    if "Origin" in request.headers:
        raise web.HTTPForbidden(reason="Not for web pages")
    return request.app[SERVICE]


def _project(request: web.Request) -> Project:
    name = request.query.get("project", DEFAULT_PROJECT)
    return _service(request).account.project(name)


async def get_state(request: web.Request) -> web.Response:
    """GET /_sandbox/state: everything, for all projects"""
    service = _service(request)
    account = service.account
    return web.json_response(
        {
            "down": service.is_down,
            "deployments": list(account.deployments),
            "behaviour": to_json(account.behaviour),
            "faults": service.faults.listing(),
            "projects": {name: _project_state(project) for name, project in account.projects.items()},
        }
    )


def _project_state(project: Project) -> Json:
    return {
        "agents": {name: to_json(agent) for name, agent in project.agents.items()},
        "conversations": {key: to_json(one) for key, one in project.conversations.items()},
    }


async def get_project(request: web.Request) -> web.Response:
    """GET /_sandbox/project?project=NAME"""
    return web.json_response(_project_state(_project(request)))


async def get_requests(request: web.Request) -> web.Response:
    """GET /_sandbox/requests"""
    return web.json_response({"requests": [to_json(one) for one in _service(request).log.listing()]})


async def clear_requests(request: web.Request) -> web.Response:
    """DELETE /_sandbox/requests"""
    _service(request).log.clear()
    return web.Response(status=NO_CONTENT)


async def get_faults(request: web.Request) -> web.Response:
    """GET /_sandbox/faults"""
    return web.json_response({"faults": _service(request).faults.listing()})


async def add_fault(request: web.Request) -> web.Response:
    """POST /_sandbox/faults with the fields of a Fault"""
    service, body = _service(request), await read_body(request)
    try:
        fault = Fault(**body)
    except (TypeError, ValueError) as error:
        raise invalid("fault", str(error)) from error
    return web.json_response({"id": service.faults.add(fault)})


async def clear_faults(request: web.Request) -> web.Response:
    """DELETE /_sandbox/faults"""
    _service(request).faults.clear()
    return web.Response(status=NO_CONTENT)


async def remove_fault(request: web.Request) -> web.Response:
    """DELETE /_sandbox/faults/{id}"""
    if not _service(request).faults.remove(request.match_info["id"]):
        raise unknown_resource("Fault")
    return web.Response(status=NO_CONTENT)


async def go_down(request: web.Request) -> web.Response:
    """POST /_sandbox/down {"seconds": 5}; without seconds until up"""
    service, seconds = _service(request), (await read_body(request)).get("seconds")
    if seconds is not None and not isinstance(seconds, int | float):
        raise invalid("seconds", "seconds must be a number")
    service.go_down(seconds)
    return web.Response(status=NO_CONTENT)


async def come_up(request: web.Request) -> web.Response:
    """POST /_sandbox/up"""
    _service(request).come_up()
    return web.Response(status=NO_CONTENT)


async def change_behaviour(request: web.Request) -> web.Response:
    """PATCH /_sandbox/behaviour with some fields of Behaviour"""
    account, changes = _service(request).account, await read_body(request)
    for key in changes.keys() - {field.name for field in fields(Behaviour)}:
        raise invalid(key, f"there is no switch '{key}'")
    account.behaviour = replace(account.behaviour, **changes)
    return web.json_response(to_json(account.behaviour))


async def add_deployment(request: web.Request) -> web.Response:
    """PUT /_sandbox/deployments/{name}"""
    _service(request).account.deployments[request.match_info["name"]] = None
    return web.Response(status=NO_CONTENT)


async def remove_deployment(request: web.Request) -> web.Response:
    """DELETE /_sandbox/deployments/{name}"""
    deployments = _service(request).account.deployments
    if request.match_info["name"] not in deployments:
        raise unknown_resource("Deployment")
    del deployments[request.match_info["name"]]
    return web.Response(status=NO_CONTENT)


async def add_agent(request: web.Request) -> web.Response:
    """PUT /_sandbox/agents/{name} {"definition", "metadata", "description"}: unchecked"""
    project, body = _project(request), await read_body(request)
    if not isinstance(body.get("definition"), dict):
        raise invalid("definition", "definition is required")
    version = project.put_version(
        request.match_info["name"],
        body["definition"],
        body.get("metadata") or {},
        body.get("description", ""),
    )
    return web.json_response({"version": version.number})


async def edit_agent(request: web.Request) -> web.Response:
    """POST /_sandbox/agents/{name}:edit with fields of the definition, and metadata or description"""
    version = _project(request).edit_agent(request.match_info["name"], await read_body(request))
    return web.json_response({"version": version.number})


async def remove_agent(request: web.Request) -> web.Response:
    """DELETE /_sandbox/agents/{name}"""
    _project(request).delete_agent(request.match_info["name"])
    return web.Response(status=NO_CONTENT)


async def remove_conversation(request: web.Request) -> web.Response:
    """DELETE /_sandbox/conversations/{id}"""
    project = _project(request)
    del project.conversations[project.conversation(request.match_info["id"]).id]
    return web.Response(status=NO_CONTENT)


async def put_connection(request: web.Request) -> web.Response:
    """PUT /_sandbox/connections/{name} with its body, credentials included"""
    name = request.match_info["name"]
    _project(request).connections[name] = {**await read_body(request), "name": name}
    return web.Response(status=NO_CONTENT)


async def put_access(request: web.Request) -> web.Response:
    """PUT /_sandbox/access {"accepted": [fingerprint] or null, "denied": [...], "denied_status": 403}"""
    project, body = _project(request), await read_body(request)
    accepted = body.get("accepted")
    project.access = Access(
        accepted=None if accepted is None else frozenset(accepted),
        denied=frozenset(body.get("denied") or ()),
        denied_status=body.get("denied_status", 403),
    )
    return web.Response(status=NO_CONTENT)


def _route(method: str, path: str, handler: Handler) -> Route:
    return Route(method, f"/_sandbox/{path}", f"sandbox.{getattr(handler, '__name__', path)}", handler)


CONTROL_ROUTES: tuple[Route, ...] = (
    _route("GET", "state", get_state),
    _route("GET", "project", get_project),
    _route("GET", "requests", get_requests),
    _route("DELETE", "requests", clear_requests),
    _route("GET", "faults", get_faults),
    _route("POST", "faults", add_fault),
    _route("DELETE", "faults", clear_faults),
    _route("DELETE", "faults/{id}", remove_fault),
    _route("POST", "down", go_down),
    _route("POST", "up", come_up),
    _route("PATCH", "behaviour", change_behaviour),
    _route("PUT", "deployments/{name}", add_deployment),
    _route("DELETE", "deployments/{name}", remove_deployment),
    _route("PUT", f"agents/{NAME}", add_agent),
    _route("POST", f"agents/{NAME}:edit", edit_agent),
    _route("DELETE", f"agents/{NAME}", remove_agent),
    _route("DELETE", "conversations/{id}", remove_conversation),
    _route("PUT", "connections/{name}", put_connection),
    _route("PUT", "access", put_access),
)
