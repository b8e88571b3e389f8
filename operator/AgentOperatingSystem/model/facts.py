"""What of the runtime's settings decides what an agent looks like there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RuntimeFacts:
    """`type` is the runtime's word in the API (Foundry), `endpoint` its project, `cluster_id` who we are."""

    type: str
    endpoint: str
    base_model: str
    cluster_id: str
    lora_adapters: bool = True
    stateful_threads: bool = True
