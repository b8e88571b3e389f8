"""What may be told of an exchange: its shape. Built from what is known to be harmless, not by taking out.

A value is told only under a few names that hold the protocol's own words (`object`, `status`, ...), and only
if it looks like one; of all others the type is told. What people name themselves, as the keys of metadata, is
never told. What is not the run's own, as the other agents in a listing, is left out altogether.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.smoke.wire import Exchange, parsed

# From a place in a body, as `versions.latest.tools[].type`, to what stands there.
Shape = dict[str, tuple[str, ...]]

HIDDEN = "{id}"
# The parts of paths that are the protocol's; what follows one of the collections is an id, whatever it is.
COLLECTIONS = frozenset(
    {
        "agents", "versions", "conversations", "items", "responses", "deployments", "connections",
        "assistants", "threads", "messages", "runs", "files", "vector_stores",
    }
)  # fmt: skip
PARTS = COLLECTIONS | {"openai", "v1", "cancel", "submit_tool_outputs", "steps", "content"}
VERBS = (":enable", ":disable")
# Listings that hold what is not ours.
SHARED = frozenset({"agents", "assistants", "deployments"})
QUERY_VALUES = frozenset({"api-version", "kind", "limit", "order"})
WORDS = frozenset(
    {"object", "type", "kind", "status", "state", "configuration_state", "role", "code", "order"}
)
# Objects whose keys are people's own, or may be.
FREE = frozenset(
    {"metadata", "parameters", "properties", "headers", "credentials", "structured_inputs", "additionalInfo"}
)
SENT_HEADERS = ("accept", "content-type", "foundry-features")
HEADERS = ("content-type", "retry-after", "retry-after-ms", "x-ms-error-code", "deprecation", "sunset")

# Without digits, which ids and people's own names are full of, and the protocol's words are not.
_WORD = re.compile(r"[A-Za-z][A-Za-z_]{0,39}(\.[a-z_]{1,30}){0,3}")
_KEY = re.compile(r"[A-Za-z][A-Za-z_]{0,47}")
_MEDIA = re.compile(r"[a-z]+/[a-z0-9.+-]+|\*/\*")
_VERSION = re.compile(r"[a-z0-9-]{1,20}")


class Leak(Exception):
    """Something that must not be told stands in what was to be written; it is not quoted."""


@dataclass(frozen=True)
class Told:
    """What may be told of one exchange."""

    step: str
    method: str
    path: str
    query: dict[str, str]
    sent_headers: dict[str, str]
    sent: Shape
    status: int | None
    headers: dict[str, str]
    body: Shape

    @property
    def operation(self) -> str:
        """Method and path: what is compared with its like."""
        return f"{self.method} {self.path}"


class Scrubber:
    """`own` are the names of the run's own things; `secret` is whatever else must not be told."""

    def __init__(self, own: Iterable[str], secret: Iterable[str]) -> None:
        self._own = frozenset(own)
        self._secret = {text.lower() for text in (*self._own, *secret) if text}

    def told(self, exchange: Exchange) -> Told:
        """The exchange as it may be told."""
        path = _path(exchange.path)
        return Told(
            step=exchange.step,
            method=exchange.method,
            path=path,
            query=self._query(exchange.query),
            sent_headers=_headers(exchange.sent_headers, SENT_HEADERS),
            sent=self._shape(exchange.sent),
            status=exchange.status,
            headers=_headers(exchange.headers, HEADERS),
            body=self._shape(exchange.body, shared=path.rpartition("/")[2] in SHARED),
        )

    def check(self, text: str, exchanges: Iterable[Exchange]) -> None:
        """Raise Leak when `text`, about to be written, holds a name, an id or a token of the run."""
        lowered = text.lower()
        known = self._secret | {one.lower() for exchange in exchanges for one in _telling(exchange)}
        # A name that is one ordinary word may well be the protocol's own, too.
        if any(len(one) > 5 and not one.isalpha() and one in lowered for one in known - PARTS - WORDS):
            raise Leak("The recording holds what it must not tell, and is not written; please report it.")

    def _query(self, query: str) -> dict[str, str]:
        told = {}
        for key, value in parse_qsl(query, keep_blank_values=True):
            if re.fullmatch(r"[a-z_-]{1,20}", key) and not self._is_secret(key):
                plain = key in QUERY_VALUES and _VERSION.fullmatch(value) and not self._is_secret(value)
                told[key] = value if plain else HIDDEN
        return told

    def _shape(self, body: bytes, *, shared: bool = False) -> Shape:
        if not body:
            return {}
        value = parsed(body)
        if value is None:
            return {"": ("no JSON",)}
        if shared and isinstance(value, dict):
            value = {key: self._ours(one) for key, one in value.items()}
        found: dict[str, set[str]] = {}
        for place, kind in self._walk("", "", value):
            found.setdefault(place, set()).add(kind)
        return {place: tuple(sorted(kinds)) for place, kinds in found.items()}

    def _ours(self, listed: Any) -> Any:
        if not isinstance(listed, list):
            return listed
        return [one for one in listed if isinstance(one, dict) and one.get("name") in self._own]

    def _walk(self, place: str, key: str, value: Any) -> Iterator[tuple[str, str]]:
        match value:
            case dict() if key in FREE:
                yield place, "map"
            case dict():
                yield place, "object"
                for name, one in ((self._key(name), one) for name, one in value.items()):
                    yield from self._walk(f"{place}.{name}" if place else name, name, one)
            case list():
                yield place, "list"
                for one in value:
                    yield from self._walk(f"{place}[]", key, one)
            case str() if key in WORDS and _WORD.fullmatch(value) and not self._is_secret(value):
                yield place, f"'{value}'"
            case _:
                yield place, _KINDS.get(type(value), "null")

    def _key(self, name: str) -> str:
        return name if _KEY.fullmatch(name) and not self._is_secret(name) else HIDDEN

    def _is_secret(self, text: str) -> bool:
        lowered = text.lower()
        return any(len(one) > 2 and one in lowered for one in self._secret)


_KINDS: Mapping[type, str] = {str: "str", bool: "bool", int: "int", float: "float"}


def to_json(told: Iterable[Told]) -> list[dict[str, Any]]:
    """As it is written to a file."""
    return [asdict(one) for one in told]


def _path(path: str) -> str:
    parts: list[str] = []
    after = ""
    for part in path.strip("/").split("/"):
        verb = next((verb for verb in VERBS if part.endswith(verb)), "")
        plain = after not in COLLECTIONS and part in PARTS
        after = part if plain else ""
        parts.append(part if plain else HIDDEN + verb)
    return "/".join(parts)


def _headers(headers: Mapping[str, str], wanted: Iterable[str]) -> dict[str, str]:
    return {name: _header(name, headers[name]) for name in wanted if name in headers}


def _header(name: str, value: str) -> str:
    if name in ("accept", "content-type"):
        media = value.partition(";")[0].strip().lower()
        return media if _MEDIA.fullmatch(media) else "another"
    if name.startswith("retry-after"):
        return "seconds" if value.strip().replace(".", "", 1).isdigit() else "another"
    return "there"


def _telling(exchange: Exchange) -> Iterator[str]:
    """Tokens and ids of an exchange: what a recording would be searched for."""
    yield exchange.sent_headers.get("authorization", "").partition(" ")[2]
    for part in exchange.path.split("/"):
        if any(sign.isdigit() for sign in part):
            yield unquote(part)
    for body in (exchange.sent, exchange.body):
        yield from _ids(parsed(body))


def _ids(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for key, one in value.items():
                if isinstance(one, str) and (key in ("id", "name") or key.endswith("_id")):
                    yield one
                else:
                    yield from _ids(one)
        case list():
            for one in value:
                yield from _ids(one)
        case _:
            return


def dumped(document: Any) -> str:
    """A document as the text of a file."""
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"
