"""A TLS Foundry with its token service, and clients in this process that trust them."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import aiohttp.connector
import pytest
from tests.harness.azure import Azure, open_azure

from AgentOperatingSystem.runtime import connection

SETTINGS = ("AZURE_", "AOS_", "SSL_CERT", "HTTP", "NO_PROXY", "http", "no_proxy", "IDENTITY_", "MSI_")


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own network or identity."""
    for name in [name for name in os.environ if name.startswith(SETTINGS)]:
        monkeypatch.delenv(name)


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bare_environment: None) -> Iterator[Azure]:
    """The environment of this process is that of an operator; deployments come two to a page."""
    with open_azure(tmp_path, page_size=2) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        trusted = ssl.create_default_context(cafile=str(running.ca_file))
        # aiohttp reads SSL_CERT_FILE when it is imported: test_proxy tries it in processes of their own.
        monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", trusted)
        connection._trusted.cache_clear()
        yield running
    connection._trusted.cache_clear()
