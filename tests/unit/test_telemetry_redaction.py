"""What looks like a secret never leaves by the log, however it is written; ordinary sentences stay whole."""

from __future__ import annotations

import time

import pytest

from AgentOperatingSystem.telemetry.redaction import HIDDEN, redact

# No real one: words that a test can look for.
SECRET = "hunter2Hunter2HUNTER2abc"
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6Ing.eyJhdWQiOiJodHRwczovL2FpIn0.c2lnbmF0dXJl-_x"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nTUlJRW93\nSUJBQUtD\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(f"sent Bearer {SECRET} to", f"sent Bearer {HIDDEN} to", id="a bearer token"),
        pytest.param(
            f"{{'Authorization': 'Bearer {SECRET}'}}",
            f"{{'Authorization': 'Bearer {HIDDEN}'}}",
            id="a header in a dict",
        ),
        pytest.param(
            f"(b'authorization', b'Basic {SECRET}')",
            f"(b'authorization', b'Basic {HIDDEN}')",
            id="a header as httpx keeps it",
        ),
        pytest.param(f"authorization: {SECRET}", f"authorization: {HIDDEN}", id="a header on the wire"),
        pytest.param(
            f"Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={SECRET}=",
            f"Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={HIDDEN}",
            id="Service Bus",
        ),
        pytest.param(
            f"AccountName=acme;AccountKey={SECRET}==;EndpointSuffix=core.windows.net",
            f"AccountName=acme;AccountKey={HIDDEN};EndpointSuffix=core.windows.net",
            id="Storage",
        ),
        pytest.param(
            f"InstrumentationKey={SECRET};IngestionEndpoint=https://x",
            f"InstrumentationKey={HIDDEN};IngestionEndpoint=https://x",
            id="Application Insights",
        ),
        pytest.param(
            f"https://a.blob.core.windows.net/c?sv=2024&sig={SECRET}%3D&se=1",
            f"https://a.blob.core.windows.net/c?sv=2024&sig={HIDDEN}&se=1",
            id="a shared access signature in a URL",
        ),
        pytest.param(f"token {JWT}!", f"token {HIDDEN}!", id="a JWT"),
        pytest.param(f"token {JWT[:32]}... cut", f"token {HIDDEN} cut", id="the beginning of a JWT"),
        pytest.param(f"api-key: {SECRET}", f"api-key: {HIDDEN}", id="the key header of Azure OpenAI"),
        pytest.param("'x-api-key': 'short'", f"'x-api-key': '{HIDDEN}'", id="a short key between quotes"),
        pytest.param(f'{{"api_key": "{SECRET}"}}', f'{{"api_key": "{HIDDEN}"}}', id="JSON"),
        pytest.param(
            f'{{\\"apiKey\\": \\"{SECRET}\\"}}', f'{{\\"apiKey\\": \\"{HIDDEN}\\"}}', id="JSON in JSON"
        ),
        pytest.param(f"api_key='{SECRET}')", f"api_key='{HIDDEN}')", id="a keyword in a repr"),
        pytest.param(f"client_secret={SECRET}&scope=x", f"client_secret={HIDDEN}&scope=x", id="a form"),
        pytest.param(f"AZURE_CLIENT_SECRET={SECRET}", f"AZURE_CLIENT_SECRET={HIDDEN}", id="the environment"),
        pytest.param(f"clientSecret: {SECRET}", f"clientSecret: {HIDDEN}", id="YAML"),
        pytest.param(f"access_token={SECRET}", f"access_token={HIDDEN}", id="OAuth"),
        pytest.param(f"password='{SECRET}'", f"password='{HIDDEN}'", id="a password"),
        pytest.param(f"amqps://me:{SECRET}@host/", f"amqps://me:{HIDDEN}@host/", id="a password in a URL"),
        pytest.param(f"key:\n{PEM}\nend", f"key:\n{HIDDEN}\nend", id="a private key"),
        pytest.param(f"key:\n{PEM[:50]}", f"key:\n{HIDDEN}", id="a private key that is cut off"),
        pytest.param(f"used sk-{SECRET}", f"used {HIDDEN}", id="an OpenAI key"),
        pytest.param(
            f"Bearer {SECRET} and api_key={SECRET}",
            f"Bearer {HIDDEN} and api_key={HIDDEN}",
            id="more than one",
        ),
    ],
)
def test_a_secret_is_hidden(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact(expected) == expected, "what was redacted once is not touched again"


@pytest.mark.parametrize(
    "text",
    [
        "boardroom/ceo: Created agent ceo, version 1, on llama-3.3-70b-ceo.",
        "The runtime does not accept the operator's identity (401 to get_agent at https://a.b/api/projects/c)",
        "spec.mcpTools[0].inputSchema: api_key: must be a string",
        "no bearer token was to be had",
        "the password is in a Secret; the signature of the design=modern",
        "https://acme.services.ai.azure.com:443/api/projects/board",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "usage: input_tokens=512, output_tokens: 12345678901",
    ],
)
def test_an_ordinary_sentence_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("piece", ["a", "api_key", "eyJ", "sig=", "Bearer ", "://a:", "\\'", "-----BEGIN "])
def test_a_huge_line_does_not_stall_the_operator(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    began = time.perf_counter()
    redact(text)
    assert time.perf_counter() - began < 2
