"""The chat client that an agent speaks through when its program gave it none.

Any endpoint that speaks OpenAI's `/chat/completions` will do: a model server in the cluster, a gateway, a
service. The settings have names of their own, so that an OPENAI_API_KEY which is meant for another
service is never sent to this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Self
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from agent_framework.openai import OpenAIChatCompletionClient

BASE_URL = "AOS_CHAT_BASE_URL"
API_KEY = "AOS_CHAT_API_KEY"
MODEL = "AOS_CHAT_MODEL"

# The SDK wants some key; a server that needs none does not read it.
NO_KEY = "no-key"


class ChatClientNotConfigured(Exception):
    """The setting named `setting` (an environment variable) is missing or wrong."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting} {problem}")
        self.setting = setting


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """An OpenAI-compatible endpoint: `base_url` up to but without `/chat/completions`."""

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings. Raises ChatClientNotConfigured, naming the one that is missing or wrong."""
        base_url = environ.get(BASE_URL, "").strip().rstrip("/")
        model = environ.get(MODEL, "").strip()
        api_key = environ.get(API_KEY, "").strip()
        if not base_url:
            raise ChatClientNotConfigured(
                BASE_URL,
                "is not set: set it to an OpenAI-compatible endpoint such as https://<host>/v1, "
                "or give the agent a client (client=...).",
            )
        _check_base_url(base_url, sends_key=bool(api_key))
        if not model:
            raise ChatClientNotConfigured(MODEL, f"is not set: set it to a model that {BASE_URL} serves.")
        return cls(base_url, model, api_key)


def chat_client(settings: ChatSettings) -> OpenAIChatCompletionClient:
    """A client for the endpoint; nothing is sent yet. Its `client.close()` closes connections."""
    from agent_framework.openai import OpenAIChatCompletionClient  # noqa: PLC0415 - loads the OpenAI SDK
    from openai import AsyncOpenAI  # noqa: PLC0415

    # A ready SDK client keeps the framework from reading OPENAI_* and AZURE_OPENAI_* settings.
    connection = AsyncOpenAI(base_url=settings.base_url, api_key=settings.api_key or NO_KEY)
    return OpenAIChatCompletionClient(model=settings.model, async_client=connection)


def _check_base_url(base_url: str, *, sends_key: bool) -> None:
    parts = _split(base_url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ChatClientNotConfigured(BASE_URL, "must be an http or https URL such as https://<host>/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ChatClientNotConfigured(
            BASE_URL, f"must hold no user, password, query or fragment: a key belongs into {API_KEY}."
        )
    if parts.scheme == "http" and sends_key and not _is_loopback(parts.hostname):
        raise ChatClientNotConfigured(
            BASE_URL,
            f"must be https where {API_KEY} is set: over plain http anybody on the way could read the key.",
        )


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # read for its check alone
    except ValueError:
        return None
    return parts


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
