"""Conversations and their items: the threads of the new generation.

Why items are completed here: what a client sends is shorter than what it reads back (an id, a status,
a list of content parts), and the responses loop needs the same complete form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from AgentOperatingSystem.sandbox.foundry.definitions import read_metadata
from AgentOperatingSystem.sandbox.foundry.errors import Json, invalid, unknown_item
from AgentOperatingSystem.sandbox.foundry.paging import Entry, PageQuery, listing, page
from AgentOperatingSystem.sandbox.foundry.records import Conversation
from AgentOperatingSystem.sandbox.foundry.state import Identifiers, Project

ITEMS_PER_REQUEST = 20
ITEM_PREFIXES = {"message": "msg", "function_call": "fc", "function_call_output": "fco"}
PART_TYPES = {"assistant": "output_text"}


def read_items(value: object, ids: Identifiers) -> tuple[Json, ...]:
    """The items of an input: a text is one user message. Raises ApiError 400."""
    if isinstance(value, str):
        value = [{"type": "message", "role": "user", "content": value}]
    if not isinstance(value, list):
        raise invalid("input", "input must be a text or a list of items", code="invalid_payload")
    return tuple(_complete(item, ids) for item in value)


def _complete(item: object, ids: Identifiers) -> Json:
    if not isinstance(item, dict):
        raise invalid("input", "an item must be an object", code="invalid_payload")
    kind = item.get("type", "message")
    stored = {"id": ids.next(ITEM_PREFIXES.get(kind, "item")), "status": "completed", **item, "type": kind}
    if kind != "message":
        return stored
    if not isinstance(item.get("role"), str):
        raise invalid("input", "a message must have a role", code="invalid_payload")
    if isinstance(item.get("content"), str):
        part = PART_TYPES.get(item["role"], "input_text")
        stored["content"] = [{"type": part, "text": item["content"]}]
    return stored


def create_conversation(project: Project, body: Json) -> Json:
    """A new thread, with its first items when the body has some."""
    account = project.account
    conversation = Conversation(
        id=account.ids.next("conv"),
        created_at=account.clock(),
        metadata=read_metadata(body.get("metadata")),
        items=_read_some(body.get("items") or [], account.ids),
    )
    project.conversations[conversation.id] = conversation
    return conversation_body(conversation)


def conversation_body(conversation: Conversation) -> Json:
    """A conversation as it goes over the wire."""
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": int(conversation.created_at),
        "metadata": conversation.metadata,
    }


def update_conversation(project: Project, conversation_id: str, body: Json) -> Json:
    """Replaces the metadata."""
    conversation = project.conversation(conversation_id)
    updated = replace(conversation, metadata=read_metadata(body.get("metadata")))
    project.conversations[conversation_id] = updated
    return conversation_body(updated)


def delete_conversation(project: Project, conversation_id: str) -> Json:
    """Deletes it with its items."""
    del project.conversations[project.conversation(conversation_id).id]
    return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}


def create_items(project: Project, conversation_id: str, body: Json) -> Json:
    """Appends items; answers those that were added."""
    project.conversation(conversation_id)
    items = _read_some(body.get("items"), project.account.ids)
    append(project, conversation_id, items)
    return listing(items, [item["id"] for item in items])


def append(project: Project, conversation_id: str, items: Sequence[Json]) -> None:
    """Adds items at the end, unless the conversation was deleted meanwhile."""
    conversation = project.conversations.get(conversation_id)
    if conversation is not None:
        grown = replace(conversation, items=(*conversation.items, *items))
        project.conversations[conversation_id] = grown


def list_items(items: Sequence[Json], query: PageQuery) -> Json:
    """A page of items, by default newest first."""
    entries = [Entry(place, item["id"], item) for place, item in enumerate(items)]
    places = {entry.id: entry.place for entry in entries}
    return page(entries, query, places.get)


def get_item(project: Project, conversation_id: str, item_id: str) -> Json:
    """Raises ApiError 404 for the conversation or the item."""
    for item in project.conversation(conversation_id).items:
        if item["id"] == item_id:
            return item
    raise unknown_item("Item", item_id)


def delete_item(project: Project, conversation_id: str, item_id: str) -> Json:
    """Answers the conversation, as the service does."""
    gone = get_item(project, conversation_id, item_id)
    conversation = project.conversation(conversation_id)
    left = tuple(item for item in conversation.items if item is not gone)
    project.conversations[conversation_id] = replace(conversation, items=left)
    return conversation_body(conversation)


def _read_some(value: object, ids: Identifiers) -> tuple[Json, ...]:
    if not isinstance(value, list) or len(value) > ITEMS_PER_REQUEST:
        raise invalid("items", f"items must be a list of at most {ITEMS_PER_REQUEST}", code="invalid_payload")
    return read_items(value, ids)
