"""Bodies and their media types: reads JSON, YAML and a little protobuf; chooses the form of an answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml

from . import protobuf
from .errors import ApiError, bad_request, unsupported_media_type

Json = dict[str, Any]

PROTOBUF = "application/vnd.kubernetes.protobuf"
ACCEPTED = ("application/json", "application/yaml")


class _Loader(yaml.SafeLoader):
    """YAML without timestamps: Kubernetes reads those as text."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_object(data: bytes, media_type: str) -> Json:
    """The object in a request's body. 400 when it cannot be read, 415 for an unknown type."""
    kind = media_type.partition(";")[0].strip().lower()
    if kind == PROTOBUF:
        try:
            return protobuf.decode(data)
        except ValueError as error:
            raise unsupported_media_type(ACCEPTED) from error
    if kind not in {"", "*/*", "application/json", "application/yaml"}:
        raise unsupported_media_type(ACCEPTED)
    body = read_text(data)
    if not isinstance(body, dict):
        raise bad_request("the body of the request is not an object")
    return body


def read_text(data: bytes) -> Any:
    """A JSON or YAML text. 400 when it is neither."""
    try:
        return json.loads(data)
    except ValueError:
        pass
    try:
        return yaml.load(data, _Loader)  # noqa: S506 - a SafeLoader with one resolver less
    except yaml.YAMLError as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error


@dataclass(frozen=True)
class Form:
    """The form of an answer: `view` is empty for the object itself, else the `as` parameter's value."""

    view: str = ""
    version: str = ""


def choose_form(accept: str, views: tuple[str, ...] = ()) -> Form:
    """The first form in an Accept header that the server has; 406 when there is none."""
    if not accept:
        return Form()
    for item in accept.split(","):
        media, *parts = (part.strip() for part in item.split(";"))
        if media not in {"application/json", "*/*", "application/*"}:
            continue
        parameters = dict(part.partition("=")[::2] for part in parts)
        view = parameters.get("as", "")
        if not view or view in views:
            return Form(view, parameters.get("v", ""))
    message = "only the following media types are accepted: application/json"
    raise ApiError(406, "NotAcceptable", message)
