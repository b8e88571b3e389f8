"""Answers with a real model: forwards each turn to any OpenAI-compatible `/chat/completions`.

For the demo, so that a sandbox can hold agents that think (vLLM, Ollama, a cloud endpoint). Whatever the
upstream does wrong becomes one clear 502, so that nobody takes it for a fault of the sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp

from AgentOperatingSystem.sandbox.foundry.chat import messages_of, parts_of, tool_to_chat
from AgentOperatingSystem.sandbox.foundry.errors import ApiError, Json
from AgentOperatingSystem.sandbox.foundry.model import Call, Say, Turn

TIMEOUT_SECONDS = 120.0
EXCERPT = 300


@dataclass(frozen=True)
class Upstream:
    """Where the real model is. `name` replaces the deployment's name in the request when it is set."""

    url: str
    api_key: str | None = field(default=None, repr=False)
    name: str | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Upstream | None:
        """From `AOS_SANDBOX_MODEL_URL`, `_API_KEY` and `_NAME`; None without a URL."""
        url = environ.get("AOS_SANDBOX_MODEL_URL")
        if not url:
            return None
        return cls(
            url.rstrip("/"), environ.get("AOS_SANDBOX_MODEL_API_KEY"), environ.get("AOS_SANDBOX_MODEL_NAME")
        )


class ForwardingModel:
    """A model behind somebody's `/chat/completions`."""

    def __init__(self, upstream: Upstream, timeout: float = TIMEOUT_SECONDS) -> None:
        self._upstream = upstream
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    async def answer(self, turn: Turn) -> Sequence[Say | Call]:
        """Raises ApiError 502 when the upstream refuses, fails or cannot be reached."""
        tools = [tool_to_chat(tool) for tool in turn.tools if tool.get("type") == "function"]
        body: Json = {"model": self._upstream.name or turn.deployment, "messages": messages_of(turn)}
        if tools:
            body["tools"] = tools
        completion = await self._post(body)
        try:
            return parts_of(completion["choices"][0]["message"])
        except (KeyError, IndexError, TypeError) as error:
            raise self._failed("answered something that is no chat completion") from error

    async def _post(self, body: Json) -> Json:
        key = self._upstream.api_key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        url = f"{self._upstream.url}/chat/completions"
        try:
            async with (
                aiohttp.ClientSession(timeout=self._timeout, headers=headers) as session,
                session.post(url, json=body) as response,
            ):
                if response.status >= 400:
                    excerpt = (await response.text())[:EXCERPT]
                    raise self._failed(f"answered {response.status}: {excerpt}")
                answer: Json = await response.json(content_type=None)
                return answer
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise self._failed(f"cannot be used: {str(error) or type(error).__name__}") from error

    def _failed(self, what: str) -> ApiError:
        message = f"The model behind the sandbox at {self._upstream.url} {what}"
        return ApiError(502, "upstream_model_error", message, kind="server_error")
