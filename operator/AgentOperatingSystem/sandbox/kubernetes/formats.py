"""The string formats that the API server checks; an unknown format is accepted, as there."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import ipaddress
import re
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

_DATE_TIME = re.compile(r"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$")
_DURATION = re.compile(
    r"^[+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*$"
)
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")
_HOST = re.compile(
    r"^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$"
)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_time(text: str) -> dt.datetime:
    """An RFC 3339 time. Raises ValueError."""
    if not _DATE_TIME.match(text):
        raise ValueError(f"not an RFC 3339 time: {text!r}")
    return dt.datetime.fromisoformat(text.upper())


def parse_duration(text: str) -> dt.timedelta:
    """A Go duration such as `1h30m`. Raises ValueError."""
    if text == "0":
        return dt.timedelta()
    if not _DURATION.match(text):
        raise ValueError(f"not a duration: {text!r}")
    seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in _PART.findall(text))
    return dt.timedelta(seconds=-seconds if text.startswith("-") else seconds)


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except (ValueError, binascii.Error):
            return False
        return True

    return check


def _uri(text: str) -> bool:
    return _parses(urlsplit)(text) and bool(urlsplit(text).scheme or text.startswith("/"))


FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _parses(parse_time),
    "datetime": _parses(parse_time),
    "date": _parses(lambda text: dt.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=dt.UTC)),
    "duration": _parses(parse_duration),
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "cidr": _parses(lambda text: ipaddress.ip_network(text, strict=False)),
    "uuid": _parses(uuid.UUID),
    "byte": _parses(lambda text: base64.b64decode(text, validate=True)),
    "hostname": lambda text: bool(_HOST.match(text)),
    "email": lambda text: bool(re.match(r"^[^@\s]+@[^@\s]+$", text)),
    "uri": _uri,
}
