"""What of the runtime's settings decides what an agent looks like there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ModelCheck(StrEnum):
    """What to do about a deployment that the runtime does not list."""

    ENFORCE = "Enforce"
    WARN = "Warn"
    OFF = "Off"


@dataclass(frozen=True, slots=True)
class RuntimeFacts:
    """`type` is the runtime's word in the API (Foundry), `endpoint` its project, `cluster_id` who we are."""

    type: str
    endpoint: str
    base_model: str
    cluster_id: str
    lora_adapters: bool = True
    stateful_threads: bool = True
    model_check: ModelCheck = ModelCheck.ENFORCE


@dataclass(frozen=True, slots=True)
class ModelFinding:
    """Whether a deployment exists, and if not the names most like it."""

    available: bool
    nearest: tuple[str, ...] = ()
