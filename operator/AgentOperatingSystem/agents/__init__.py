"""`PurposeDrivenAgent`: an agent made from its purpose, as pure Microsoft Agent Framework code.

    agent = PurposeDrivenAgent(agent_id="ceo", purpose="Strategic oversight", adapter_name="ceo")
    async with agent:
        print(await agent.run("Which market do we enter next?"))

Where agents run as a service is the runtime's affair, and nothing here knows of it. Importing this package
loads Agent Framework; importing `AgentOperatingSystem` does not.
"""

from AgentOperatingSystem.agents.chat_client import ChatClientNotConfigured
from AgentOperatingSystem.agents.purpose_driven import AgentStopped, PurposeDrivenAgent

__all__ = ["AgentStopped", "ChatClientNotConfigured", "PurposeDrivenAgent"]
