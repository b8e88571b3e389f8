"""From a refusal of the service to an error of ours: what it is, what it says, and what it never says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.samples import ENDPOINT

from AgentOperatingSystem.model.errors import (
    DefinitionRejected,
    ModelNotFound,
    NotAuthorized,
    NotFound,
    OutcomeUnknown,
    RuntimeFailure,
    RuntimeUnavailable,
    Throttled,
)
from AgentOperatingSystem.runtime.azure_errors import Refusal, failure, seconds_to_wait

READ = Refusal("get_agent", ENDPOINT, writes=False)
WRITE = Refusal("create_version", ENDPOINT, writes=True)
SECRET = "Bearer eyJhbGciOi.secret"


@pytest.mark.parametrize(
    ("refusal", "error", "reason"),
    [
        (replace(READ, status=None), RuntimeUnavailable, "no answer to a read"),
        (replace(WRITE, status=None), OutcomeUnknown, "no answer to a write: it may have been done"),
        (replace(READ, status=408), RuntimeUnavailable, "the service gave up waiting"),
        (replace(WRITE, status=408), OutcomeUnknown, "and may have begun"),
        (replace(READ, status=429), Throttled, "too many requests"),
        (replace(WRITE, status=429), Throttled, "refused before it was done"),
        (replace(READ, status=500), RuntimeUnavailable, "a passing failure"),
        (replace(READ, status=503), RuntimeUnavailable, "a passing failure"),
        (replace(WRITE, status=500), OutcomeUnknown, "it may have been done"),
        (replace(WRITE, status=504), OutcomeUnknown, "it may have been done"),
        (replace(READ, status=401), NotAuthorized, "not known"),
        (replace(WRITE, status=403), NotAuthorized, "known, and not allowed"),
        (replace(READ, status=404), NotFound, "not there"),
        (replace(WRITE, status=400), DefinitionRejected, "read and refused"),
        (replace(WRITE, status=422), DefinitionRejected, "read and refused"),
        (replace(WRITE, status=412), RuntimeUnavailable, "somebody else wrote first"),
        (replace(WRITE, status=413), DefinitionRejected, "too large: only another spec helps"),
        (replace(WRITE, status=400, code="DeploymentNotFound"), ModelNotFound, "no such deployment"),
        (replace(WRITE, status=400, code="model_not_found"), ModelNotFound, "in OpenAI's words"),
        (replace(WRITE, status=400, param="model"), ModelNotFound, "the model is what is wrong"),
        (replace(WRITE, status=400, param="tools[0]"), DefinitionRejected, "something else is wrong"),
        (
            replace(WRITE, status=404, code="DeploymentNotFound"),
            ModelNotFound,
            "the status that the service gives with that code",
        ),
        (
            replace(WRITE, status=409),
            RuntimeUnavailable,
            "two writes met: no spec can help it, and the next pass can",
        ),
    ],
)
def test_a_refusal_becomes_this_error(refusal: Refusal, error: type[RuntimeFailure], reason: str) -> None:
    made = failure(refusal)
    assert type(made) is error, reason


@pytest.mark.parametrize("status", [429, 500, 503, 408])
def test_the_wish_of_the_runtime_is_kept(status: int) -> None:
    made = failure(replace(READ, status=status, retry_after=7.0))
    assert isinstance(made, RuntimeUnavailable)
    assert made.retry_after == 7.0


@pytest.mark.parametrize("status", [401, 403])
def test_who_may_not_is_told_both_names_of_the_role(status: int) -> None:
    message = str(failure(replace(READ, status=status)))
    assert "Foundry User" in message
    assert "Azure AI User" in message
    assert ENDPOINT in message


def test_who_is_not_known_is_told_where_the_identity_comes_from() -> None:
    assert "AZURE_CLIENT_ID" in str(failure(replace(READ, status=401)))


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 503])
def test_what_a_service_says_of_these_is_not_repeated(status: int) -> None:
    made = failure(replace(WRITE, status=status, sentence=SECRET, code=SECRET, param=SECRET))
    assert SECRET not in str(made)


@pytest.mark.parametrize(
    ("refusal", "words", "reason"),
    [
        (
            replace(WRITE, status=400, sentence="tools[0]: unknown type"),
            ["create_version", "400", "tools[0]: unknown type", "Change the spec"],
            "the author of the spec reads what is wrong with it",
        ),
        (
            replace(WRITE, status=400, code="ModelNotFound", sentence="llama-3.3-70b-ceo does not exist"),
            ["llama-3.3-70b-ceo does not exist", "spec.model", "spec.adapterName"],
            "and which fields name the deployment",
        ),
        (replace(WRITE, status=400), ["it gave no reason"], "a service may say nothing"),
        (replace(READ, status=404), ["404", ENDPOINT, "endpoint"], "a 404 is often the wrong project"),
        (replace(READ, status=429), ["429", ENDPOINT], "who asks for fewer"),
        (replace(READ, sentence="no connection"), ["no connection", ENDPOINT], "who does not answer"),
    ],
)
def test_a_message_says_what_happened_and_what_to_do(refusal: Refusal, words: list[str], reason: str) -> None:
    message = str(failure(refusal))
    assert [word for word in words if word not in message] == [], reason


@pytest.mark.parametrize("status", [None, 408, 429, 500, 503])
def test_what_passes_by_itself_is_told_in_the_same_words_whatever_was_asked(status: int | None) -> None:
    told = {
        str(failure(replace(READ, status=status, operation=operation, sentence="no connection")))
        for operation in ("get_agent", "list_agents", "get_thread")
    }
    assert len(told) == 1, "a resource that meets one after the other is not written each time"


def test_a_long_sentence_is_cut() -> None:
    assert len(str(failure(replace(WRITE, status=400, sentence="x" * 100_000)))) < 600


@pytest.mark.parametrize(
    ("headers", "seconds", "reason"),
    [
        ({}, None, "no wish"),
        ({"Retry-After": "3"}, 3.0, "seconds"),
        ({"retry-after": "1.5"}, 1.5, "in a plain mapping too"),
        ({"retry-after-ms": "250"}, 0.25, "milliseconds"),
        ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25, "the finer one wins"),
        ({"retry-after-ms": "x", "Retry-After": "1"}, 1.0, "what cannot be read does not hide the other"),
        ({"Retry-After": "-1"}, 0.0, "never the past"),
        ({"Retry-After": "nan"}, None, "no number to wait for"),
        ({"Retry-After": "inf"}, None, "no wish can be for ever"),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None, "a date: our own back-off is as good"),
    ],
)
def test_the_wish_is_read_from_the_headers(
    headers: dict[str, str], seconds: float | None, reason: str
) -> None:
    assert seconds_to_wait(headers) == seconds, reason
