"""Which endpoints there are, which of them the operator may speak to, and which cloud each belongs to.

The danger is the confused deputy: a tenant who names a host of theirs and is sent the operator's own token.
So what counts as an endpoint is a grammar of our own, narrower than that of any URL library: what passes is
read as the same host by every client, and what only looks like an allowed host does not pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

from AgentOperatingSystem.model.errors import ConfigurationError, NotAllowed

SETTING = "AOS_ALLOWED_ENDPOINTS"
HTTPS_PORT, HTTP_PORT, LAST_PORT = 443, 80, 65_535

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])"
_SEGMENT = r"(?!\.\.?(?:/|$))[A-Za-z0-9._~-]+"
_ENDPOINT = re.compile(
    rf"(?P<scheme>(?i:https?))://(?P<host>(?i:{_HOST}))(?::(?P<port>[0-9]{{1,5}}))?"
    rf"(?P<path>(?:/{_SEGMENT})*)/?",
    re.ASCII,  # else (?i:k) is the sign for Kelvin, too
)
_ENTRY = re.compile(rf"(?P<dot>\.?)(?P<host>{_HOST})(?::(?P<port>[0-9]{{1,5}}))?")
_ORIGIN = re.compile(r"(?P<scheme>[A-Za-z]+)://(?P<authority>[A-Za-z0-9.:\[\]-]+)(?:[/?]|$)")
_PROJECT = re.compile(r"/api/projects/[^/]+")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class Cloud:
    """One of Azure's clouds: the ending of its hosts and of its projects' hosts, and where its tokens are.

    Public and US government as in Microsoft Learn (foundry/concepts/foundry-azure-government). Foundry is not
    offered in China (2026); the authority is azure-identity's, the rest by the pattern of the other two.
    """

    domain: str
    project_hosts: str
    authority: str
    scope: str


PUBLIC = Cloud(
    ".azure.com",
    ".services.ai.azure.com",
    "https://login.microsoftonline.com",
    "https://ai.azure.com/.default",
)
GOVERNMENT = Cloud(
    ".azure.us", ".services.ai.azure.us", "https://login.microsoftonline.us", "https://ai.azure.us/.default"
)
CHINA = Cloud(
    ".azure.cn", ".services.ai.azure.cn", "https://login.chinacloudapi.cn", "https://ai.azure.cn/.default"
)
CLOUDS = (PUBLIC, GOVERNMENT, CHINA)


class InvalidEndpoint(ValueError):
    """What is wrong with an endpoint, as the rest of a sentence about it; it is not quoted."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint that every client reads alike: `host` in lower case, an IPv6 address in brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an endpoint; a slash at its end is left out. Raises InvalidEndpoint."""
        if any(mark in text for mark in "@?#"):
            raise InvalidEndpoint("must hold no user, password, query or fragment: the plain URL is enough.")
        found = _ENDPOINT.fullmatch(text)
        if found is None:
            raise _not_https()
        scheme, path = found["scheme"].lower(), found["path"]
        host = _host(found["host"].lower())
        port = int(found["port"] or (HTTPS_PORT if scheme == "https" else HTTP_PORT))
        if host is None or not 0 < port <= LAST_PORT:
            raise _not_https()
        endpoint = cls(scheme, host, port, path)
        if scheme == "http" and not endpoint.is_loopback:
            raise _not_https()
        endpoint._check_project()
        return endpoint

    @property
    def authority(self) -> str:
        """Host and port; https on its own port goes by the host alone."""
        return self.host if (self.scheme, self.port) == ("https", HTTPS_PORT) else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The one spelling of this endpoint."""
        usual = HTTPS_PORT if self.scheme == "https" else HTTP_PORT
        port = "" if self.port == usual else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{self.path}"

    @property
    def is_plain(self) -> bool:
        """True for http, which is the sandbox: no real credential goes there."""
        return self.scheme == "http"

    @property
    def is_loopback(self) -> bool:
        """True when the host is this machine."""
        return self.host == "localhost" or _is_loopback_address(self.host)

    @property
    def cloud(self) -> Cloud:
        """The cloud that the host's name ends in; the public one for a name of one's own."""
        return next((cloud for cloud in CLOUDS if self.host.endswith(cloud.domain)), PUBLIC)

    def is_origin_of(self, url: str) -> bool:
        """True when a request to `url` goes where this endpoint's requests go: scheme, host and port."""
        found = _ORIGIN.match(url)
        if found is None or found["scheme"].lower() != self.scheme:
            return False
        usual = HTTPS_PORT if self.scheme == "https" else HTTP_PORT
        spellings = {f"{self.host}:{self.port}", *([self.host] if self.port == usual else [])}
        return found["authority"].lower() in spellings

    def _check_project(self) -> None:
        """Of Azure's own hosts the shape is known: another one is a slip, or an attempt."""
        suffix = next(
            (cloud.project_hosts for cloud in CLOUDS if self.host.endswith(cloud.project_hosts)), None
        )
        if suffix is None:
            return
        account = self.host.removesuffix(suffix)
        if "." in account or self.port != HTTPS_PORT or not _PROJECT.fullmatch(self.path):
            raise InvalidEndpoint(
                f"must be https://<account>{suffix}/api/projects/<project>: Azure has no other there."
            )


@dataclass(frozen=True, slots=True)
class AllowedEndpoints:
    """The operator's list: `.suffix` allows every host below it, `host` or `host:port` exactly that one."""

    entries: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the setting: entries with commas between; empty for Azure's own project hosts.

        Raises ConfigurationError for an entry that is no host.
        """
        entries = [entry.strip().lower() for entry in text.split(",") if entry.strip()]
        return cls(frozenset(_entry(entry) for entry in entries) or DEFAULT_ENTRIES)

    def check(self, endpoint: str) -> Endpoint:
        """The endpoint, read. Raises NotAllowed, naming the setting, for one not on the list, or for none."""
        try:
            parsed = Endpoint.parse(endpoint)
        except InvalidEndpoint as error:
            raise NotAllowed(f"The endpoint {error}") from error
        authority = parsed.authority
        below = (entry for entry in self.entries if entry.startswith("."))
        if authority not in self.entries and not authority.endswith(tuple(below)):
            raise NotAllowed(
                f"The operator does not speak to {authority}, which is not in {SETTING}; use a project on a "
                "host that is, or ask whoever runs the operator to add it."
            )
        return parsed


# Foundry in China is not offered, so that its suffix is for those who know better to add.
DEFAULT_ENTRIES = frozenset({PUBLIC.project_hosts, GOVERNMENT.project_hosts})


def is_loopback(url: str) -> bool:
    """True when the host of `url` is this machine, for sure."""
    try:
        return Endpoint.parse(url).is_loopback
    except InvalidEndpoint:
        return False


def _entry(text: str) -> str:
    found = _ENTRY.fullmatch(text)
    host = None if found is None else _host(found["host"])
    if found is None or host is None or not 0 < int(found["port"] or HTTPS_PORT) <= LAST_PORT:
        raise ConfigurationError(
            SETTING, "must be hosts with commas between, as .services.ai.azure.com or host:port."
        )
    if found["dot"] and ("." not in host or host.startswith("[")):
        raise ConfigurationError(SETTING, f"must not allow all of .{host}: name a longer suffix.")
    port = "" if int(found["port"] or HTTPS_PORT) == HTTPS_PORT else f":{int(found['port'])}"
    return f"{found['dot']}{host}{port}"


def _host(host: str) -> str | None:
    """The host in its one spelling; None for what some client would take for another address.

    A name whose last label is a number, as 127.1 or 0x7f.1, is an address to the resolver.
    """
    if not host.startswith("[") and not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return host
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return None
    return f"[{address}]" if address.version == 6 else str(address)


def _is_loopback_address(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _not_https() -> InvalidEndpoint:
    return InvalidEndpoint(
        "must be an https URL, https://<account>.services.ai.azure.com/api/projects/<project>; "
        "plain http is for the sandbox on this machine only."
    )
