"""The routes of files and vector stores, for both generations in one table.

Why one table: the classic generation serves them below the project, the new one below `openai/v1`, and a
fault on `get_vector_store` must meet both.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

from aiohttp import web

from AgentOperatingSystem.sandbox.foundry import storage
from AgentOperatingSystem.sandbox.foundry.errors import Json, invalid
from AgentOperatingSystem.sandbox.foundry.paging import Entry, PageQuery, page
from AgentOperatingSystem.sandbox.foundry.routing import PROJECT, Route, project_of, read_body
from AgentOperatingSystem.sandbox.foundry.state import Project

EITHER = f"{PROJECT}{{generation:(?:/openai/v1)?}}"
FILES_PER_PAGE = 10_000


async def create_file(request: web.Request) -> web.Response:
    """POST /files as a form with `purpose` and `file`"""
    parts = _read_form(request.content_type, request.headers.get("Content-Type", ""), await request.read())
    upload, purpose = parts.get("file"), parts.get("purpose")
    if upload is None or purpose is None:
        raise invalid("file", "the form must have a file and a purpose")
    file = storage.create_file(
        project_of(request), upload.get_filename() or "file", _content(upload), _content(purpose).decode()
    )
    return web.json_response(storage.file_body(file))


def _read_form(kind: str, content_type: str, body: bytes) -> Mapping[str, Message]:
    """The parts by name. By the standard library: aiohttp reads a form only from the socket, and the gate
    has read that already."""
    if kind != "multipart/form-data":
        raise invalid("body", "A multipart/form-data body is required", code="invalid_payload")
    parser = BytesParser(policy=compat32)
    form = parser.parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    parts = [part for part in form.walk() if not part.is_multipart()]
    return {str(part.get_param("name", header="content-disposition")): part for part in parts}


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


async def list_files(request: web.Request) -> web.Response:
    """GET /files"""
    project, purpose = project_of(request), request.query.get("purpose")
    bodies = [
        storage.file_body(file) for file in project.files.values() if purpose in (None, "", file.purpose)
    ]
    query = PageQuery.parse(request.query, default=FILES_PER_PAGE, maximum=FILES_PER_PAGE)
    return web.json_response(_page(project, bodies, query))


async def get_file(request: web.Request) -> web.Response:
    """GET /files/{id}"""
    file = storage.get_file(project_of(request), request.match_info["id"])
    return web.json_response(storage.file_body(file))


async def get_file_content(request: web.Request) -> web.Response:
    """GET /files/{id}/content"""
    project = project_of(request)
    file = storage.get_file(project, request.match_info["id"])
    return web.Response(body=project.contents[file.id], content_type="application/octet-stream")


async def delete_file(request: web.Request) -> web.Response:
    """DELETE /files/{id}"""
    file_id = request.match_info["id"]
    storage.delete_file(project_of(request), file_id)
    return web.json_response({"id": file_id, "object": "file", "deleted": True})


async def create_vector_store(request: web.Request) -> web.Response:
    """POST /vector_stores"""
    project = project_of(request)
    store = storage.create_vector_store(project, await read_body(request))
    return web.json_response(storage.vector_store_body(project, store))


async def list_vector_stores(request: web.Request) -> web.Response:
    """GET /vector_stores"""
    project = project_of(request)
    bodies = [storage.vector_store_body(project, store) for store in project.vector_stores.values()]
    return web.json_response(_page(project, bodies, PageQuery.parse(request.query)))


async def get_vector_store(request: web.Request) -> web.Response:
    """GET /vector_stores/{id}"""
    project = project_of(request)
    store = storage.get_vector_store(project, request.match_info["id"])
    return web.json_response(storage.vector_store_body(project, store))


async def update_vector_store(request: web.Request) -> web.Response:
    """POST /vector_stores/{id}"""
    project = project_of(request)
    store = storage.update_vector_store(project, request.match_info["id"], await read_body(request))
    return web.json_response(storage.vector_store_body(project, store))


async def delete_vector_store(request: web.Request) -> web.Response:
    """DELETE /vector_stores/{id}"""
    store_id = request.match_info["id"]
    storage.delete_vector_store(project_of(request), store_id)
    return web.json_response({"id": store_id, "object": "vector_store.deleted", "deleted": True})


async def create_vector_store_file(request: web.Request) -> web.Response:
    """POST /vector_stores/{id}/files"""
    body = await read_body(request)
    attached = storage.attach_file(project_of(request), request.match_info["id"], body.get("file_id"))
    return web.json_response(attached)


async def list_vector_store_files(request: web.Request) -> web.Response:
    """GET /vector_stores/{id}/files"""
    project, store_id = project_of(request), request.match_info["id"]
    held = storage.get_vector_store(project, store_id).file_ids
    bodies = [storage.attached_body(project, store_id, file_id) for file_id in held]
    return web.json_response(_page(project, bodies, PageQuery.parse(request.query)))


async def get_vector_store_file(request: web.Request) -> web.Response:
    """GET /vector_stores/{id}/files/{file}"""
    match = request.match_info
    return web.json_response(storage.attached_body(project_of(request), match["id"], match["file"]))


async def delete_vector_store_file(request: web.Request) -> web.Response:
    """DELETE /vector_stores/{id}/files/{file}"""
    file_id = request.match_info["file"]
    storage.detach_file(project_of(request), request.match_info["id"], file_id)
    return web.json_response({"id": file_id, "object": "vector_store.file.deleted", "deleted": True})


def _page(project: Project, bodies: list[Json], query: PageQuery) -> Json:
    entries = [Entry(project.places[body["id"]], body["id"], body) for body in bodies]
    return page(entries, query, project.places.get)


STORE = f"{EITHER}/vector_stores/{{id}}"

STORAGE_ROUTES: tuple[Route, ...] = (
    Route("GET", f"{EITHER}/files", "list_files", list_files),
    Route("POST", f"{EITHER}/files", "create_file", create_file),
    Route("GET", f"{EITHER}/files/{{id}}", "get_file", get_file),
    Route("DELETE", f"{EITHER}/files/{{id}}", "delete_file", delete_file),
    Route("GET", f"{EITHER}/files/{{id}}/content", "get_file_content", get_file_content),
    Route("GET", f"{EITHER}/vector_stores", "list_vector_stores", list_vector_stores),
    Route("POST", f"{EITHER}/vector_stores", "create_vector_store", create_vector_store),
    Route("GET", STORE, "get_vector_store", get_vector_store),
    Route("POST", STORE, "update_vector_store", update_vector_store),
    Route("DELETE", STORE, "delete_vector_store", delete_vector_store),
    Route("GET", f"{STORE}/files", "list_vector_store_files", list_vector_store_files),
    Route("POST", f"{STORE}/files", "create_vector_store_file", create_vector_store_file),
    Route("GET", f"{STORE}/files/{{file}}", "get_vector_store_file", get_vector_store_file),
    Route("DELETE", f"{STORE}/files/{{file}}", "delete_vector_store_file", delete_vector_store_file),
)
