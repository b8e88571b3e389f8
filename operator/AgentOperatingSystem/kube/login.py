"""kopf's way to the API server: with the credentials that it finds by itself, over few connections.

By itself it opens as many connections as it has requests. A thousand new resources, each of which is to get
its finalizer, are a thousand handshakes then, and a quarter of a gigabyte for the buffers of asyncio's TLS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import kopf

from AgentOperatingSystem.kube.client import CONNECTIONS

# What is watched for ever beside the resources of each namespace: namespaces and CRDs.
_FURTHER_STREAMS = 2


def login_over_few(streams: int) -> Callable[..., Any]:
    """A login handler whose session has connections for so many streams of events, and a few for requests."""
    limit = CONNECTIONS + _FURTHER_STREAMS + streams

    async def login(**known: Any) -> kopf.AiohttpSession | None:
        info = await asyncio.to_thread(_credentials, **known)
        return None if info is None else _session(info, limit)

    return login


def _credentials(**known: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**known) or kopf.login_via_client(**known)


def _session(info: kopf.ConnectionInfo, limit: int) -> kopf.AiohttpSession:
    """As kopf makes it, but for the limit."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=limit, ssl=info.as_ssl_context()),
        headers=info.as_http_headers(),
        proxy=info.proxy_url,
        trust_env=info.trust_env,
    )
    return kopf.AiohttpSession(
        server=info.server,
        priority=info.priority,
        default_namespace=info.default_namespace,
        expiration=info.expiration,
        aiohttp_session=session,
    )
