"""The name of the model deployment that an agent runs on."""

from __future__ import annotations

DEPLOYMENT_NAME_LIMIT = 64


def deployment_name(model: str, adapter: str) -> str:
    """`{model}-{adapter}`, the LoRA-tuned deployment, or `{model}` for an agent without an adapter."""
    return f"{model}-{adapter}" if adapter else model
