"""Whether anything that people read holds a secret: looked for after every scenario, whatever it is about.

The operator is started with secrets that are nowhere else, and with a token on a real control plane; none of
them, nor anything shaped like one, may stand in a status, an Event, a log, metadata or a metric.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping

CANARY = "c4n4ry-must-never-be-read"
ENVIRONMENT = {
    "AZURE_CLIENT_SECRET": f"{CANARY}-client-secret",
    "AZURE_SERVICE_BUS_CONNECTION_STRING": f"Endpoint=sb://b/;SharedAccessKeyName=k;SharedAccessKey={CANARY}=",
    "AZURE_STORAGE_CONNECTION_STRING": f"AccountName=a;AccountKey={CANARY}=",
}
_SHAPES = (
    re.compile(re.escape(CANARY)),
    re.compile(r"(?i)\bbearer\s+(?!\[)[a-z0-9._~+/-]{8,}"),
    # The tokens of the embedded token service.
    re.compile(r"\bsandbox-[A-Za-z0-9_-]{40,}"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    re.compile(
        r"(?i)(?:shared_?access_?key|account_?key|client_?secret|api[-_]?key)[\"']?\s*[=:]\s*[\"']?(?!\[)\w{8,}"
    ),
)


# The API server tells a Secret in base64, where the canary may begin at any of three places.
_ENCODED = tuple(base64.b64encode(b"." * before + CANARY.encode()).decode()[4:28] for before in range(3))


def secrets_in(texts: Mapping[str, str], *known: str) -> Iterator[str]:
    """Where a secret stands, also one that is `known`, as `place: shape`; never the secret itself."""
    literal = [re.compile(re.escape(secret)) for secret in (*known, *_ENCODED)]
    for place, text in texts.items():
        for shape in (*_SHAPES, *literal):
            if shape.search(text):
                yield f"{place}: {shape.pattern[:30]}"
