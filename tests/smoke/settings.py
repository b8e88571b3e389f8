"""What a run needs to know, from the environment. Without it nothing is sent anywhere."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from AgentOperatingSystem.model.errors import AOSError
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.endpoints import SETTING, AllowedEndpoints, Endpoint

ENDPOINT, DEPLOYMENT, ASK = "AZURE_AI_PROJECT_ENDPOINT", "AZURE_AI_MODEL_DEPLOYMENT", "SMOKE_ASK"
NEEDED = {
    ENDPOINT: "https://<account>.services.ai.azure.com/api/projects/<project>",
    DEPLOYMENT: "the name of a deployment in it",
}
# What of the environment says who somebody is.
PERSONAL = (
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_USERNAME",
    "AZURE_PASSWORD",
)
PREFIX = "aos-smoke-"


class NotReady(Exception):
    """A setting is missing or cannot be; the text says which."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One run: where, whether it asks a question (which costs tokens), and what must never be told."""

    config: RuntimeConfig
    asks: bool
    personal: frozenset[str]

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the settings, under the operator's names. Raises NotReady."""
        missing = [name for name in NEEDED if not env.get(name, "").strip()]
        if missing:
            wishes = " and ".join(f"{name} ({NEEDED[name]})" for name in missing)
            raise NotReady(f"set {wishes}")
        try:
            config = RuntimeConfig.from_env(env)
            endpoint = config.facts().endpoint
            AllowedEndpoints.parse(env.get(SETTING, "")).check(endpoint)
        except AOSError as error:
            raise NotReady(str(error)) from error
        if Endpoint.parse(endpoint).is_plain:
            raise NotReady(f"{ENDPOINT} must be https: this is for a real project")
        personal = frozenset(value.strip() for name in PERSONAL if (value := env.get(name, "")).strip())
        return cls(config, env.get(ASK, "").strip() == "1", personal)


def new_name() -> str:
    """A name that no agent has."""
    return f"{PREFIX}{secrets.token_hex(6)}"


def as_the_operator(config: RuntimeConfig, name: str) -> RuntimeConfig:
    """The settings of a pass: as the operator sets them, but that each look is a fresh one.

    The agent belongs to a cluster of its own, so that no operator's agents are met.
    """
    return replace(
        config, cluster_id=name, listing_age=0.0, max_retries=0, lora_adapters=False, stateful_threads=True
    )
