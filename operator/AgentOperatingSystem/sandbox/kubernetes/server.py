"""The HTTP face of the embedded API: paths and verbs in, objects, tables, watches and Status errors out."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from aiohttp import web

from .builtins import BUILTINS
from .deletion import DeleteOptions, Deletion, parse_options
from .documents import Documents, as_yaml, json_response
from .errors import (
    ApiError,
    bad_request,
    method_not_allowed,
    name_missing,
    no_such_path,
    too_large,
    unsupported_media_type,
)
from .kinds import NAMESPACES, served_form
from .negotiation import Form, choose_form, prefers_yaml, read_object, read_text, repeated_fields
from .options import check_options
from .reading import Selection, flag, list_page, read_version, selection, watch, watch_request
from .resources import Catalogue, Resource
from .store import Json, Store
from .tables import table
from .traffic import Traffic
from .writes import APPLY_TYPES, JSON_PATCH, MERGE, STRATEGIC, Target, WriteOptions, Writes

BODY_LIMIT = 3 * 1024 * 1024
FIRST_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_INCLUDED = ("Metadata", "Object", "None")
_OBJECT_VIEWS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
_PATH = re.compile(r"^/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))/(?P<rest>.+)$")
_LOCAL_HOST = re.compile(r"^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$")


Handler = Callable[[web.Request, Target], Awaitable[web.StreamResponse]]


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class ApiServer:
    """One API server: its state, and the aiohttp application that serves it."""

    def __init__(self, traffic: Traffic, *, log_length: int, clock: Callable[[], dt.datetime] = _now) -> None:
        self._traffic = traffic
        self._clock = clock
        self._store = Store(log_length)
        self._catalogue = Catalogue(BUILTINS)
        self._deletion = Deletion(self._store, self._catalogue, clock)
        self._writes = Writes(self._store, self._catalogue, self._deletion, clock)
        self._documents = Documents(self._catalogue)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._tasks: dict[asyncio.Task[Any], asyncio.BaseTransport] = {}
        self._transports: set[asyncio.Transport] = set()
        for name in FIRST_NAMESPACES:
            self._first_namespace(name)

    def application(self) -> web.Application:
        """The application; its shutdown ends open watches."""
        app = web.Application(client_max_size=BODY_LIMIT)
        app.router.add_route("*", "/{path:.*}", self._answer)
        app.on_shutdown.append(self._shut)
        return app

    async def mute(self, muted: bool) -> None:
        """While muted, watches stay open and deliver nothing."""
        if muted:
            self._flowing.clear()
        else:
            self._flowing.set()

    async def drop_connections(self) -> None:
        """Cut every connection, as a restart of the API server does; the state stays."""
        for task in list(self._tasks):
            task.cancel()
        for transport in list(self._transports):
            transport.abort()
        self._transports.clear()

    async def _shut(self, _: web.Application) -> None:
        await self.drop_connections()

    def _first_namespace(self, name: str) -> None:
        namespaces = self._catalogue.find("", "v1", "namespaces")
        if namespaces is not None:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            self._writes.create(Target(namespaces), body, WriteOptions(manager="kube-apiserver"))

    # --- one request -------------------------------------------------------------------------------

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        with self._tracked(request.transport):
            try:
                response = await self._guarded(request)
            except ApiError as error:
                response = _failure(error)
            except web.HTTPRequestEntityTooLarge:
                response = _failure(too_large(BODY_LIMIT))
        if isinstance(response, web.Response) and prefers_yaml(request.headers.get("Accept", "")):
            response = as_yaml(response)
        if not response.prepared:
            self._traffic.record(request, response.status)
        return response

    @contextlib.contextmanager
    def _tracked(self, transport: asyncio.BaseTransport | None) -> Iterator[None]:
        """Know the request's task and connection; watches whose client has gone are ended here."""
        for task in [task for task, line in self._tasks.items() if line.is_closing()]:
            task.cancel()
        current = asyncio.current_task()
        if current is None or not isinstance(transport, asyncio.Transport):
            yield
            return
        self._transports = {line for line in self._transports if not line.is_closing()} | {transport}
        self._tasks[current] = transport
        try:
            yield
        finally:
            self._tasks.pop(current, None)

    async def _guarded(self, request: web.Request) -> web.StreamResponse:
        if not _LOCAL_HOST.match(request.headers.get("Host", "localhost")):
            raise ApiError(403, "Forbidden", "this server answers to loopback names only")
        fault = self._traffic.fault_for(request.method, request.path)
        if fault is not None:
            raise fault
        document = self._documents.answer(request.path, request.headers.get("Accept", ""))
        if document is not None:
            if request.method not in {"GET", "HEAD"}:
                raise method_not_allowed()
            return document
        handler, target = self._route(request)
        return await handler(request, target)

    def _route(self, request: web.Request) -> tuple[Handler, Target]:
        found = _PATH.match(request.path)
        if not found:
            raise no_such_path()
        group, version = found["group"] or "", found["version"] or found["core"]
        parts = [part for part in found["rest"].split("/") if part]
        namespace = ""
        if parts[0] == "namespaces" and len(parts) > 2 and not _about_namespace(group, parts):
            namespace, parts = parts[1], parts[2:]
        resource = self._catalogue.find(group, version, parts[0])
        if resource is None or len(parts) > 3 or (namespace and not resource.namespaced):
            raise no_such_path()
        target = Target(resource, namespace, *parts[1:])
        return self._handler(request.method, target), target

    def _handler(self, method: str, target: Target) -> Handler:
        if target.subresource:
            known = target.resource.has_status and target.subresource == "status"
            if not known and not (target.resource.key == NAMESPACES and target.subresource == "finalize"):
                raise no_such_path()
            handlers: dict[str, Handler] = {"GET": self._get, "PUT": self._put, "PATCH": self._patch}
        elif target.name:
            handlers = {"GET": self._get, "PUT": self._put, "PATCH": self._patch, "DELETE": self._delete}
        else:
            handlers = {"GET": self._list, "POST": self._post, "DELETE": self._delete_collection}
        verb = {"GET": "list", "POST": "create", "PUT": "update"}.get(method, method.lower())
        if method not in handlers and target.subresource and target.resource.custom:
            raise method_not_allowed(verb, target.resource.qualified)
        if method not in handlers or (verb not in target.resource.verbs):
            nameless = target.resource.custom and not target.name and method in {"PUT", "PATCH"}
            raise name_missing() if nameless else method_not_allowed()
        if target.resource.namespaced and not target.namespace and (target.name or method == "POST"):
            raise no_such_path() if target.name or target.resource.custom else method_not_allowed()
        return handlers[method]

    # --- verbs -------------------------------------------------------------------------------------

    async def _get(self, request: web.Request, target: Target) -> web.StreamResponse:
        if flag(request.query, "watch"):
            return await self._watch(request, target)
        read_version(request.query)
        form = choose_form(request.headers.get("Accept", ""), _OBJECT_VIEWS)
        return self._object(request, target.resource, self._writes.current(target), form)

    async def _list(self, request: web.Request, target: Target) -> web.StreamResponse:
        if flag(request.query, "watch"):
            return await self._watch(request, target)
        resource = target.resource
        form = choose_form(request.headers.get("Accept", ""), _OBJECT_VIEWS)
        chosen = selection(resource, target.namespace, "", request.query)
        stored, metadata = list_page(self._store, chosen, request.query)
        items = [served_form(resource, item) for item in stored]
        if form.view == "Table":
            return json_response(self._table(request, resource, items, metadata=metadata))
        head = {"kind": resource.item_list_kind, "apiVersion": resource.api_version}
        if form.view:
            head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
            items = [_partial(item) for item in items]
        return json_response({**head, "metadata": metadata, "items": items})

    async def _post(self, request: web.Request, target: Target) -> web.StreamResponse:
        body = read_object(await request.read(), request.headers.get("Content-Type", ""))
        check_options("CreateOptions", request.query)
        options = _write_options(request, body)
        return self._written(request, target, self._writes.create(target, body, options), options, 201)

    async def _put(self, request: web.Request, target: Target) -> web.StreamResponse:
        body = read_object(await request.read(), request.headers.get("Content-Type", ""))
        check_options("UpdateOptions", request.query)
        options = _write_options(request, body)
        return self._written(request, target, self._writes.replace(target, body, options), options, 200)

    async def _patch(self, request: web.Request, target: Target) -> web.StreamResponse:
        kind = request.content_type
        if kind not in {MERGE, JSON_PATCH, STRATEGIC, *APPLY_TYPES}:
            raise unsupported_media_type((JSON_PATCH, MERGE, *APPLY_TYPES))
        patch = read_text(await request.read())
        check_options("PatchOptions", request.query)
        applies = kind in APPLY_TYPES
        options = _write_options(request, None if applies else patch, required=applies)
        there = self._store.get(target.resource.key, target.namespace, target.name) is not None
        item = self._writes.patch(target, kind, patch, options)
        return self._written(request, target, item, options, 200 if there else 201)

    async def _delete(self, request: web.Request, target: Target) -> web.StreamResponse:
        options = await _delete_options(request)
        item = self._writes.current(target)
        answer = self._deletion.delete(target.resource, item, options)
        if answer.get("kind") != "Status":
            answer = served_form(target.resource, answer)
        return json_response(answer)

    async def _delete_collection(self, request: web.Request, target: Target) -> web.StreamResponse:
        resource = target.resource
        options = await _delete_options(request)
        chosen = selection(resource, target.namespace, "", request.query)
        stored, metadata = list_page(self._store, chosen, request.query)
        for item in stored:
            self._deletion.delete(resource, item, options)
        items = [served_form(resource, item) for item in stored]
        head = {"kind": resource.item_list_kind, "apiVersion": resource.api_version}
        return json_response({**head, "metadata": metadata, "items": items})

    async def _watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        resource = target.resource
        chosen = selection(resource, target.namespace, target.name, request.query)
        form = choose_form(request.headers.get("Accept", ""), _OBJECT_VIEWS)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        try:
            asked = watch_request(self._store, request.query)
        except ApiError as error:
            if error.code != 410:
                raise
            return await self._refused_watch(request, response, error)
        await response.prepare(request)
        self._traffic.record(request, 200)
        first = True
        events = watch(self._store, chosen, asked, self._flowing)
        async with contextlib.aclosing(events):
            with contextlib.suppress(ConnectionError):
                async for kind, item in events:
                    shown = self._viewed(request, chosen, item, form, header=first)
                    await response.write(_line(kind, shown))
                    first = False
                await response.write_eof()
        return response

    async def _refused_watch(
        self, request: web.Request, response: web.StreamResponse, error: ApiError
    ) -> web.StreamResponse:
        await response.prepare(request)
        self._traffic.record(request, 200)
        await response.write(_line("ERROR", error.status()))
        await response.write_eof()
        return response

    # --- forms of an answer ------------------------------------------------------------------------

    def _written(
        self, request: web.Request, target: Target, item: Json, options: WriteOptions, code: int
    ) -> web.Response:
        form = choose_form(request.headers.get("Accept", ""), _OBJECT_VIEWS)
        response = self._object(request, target.resource, item, form)
        response.set_status(code)
        for warning in options.warnings:
            quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
            response.headers.add("Warning", f'299 - "{quoted}"')
        return response

    def _object(self, request: web.Request, resource: Resource, item: Json, form: Form) -> web.Response:
        shown = served_form(resource, item)
        if form.view == "Table":
            version = {"resourceVersion": item["metadata"].get("resourceVersion", "")}
            return json_response(self._table(request, resource, [shown], metadata=version))
        return json_response(_partial(shown) if form.view else shown)

    def _viewed(
        self, request: web.Request, chosen: Selection, item: Json, form: Form, *, header: bool
    ) -> Json:
        if form.view == "Table":
            version = {"resourceVersion": item["metadata"]["resourceVersion"]}
            return self._table(request, chosen.resource, [item], metadata=version, header=header)
        return _partial(item) if form.view else item

    def _table(
        self,
        request: web.Request,
        resource: Resource,
        items: list[Json],
        *,
        metadata: Json,
        header: bool = True,
    ) -> Json:
        include = request.query.get("includeObject", "") or "Metadata"
        if include not in _INCLUDED:
            raise bad_request(
                f'Unable to convert to Table as requested: includeObject: Invalid value: "{include}": '
                "must be 'Metadata', 'Object', 'None', or empty"
            )
        return table(resource, items, now=self._clock(), include=include, metadata=metadata, header=header)


def _about_namespace(group: str, parts: list[str]) -> bool:
    return not group and len(parts) == 3 and parts[2] in {"status", "finalize"}


def _line(kind: str, item: Json) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def _partial(item: Json) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}


def _failure(error: ApiError) -> web.Response:
    response = json_response(error.status())
    response.set_status(error.code)
    if error.code == 429:
        response.headers["Retry-After"] = "1"
    return response


async def _delete_options(request: web.Request) -> DeleteOptions:
    data = await request.read()
    body = read_object(data, request.headers.get("Content-Type", "")) if data else {}
    check_options("DeleteOptions", request.query, body.get("dryRun") or ())
    return parse_options(body, dict(request.query))


def _write_options(request: web.Request, body: Any, *, required: bool = False) -> WriteOptions:
    query: Mapping[str, str] = request.query
    agent = request.headers.get("User-Agent", "unknown").partition("/")[0] or "unknown"
    return WriteOptions(
        manager=query.get("fieldManager") or ("" if required else agent[:128]),
        dry_run=bool(query.get("dryRun")),
        validation=query.get("fieldValidation") or "Warn",
        force=flag(query, "force"),
        repeated=tuple(repeated_fields(body)),
    )
