"""What of the runtime's settings decides what an agent looks like there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from AgentOperatingSystem.model.deployment import AGENT_NAME_TEMPLATE, DEPLOYMENT_TEMPLATE


class ModelCheck(StrEnum):
    """What to do about a deployment that the runtime does not list."""

    ENFORCE = "Enforce"
    WARN = "Warn"
    OFF = "Off"


class RuntimeType(StrEnum):
    """The runtimes' words in the API: Foundry's new generation, and the classic one."""

    FOUNDRY = "Foundry"
    FOUNDRY_CLASSIC = "FoundryClassic"


# When the service ends the classic generation, as Microsoft Learn says.
RETIREMENT = {RuntimeType.FOUNDRY_CLASSIC: "31 March 2027"}


@dataclass(frozen=True, slots=True)
class RuntimeFacts:
    """`endpoint` is the runtime's project, `cluster_id` who we are, `source` whose settings these are.

    The templates make names as in `model.deployment`. `allowed_models` and `allowed_vector_stores` name what
    a resource may use, None for all. `shared` is True for a project in which several tenants have agents.
    `interval` is the seconds between looks, `write_seconds` how long a write is waited for, `answer_seconds`
    how long an agent's answer.
    """

    type: RuntimeType
    endpoint: str
    base_model: str
    cluster_id: str
    lora_adapters: bool = True
    stateful_threads: bool = True
    model_check: ModelCheck = ModelCheck.ENFORCE
    source: str = "the operator's environment"
    deployment_template: str = DEPLOYMENT_TEMPLATE
    agent_name_template: str = AGENT_NAME_TEMPLATE
    allowed_models: frozenset[str] | None = None
    allowed_vector_stores: frozenset[str] | None = None
    max_agents: int | None = None
    shared: bool = False
    interval: float = 60.0
    write_seconds: float = 20.0
    answer_seconds: float = 60.0

    @property
    def ids_are_given(self) -> bool:
        """True where the service gives an agent its id, so that only a look tells whether one was made."""
        return self.type is RuntimeType.FOUNDRY_CLASSIC


@dataclass(frozen=True, slots=True)
class ModelFinding:
    """Whether a deployment exists, and if not the names most like it."""

    available: bool
    nearest: tuple[str, ...] = ()
