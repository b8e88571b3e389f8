"""An embedded Microsoft Foundry Agent Service: its data plane in memory and on loopback.

Why an emulation: in the demo and the tests the real SDKs must meet the real protocol, with lost answers,
throttling, portal edits and outages, without a cloud. It keeps nothing, answers with a model that has no
intelligence and says so, and is never part of a production installation. It knows nothing of Kubernetes
or of the operator.
"""

from AgentOperatingSystem.sandbox.foundry.classic.records import (
    Assistant,
    ClassicMessage,
    ClassicRun,
    ClassicThread,
    RunStep,
)
from AgentOperatingSystem.sandbox.foundry.control import ControlRefused, FoundryControl, ProjectControl
from AgentOperatingSystem.sandbox.foundry.embedded import EmbeddedFoundry
from AgentOperatingSystem.sandbox.foundry.errors import ApiError
from AgentOperatingSystem.sandbox.foundry.faults import Fault
from AgentOperatingSystem.sandbox.foundry.model import Call, Model, Say, Turn
from AgentOperatingSystem.sandbox.foundry.records import (
    Agent,
    AgentVersion,
    Behaviour,
    Conversation,
    RequestRecord,
    StoredFile,
    VectorStore,
)

__all__ = [
    "Agent",
    "AgentVersion",
    "ApiError",
    "Assistant",
    "Behaviour",
    "Call",
    "ClassicMessage",
    "ClassicRun",
    "ClassicThread",
    "ControlRefused",
    "Conversation",
    "EmbeddedFoundry",
    "Fault",
    "FoundryControl",
    "Model",
    "ProjectControl",
    "RequestRecord",
    "RunStep",
    "Say",
    "StoredFile",
    "Turn",
    "VectorStore",
]
