"""The routes of the classic generation: each handler turns a request into one call of the domain.

What an operation is called where both generations have one of its name: `create_classic_thread` and so on.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from AgentOperatingSystem.sandbox.foundry.classic import assistants, runs, threads
from AgentOperatingSystem.sandbox.foundry.errors import Json, unknown_object
from AgentOperatingSystem.sandbox.foundry.gate import SERVICE
from AgentOperatingSystem.sandbox.foundry.paging import Entry, PageQuery, page
from AgentOperatingSystem.sandbox.foundry.routing import PROJECT, Route, project_of, read_body
from AgentOperatingSystem.sandbox.foundry.state import Project


def _page(request: web.Request, project: Project, bodies: Sequence[Json]) -> web.Response:
    """The page that the query asks for, by default newest first."""
    entries = [Entry(project.places[body["id"]], body["id"], body) for body in bodies]
    return web.json_response(page(entries, PageQuery.parse(request.query), project.places.get))


def _deleted(identifier: str, kind: str) -> web.Response:
    return web.json_response({"id": identifier, "object": f"{kind}.deleted", "deleted": True})


# Assistants


async def create_assistant(request: web.Request) -> web.Response:
    """POST /assistants"""
    assistant = assistants.create_assistant(project_of(request), await read_body(request))
    return web.json_response(assistants.assistant_body(assistant))


async def list_assistants(request: web.Request) -> web.Response:
    """GET /assistants, which knows no filter"""
    project = project_of(request)
    return _page(request, project, [assistants.assistant_body(one) for one in project.assistants.values()])


async def get_assistant(request: web.Request) -> web.Response:
    """GET /assistants/{id}"""
    assistant = assistants.get_assistant(project_of(request), request.match_info["id"])
    return web.json_response(assistants.assistant_body(assistant))


async def update_assistant(request: web.Request) -> web.Response:
    """POST /assistants/{id}"""
    body = await read_body(request)
    assistant = assistants.update_assistant(project_of(request), request.match_info["id"], body)
    return web.json_response(assistants.assistant_body(assistant))


async def delete_assistant(request: web.Request) -> web.Response:
    """DELETE /assistants/{id}"""
    assistants.delete_assistant(project_of(request), request.match_info["id"])
    return _deleted(request.match_info["id"], "assistant")


# Threads and messages


async def create_thread(request: web.Request) -> web.Response:
    """POST /threads"""
    thread = threads.create_thread(project_of(request), await read_body(request))
    return web.json_response(threads.thread_body(thread))


async def list_threads(request: web.Request) -> web.Response:
    """GET /threads"""
    project = project_of(request)
    return _page(request, project, [threads.thread_body(one) for one in project.threads.values()])


async def get_thread(request: web.Request) -> web.Response:
    """GET /threads/{thread}"""
    thread = threads.get_thread(project_of(request), request.match_info["thread"])
    return web.json_response(threads.thread_body(thread))


async def update_thread(request: web.Request) -> web.Response:
    """POST /threads/{thread}"""
    body = await read_body(request)
    thread = threads.update_thread(project_of(request), request.match_info["thread"], body)
    return web.json_response(threads.thread_body(thread))


async def delete_thread(request: web.Request) -> web.Response:
    """DELETE /threads/{thread}"""
    threads.delete_thread(project_of(request), request.match_info["thread"])
    return _deleted(request.match_info["thread"], "thread")


async def create_message(request: web.Request) -> web.Response:
    """POST /threads/{thread}/messages"""
    body = await read_body(request)
    message = threads.create_message(project_of(request), request.match_info["thread"], body)
    return web.json_response(threads.message_body(message))


async def list_messages(request: web.Request) -> web.Response:
    """GET /threads/{thread}/messages, of one run only when `run_id` says so"""
    project, run_id = project_of(request), request.query.get("run_id")
    messages = threads.get_thread(project, request.match_info["thread"]).messages
    bodies = [threads.message_body(one) for one in messages if run_id in (None, one.run_id)]
    return _page(request, project, bodies)


async def get_message(request: web.Request) -> web.Response:
    """GET /threads/{thread}/messages/{message}"""
    match = request.match_info
    message = threads.get_message(project_of(request), match["thread"], match["message"])
    return web.json_response(threads.message_body(message))


async def update_message(request: web.Request) -> web.Response:
    """POST /threads/{thread}/messages/{message}"""
    match, body = request.match_info, await read_body(request)
    message = threads.update_message(project_of(request), match["thread"], match["message"], body)
    return web.json_response(threads.message_body(message))


async def delete_message(request: web.Request) -> web.Response:
    """DELETE /threads/{thread}/messages/{message}"""
    match = request.match_info
    threads.delete_message(project_of(request), match["thread"], match["message"])
    return _deleted(match["message"], "thread.message")


# Runs


async def create_run(request: web.Request) -> web.Response:
    """POST /threads/{thread}/runs"""
    body = await read_body(request)
    run = runs.create_run(project_of(request), request.match_info["thread"], body)
    return web.json_response(runs.run_body(run))


async def create_thread_and_run(request: web.Request) -> web.Response:
    """POST /threads/runs"""
    run = runs.create_thread_and_run(project_of(request), await read_body(request))
    return web.json_response(runs.run_body(run))


async def list_runs(request: web.Request) -> web.Response:
    """GET /threads/{thread}/runs"""
    project = project_of(request)
    held = runs.list_runs(project, request.match_info["thread"])
    return _page(request, project, [runs.run_body(run) for run in held])


async def get_run(request: web.Request) -> web.Response:
    """GET /threads/{thread}/runs/{run}: takes the run one stage further"""
    match, model = request.match_info, request.app[SERVICE].model
    run = await runs.poll_run(project_of(request), match["thread"], match["run"], model)
    return web.json_response(runs.run_body(run))


async def update_run(request: web.Request) -> web.Response:
    """POST /threads/{thread}/runs/{run}"""
    match, body = request.match_info, await read_body(request)
    run = runs.update_run(project_of(request), match["thread"], match["run"], body)
    return web.json_response(runs.run_body(run))


async def submit_tool_outputs(request: web.Request) -> web.Response:
    """POST /threads/{thread}/runs/{run}/submit_tool_outputs"""
    match, body = request.match_info, await read_body(request)
    run = runs.submit_tool_outputs(project_of(request), match["thread"], match["run"], body)
    return web.json_response(runs.run_body(run))


async def cancel_run(request: web.Request) -> web.Response:
    """POST /threads/{thread}/runs/{run}/cancel"""
    match = request.match_info
    run = runs.cancel_run(project_of(request), match["thread"], match["run"])
    return web.json_response(runs.run_body(run))


async def list_run_steps(request: web.Request) -> web.Response:
    """GET /threads/{thread}/runs/{run}/steps"""
    project, match = project_of(request), request.match_info
    run = runs.get_run(project, match["thread"], match["run"])
    return _page(request, project, [runs.step_body(run, step) for step in run.steps])


async def get_run_step(request: web.Request) -> web.Response:
    """GET /threads/{thread}/runs/{run}/steps/{step}"""
    match = request.match_info
    run = runs.get_run(project_of(request), match["thread"], match["run"])
    for step in run.steps:
        if step.id == match["step"]:
            return web.json_response(runs.step_body(run, step))
    raise unknown_object("run step", match["step"])


ASSISTANT = f"{PROJECT}/assistants/{{id}}"
THREAD = f"{PROJECT}/threads/{{thread}}"
MESSAGE = f"{THREAD}/messages/{{message}}"
RUN = f"{THREAD}/runs/{{run}}"

CLASSIC_ROUTES: tuple[Route, ...] = (
    Route("GET", f"{PROJECT}/assistants", "list_assistants", list_assistants),
    Route("POST", f"{PROJECT}/assistants", "create_assistant", create_assistant),
    Route("GET", ASSISTANT, "get_assistant", get_assistant),
    Route("POST", ASSISTANT, "update_assistant", update_assistant),
    Route("DELETE", ASSISTANT, "delete_assistant", delete_assistant),
    Route("GET", f"{PROJECT}/threads", "list_classic_threads", list_threads),
    Route("POST", f"{PROJECT}/threads", "create_classic_thread", create_thread),
    Route("POST", f"{PROJECT}/threads/runs", "create_thread_and_run", create_thread_and_run),
    Route("GET", THREAD, "get_classic_thread", get_thread),
    Route("POST", THREAD, "update_classic_thread", update_thread),
    Route("DELETE", THREAD, "delete_classic_thread", delete_thread),
    Route("GET", f"{THREAD}/messages", "list_messages", list_messages),
    Route("POST", f"{THREAD}/messages", "create_message", create_message),
    Route("GET", MESSAGE, "get_message", get_message),
    Route("POST", MESSAGE, "update_message", update_message),
    Route("DELETE", MESSAGE, "delete_message", delete_message),
    Route("GET", f"{THREAD}/runs", "list_runs", list_runs),
    Route("POST", f"{THREAD}/runs", "create_run", create_run),
    Route("GET", RUN, "get_run", get_run),
    Route("POST", RUN, "update_run", update_run),
    Route("POST", f"{RUN}/submit_tool_outputs", "submit_tool_outputs", submit_tool_outputs),
    Route("POST", f"{RUN}/cancel", "cancel_run", cancel_run),
    Route("GET", f"{RUN}/steps", "list_run_steps", list_run_steps),
    Route("GET", f"{RUN}/steps/{{step}}", "get_run_step", get_run_step),
)
