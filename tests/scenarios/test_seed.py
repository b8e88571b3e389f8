"""The code under "How It Works" in the document that the project comes from, run as its reader would."""

import os
import subprocess
import sys

from tests.harness.stage import DEPLOYMENTS, MODEL

from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry

# Word for word.
HOW_IT_WORKS = """\
from AgentOperatingSystem.agents import PurposeDrivenAgent
from AgentOperatingSystem.runtime import AgentRuntimeProvider, RuntimeConfig

# 1. Create agent (pure MS Agent Framework)
agent = PurposeDrivenAgent(
    agent_id="ceo",
    purpose="Strategic oversight",
    adapter_name="ceo"
)
await agent.initialize()

# 2. Infrastructure provides Foundry runtime
runtime = AgentRuntimeProvider(RuntimeConfig.from_env())
await runtime.initialize()

# 3. Deploy agent to infrastructure runtime
foundry_agent = await runtime.deploy_agent(
    agent_id=agent.agent_id,
    purpose=agent.purpose,
    adapter_name="ceo"  # Uses llama-3.3-70b-ceo deployment
)

# Agent runs on Foundry with Llama 3.3 70B + CEO LoRA adapter
# But agent code remains pure MS Agent Framework
"""

# As in a notebook: the code awaits outside a function.
NOTEBOOK = """\
import ast, asyncio, sys

async def run():
    names = {}
    await eval(compile(sys.stdin.read(), "how_it_works", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    print(names["foundry_agent"].model)
    await names["runtime"].close()

asyncio.run(run())
"""


def test_how_it_works_works_word_for_word() -> None:
    with EmbeddedFoundry(deployments=DEPLOYMENTS, environ={}) as foundry:
        settings = {"AZURE_AI_PROJECT_ENDPOINT": foundry.endpoint, "AZURE_AI_MODEL_DEPLOYMENT": MODEL}
        done = subprocess.run(
            [sys.executable, "-c", NOTEBOOK],
            input=HOW_IT_WORKS,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "llama-3.3-70b-ceo\n"), done.stderr
        agent = foundry.agents()["ceo"]
    assert agent.latest.model == "llama-3.3-70b-ceo"
    assert "Strategic oversight" in agent.latest.instructions
