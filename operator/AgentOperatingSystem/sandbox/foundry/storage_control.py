"""Files and vector stores behind the service's back: the control surface's routes and its client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from urllib.parse import quote

from aiohttp import web

from AgentOperatingSystem.sandbox.foundry import storage
from AgentOperatingSystem.sandbox.foundry.control_entry import NO_CONTENT, control_route, controlled_project
from AgentOperatingSystem.sandbox.foundry.errors import Json
from AgentOperatingSystem.sandbox.foundry.records import StoredFile, VectorStore, to_json
from AgentOperatingSystem.sandbox.foundry.routing import Route, read_body
from AgentOperatingSystem.sandbox.foundry.state import Project


def storage_state(project: Project) -> Json:
    """Everything stored, as JSON, without the contents."""
    return {
        "files": {key: to_json(file) for key, file in project.files.items()},
        "vector_stores": {key: to_json(store) for key, store in project.vector_stores.items()},
    }


async def get_storage(request: web.Request) -> web.Response:
    """GET /_sandbox/storage?project=NAME"""
    return web.json_response(storage_state(controlled_project(request)))


async def add_file(request: web.Request) -> web.Response:
    """POST /_sandbox/files {"id", "filename", "content"}: unchecked"""
    project, body = controlled_project(request), await read_body(request)
    file_id = body.get("id") or project.new_id("assistant", "-")
    file = storage.put_file(project, file_id, body["filename"], body["content"].encode())
    return web.json_response({"id": file.id})


async def remove_file(request: web.Request) -> web.Response:
    """DELETE /_sandbox/files/{id}"""
    storage.delete_file(controlled_project(request), request.match_info["id"])
    return web.Response(status=NO_CONTENT)


async def add_vector_store(request: web.Request) -> web.Response:
    """POST /_sandbox/vector_stores {"id", "name", "file_ids", "metadata"}: unchecked"""
    project, body = controlled_project(request), await read_body(request)
    store = VectorStore(
        id=body.get("id") or project.new_id("vs"),
        created_at=project.account.clock(),
        name=body.get("name"),
        file_ids=tuple(body.get("file_ids") or ()),
        metadata=body.get("metadata") or {},
    )
    return web.json_response({"id": storage.put_vector_store(project, store).id})


async def remove_vector_store(request: web.Request) -> web.Response:
    """DELETE /_sandbox/vector_stores/{id}"""
    storage.delete_vector_store(controlled_project(request), request.match_info["id"])
    return web.Response(status=NO_CONTENT)


STORAGE_CONTROL_ROUTES: tuple[Route, ...] = (
    control_route("GET", "storage", get_storage),
    control_route("POST", "files", add_file),
    control_route("DELETE", "files/{id}", remove_file),
    control_route("POST", "vector_stores", add_vector_store),
    control_route("DELETE", "vector_stores/{id}", remove_vector_store),
)


class StorageControl(ABC):
    """A project's files and vector stores, which both generations see."""

    @abstractmethod
    def _send(self, method: str, path: str, body: Json | None = None) -> Json:
        """One request to the control surface about this project."""

    def files(self) -> dict[str, StoredFile]:
        """A snapshot of the files by id."""
        held = self._send("GET", "storage")["files"]
        return {key: StoredFile(**one) for key, one in held.items()}

    def vector_stores(self) -> dict[str, VectorStore]:
        """A snapshot of the vector stores by id."""
        held = self._send("GET", "storage")["vector_stores"]
        return {key: VectorStore.from_json(one) for key, one in held.items()}

    def add_file(
        self,
        id: str | None = None,  # noqa: A002 - the word of the wire
        *,
        filename: str = "file.txt",
        content: str = "",
    ) -> str:
        """A file that somebody else uploaded, under an id of the caller's choice. Answers the id."""
        body = {"id": id, "filename": filename, "content": content}
        file_id: str = self._send("POST", "files", body)["id"]
        return file_id

    def remove_file(self, file_id: str) -> None:
        """Someone deletes it; the vector stores lose it too."""
        self._send("DELETE", f"files/{quote(file_id, safe='')}")

    def add_vector_store(
        self,
        id: str | None = None,  # noqa: A002 - the word of the wire
        *,
        name: str | None = None,
        file_ids: Iterable[str] = (),
        metadata: dict[str, str] | None = None,
    ) -> str:
        """A vector store that somebody else made, under an id of the caller's choice. Answers the id."""
        body = {"id": id, "name": name, "file_ids": list(file_ids), "metadata": metadata}
        store_id: str = self._send("POST", "vector_stores", body)["id"]
        return store_id

    def remove_vector_store(self, store_id: str) -> None:
        """Someone deletes it; what names it stays as it is."""
        self._send("DELETE", f"vector_stores/{quote(store_id, safe='')}")
