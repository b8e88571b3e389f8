"""Threads and their messages.

Why messages are completed here: a client sends a text and reads back a list of parts with annotations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from AgentOperatingSystem.sandbox.foundry.classic.records import ClassicMessage, ClassicRun, ClassicThread
from AgentOperatingSystem.sandbox.foundry.definitions import read_metadata
from AgentOperatingSystem.sandbox.foundry.errors import Json, conflicting, invalid, unknown_object
from AgentOperatingSystem.sandbox.foundry.state import Project
from AgentOperatingSystem.sandbox.foundry.storage import check_tool_resources

ROLES = ("user", "assistant")
LONGEST_TEXT = 256_000


def create_thread(project: Project, body: Json) -> ClassicThread:
    """A new thread, with its first messages when the body has some. Raises ApiError 400."""
    metadata = read_metadata(body.get("metadata"))
    resources = check_tool_resources(project, body.get("tool_resources"))
    drafts = drafts_of(project, "", "messages", body)  # first, so that a wrong one leaves no thread
    thread = ClassicThread(project.new_id("thread"), project.account.clock(), resources, metadata)
    project.threads[thread.id] = thread
    append(project, thread.id, [replace(draft, thread_id=thread.id) for draft in drafts])
    return project.threads[thread.id]


def get_thread(project: Project, thread_id: str) -> ClassicThread:
    """Raises ApiError 404."""
    if thread_id not in project.threads:
        raise unknown_object("thread", thread_id)
    return project.threads[thread_id]


def update_thread(project: Project, thread_id: str, body: Json) -> ClassicThread:
    """Replaces the metadata or the tool resources. Raises ApiError."""
    thread = get_thread(project, thread_id)
    if "metadata" in body:
        thread = replace(thread, metadata=read_metadata(body["metadata"]))
    if "tool_resources" in body:
        thread = replace(thread, tool_resources=check_tool_resources(project, body["tool_resources"]))
    project.threads[thread_id] = thread
    return thread


def delete_thread(project: Project, thread_id: str) -> None:
    """Deletes it with its messages and its runs. Raises ApiError 404."""
    del project.threads[get_thread(project, thread_id).id]
    for run in [one for one in project.runs.values() if one.thread_id == thread_id]:
        del project.runs[run.id]


def thread_body(thread: ClassicThread) -> Json:
    """A thread as it goes over the wire."""
    return {
        "id": thread.id,
        "object": "thread",
        "created_at": int(thread.created_at),
        "tool_resources": thread.tool_resources,
        "metadata": thread.metadata,
    }


def create_message(project: Project, thread_id: str, body: Json) -> ClassicMessage:
    """Raises ApiError 404, and 400 for a wrong body or while a run holds the thread."""
    get_thread(project, thread_id)
    message = draft(project, thread_id, body)
    active = active_run(project, thread_id)
    if active is not None:
        raise conflicting(f"Can't add messages to {thread_id} while a run {active.id} is active.")
    append(project, thread_id, [message])
    return message


def add_message(project: Project, thread_id: str, body: Json) -> ClassicMessage:
    """The same behind everybody's back: also while a run holds the thread."""
    get_thread(project, thread_id)
    message = draft(project, thread_id, body)
    append(project, thread_id, [message])
    return message


def drafts_of(project: Project, thread_id: str, param: str, body: Json) -> list[ClassicMessage]:
    """The checked messages of a body's list, none without one. Raises ApiError 400."""
    values = body.get(param) or []
    if not isinstance(values, list):
        raise invalid(param, f"{param} must be a list")
    return [draft(project, thread_id, value) for value in values]


def draft(project: Project, thread_id: str, value: object) -> ClassicMessage:
    """A checked message that is not in its thread yet. Raises ApiError 400."""
    if not isinstance(value, dict):
        raise invalid("messages", "a message must be an object")
    if value.get("role") not in ROLES:
        raise invalid("role", f"role must be one of {', '.join(ROLES)}")
    attachments = value.get("attachments") or []
    if not isinstance(attachments, list):
        raise invalid("attachments", "attachments must be a list")
    content, metadata = _read_content(value.get("content")), read_metadata(value.get("metadata"))
    return ClassicMessage(
        id=project.new_id("msg"),
        thread_id=thread_id,
        created_at=project.account.clock(),
        role=value["role"],
        content=content,
        attachments=tuple(attachments),
        metadata=metadata,
    )


def append(project: Project, thread_id: str, messages: Sequence[ClassicMessage]) -> None:
    """Adds messages at the end, unless the thread was deleted meanwhile."""
    thread = project.threads.get(thread_id)
    if thread is not None:
        project.threads[thread_id] = replace(thread, messages=(*thread.messages, *messages))


def get_message(project: Project, thread_id: str, message_id: str) -> ClassicMessage:
    """Raises ApiError 404 for the thread or the message."""
    for message in get_thread(project, thread_id).messages:
        if message.id == message_id:
            return message
    raise unknown_object("message", message_id)


def update_message(project: Project, thread_id: str, message_id: str, body: Json) -> ClassicMessage:
    """Only the metadata can change. Raises ApiError."""
    message = get_message(project, thread_id, message_id)
    changed = replace(message, metadata=read_metadata(body.get("metadata")))
    thread = get_thread(project, thread_id)
    messages = tuple(changed if one is message else one for one in thread.messages)
    project.threads[thread_id] = replace(thread, messages=messages)
    return changed


def delete_message(project: Project, thread_id: str, message_id: str) -> None:
    """Raises ApiError 404 for the thread or the message."""
    gone = get_message(project, thread_id, message_id)
    thread = get_thread(project, thread_id)
    left = tuple(one for one in thread.messages if one is not gone)
    project.threads[thread_id] = replace(thread, messages=left)


def message_body(message: ClassicMessage) -> Json:
    """A message as it goes over the wire."""
    created = int(message.created_at)
    return {
        "id": message.id,
        "object": "thread.message",
        "created_at": created,
        "thread_id": message.thread_id,
        "status": "completed",
        "incomplete_details": None,
        "completed_at": created,
        "incomplete_at": None,
        "role": message.role,
        "content": list(message.content),
        "assistant_id": message.assistant_id,
        "run_id": message.run_id,
        "attachments": list(message.attachments),
        "metadata": message.metadata,
    }


def text_part(text: str) -> Json:
    """A text as a message's part."""
    return {"type": "text", "text": {"value": text, "annotations": []}}


def active_run(project: Project, thread_id: str) -> ClassicRun | None:
    """The run that holds the thread; one that is past its time holds nothing."""
    now = project.account.clock()
    runs = (run for run in project.runs.values() if run.thread_id == thread_id)
    return next((run for run in runs if run.active and now < run.expires_at), None)


def _read_content(value: object) -> tuple[Json, ...]:
    parts = [{"type": "text", "text": value}] if isinstance(value, str) else value
    if not isinstance(parts, list) or not parts:
        raise invalid("content", "content must be a text or a list of parts that is not empty")
    return tuple(_read_part(part) for part in parts)


def _read_part(part: object) -> Json:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        raise invalid("content", "a part must be an object with a type")
    if part["type"] != "text":
        return dict(part)
    text = part.get("text")
    if not isinstance(text, str) or not 1 <= len(text) <= LONGEST_TEXT:
        raise invalid("content", f"a text must have 1 to {LONGEST_TEXT} characters")
    return text_part(text)
