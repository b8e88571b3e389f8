"""The literal requests that the SDKs were seen to send, replayed: the answers must have the known shapes.

`wire.json` is in the order in which it was recorded, so that each request finds what those before it made.
"""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry

EXCHANGES = json.loads((Path(__file__).parent / "wire.json").read_text())
SECRET = {"type": "ApiKey", "key": "InstrumentationKey=00000000-0000-0000-0000-000000000000"}
FREE_FORM = ("metadata", "capabilities")

# An agent's own endpoint says who answered, too.
OURS_ONLY = {"agent_reference"}


def send(foundry: EmbeddedFoundry, exchange: dict[str, Any], known: dict[str, str]) -> tuple[int, Any]:
    """One recorded request, with the ids of this run in place of the recorded ones."""
    path, body = exchange["path"], json.dumps(exchange.get("body"))
    for recorded, ours in known.items():
        path, body = path.replace(recorded, ours), body.replace(recorded, ours)
    where = urlsplit(foundry.project("p").endpoint)
    connection = http.client.HTTPConnection(where.netloc, timeout=5)
    query = f"?{urlencode(exchange['query'])}" if exchange.get("query") else ""
    headers = {"Authorization": "Bearer x", "Content-Type": "application/json"}
    try:
        connection.request(
            exchange["method"], f"{where.path}{path}{query}", body if "body" in exchange else None, headers
        )
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    return answer.status, json.loads(text) if text else None


def differences(expected: Any, actual: Any, where: str = "") -> list[str]:
    """How the shape of an answer differs from the recorded one: keys and types, not values."""
    if expected is None or where.rpartition(".")[2] in FREE_FORM:
        return []
    if isinstance(expected, dict) and isinstance(actual, dict):
        odd = [f"{where}.{key}" for key in (expected.keys() ^ actual.keys()) - OURS_ONLY]
        both = expected.keys() & actual.keys()
        return odd + [
            one for key in both for one in differences(expected[key], actual[key], f"{where}.{key}")
        ]
    if isinstance(expected, list) and isinstance(actual, list):
        if len(actual) < len(expected):
            return [f"{where}: {len(expected)} elements became {len(actual)}"]
        pairs = enumerate(zip(expected, actual, strict=False))
        return [one for place, pair in pairs for one in differences(*pair, f"{where}[{place}]")]
    if where.endswith(".content") and isinstance(expected, str) and isinstance(actual, list):
        return []  # the recorder echoed a text; the service completes it into a list of parts
    return [] if type(expected) is type(actual) else [f"{where}: {expected!r} became {actual!r}"]


def test_the_recorded_requests_get_answers_of_the_recorded_shapes() -> None:
    known: dict[str, str] = {}
    with EmbeddedFoundry(deployments=["gpt-4.1", "llama-3-3-70b"], azure_page_size=1, environ={}) as foundry:
        foundry.project("p").put_connection(
            "appi", id="/x", type="AppInsights", target="/y", isDefault=True, credentials=SECRET, metadata={}
        )
        for exchange in EXCHANGES:
            label = f"{exchange['method']} {exchange['path']}"
            status, answer = send(foundry, exchange, known)
            assert status == exchange["status"], (label, answer)
            assert differences(exchange.get("response"), answer, label) == []
            remember(exchange.get("response"), answer, known)


def remember(recorded: Any, ours: Any, known: dict[str, str]) -> None:
    """Ids that later requests of the recording name."""
    if isinstance(recorded, dict) and isinstance(recorded.get("id"), str):
        known[recorded["id"]] = ours["id"]
