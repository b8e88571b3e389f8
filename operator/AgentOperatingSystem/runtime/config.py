"""The settings of the runtime, read once from the environment, under the names of the seed system."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self, TypeVar

from AgentOperatingSystem.model.deployment import AGENT_NAME_TEMPLATE, DEPLOYMENT_TEMPLATE
from AgentOperatingSystem.model.errors import ConfigurationError, EndpointNotConfigured
from AgentOperatingSystem.model.facts import ModelCheck, RuntimeFacts, RuntimeType
from AgentOperatingSystem.runtime.endpoints import Endpoint, InvalidEndpoint
from AgentOperatingSystem.runtime.identity import Identity, OwnIdentity

# How long anything but an agent's answer is waited for.
CONTROL_SECONDS = 20.0
DEFAULT_MODEL = "llama-3.3-70b"

Choice = TypeVar("Choice", ModelCheck, RuntimeType)

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


@dataclass(frozen=True, slots=True)
class RuntimeConfig:
    """How to reach the runtime and what to run on it. Times are in seconds.

    `project_endpoint` may be None: then everything that needs a project raises EndpointNotConfigured.
    `max_retries` is for reads; a write is never retried before somebody looked.
    """

    project_endpoint: str | None = None
    model_deployment: str = DEFAULT_MODEL
    lora_adapters: bool = True
    stateful_threads: bool = True
    timeout: float = 60.0
    max_retries: int = 3
    max_in_flight: int = 32
    listing_age: float = 60.0
    requests_per_second: float = 50.0
    model_check: ModelCheck = ModelCheck.ENFORCE
    max_deletes_per_minute: int = 30
    cluster_id: str = ""
    type: RuntimeType = RuntimeType.FOUNDRY
    identity: Identity = field(default_factory=OwnIdentity)
    source: str = "the operator's environment"
    deployment_template: str = DEPLOYMENT_TEMPLATE
    agent_name_template: str = AGENT_NAME_TEMPLATE
    allowed_models: frozenset[str] | None = None
    allowed_vector_stores: frozenset[str] | None = None
    max_agents: int | None = None
    shared: bool = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings. Raises ConfigurationError, naming the setting, for a value that cannot be."""
        env = os.environ if environ is None else environ
        if not _flag(env, "USE_FOUNDRY_RUNTIME", default=True):
            raise ConfigurationError(
                "USE_FOUNDRY_RUNTIME",
                "is false, and the runtime without Foundry does not exist yet: unset it or set it to true.",
            )
        return cls(
            project_endpoint=_endpoint(env.get("AZURE_AI_PROJECT_ENDPOINT", "")),
            model_deployment=env.get("AZURE_AI_MODEL_DEPLOYMENT", "").strip() or DEFAULT_MODEL,
            lora_adapters=_flag(env, "ENABLE_LORA_ADAPTERS", default=True),
            stateful_threads=_flag(env, "ENABLE_STATEFUL_THREADS", default=True),
            timeout=_number(env, "RUNTIME_TIMEOUT", default=60.0, least=1.0),
            max_retries=_count(env, "RUNTIME_MAX_RETRIES", default=3, least=0),
            max_in_flight=_count(env, "AOS_MAX_IN_FLIGHT", default=32, least=1),
            listing_age=_number(env, "AOS_DRIFT_INTERVAL", default=60.0, least=1.0),
            requests_per_second=_number(env, "AOS_REQUESTS_PER_SECOND", default=50.0, least=0.1),
            model_check=_choice(env, "AOS_MODEL_CHECK", ModelCheck.ENFORCE),
            max_deletes_per_minute=_count(env, "AOS_MAX_DELETES_PER_MINUTE", default=30, least=1),
            cluster_id=_cluster_id(env.get("AOS_CLUSTER_ID", "").strip()),
            type=_choice(env, "AOS_RUNTIME", RuntimeType.FOUNDRY),
        )

    def facts(self) -> RuntimeFacts:
        """What of these settings decides an agent. Raises EndpointNotConfigured without a project."""
        if self.project_endpoint is None:
            raise EndpointNotConfigured
        return RuntimeFacts(
            type=self.type,
            endpoint=self.project_endpoint,
            base_model=self.model_deployment,
            cluster_id=self.cluster_id,
            lora_adapters=self.lora_adapters,
            stateful_threads=self.stateful_threads,
            model_check=self.model_check,
            source=self.source,
            deployment_template=self.deployment_template,
            agent_name_template=self.agent_name_template,
            allowed_models=self.allowed_models,
            allowed_vector_stores=self.allowed_vector_stores,
            max_agents=self.max_agents,
            shared=self.shared,
            interval=self.listing_age,
            write_seconds=min(CONTROL_SECONDS, self.timeout),
            answer_seconds=self.timeout,
        )


def _endpoint(value: str) -> str | None:
    if not value.strip():
        return None
    try:
        return Endpoint.parse(value.strip()).url
    except InvalidEndpoint as error:
        raise ConfigurationError("AZURE_AI_PROJECT_ENDPOINT", str(error)) from error


def _cluster_id(value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?", value):
        raise ConfigurationError(
            "AOS_CLUSTER_ID",
            "must have at most 128 letters, digits, '.', '_' and '-', as a name for the cluster.",
        )
    return value


def _choice(env: Mapping[str, str], name: str, default: Choice) -> Choice:
    value = env.get(name, "").strip() or default.value
    for known in type(default):
        if value.lower() == known.value.lower():
            return known
    raise ConfigurationError(name, f"must be one of {', '.join(type(default))}, not {value!r}.")


def _flag(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = env.get(name, "").strip().lower()
    if not value:
        return default
    if value not in _TRUE | _FALSE:
        raise ConfigurationError(name, f"must be true or false, not {value!r}.")
    return value in _TRUE


def _number(env: Mapping[str, str], name: str, *, default: float, least: float) -> float:
    value = env.get(name, "").strip()
    if not value:
        return default
    try:
        number = float(value)
    except ValueError:
        raise ConfigurationError(name, f"must be a number, not {value!r}.") from None
    if not least <= number < float("inf"):
        raise ConfigurationError(name, f"must be at least {least:g}, not {value}.")
    return number


def _count(env: Mapping[str, str], name: str, *, default: int, least: int) -> int:
    number = _number(env, name, default=default, least=least)
    if number != int(number):
        raise ConfigurationError(name, f"must be a whole number, not {number:g}.")
    return int(number)
