"""The control surface of the sandbox, under `/_sandbox/`: what a test does behind the service's back.

Why over HTTP also within one process: the operator, the sandbox and the test may live in three, and one way
in needs no locks and cannot drift from a second. It answers on loopback only and never to a web page.
"""

from __future__ import annotations

from dataclasses import fields, replace

from aiohttp import web

from AgentOperatingSystem.sandbox.foundry.classic.control import CLASSIC_CONTROL_ROUTES, classic_state
from AgentOperatingSystem.sandbox.foundry.control_entry import (
    NO_CONTENT,
    control_route,
    controlled_project,
    service_of,
)
from AgentOperatingSystem.sandbox.foundry.errors import Json, invalid, unknown_resource
from AgentOperatingSystem.sandbox.foundry.faults import Fault
from AgentOperatingSystem.sandbox.foundry.records import Behaviour, to_json
from AgentOperatingSystem.sandbox.foundry.routing import NAME, Route, read_body
from AgentOperatingSystem.sandbox.foundry.state import Access, Project
from AgentOperatingSystem.sandbox.foundry.storage_control import STORAGE_CONTROL_ROUTES, storage_state


async def get_state(request: web.Request) -> web.Response:
    """GET /_sandbox/state: everything, for all projects"""
    service = service_of(request)
    account = service.account
    return web.json_response(
        {
            "down": service.is_down,
            "deployments": list(account.deployments),
            "behaviour": to_json(account.behaviour),
            "faults": service.faults.listing(),
            "projects": {
                name: {**_project_state(project), **classic_state(project), **storage_state(project)}
                for name, project in account.projects.items()
            },
        }
    )


def _project_state(project: Project) -> Json:
    return {
        "agents": {name: to_json(agent) for name, agent in project.agents.items()},
        "conversations": {key: to_json(one) for key, one in project.conversations.items()},
    }


async def get_project(request: web.Request) -> web.Response:
    """GET /_sandbox/project?project=NAME"""
    return web.json_response(_project_state(controlled_project(request)))


async def get_requests(request: web.Request) -> web.Response:
    """GET /_sandbox/requests"""
    return web.json_response({"requests": [to_json(one) for one in service_of(request).log.listing()]})


async def clear_requests(request: web.Request) -> web.Response:
    """DELETE /_sandbox/requests"""
    service_of(request).log.clear()
    return web.Response(status=NO_CONTENT)


async def get_faults(request: web.Request) -> web.Response:
    """GET /_sandbox/faults"""
    return web.json_response({"faults": service_of(request).faults.listing()})


async def add_fault(request: web.Request) -> web.Response:
    """POST /_sandbox/faults with the fields of a Fault"""
    service, body = service_of(request), await read_body(request)
    try:
        fault = Fault(**body)
    except (TypeError, ValueError) as error:
        raise invalid("fault", str(error)) from error
    return web.json_response({"id": service.faults.add(fault)})


async def clear_faults(request: web.Request) -> web.Response:
    """DELETE /_sandbox/faults"""
    service_of(request).faults.clear()
    return web.Response(status=NO_CONTENT)


async def remove_fault(request: web.Request) -> web.Response:
    """DELETE /_sandbox/faults/{id}"""
    if not service_of(request).faults.remove(request.match_info["id"]):
        raise unknown_resource("Fault")
    return web.Response(status=NO_CONTENT)


async def go_down(request: web.Request) -> web.Response:
    """POST /_sandbox/down {"seconds": 5}; without seconds until up"""
    service, seconds = service_of(request), (await read_body(request)).get("seconds")
    if seconds is not None and not isinstance(seconds, int | float):
        raise invalid("seconds", "seconds must be a number")
    service.go_down(seconds)
    return web.Response(status=NO_CONTENT)


async def come_up(request: web.Request) -> web.Response:
    """POST /_sandbox/up"""
    service_of(request).come_up()
    return web.Response(status=NO_CONTENT)


async def change_behaviour(request: web.Request) -> web.Response:
    """PATCH /_sandbox/behaviour with some fields of Behaviour"""
    account, changes = service_of(request).account, await read_body(request)
    for key in changes.keys() - {field.name for field in fields(Behaviour)}:
        raise invalid(key, f"there is no switch '{key}'")
    account.behaviour = replace(account.behaviour, **changes)
    return web.json_response(to_json(account.behaviour))


async def add_deployment(request: web.Request) -> web.Response:
    """PUT /_sandbox/deployments/{name}"""
    service_of(request).account.deployments[request.match_info["name"]] = None
    return web.Response(status=NO_CONTENT)


async def remove_deployment(request: web.Request) -> web.Response:
    """DELETE /_sandbox/deployments/{name}"""
    deployments = service_of(request).account.deployments
    if request.match_info["name"] not in deployments:
        raise unknown_resource("Deployment")
    del deployments[request.match_info["name"]]
    return web.Response(status=NO_CONTENT)


async def add_agent(request: web.Request) -> web.Response:
    """PUT /_sandbox/agents/{name} {"definition", "metadata", "description"}: unchecked"""
    project, body = controlled_project(request), await read_body(request)
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
    version = controlled_project(request).edit_agent(request.match_info["name"], await read_body(request))
    return web.json_response({"version": version.number})


async def remove_agent(request: web.Request) -> web.Response:
    """DELETE /_sandbox/agents/{name}"""
    controlled_project(request).delete_agent(request.match_info["name"])
    return web.Response(status=NO_CONTENT)


async def remove_conversation(request: web.Request) -> web.Response:
    """DELETE /_sandbox/conversations/{id}"""
    project = controlled_project(request)
    del project.conversations[project.conversation(request.match_info["id"]).id]
    return web.Response(status=NO_CONTENT)


async def put_connection(request: web.Request) -> web.Response:
    """PUT /_sandbox/connections/{name} with its body, credentials included"""
    name = request.match_info["name"]
    controlled_project(request).connections[name] = {**await read_body(request), "name": name}
    return web.Response(status=NO_CONTENT)


async def put_access(request: web.Request) -> web.Response:
    """PUT /_sandbox/access {"accepted": [fingerprint] or null, "denied": [...], "denied_status": 403}

    With principals "clients": [client id] or null says who has the role.
    """
    project, body = controlled_project(request), await read_body(request)
    accepted = body.get("accepted")
    project.access = Access(
        accepted=None if accepted is None else frozenset(accepted),
        denied=frozenset(body.get("denied") or ()),
        denied_status=body.get("denied_status", 403),
        clients=None if body.get("clients") is None else frozenset(body["clients"]),
    )
    return web.Response(status=NO_CONTENT)


CONTROL_ROUTES: tuple[Route, ...] = (
    control_route("GET", "state", get_state),
    control_route("GET", "project", get_project),
    control_route("GET", "requests", get_requests),
    control_route("DELETE", "requests", clear_requests),
    control_route("GET", "faults", get_faults),
    control_route("POST", "faults", add_fault),
    control_route("DELETE", "faults", clear_faults),
    control_route("DELETE", "faults/{id}", remove_fault),
    control_route("POST", "down", go_down),
    control_route("POST", "up", come_up),
    control_route("PATCH", "behaviour", change_behaviour),
    control_route("PUT", "deployments/{name}", add_deployment),
    control_route("DELETE", "deployments/{name}", remove_deployment),
    control_route("PUT", f"agents/{NAME}", add_agent),
    control_route("POST", f"agents/{NAME}:edit", edit_agent),
    control_route("DELETE", f"agents/{NAME}", remove_agent),
    control_route("DELETE", "conversations/{id}", remove_conversation),
    control_route("PUT", "connections/{name}", put_connection),
    control_route("PUT", "access", put_access),
    *CLASSIC_CONTROL_ROUTES,
    *STORAGE_CONTROL_ROUTES,
)
