"""The floor: the least that a kopf operator does. A handler that waits as long as a call takes, and a status.

Run as `python tests/benchmarks/bare.py NAMESPACE` with KUBECONFIG. kopf's settings are its defaults, but that
it posts no Event for each line of its log and does not look for namespaces, which it may not list.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import kopf

CALL_SECONDS = 0.1


@kopf.on.startup()
async def on_startup(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.posting.enabled = False
    settings.scanning.disabled = True


@kopf.on.resume("agentoperatingsystem.io", "v1alpha1", "purposedrivenagents")
@kopf.on.create("agentoperatingsystem.io", "v1alpha1", "purposedrivenagents")
async def on_create(name: str, status: kopf.Status, patch: kopf.Patch, **_: Any) -> None:
    if status.get("conditions"):
        return
    await asyncio.sleep(CALL_SECONDS)
    runtime = ("type", "endpoint", "agentId", "version", "deployment", "threadId", "definitionHash")
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Running",
        "message": "It runs.",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    patch.status["observedGeneration"] = 1
    patch.status["conditions"] = [ready]
    patch.status["lastHandledReconcileAt"] = "never"
    patch.status["runtime"] = {key: f"{key} of {name}" for key in runtime}


if __name__ == "__main__":
    kopf.configure(quiet=True)
    kopf.run(namespace=sys.argv[1], standalone=True)
