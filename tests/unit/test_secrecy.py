"""The search for secrets finds them: without this, a run that finds none would prove nothing."""

from __future__ import annotations

import pytest
from tests.harness.secrecy import ENVIRONMENT, secrets_in


@pytest.mark.parametrize(
    "text",
    [
        *ENVIRONMENT.values(),
        "Authorization: Bearer abcdefgh12345678",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2ln",
        '{"client_secret": "s3cr3tvalue"}',
        "AccountKey=abcdefgh1234==",
    ],
)
def test_a_secret_is_found(text: str) -> None:
    assert list(secrets_in({"log": f"before {text} after"}))


@pytest.mark.parametrize(
    "text",
    [
        "boardroom/ceo: Created agent ceo, version 1, on llama-3.3-70b-ceo.",
        "check its credential (AZURE_CLIENT_ID, AZURE_TENANT_ID, workload identity)",
        "sha256:969ffbff63602b62fa07d8504590f92f1b66f38de2a634cdd3e9d550506aafc2",
        "Bearer [redacted]",
    ],
)
def test_plain_words_are_no_secret(text: str) -> None:
    assert not list(secrets_in({"log": text}))
