"""Files and vector stores of a project: one store for both generations, whichever made them.

Pure bookkeeping: a file is never read, a vector store never searched, and both are ready at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from AgentOperatingSystem.sandbox.foundry.definitions import read_metadata, read_text
from AgentOperatingSystem.sandbox.foundry.errors import ApiError, Json, invalid, unknown_object
from AgentOperatingSystem.sandbox.foundry.records import StoredFile, VectorStore
from AgentOperatingSystem.sandbox.foundry.state import Project

PURPOSES = ("assistants", "assistants_output", "vision", "batch", "fine-tune", "evals", "user_data")
STORE_NAME = 256
FILES_PER_REQUEST = 10_000
SECONDS_PER_DAY = 86_400


def create_file(project: Project, filename: str, content: bytes, purpose: str) -> StoredFile:
    """Raises ApiError 400 for a purpose that the service does not know."""
    if purpose not in PURPOSES:
        raise invalid("purpose", f"purpose must be one of {', '.join(PURPOSES)}")
    prefix = "assistant" if purpose == "assistants" else "file"
    return put_file(project, project.new_id(prefix, "-"), filename, content, purpose)


def put_file(
    project: Project, file_id: str, filename: str, content: bytes, purpose: str = "assistants"
) -> StoredFile:
    """Stores a file under an id that was chosen, unchecked."""
    project.places.setdefault(file_id, project.account.next_place())
    file = StoredFile(file_id, project.account.clock(), filename, len(content), purpose)
    project.files[file_id] = file
    project.contents[file_id] = content
    return file


def get_file(project: Project, file_id: str) -> StoredFile:
    """Raises ApiError 404."""
    if file_id not in project.files:
        raise ApiError(404, None, f"No such File object: {file_id}", param="id")
    return project.files[file_id]


def delete_file(project: Project, file_id: str) -> None:
    """Deletes it, out of every vector store too. Raises ApiError 404."""
    get_file(project, file_id)
    del project.files[file_id], project.contents[file_id]
    for store in list(project.vector_stores.values()):
        put_vector_store(project, _without(store, file_id))


def file_body(file: StoredFile) -> Json:
    """A file as it goes over the wire."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": int(file.created_at),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def create_vector_store(project: Project, body: Json) -> VectorStore:
    """Raises ApiError 400 for a body that is wrong, 404 for a file that does not exist."""
    store = VectorStore(
        id="",
        created_at=project.account.clock(),
        name=read_text("name", body.get("name"), STORE_NAME),
        file_ids=_read_file_ids(project, body.get("file_ids") or []),
        metadata=read_metadata(body.get("metadata")),
        expires_after=_read_expiry(body.get("expires_after")),
    )
    return put_vector_store(project, replace(store, id=project.new_id("vs")))


def put_vector_store(project: Project, store: VectorStore) -> VectorStore:
    """Stores it as it is, unchecked."""
    project.places.setdefault(store.id, project.account.next_place())
    project.vector_stores[store.id] = store
    return store


def get_vector_store(project: Project, store_id: str) -> VectorStore:
    """Raises ApiError 404."""
    if store_id not in project.vector_stores:
        raise unknown_object("vector store", store_id)
    return project.vector_stores[store_id]


def update_vector_store(project: Project, store_id: str, body: Json) -> VectorStore:
    """Replaces what the body names. Raises ApiError."""
    store = get_vector_store(project, store_id)
    if "name" in body:
        store = replace(store, name=read_text("name", body["name"], STORE_NAME))
    if "metadata" in body:
        store = replace(store, metadata=read_metadata(body["metadata"]))
    if "expires_after" in body:
        store = replace(store, expires_after=_read_expiry(body["expires_after"]))
    return put_vector_store(project, store)


def delete_vector_store(project: Project, store_id: str) -> None:
    """The files stay. Raises ApiError 404."""
    del project.vector_stores[get_vector_store(project, store_id).id]


def vector_store_body(project: Project, store: VectorStore) -> Json:
    """A vector store as it goes over the wire."""
    days = (store.expires_after or {}).get("days")
    return {
        "id": store.id,
        "object": "vector_store",
        "created_at": int(store.created_at),
        "name": store.name,
        "usage_bytes": sum(project.files[one].size for one in store.file_ids if one in project.files),
        "file_counts": {
            "in_progress": 0,
            "completed": len(store.file_ids),
            "failed": 0,
            "cancelled": 0,
            "total": len(store.file_ids),
        },
        "status": "completed",
        "expires_after": store.expires_after,
        "expires_at": None if days is None else int(store.created_at) + days * SECONDS_PER_DAY,
        "last_active_at": int(store.created_at),
        "metadata": store.metadata,
    }


def attach_file(project: Project, store_id: str, file_id: object) -> Json:
    """Puts a file into a vector store; again is nothing. Raises ApiError 404 for either."""
    store = get_vector_store(project, store_id)
    (known,) = _read_file_ids(project, [file_id])
    if known not in store.file_ids:
        put_vector_store(project, replace(store, file_ids=(*store.file_ids, known)))
    return attached_body(project, store_id, known)


def attached_body(project: Project, store_id: str, file_id: str) -> Json:
    """A file of a vector store as it goes over the wire. Raises ApiError 404."""
    store = get_vector_store(project, store_id)
    if file_id not in store.file_ids:
        raise unknown_object("file", file_id)
    file = project.files.get(file_id)
    return {
        "id": file_id,
        "object": "vector_store.file",
        "usage_bytes": 0 if file is None else file.size,
        "created_at": int(store.created_at if file is None else file.created_at),
        "vector_store_id": store_id,
        "status": "completed",
        "last_error": None,
        "chunking_strategy": {
            "type": "static",
            "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
        },
    }


def detach_file(project: Project, store_id: str, file_id: str) -> None:
    """Takes a file out of a vector store; the file stays. Raises ApiError 404."""
    attached_body(project, store_id, file_id)
    put_vector_store(project, _without(get_vector_store(project, store_id), file_id))


def check_tool_resources(project: Project, value: object) -> Json:
    """The tool resources of a body. Raises ApiError 400, for unknown ids only when the switch is on."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid("tool_resources", "tool_resources must be an object")
    files = _named_ids(value, "code_interpreter", "file_ids")
    stores = _named_ids(value, "file_search", "vector_store_ids")
    if project.account.behaviour.refuse_unknown_resources:
        for one in files:
            if one not in project.files:
                raise invalid("tool_resources.code_interpreter.file_ids", f"No such File object: {one}")
        for one in stores:
            if one not in project.vector_stores:
                raise invalid(
                    "tool_resources.file_search.vector_store_ids", f"No vector store found with id '{one}'."
                )
    return dict(value)


def _named_ids(resources: Json, tool: str, key: str) -> list[str]:
    held = resources.get(tool) or {}
    ids = (held.get(key) or []) if isinstance(held, dict) else None
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise invalid(f"tool_resources.{tool}", f"{key} must be a list of ids")
    return ids


def _without(store: VectorStore, file_id: str) -> VectorStore:
    return replace(store, file_ids=tuple(one for one in store.file_ids if one != file_id))


def _read_file_ids(project: Project, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > FILES_PER_REQUEST:
        raise invalid("file_ids", f"file_ids must be a list of at most {FILES_PER_REQUEST}")
    return tuple(get_file(project, one).id for one in _texts(value))


def _texts(values: Iterable[object]) -> Iterable[str]:
    for value in values:
        if not isinstance(value, str):
            raise invalid("file_id", "a file id must be a text")
        yield value


def _read_expiry(value: object) -> Json | None:
    if value is None:
        return None
    days = value.get("days") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(days, int) or days < 1:
        raise invalid("expires_after", "expires_after must have an anchor and days")
    return dict(value)
