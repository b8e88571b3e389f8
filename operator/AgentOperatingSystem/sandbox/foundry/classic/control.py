"""The classic generation behind the service's back: the control surface's routes and its client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import quote

from aiohttp import web

from AgentOperatingSystem.sandbox.foundry.classic import assistants, runs, threads
from AgentOperatingSystem.sandbox.foundry.classic.records import (
    Assistant,
    ClassicMessage,
    ClassicRun,
    ClassicThread,
)
from AgentOperatingSystem.sandbox.foundry.control_entry import NO_CONTENT, control_route, controlled_project
from AgentOperatingSystem.sandbox.foundry.errors import Json, invalid
from AgentOperatingSystem.sandbox.foundry.records import to_json
from AgentOperatingSystem.sandbox.foundry.routing import Route, read_body
from AgentOperatingSystem.sandbox.foundry.state import Project

CROWD = 10_000


def classic_state(project: Project) -> Json:
    """Everything of the classic generation, as JSON."""
    return {
        "assistants": {key: to_json(one) for key, one in project.assistants.items()},
        "threads": {key: to_json(one) for key, one in project.threads.items()},
        "runs": {key: to_json(one) for key, one in project.runs.items()},
    }


async def get_classic(request: web.Request) -> web.Response:
    """GET /_sandbox/classic?project=NAME"""
    return web.json_response(classic_state(controlled_project(request)))


async def add_assistants(request: web.Request) -> web.Response:
    """POST /_sandbox/assistants {"count", ...the fields of an assistant}: unchecked"""
    project, body = controlled_project(request), await read_body(request)
    count = body.pop("count", 1)
    if not isinstance(count, int) or not 1 <= count <= CROWD:
        raise invalid("count", f"count must be between 1 and {CROWD}")
    values, now = {"model": "", **assistants.fields_of(body)}, project.account.clock()
    ids = [project.new_id(assistants.PREFIX) for _ in range(count)]
    for one in ids:
        assistants.put_assistant(project, Assistant(id=one, created_at=now, **values))
    return web.json_response({"ids": ids})


async def edit_assistant(request: web.Request) -> web.Response:
    """PATCH /_sandbox/assistants/{id} with fields of an assistant: unchecked"""
    project, body = controlled_project(request), await read_body(request)
    assistants.edit_assistant(project, request.match_info["id"], body)
    return web.Response(status=NO_CONTENT)


async def remove_assistant(request: web.Request) -> web.Response:
    """DELETE /_sandbox/assistants/{id}"""
    assistants.delete_assistant(controlled_project(request), request.match_info["id"])
    return web.Response(status=NO_CONTENT)


async def add_thread(request: web.Request) -> web.Response:
    """POST /_sandbox/threads {"metadata", "messages", "tool_resources"}"""
    project = controlled_project(request)
    return web.json_response({"id": threads.create_thread(project, await read_body(request)).id})


async def remove_thread(request: web.Request) -> web.Response:
    """DELETE /_sandbox/threads/{id}"""
    threads.delete_thread(controlled_project(request), request.match_info["id"])
    return web.Response(status=NO_CONTENT)


async def add_message(request: web.Request) -> web.Response:
    """POST /_sandbox/threads/{id}/messages {"role", "content", "metadata"}: also during a run"""
    project, body = controlled_project(request), await read_body(request)
    return web.json_response({"id": threads.add_message(project, request.match_info["id"], body).id})


async def cancel_run(request: web.Request) -> web.Response:
    """POST /_sandbox/threads/{id}/runs/{run}:cancel"""
    match = request.match_info
    runs.cancel_run(controlled_project(request), match["id"], match["run"])
    return web.Response(status=NO_CONTENT)


CLASSIC_CONTROL_ROUTES: tuple[Route, ...] = (
    control_route("GET", "classic", get_classic),
    control_route("POST", "assistants", add_assistants),
    control_route("PATCH", "assistants/{id}", edit_assistant),
    control_route("DELETE", "assistants/{id}", remove_assistant),
    control_route("POST", "threads", add_thread),
    control_route("DELETE", "threads/{id}", remove_thread),
    control_route("POST", "threads/{id}/messages", add_message),
    control_route("POST", "threads/{id}/runs/{run:[^/:]+}:cancel", cancel_run),
)


class ClassicControl(ABC):
    """A project's classic generation: what it holds, and how to change it behind its owner's back."""

    @abstractmethod
    def _send(self, method: str, path: str, body: Json | None = None) -> Json:
        """One request to the control surface about this project."""

    def _held(self, kind: str) -> dict[str, Json]:
        held: dict[str, Json] = self._send("GET", "classic")[kind]
        return held

    def assistants(self) -> dict[str, Assistant]:
        """A snapshot of the assistants by id, oldest first."""
        return {key: Assistant.from_json(one) for key, one in self._held("assistants").items()}

    def threads(self) -> dict[str, ClassicThread]:
        """A snapshot of the threads by id, with their messages."""
        return {key: ClassicThread.from_json(one) for key, one in self._held("threads").items()}

    def runs(self, thread_id: str | None = None) -> dict[str, ClassicRun]:
        """A snapshot of the runs by id, of all threads or of one, oldest first."""
        held = {key: ClassicRun.from_json(one) for key, one in self._held("runs").items()}
        return {key: run for key, run in held.items() if thread_id in (None, run.thread_id)}

    def messages(self, thread_id: str) -> tuple[ClassicMessage, ...]:
        """A snapshot of a thread's messages, oldest first. Raises KeyError."""
        return self.threads()[thread_id].messages

    def add_assistant(self, model: str, **fields: Any) -> str:
        """An assistant that somebody else made; nothing is checked. Answers its id."""
        return self.add_assistants(1, model, **fields)[0]

    def add_assistants(self, count: int, model: str = "theirs", **fields: Any) -> list[str]:
        """So many alike, which are somebody else's. Answers their ids, oldest first."""
        ids: list[str] = self._send("POST", "assistants", {"count": count, "model": model, **fields})["ids"]
        return ids

    def edit_assistant(self, assistant_id: str, **changes: Any) -> None:
        """Someone edits it in the portal: the fields that are named, None takes one back to its default."""
        self._send("PATCH", f"assistants/{quote(assistant_id, safe='')}", changes)

    def remove_assistant(self, assistant_id: str) -> None:
        """Someone deletes it in the portal."""
        self._send("DELETE", f"assistants/{quote(assistant_id, safe='')}")

    def add_thread(self, *, metadata: dict[str, str] | None = None, **fields: Any) -> str:
        """A thread that somebody else made. Answers its id."""
        thread_id: str = self._send("POST", "threads", {"metadata": metadata, **fields})["id"]
        return thread_id

    def remove_thread(self, thread_id: str) -> None:
        """The thread is gone, with its messages and runs, as after the service's retention."""
        self._send("DELETE", f"threads/{quote(thread_id, safe='')}")

    def add_message(self, thread_id: str, content: str, *, role: str = "user") -> str:
        """Someone writes into the thread, even while a run holds it. Answers the message's id."""
        path = f"threads/{quote(thread_id, safe='')}/messages"
        message_id: str = self._send("POST", path, {"role": role, "content": content})["id"]
        return message_id

    def cancel_run(self, thread_id: str, run_id: str) -> None:
        """Someone cancels a run in the portal."""
        path = f"threads/{quote(thread_id, safe='')}/runs/{quote(run_id, safe='')}:cancel"
        self._send("POST", path)
