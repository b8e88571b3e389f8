"""What is told of an exchange: the protocol's words and shapes, and nothing of anybody's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.smoke.shapes import HIDDEN, Leak, Scrubber
from tests.smoke.wire import Exchange

SCRUBBER = Scrubber(own=("aos-smoke-1", "gpt-4.1"), secret=("acme.services.ai.azure.com", "acme", "board"))


def exchange(path: str = "/agents", query: str = "", body: Any = None, **headers: str) -> Exchange:
    raw = b"" if body is None else json.dumps(body).encode()
    sent = {"authorization": "Bearer t0ken-of-somebody", "accept": "application/json", **headers}
    return Exchange("create", "GET", path, query, sent, b"", 200, headers, raw)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/agents", "agents"),
        ("/agents/aos-smoke-1", "agents/{id}"),
        ("/agents/agents/versions/versions", "agents/{id}/versions/{id}"),
        ("/agents/aos-smoke-1:disable", "agents/{id}:disable"),
        ("/openai/v1/conversations/conv_1/items", "openai/v1/conversations/{id}/items"),
        ("/threads/thread_1/runs/run_1/submit_tool_outputs", "threads/{id}/runs/{id}/submit_tool_outputs"),
        ("/somewhere/else/acme", "{id}/{id}/{id}"),
    ],
)
def test_a_path_is_told_without_names(path: str, told: str) -> None:
    assert SCRUBBER.told(exchange(path)).path == told


def test_a_query_keeps_what_is_the_protocols() -> None:
    query = "api-version=v1&kind=prompt&limit=100&order=asc&after=agent-of-acme&acme=1&api-version=%2Fx"
    told = SCRUBBER.told(exchange(query=query)).query
    assert told == {"api-version": HIDDEN, "kind": "prompt", "limit": "100", "order": "asc", "after": HIDDEN}


def test_only_headers_of_a_short_list_are_told_and_none_by_its_value() -> None:
    told = SCRUBBER.told(
        exchange(
            **{
                "content-type": "application/json; charset=acme",
                "retry-after": "7",
                "x-ms-error-code": "acme",
                "x-ms-request-id": "request-1",
                "apim-request-id": "request-2",
            }
        )
    )
    assert told.headers == {
        "content-type": "application/json",
        "retry-after": "seconds",
        "x-ms-error-code": "there",
    }
    assert told.sent_headers == {"accept": "application/json", "content-type": "application/json"}


def test_values_are_told_by_type_but_for_the_protocols_words() -> None:
    body = {
        "id": "agent-1",
        "object": "agent.version",
        "status": "active: see acme",
        "type": "of_acme",
        "created_at": 1,
        "acme_field": True,
        "a key": 1.5,
        "metadata": {"customer": "acme"},
        "tools": [{"type": "function", "parameters": {"properties": {"secret": {}}}}],
    }
    assert SCRUBBER.told(exchange("/agents/x", body=body)).body == {
        "": ("object",),
        "id": ("str",),
        "object": ("'agent.version'",),
        "status": ("str",),
        "type": ("str",),
        "created_at": ("int",),
        HIDDEN: ("bool", "float"),
        "metadata": ("map",),
        "tools": ("list",),
        "tools[]": ("object",),
        "tools[].type": ("'function'",),
        "tools[].parameters": ("map",),
    }


@pytest.mark.parametrize("path", ["/agents", "/assistants", "/deployments"])
def test_of_a_listing_only_what_is_ours_is_looked_at(path: str) -> None:
    listed = [{"name": "theirs", "their_field": 1}, {"name": "aos-smoke-1", "ours": 1}]
    told = SCRUBBER.told(exchange(path, body={"data": listed, "value": listed})).body
    assert {"data[].ours", "value[].ours"} <= told.keys()
    assert not [place for place in told if "their" in place]


def test_what_is_no_json_is_not_told() -> None:
    page = Exchange("create", "GET", "/agents", "", {}, b"", 502, {}, b"<html>acme</html>")
    assert SCRUBBER.told(page).body == {"": ("no JSON",)}


@pytest.mark.parametrize(
    "text",
    ["t0ken-of-somebody", "AOS-SMOKE-1", "https://acme.services.ai.azure.com/x", "thread_0001", "theirs-2"],
)
def test_a_leak_is_found_before_anything_is_written(text: str) -> None:
    heard = [exchange("/threads/thread_0001", body={"data": [{"name": "theirs-2"}]})]
    with pytest.raises(Leak) as leak:
        SCRUBBER.check(f'["{text}"]', heard)
    assert text not in str(leak.value)
    SCRUBBER.check('["threads/{id}"]', heard)


def test_what_was_heard_shows_nothing_of_itself() -> None:
    heard = exchange("/agents/aos-smoke-1", query="after=acme", body={"id": "acme"})
    assert not {"acme", "aos-smoke", "Bearer"} & set(repr(heard).replace("'", " ").split())
    assert "acme" not in repr(heard)
