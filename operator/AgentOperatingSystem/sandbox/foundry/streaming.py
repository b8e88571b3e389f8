"""A finished response told as server-sent events, in the order in which the openai clients expect them.

Why told afterwards: the sandbox's model has its answer at once; what matters is that a client's parser
and accumulator meet a complete, well-formed sequence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from AgentOperatingSystem.sandbox.foundry.errors import Json

WORDS = re.compile(r"\S+\s*|\s+")


def response_events(response: Json) -> str:
    """The body of a `text/event-stream` for a response."""
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    events: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for place, item in enumerate(response["output"]):
        events.extend(_item_events(place, item))
    events.append({"type": "response.completed", "response": response})
    return "".join(
        f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n"
        for number, event in enumerate(events)
    )


def completion_events(completion: Json) -> str:
    """The body of a `text/event-stream` for a chat completion, its usage included."""
    choice = completion["choices"][0]
    delta = dict(choice["message"])
    if "tool_calls" in delta:
        delta["tool_calls"] = [{"index": place, **call} for place, call in enumerate(delta["tool_calls"])]
    head = {**completion, "object": "chat.completion.chunk", "usage": None}
    chunks = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]},
        {**head, "choices": [], "usage": completion["usage"]},
    ]
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def _item_events(place: int, item: Json) -> Iterator[Json]:
    hollow = "arguments" if item["type"] == "function_call" else "content"
    empty = {**item, "status": "in_progress", hollow: "" if hollow == "arguments" else []}
    yield {"type": "response.output_item.added", "output_index": place, "item": empty}
    where = {"item_id": item["id"], "output_index": place}
    if item["type"] == "function_call":
        yield {"type": "response.function_call_arguments.delta", **where, "delta": item["arguments"]}
        done = {"arguments": item["arguments"], "name": item["name"]}
        yield {"type": "response.function_call_arguments.done", **where, **done}
    else:
        yield from _text_events(where, item)
    yield {"type": "response.output_item.done", "output_index": place, "item": item}


def _text_events(where: Json, item: Json) -> Iterator[Json]:
    for place, part in enumerate(item["content"]):
        at = {**where, "content_index": place}
        yield {"type": "response.content_part.added", **at, "part": {**part, "text": ""}}
        for delta in WORDS.findall(part["text"]):
            yield {"type": "response.output_text.delta", **at, "delta": delta, "logprobs": []}
        yield {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []}
        yield {"type": "response.content_part.done", **at, "part": part}
