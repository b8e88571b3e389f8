"""The answers that do not depend on objects: health, version, discovery and OpenAPI."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import yaml
from aiohttp import web

from . import discovery, openapi
from .errors import no_such_path
from .negotiation import choose_form
from .resources import Catalogue

Json = dict[str, Any]

_HEALTH = ("/healthz", "/livez", "/readyz")
_OPENAPI_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def json_response(body: Json) -> web.Response:
    """A JSON answer."""
    return web.Response(body=json.dumps(body).encode(), content_type="application/json")


def as_yaml(response: web.Response) -> web.Response:
    """The same answer in YAML, when it is one in JSON."""
    if response.content_type != "application/json" or not isinstance(response.body, bytes):
        return response
    text = yaml.safe_dump(json.loads(response.body))
    answer = web.Response(body=text.encode(), content_type="application/yaml", status=response.status)
    answer.headers.update({name: value for name, value in response.headers.items() if name == "Warning"})
    return answer


class Documents:
    """Describes what a catalogue serves; each document is built once for each state of the catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._built: dict[str, tuple[int, Json]] = {}

    def answer(self, path: str, accept: str) -> web.Response | None:
        """The answer to a GET of one of these paths, None when the path is another one."""
        path = path.rstrip("/")
        if path in _HEALTH:
            return web.Response(text="ok")
        if path == "/version":
            return json_response(discovery.VERSION)
        if path in {"/api", "/apis"}:
            return self._discovery(accept, core=path == "/api")
        if path.startswith("/openapi/"):
            return self._openapi(path, accept)
        return self._group(path.strip("/").split("/"))

    def _group(self, parts: list[str]) -> web.Response | None:
        groups = self._catalogue.group_versions()
        if parts == ["api", "v1"]:
            return json_response(discovery.resource_list(self._catalogue, "", "v1"))
        if parts[0] != "apis" or len(parts) > 3 or parts[1] not in groups:
            return None
        if len(parts) == 2:
            return json_response(discovery.group(self._catalogue, parts[1]))
        if parts[2] not in groups[parts[1]]:
            return None
        return json_response(discovery.resource_list(self._catalogue, parts[1], parts[2]))

    def _discovery(self, accept: str, *, core: bool) -> web.Response:
        form = choose_form(accept, ("APIGroupDiscoveryList",))
        if not form.view or form.version != "v2":
            return json_response(discovery.core_versions() if core else discovery.group_list(self._catalogue))
        response = json_response(discovery.aggregated(self._catalogue, core=core))
        response.headers["Content-Type"] = _DISCOVERY
        return response

    def _openapi(self, path: str, accept: str) -> web.Response:
        if path == "/openapi/v2" and "proto-openapi" in accept:
            # An empty protobuf message is an empty document: what is not in v3 is in neither.
            return web.Response(body=b"", content_type=_OPENAPI_PROTOBUF)
        parts = path.strip("/").split("/")[1:]
        if parts == ["v2"]:
            return json_response(self._document(path, openapi.swagger))
        if parts == ["v3"]:
            return json_response(self._document(path, openapi.index))
        group, version = (parts[2], parts[3]) if len(parts) == 4 else ("", parts[-1])
        if parts[0] != "v3" or version not in self._catalogue.group_versions().get(group, ()):
            raise no_such_path()
        return json_response(
            self._document(path, lambda catalogue: openapi.document(catalogue, group, version))
        )

    def _document(self, path: str, build: Callable[[Catalogue], Json]) -> Json:
        made_at, found = self._built.get(path, (-1, {}))
        if made_at != self._catalogue.generation:
            found = build(self._catalogue)
            self._built[path] = (self._catalogue.generation, found)
        return found
