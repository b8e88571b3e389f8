"""The usual settings of a network: a proxy, who is not asked through it, and a certificate authority.

Each test is a process of its own, with the names that Azure really has: the proxy knows where they are.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.contract.network.clients import CLIENTS
from tests.contract.network.proxy import ConnectProxy
from tests.contract.network.test_tokens import TOKEN
from tests.harness.azure import OPERATOR_ASSERTION, OPERATOR_CLIENT, TENANT, Azure, open_azure

ROOT = Path(__file__).resolve().parents[3]
TEAM, SECRET = "team-application", "s3cret-of-the-team"
TEAM_SETTINGS = {"SPEAK_AS": f"{TENANT}/{TEAM}", "SPEAK_SECRET": SECRET}
NO_TOKEN_SERVICE = "RuntimeUnavailable: The service that gives out tokens does not answer"
SPEAK_SECONDS = 60.0
DONE = [f"{client.name} done" for client in CLIENTS]
CLOUDS = (
    ("acme.services.ai.azure.com", "login.microsoftonline.com", "https://ai.azure.com/.default"),
    ("acme.services.ai.azure.us", "login.microsoftonline.us", "https://ai.azure.us/.default"),
)


async def speak(endpoint: str, settings: Mapping[str, str]) -> tuple[list[str], str]:
    """What each client told, and everything that the process logged."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.contract.network.speak",
        endpoint,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, log = await asyncio.wait_for(process.communicate(), SPEAK_SECONDS)
    assert process.returncode == 0, log.decode()
    return out.decode().splitlines(), f"{out.decode()}{log.decode()}"


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def routes(azure: Azure, host: str, login: str) -> dict[str, int]:
    return {f"{host}:443": port_of(azure.foundry.base_url), f"{login}:443": port_of(azure.identity.url)}


@pytest.mark.parametrize(("host", "login", "scope"), CLOUDS)
async def test_all_goes_through_the_proxy_and_nobody_else_is_asked(
    tmp_path: Path, host: str, login: str, scope: str
) -> None:
    """No instance discovery, no telemetry: the project and the cloud's own token service, by their names."""
    with (
        open_azure(tmp_path, hosts=[host, login], scope=scope) as azure,
        ConnectProxy(routes(azure, host, login)) as proxy,
    ):
        azure.identity.add_secret(TENANT, TEAM, SECRET)
        settings = {
            "HTTPS_PROXY": proxy.url,
            "SSL_CERT_FILE": str(azure.ca_file),
            **TEAM_SETTINGS,
        }
        told, _ = await speak(f"https://{host}/api/projects/board", settings)
        assert told == DONE
        assert set(proxy.asked) == {f"{host}:443", f"{login}:443"}
        assert {request.client for request in azure.foundry.requests} == {TEAM}
        assert {one.scope for one in azure.identity.requests} == {scope}


async def test_who_is_named_in_no_proxy_is_reached_without_it(tmp_path: Path) -> None:
    with open_azure(tmp_path) as azure, ConnectProxy({}) as proxy:
        settings = {"HTTPS_PROXY": proxy.url, "NO_PROXY": "127.0.0.1,localhost", **azure.environment}
        told, _ = await speak(azure.foundry.endpoint, settings)
        assert told == DONE
        assert proxy.asked == []


async def test_a_proxy_that_refuses_is_no_answer(tmp_path: Path) -> None:
    with open_azure(tmp_path) as azure, ConnectProxy({}) as proxy:
        settings = {"HTTPS_PROXY": proxy.url, **azure.environment, **TEAM_SETTINGS}
        told, _ = await speak(azure.foundry.endpoint, settings)
        assert all(NO_TOKEN_SERVICE in line for line in told), told
        assert set(proxy.asked) == {urlsplit(azure.identity.url).netloc}
        assert (azure.foundry.requests, azure.identity.requests) == ((), ())


async def test_a_certificate_of_a_stranger_is_not_trusted(tmp_path: Path) -> None:
    with open_azure(tmp_path) as azure:
        settings = {**azure.environment, **TEAM_SETTINGS}
        del settings["SSL_CERT_FILE"]
        told, _ = await speak(azure.foundry.endpoint, settings)
        assert all(NO_TOKEN_SERVICE in line for line in told), told
        assert (azure.foundry.requests, azure.identity.requests) == ((), ())


@pytest.mark.parametrize("secret", [SECRET, "wr0ng-s3cret", ""], ids=["right", "wrong", "own"])
async def test_no_switch_of_the_sdks_puts_a_credential_into_a_log(tmp_path: Path, secret: str) -> None:
    with open_azure(tmp_path) as azure:
        azure.identity.add_secret(TENANT, TEAM, SECRET)
        settings = {
            **azure.environment,
            "AZURE_LOG_LEVEL": "DEBUG",
            "AZURE_SDK_LOGGING_MULTIRECORD": "true",
            "AZURE_HTTP_LOGGING_ENABLE": "true",
            "AZURE_AI_PROJECTS_CONSOLE_LOGGING": "true",
            "AZURE_TRACING_GEN_AI_CONTENT_RECORDING_ENABLED": "true",
            "OPENAI_LOG": "debug",
            "HTTPX_LOG_LEVEL": "trace",
            **TEAM_SETTINGS,
            "SPEAK_SECRET": secret,
        }
        told, log = await speak(azure.foundry.endpoint, settings)
        assert told[-1].startswith("openai ")
        assert "DEBUG:azure" in log, "it was logged, and then looked at"
        for word in (SECRET, "wr0ng-s3cret", OPERATOR_ASSERTION):
            assert word not in log
        assert TOKEN.search(log) is None
        assert {request.client for request in azure.foundry.requests} <= {TEAM, OPERATOR_CLIENT}
