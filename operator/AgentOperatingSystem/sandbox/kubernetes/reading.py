"""Lists and watches: pages, selectors, resourceVersions, and the stream of changes between them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import ApiError, FieldErrors, bad_request, forbidden_field, gone
from .kinds import EVENTS, NAMESPACES, SECRETS, served_form
from .resources import Resource
from .selectors import Predicate, both, field_selector, label_selector
from .store import Change, Json, Store, name_of

BOOKMARK_SECONDS = 30.0
INITIAL_EVENTS_END = "k8s.io/initial-events-end"

_SELECTABLE: dict[tuple[str, str], tuple[str, ...]] = {
    EVENTS: (
        *(
            f"{about}.{part}"
            for about in ("involvedObject", "regarding")
            for part in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
        ),
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    NAMESPACES: ("status.phase",),
    SECRETS: ("type",),
}


@dataclass(frozen=True)
class Selection:
    """Which objects of a kind a request is about."""

    resource: Resource
    namespace: str
    predicate: Predicate | None
    narrowed: bool

    def has(self, item: Json) -> bool:
        """Whether the request is about this object."""
        if self.namespace and item["metadata"].get("namespace") != self.namespace:
            return False
        return self.predicate is None or self.predicate(item)


def selection(resource: Resource, namespace: str, name: str, query: Mapping[str, str]) -> Selection:
    """The selection that a path and a query describe. 400 for a selector that cannot be read."""
    labels = label_selector(query.get("labelSelector", ""))
    fields = ("metadata.name", "metadata.namespace", *_SELECTABLE.get(resource.key, ()))
    kind = f"{resource.group}/{resource.version}, Resource={resource.plural}".removeprefix("/")
    kind = "" if resource.custom else kind
    found = field_selector(query.get("fieldSelector", ""), fields, kind)
    named: Predicate | None = (lambda item: item["metadata"]["name"] == name) if name else None
    predicate = both(both(labels, found), named)
    return Selection(resource, namespace, predicate, narrowed=predicate is not None)


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean of the query, as Go reads it."""
    return query.get(name, "").lower() in {"true", "1", "t"}


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name) or "0"
    if not text.isdecimal():
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def read_version(query: Mapping[str, str]) -> int:
    """The resourceVersion of a query, 0 without one. The real server answers 500 to one that is no number."""
    text = query.get("resourceVersion") or "0"
    if not text.isdecimal():
        syntax = f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise ApiError(500, "", f"resourceVersion: {syntax}")
    return int(text)


def _check_not_ahead(store: Store, version: int) -> None:
    if version > store.version:
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        message = f"Too large resource version: {version}, current: {store.version}"
        raise ApiError(504, "Timeout", f"Timeout: {message}", {"causes": [cause], "retryAfterSeconds": 1})


# --- lists -----------------------------------------------------------------------------------------


def list_page(store: Store, chosen: Selection, query: Mapping[str, str]) -> tuple[list[Json], Json]:
    """The items of one page, and the list's metadata."""
    limit = _number(query, "limit")
    at, after = _position(store, query)
    items = store.select(chosen.resource.key, chosen.namespace, at)
    if after is not None:
        items = [item for item in items if name_of(item) > after]
    items = [item for item in items if chosen.has(item)]
    metadata: Json = {"resourceVersion": str(store.version if at is None else at)}
    if limit and len(items) > limit:
        metadata["continue"] = _token(int(metadata["resourceVersion"]), name_of(items[limit - 1]))
        if not chosen.narrowed:
            metadata["remainingItemCount"] = len(items) - limit
        items = items[:limit]
    return items, metadata


def _position(store: Store, query: Mapping[str, str]) -> tuple[int | None, tuple[str, str] | None]:
    """As of which version, and after which name."""
    if token := query.get("continue"):
        version, after = _read_token(token)
        if version < store.oldest:
            raise gone("The provided continue parameter is too old to display a consistent list result.")
        return version, after
    try:
        version = read_version(query)
    except ApiError as error:
        raise bad_request(f"invalid resource version: {error.message}") from error
    _check_not_ahead(store, version)
    match = query.get("resourceVersionMatch", "")
    if match and not version:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise FieldErrors("meta.k8s.io", "ListOptions", "", [forbidden_field("resourceVersionMatch", why)])
    if match == "Exact":
        if version < store.oldest:
            raise gone(f"The resourceVersion for the provided list is too old: {version}")
        return version, None
    return None, None


def _token(version: int, name: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([version, *name]).encode()).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(version), (str(namespace), str(name))
    except ValueError as error:
        raise bad_request("invalid continue token: continue key is not valid") from error


# --- watches ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WatchRequest:
    """Where a watch starts: `initial` objects first or not, then the changes after `version`."""

    initial: bool
    announce_end: bool
    version: int
    bookmarks: bool
    seconds: float | None


def watch_request(store: Store, query: Mapping[str, str]) -> WatchRequest:
    """The watch that a query describes. 410 for a version that has left the log, 422 for a wrong mix."""
    version = read_version(query)
    wants_list = query.get("sendInitialEvents", "")
    _check_match(query, wants_list)
    _check_not_ahead(store, version)
    initial = flag(query, "sendInitialEvents") if wants_list else version == 0
    if not initial and version and version < store.oldest:
        raise gone(f"too old resource version: {version} ({store.oldest})")
    bookmarks = flag(query, "allowWatchBookmarks")
    seconds = _number(query, "timeoutSeconds")
    return WatchRequest(
        initial=initial,
        announce_end=bool(wants_list) and initial and bookmarks,
        version=store.version if initial or not version else version,
        bookmarks=bookmarks,
        seconds=float(seconds) if seconds else None,
    )


def _check_match(query: Mapping[str, str], wants_list: str) -> None:
    match = query.get("resourceVersionMatch", "")
    if bool(wants_list) is bool(match):
        return
    field = "resourceVersionMatch"
    why = (
        "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        if wants_list
        else "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
    )
    raise FieldErrors("meta.k8s.io", "ListOptions", "", [forbidden_field(field, why)])


async def watch(
    store: Store, chosen: Selection, asked: WatchRequest, flowing: asyncio.Event
) -> AsyncGenerator[tuple[str, Json], None]:
    """The events of a watch, in order, until its time is over. While `flowing` is not set, none comes."""
    resource = chosen.resource
    queue = store.watch(resource.key)
    try:
        initial = store.select(resource.key, chosen.namespace) if asked.initial else []
        replay = store.since(resource.key, asked.version)
        seen = store.version
        for item in initial:
            if chosen.has(item):
                yield "ADDED", served_form(resource, item)
        if asked.announce_end:
            yield "BOOKMARK", bookmark(resource, seen, {INITIAL_EVENTS_END: "true"})
        for change in replay:
            if event := _event(change, chosen):
                yield event
        async for change_or_none in _live(queue, asked.seconds, flowing):
            if change_or_none is None and asked.bookmarks:
                yield "BOOKMARK", bookmark(resource, store.version if queue.empty() else seen)
            elif change_or_none is not None and change_or_none.version > seen:
                seen = change_or_none.version
                if event := _event(change_or_none, chosen):
                    yield event
    finally:
        store.unwatch(resource.key, queue)


async def _live(
    queue: asyncio.Queue[Change], seconds: float | None, flowing: asyncio.Event
) -> AsyncIterator[Change | None]:
    """The changes in a queue as they come, None when nothing came for a while, until `seconds` are over."""
    clock = asyncio.get_running_loop().time
    end = float("inf") if seconds is None else clock() + seconds
    while clock() < end:
        change: Change | None = None
        with contextlib.suppress(TimeoutError):
            change = await asyncio.wait_for(queue.get(), min(BOOKMARK_SECONDS, end - clock()))
        await flowing.wait()
        yield change


def bookmark(resource: Resource, version: int, annotations: dict[str, str] | None = None) -> Json:
    """An object of the kind with nothing in it but a resourceVersion."""
    metadata: dict[str, Any] = {"resourceVersion": str(version), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    return {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}


def _event(change: Change, chosen: Selection) -> tuple[str, Json] | None:
    """What a change means to a watch: what enters the selection is added, what leaves it is deleted."""
    resource = chosen.resource
    now = change.type != "DELETED" and chosen.has(change.object)
    before = change.previous is not None and chosen.has(change.previous)
    if now:
        return ("MODIFIED" if before else "ADDED"), served_form(resource, change.object)
    if not before:
        return None
    last = change.object if change.type == "DELETED" else change.previous or change.object
    metadata = {**last["metadata"], "resourceVersion": change.object["metadata"]["resourceVersion"]}
    return "DELETED", served_form(resource, {**last, "metadata": metadata})
