"""A process that speaks to a project with every client, as the service principal or itself, and tells how.

Why a process: proxies, certificates and the switches of the SDKs' logs are read from the environment, some of
them once. It prints a line for each client, and logs everything that there is to log to standard error.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from tests.contract.network.clients import CLIENTS

from AgentOperatingSystem.model.errors import AOSError
from AgentOperatingSystem.runtime.identity import Identity, OwnIdentity, ServicePrincipal


async def speak(endpoint: str, identity: Identity) -> None:
    for client in CLIENTS:
        try:
            await client.ask(endpoint, identity)
            told = "done"
        except AOSError as error:
            told = f"{type(error).__name__}: {error}"
        except Exception as error:  # noqa: BLE001 - openai's own, which no adapter translates here
            told = type(error).__name__
        print(f"{client.name} {told}")  # noqa: T201


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, force=True)
    secret = os.environ.pop("SPEAK_SECRET", "")
    tenant, client_id = os.environ.get("SPEAK_AS", "/").split("/")
    asyncio.run(speak(sys.argv[1], ServicePrincipal(tenant, client_id, secret) if secret else OwnIdentity()))
