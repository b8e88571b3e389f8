"""Bodies and their media types: reads JSON, YAML and a little protobuf; chooses the form of an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import yaml

from . import protobuf
from .errors import ApiError, bad_request, unsupported_media_type

Json = dict[str, Any]

PROTOBUF = "application/vnd.kubernetes.protobuf"
ACCEPTED = ("application/json", "application/yaml")


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: timestamps are text, and a bare y or n is a boolean."""

    bool_values: ClassVar[dict[str, bool]] = {**yaml.SafeLoader.bool_values, "y": True, "n": False}


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^[yYnN]$"), list("yYnN"))


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


class _Object(dict[str, Any]):
    """A JSON object that remembers which of its fields stood twice in the text."""

    repeated: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    names = [name for name, _ in pairs]
    found = _Object(plain)
    found.repeated = tuple(dict.fromkeys(name for name in names if names.count(name) > 1))
    return found


def repeated_fields(value: Any, path: str = "") -> Iterator[str]:
    """The paths of the fields that stood twice in the JSON text that a value was read from."""
    if isinstance(value, dict):
        for name, item in value.items():
            here = f"{path}.{name}" if path else name
            if isinstance(value, _Object) and name in value.repeated:
                yield here
            yield from repeated_fields(item, here)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from repeated_fields(item, f"{path}[{index}]")


def read_text(data: bytes) -> Any:
    """A JSON or YAML text. 400 when it is neither."""
    try:
        return json.loads(data, object_pairs_hook=_object)
    except ValueError:
        pass
    try:
        return yaml.load(data, _Loader)  # noqa: S506 - a SafeLoader with one resolver less
    except yaml.YAMLError as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error


def prefers_yaml(accept: str) -> bool:
    """Whether an Accept header asks for YAML before anything else."""
    return accept.partition(",")[0].partition(";")[0].strip() == "application/yaml"


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
        if media not in {"application/json", "application/yaml", "*/*", "application/*"}:
            continue
        parameters = dict(part.partition("=")[::2] for part in parts)
        view = parameters.get("as", "")
        if not view or view in views:
            return Form(view, parameters.get("v", ""))
    message = f"only the following media types are accepted: {', '.join(ACCEPTED)}"
    raise ApiError(406, "NotAcceptable", message)
