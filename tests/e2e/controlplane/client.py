"""The few requests that the control plane makes to itself, and the kubeconfig files it hands out.

Only the standard library: the tests' own Kubernetes client is part of what they test.
"""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .certificates import KeyPair
from .errors import Refused

_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Endpoint:
    """Where the API server is, and the authority that signed its certificate."""

    port: int
    ca_file: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Answer:
    """The HTTP status and body of one answer."""

    code: int
    text: str


def request(
    endpoint: Endpoint, identity: KeyPair, method: str, path: str, body: Mapping[str, Any] | None = None
) -> Answer:
    """One request with a client certificate. Raises OSError or HTTPException when nobody answers."""
    context = ssl.create_default_context(cafile=endpoint.ca_file)
    context.load_cert_chain(identity.certificate, identity.key)
    connection = http.client.HTTPSConnection(
        "127.0.0.1", endpoint.port, context=context, timeout=_TIMEOUT_SECONDS
    )
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode())
    finally:
        connection.close()


def service_account_token(endpoint: Endpoint, identity: KeyPair, namespace: str, name: str) -> str:
    """A token, valid for a day, for the service account, which is made when there is none."""
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    made = request(endpoint, identity, "POST", accounts, {"metadata": {"name": name}})
    if made.code not in {201, 409}:
        raise Refused(f"creating service account {namespace}/{name}: {made.code} {made.text}")
    wanted = {"spec": {"expirationSeconds": 86400}}
    answer = request(endpoint, identity, "POST", f"{accounts}/{name}/token", wanted)
    if answer.code != 201:
        raise Refused(f"asking for a token of {namespace}/{name}: {answer.code} {answer.text}")
    token: str = json.loads(answer.text)["status"]["token"]
    return token


def write_kubeconfig(path: Path, endpoint: Endpoint, user: Mapping[str, str]) -> Path:
    """A kubeconfig with one context; JSON is YAML, so nothing else is needed."""
    cluster = {"server": endpoint.url, "certificate-authority": str(endpoint.ca_file)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": path.stem, "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": path.stem}}],
        "current-context": "test",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=2))
    return path


def by_certificate(identity: KeyPair) -> Mapping[str, str]:
    """The user entry of a kubeconfig that identifies itself with a certificate."""
    return {"client-certificate": str(identity.certificate), "client-key": str(identity.key)}
