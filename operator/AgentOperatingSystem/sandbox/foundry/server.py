"""The routes of the data plane, new generation: each handler turns a request into one call of the domain.

The classic generation (assistants, threads, runs) and what both share (files and vector stores) have tables
of their own. Every operation has the name by which a fault or a test finds it.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from AgentOperatingSystem.sandbox.foundry import chat, conversations, responses, streaming
from AgentOperatingSystem.sandbox.foundry.classic.routes import CLASSIC_ROUTES
from AgentOperatingSystem.sandbox.foundry.errors import Json, unknown_resource
from AgentOperatingSystem.sandbox.foundry.gate import SERVICE, Service, gate
from AgentOperatingSystem.sandbox.foundry.paging import Entry, PageQuery, page
from AgentOperatingSystem.sandbox.foundry.records import Agent, AgentVersion
from AgentOperatingSystem.sandbox.foundry.routing import NAME, PROJECT, Route, project_of, read_body
from AgentOperatingSystem.sandbox.foundry.storage_routes import STORAGE_ROUTES

LARGEST_BODY = 32 * 1024 * 1024
PUBLISHERS = {"llama": "Meta", "gpt": "OpenAI"}
EVENT_STREAM = "text/event-stream"


def build_application(service: Service, control: Sequence[Route]) -> web.Application:
    """The whole application: the data plane and the control surface."""
    app = web.Application(middlewares=[gate], client_max_size=LARGEST_BODY)
    app[SERVICE] = service
    for route in (*ROUTES, *CLASSIC_ROUTES, *STORAGE_ROUTES, *control):
        app.router.add_route(route.method, route.path, route.handler, name=route.operation)
    return app


def _version_body(version: AgentVersion, now: float) -> Json:
    return {
        "object": "agent.version",
        "id": f"{version.agent}:{version.number}",
        "name": version.agent,
        "version": str(version.number),
        "description": version.description,
        "created_at": int(version.created_at),
        "metadata": version.metadata,
        "definition": version.definition,
        "status": version.status(now),
    }


def _agent_body(agent: Agent, now: float) -> Json:
    return {
        "object": "agent",
        "id": agent.name,
        "name": agent.name,
        "state": agent.state,
        "configuration_state": agent.state,
        "versions": {"latest": _version_body(agent.latest, now)},
        **agent.details,
    }


# Agents and their versions


async def create_version(request: web.Request) -> web.Response:
    """POST /agents/{name}/versions"""
    project = project_of(request)
    version = project.create_version(request.match_info["name"], await read_body(request))
    return web.json_response(_version_body(version, project.account.clock()))


async def get_agent(request: web.Request) -> web.Response:
    """GET /agents/{name}"""
    project = project_of(request)
    agent = project.agent(request.match_info["name"])
    return web.json_response(_agent_body(agent, project.account.clock()))


async def list_agents(request: web.Request) -> web.Response:
    """GET /agents"""
    project, kind = project_of(request), request.query.get("kind")
    now = project.account.clock()
    entries = [
        Entry(agent.sequence, agent.name, _agent_body(agent, now))
        for agent in project.agents.values()
        if kind is None or agent.latest.definition.get("kind") == kind
    ]
    return web.json_response(page(entries, PageQuery.parse(request.query), project.places.get))


async def update_details(request: web.Request) -> web.Response:
    """PATCH /agents/{name}"""
    project = project_of(request)
    agent = project.patch_details(request.match_info["name"], await read_body(request))
    return web.json_response(_agent_body(agent, project.account.clock()))


async def delete_agent(request: web.Request) -> web.Response:
    """DELETE /agents/{name}"""
    name = request.match_info["name"]
    project_of(request).delete_agent(name)
    return web.json_response({"object": "agent.deleted", "name": name, "deleted": True})


async def enable_agent(request: web.Request) -> web.Response:
    """POST /agents/{name}:enable"""
    project_of(request).set_enabled(request.match_info["name"], enabled=True)
    return web.Response(status=204)


async def disable_agent(request: web.Request) -> web.Response:
    """POST /agents/{name}:disable"""
    project_of(request).set_enabled(request.match_info["name"], enabled=False)
    return web.Response(status=204)


async def get_version(request: web.Request) -> web.Response:
    """GET /agents/{name}/versions/{version}"""
    project = project_of(request)
    version = project.version(request.match_info["name"], request.match_info["version"])
    return web.json_response(_version_body(version, project.account.clock()))


async def list_versions(request: web.Request) -> web.Response:
    """GET /agents/{name}/versions"""
    project = project_of(request)
    now = project.account.clock()
    bodies = [
        (version.number, _version_body(version, now))
        for version in project.agent(request.match_info["name"]).versions
    ]
    entries = [Entry(number, body["id"], body) for number, body in bodies]
    return web.json_response(page(entries, PageQuery.parse(request.query), _version_place))


def _version_place(cursor: str) -> int | None:
    number = cursor.rpartition(":")[2]
    return int(number) if number.isdigit() else None


async def delete_version(request: web.Request) -> web.Response:
    """DELETE /agents/{name}/versions/{version}"""
    name, number = request.match_info["name"], request.match_info["version"]
    project_of(request).delete_version(name, number)
    body = {"object": "agent.version.deleted", "name": name, "version": number, "deleted": True}
    return web.json_response(body)


# Deployments and connections


def _deployment_body(name: str) -> Json:
    sku = {"name": "GlobalStandard", "capacity": 1, "family": "", "size": "", "tier": ""}
    return {
        "type": "ModelDeployment",
        "name": name,
        "modelName": name,
        "modelVersion": "1",
        "modelPublisher": PUBLISHERS.get(name.partition("-")[0], "Sandbox"),
        "capabilities": {"chat_completion": "true"},
        "sku": sku,
    }


async def list_deployments(request: web.Request) -> web.Response:
    """GET /deployments, in pages of `top` with a nextLink"""
    wanted = {
        key: request.query[param]
        for param, key in (
            ("modelPublisher", "modelPublisher"),
            ("modelName", "modelName"),
            ("deploymentType", "type"),
        )
        if param in request.query
    }
    bodies = [_deployment_body(name) for name in request.app[SERVICE].account.deployments]
    chosen = [body for body in bodies if wanted.items() <= body.items()]
    return web.json_response(_azure_page(request, chosen))


def _azure_page(request: web.Request, bodies: Sequence[Json]) -> Json:
    account = request.app[SERVICE].account
    page_size = account.azure_page_size
    skip = int(request.query["skip"]) if request.query.get("skip", "").isdigit() else 0
    answer: Json = {"value": list(bodies[skip : skip + page_size])}
    if skip + page_size < len(bodies):
        following = request.url.update_query({"skip": str(skip + page_size)})
        origin = account.behaviour.next_link_origin
        answer["nextLink"] = f"{origin}{following.raw_path_qs}" if origin else str(following)
    return answer


async def get_deployment(request: web.Request) -> web.Response:
    """GET /deployments/{name}"""
    name = request.match_info["name"]
    if name not in request.app[SERVICE].account.deployments:
        raise unknown_resource("Deployment")
    return web.json_response(_deployment_body(name))


async def list_connections(request: web.Request) -> web.Response:
    """GET /connections, without secrets"""
    kind = request.query.get("connectionType")
    held = project_of(request).connections.values()
    bodies = [_without_secrets(one) for one in held if kind is None or one.get("type") == kind]
    return web.json_response(_azure_page(request, bodies))


async def get_connection(request: web.Request) -> web.Response:
    """GET /connections/{name}, without secrets"""
    return web.json_response(_without_secrets(_connection(request)))


async def get_connection_with_credentials(request: web.Request) -> web.Response:
    """POST /connections/{name}/getConnectionWithCredentials"""
    return web.json_response(_connection(request))


def _connection(request: web.Request) -> Json:
    held = project_of(request).connections
    name = request.match_info["name"]
    if name not in held:
        raise unknown_resource("Connection")
    return held[name]


def _without_secrets(connection: Json) -> Json:
    return {**connection, "credentials": {"type": connection.get("credentials", {}).get("type", "None")}}


# The openai part


async def create_conversation(request: web.Request) -> web.Response:
    """POST /conversations"""
    return web.json_response(conversations.create_conversation(project_of(request), await read_body(request)))


async def get_conversation(request: web.Request) -> web.Response:
    """GET /conversations/{id}"""
    conversation = project_of(request).conversation(request.match_info["id"])
    return web.json_response(conversations.conversation_body(conversation))


async def update_conversation(request: web.Request) -> web.Response:
    """POST /conversations/{id}"""
    body = await read_body(request)
    return web.json_response(
        conversations.update_conversation(project_of(request), request.match_info["id"], body)
    )


async def delete_conversation(request: web.Request) -> web.Response:
    """DELETE /conversations/{id}"""
    return web.json_response(conversations.delete_conversation(project_of(request), request.match_info["id"]))


async def create_items(request: web.Request) -> web.Response:
    """POST /conversations/{id}/items"""
    body = await read_body(request)
    return web.json_response(conversations.create_items(project_of(request), request.match_info["id"], body))


async def list_items(request: web.Request) -> web.Response:
    """GET /conversations/{id}/items"""
    items = project_of(request).conversation(request.match_info["id"]).items
    return web.json_response(conversations.list_items(items, PageQuery.parse(request.query)))


async def get_item(request: web.Request) -> web.Response:
    """GET /conversations/{id}/items/{item}"""
    match = request.match_info
    return web.json_response(conversations.get_item(project_of(request), match["id"], match["item"]))


async def delete_item(request: web.Request) -> web.Response:
    """DELETE /conversations/{id}/items/{item}"""
    match = request.match_info
    return web.json_response(conversations.delete_item(project_of(request), match["id"], match["item"]))


async def create_response(request: web.Request) -> web.Response:
    """POST /responses, and the same below an agent's own endpoint"""
    body = await read_body(request)
    model, agent = request.app[SERVICE].model, request.match_info.get("name")
    response = await responses.create_response(project_of(request), body, model, agent)
    if body.get("stream"):
        return web.Response(text=streaming.response_events(response), content_type=EVENT_STREAM)
    return web.json_response(response)


async def get_response(request: web.Request) -> web.Response:
    """GET /responses/{id}"""
    return web.json_response(responses.get_response(project_of(request), request.match_info["id"]))


async def delete_response(request: web.Request) -> web.Response:
    """DELETE /responses/{id}"""
    return web.json_response(responses.delete_response(project_of(request), request.match_info["id"]))


async def create_chat_completion(request: web.Request) -> web.Response:
    """POST /chat/completions"""
    body = await read_body(request)
    completion = await chat.create_completion(project_of(request), body, request.app[SERVICE].model)
    if body.get("stream"):
        return web.Response(text=streaming.completion_events(completion), content_type=EVENT_STREAM)
    return web.json_response(completion)


AGENT = f"{PROJECT}/agents/{NAME}"
OPENAI = f"{PROJECT}/openai/v1"
CONVERSATION = f"{OPENAI}/conversations/{{id}}"

ROUTES: tuple[Route, ...] = (
    Route("GET", f"{PROJECT}/agents", "list_agents", list_agents),
    Route("GET", AGENT, "get_agent", get_agent),
    Route("PATCH", AGENT, "update_details", update_details),
    Route("DELETE", AGENT, "delete_agent", delete_agent),
    Route("POST", f"{AGENT}:enable", "enable_agent", enable_agent),
    Route("POST", f"{AGENT}:disable", "disable_agent", disable_agent),
    Route("GET", f"{AGENT}/versions", "list_versions", list_versions),
    Route("POST", f"{AGENT}/versions", "create_version", create_version),
    Route("GET", f"{AGENT}/versions/{{version}}", "get_version", get_version),
    Route("DELETE", f"{AGENT}/versions/{{version}}", "delete_version", delete_version),
    Route("POST", f"{AGENT}/endpoint/protocols/openai/responses", "create_agent_response", create_response),
    Route("GET", f"{PROJECT}/deployments", "list_deployments", list_deployments),
    Route("GET", f"{PROJECT}/deployments/{{name}}", "get_deployment", get_deployment),
    Route("GET", f"{PROJECT}/connections", "list_connections", list_connections),
    Route("GET", f"{PROJECT}/connections/{{name}}", "get_connection", get_connection),
    Route(
        "POST",
        f"{PROJECT}/connections/{{name}}/getConnectionWithCredentials",
        "get_connection_with_credentials",
        get_connection_with_credentials,
    ),
    Route("POST", f"{OPENAI}/conversations", "create_conversation", create_conversation),
    Route("GET", CONVERSATION, "get_conversation", get_conversation),
    Route("POST", CONVERSATION, "update_conversation", update_conversation),
    Route("DELETE", CONVERSATION, "delete_conversation", delete_conversation),
    Route("GET", f"{CONVERSATION}/items", "list_items", list_items),
    Route("POST", f"{CONVERSATION}/items", "create_items", create_items),
    Route("GET", f"{CONVERSATION}/items/{{item}}", "get_item", get_item),
    Route("DELETE", f"{CONVERSATION}/items/{{item}}", "delete_item", delete_item),
    Route("POST", f"{OPENAI}/responses", "create_response", create_response),
    Route("GET", f"{OPENAI}/responses/{{id}}", "get_response", get_response),
    Route("DELETE", f"{OPENAI}/responses/{{id}}", "delete_response", delete_response),
    Route("POST", f"{OPENAI}/chat/completions", "create_chat_completion", create_chat_completion),
)
