"""Whoever uses one generation alone never loads the other's SDK."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from tests.contract.runtime.bench import CLASSIC, FOUNDRY, Generation

from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry

PROGRAM = """
import asyncio, json, sys
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.provider import AgentRuntimeProvider

async def main():
    runtime = AgentRuntimeProvider(RuntimeConfig.from_env())
    await runtime.initialize()
    agents = await runtime.list_agents()
    found = await runtime.find_model("llama-3.3-70b")
    await runtime.close()
    return [len(agents), found.available]

seen = asyncio.run(main())
with open("/proc/self/status") as status:
    memory = next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmRSS"))
print(json.dumps({"seen": seen, "modules": sorted(sys.modules), "memory": memory}))
"""
SDKS = {FOUNDRY.name: ["azure.ai.projects", "openai"], CLASSIC.name: ["azure.ai.agents"]}


@pytest.mark.parametrize(("used", "other"), [(FOUNDRY, CLASSIC), (CLASSIC, FOUNDRY)], ids=["new", "classic"])
def test_the_other_generations_sdk_is_never_imported(
    service: EmbeddedFoundry, report: Callable[[str], None], used: Generation, other: Generation
) -> None:
    service.add_agent("theirs", "llama-3.3-70b")
    service.add_assistant("llama-3.3-70b")
    environ = {"AZURE_AI_PROJECT_ENDPOINT": service.endpoint, "AOS_RUNTIME": used.name}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["seen"] == [1, True]
    assert {name for name in SDKS[used.name] if name not in told["modules"]} == set()
    assert {name for name in SDKS[other.name] if name in told["modules"]} == set()
    report(f"a process that uses {used.name} alone: {told['memory']} MB")
