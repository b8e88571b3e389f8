"""An embedded token service, as Microsoft Entra ID answers an application that asks for a token of its own.

Why an emulation: who may speak to which project, a secret that is rotated, wrong or gone, and a token that
ends must be tried with the real credentials of the SDKs. It gives out words without meaning, on loopback
alone; it is never part of a production installation and knows nothing of the operator.
"""

from AgentOperatingSystem.sandbox.identity.directory import FOUNDRY_SCOPE, TokenRequest
from AgentOperatingSystem.sandbox.identity.embedded import EmbeddedIdentity

__all__ = ["FOUNDRY_SCOPE", "EmbeddedIdentity", "TokenRequest"]
