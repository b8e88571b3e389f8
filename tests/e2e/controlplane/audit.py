"""What the API server was asked, by whom, and how it answered: read from its audit log.

The log is the API server's word, not the client's: it shows which rights an operator really uses, how often
it writes, and with which body.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The API server's own loopback requests are noise. Bodies that carry secrets are never written.
POLICY: Mapping[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "users": ["system:apiserver"]},
        {"level": "None", "nonResourceURLs": ["/readyz*", "/livez*", "/healthz*", "/openapi*", "/version"]},
        {
            "level": "Metadata",
            "resources": [
                {"group": "", "resources": ["secrets", "configmaps", "serviceaccounts/token"]},
                {"group": "authentication.k8s.io", "resources": ["tokenreviews"]},
            ],
        },
        {"level": "RequestResponse", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
        {"level": "Metadata"},
    ],
}


@dataclass(frozen=True)
class AuditEvent:
    """One request. `code` is the HTTP status; `body` is None where the policy does not record it."""

    user: str
    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int | None
    user_agent: str
    stage: str
    uri: str
    body: Mapping[str, Any] | None


def read_audit(log: Path) -> Iterator[AuditEvent]:
    """The events in the log so far, oldest first; a line that is still being written is left out."""
    if not log.exists():
        return
    with log.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield _event(json.loads(line))


def _event(raw: Mapping[str, Any]) -> AuditEvent:
    target = raw.get("objectRef", {})
    return AuditEvent(
        user=raw["user"].get("username", ""),
        verb=raw["verb"],
        group=target.get("apiGroup", ""),
        resource=target.get("resource", ""),
        subresource=target.get("subresource", ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=raw.get("responseStatus", {}).get("code"),
        user_agent=raw.get("userAgent", ""),
        stage=raw["stage"],
        uri=raw["requestURI"],
        body=raw.get("requestObject"),
    )
