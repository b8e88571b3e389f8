"""Whether anything that people read holds a secret: looked for after every scenario, whatever it is about.

The operator is started with secrets that are nowhere else, and with a token on a real control plane; none of
them, nor anything shaped like one, may stand in a status, an Event, a log, metadata or a metric.
"""

from __future__ import annotations

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
    re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    re.compile(
        r"(?i)(?:shared_?access_?key|account_?key|client_?secret|api[-_]?key)[\"']?\s*[=:]\s*[\"']?(?!\[)\w{8,}"
    ),
)


def secrets_in(texts: Mapping[str, str]) -> Iterator[str]:
    """Where a secret stands, as `place: shape`; never the secret itself."""
    for place, text in texts.items():
        for shape in _SHAPES:
            if shape.search(text):
                yield f"{place}: {shape.pattern[:30]}"
