"""What only an assistant has, and only the classic wire: kept, cleared, or told as lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.contract.runtime.bench import DESIRED, MODEL, STAMP, Bench

from AgentOperatingSystem.model.definition import CodeInterpreterTool, FileSearchTool, Tool
from AgentOperatingSystem.model.message import Message
from AgentOperatingSystem.runtime.classic_wire import assistant_to_wire, message_from_wire

OTHERS = {
    "description": "Theirs",
    "temperature": 0.25,
    "top_p": 0.5,
    "response_format": {"type": "json_object"},
}


@pytest.mark.parametrize("write", ["update", "release"])
async def test_what_we_do_not_manage_survives(classic: Bench, write: str) -> None:
    key = classic.service.add_assistant(MODEL, name="ceo", metadata=STAMP.to_metadata(), **OTHERS)
    adapter = classic.adapter()
    held = await adapter.get(key)
    assert held is not None
    await (adapter.update(held, DESIRED) if write == "update" else adapter.release(held))
    now = classic.service.assistants()[key]
    assert {field: getattr(now, field) for field in OTHERS} == OTHERS


async def test_a_release_keeps_the_settings_of_tools_that_we_do_not_know(classic: Bench) -> None:
    tools = [
        {"type": "file_search", "file_search": {"max_num_results": 3}},
        {"type": "azure_ai_search"},
    ]
    resources = {
        "azure_ai_search": {"indexes": [{"index_name": "x"}]},
        "file_search": {"vector_store_ids": ["v"]},
    }
    key = classic.service.add_assistant(
        MODEL, metadata=STAMP.to_metadata(), tools=tools, tool_resources=resources
    )
    adapter = classic.adapter()
    held = await adapter.get(key)
    assert held is not None
    await adapter.release(held)
    now = classic.service.assistants()[key]
    assert (list(now.tools), now.tool_resources, now.metadata) == (tools, resources, {})


async def test_an_update_to_no_tools_clears_what_they_worked_on(classic: Bench) -> None:
    adapter = classic.adapter()
    tools = (CodeInterpreterTool(("file-1",)), FileSearchTool(("vs_1",)))
    made = await adapter.create(replace(DESIRED, definition=replace(DESIRED.definition, tools=tools)))
    bare = replace(DESIRED.definition, tools=(), instructions="", metadata={})
    await adapter.update(made, replace(DESIRED, definition=bare))
    held = classic.service.assistants()[made.agent_id]
    assert held.tools == ()
    assert "file-1" not in str(held.tool_resources)
    assert "vs_1" not in str(held.tool_resources)
    assert (held.instructions, held.metadata) == ("", STAMP.to_metadata())


@pytest.mark.parametrize("tools", [(), (CodeInterpreterTool(),), (FileSearchTool(("vs_1",)),)])
def test_what_tools_work_on_is_named_in_full_as_an_update_may_keep_the_rest(tools: tuple[Tool, ...]) -> None:
    wire = assistant_to_wire(replace(DESIRED, definition=replace(DESIRED.definition, tools=tools)))
    stores = ["vs_1"] if FileSearchTool(("vs_1",)) in tools else []
    assert wire["tool_resources"] == {
        "code_interpreter": {"file_ids": []},
        "file_search": {"vector_store_ids": stores},
    }
    assert wire.keys() == {"name", "model", "instructions", "tools", "tool_resources", "metadata"}


async def test_a_release_of_an_agent_without_pairs_leaves_none(classic: Bench) -> None:
    adapter = classic.adapter()
    bare = replace(DESIRED.definition, metadata={})
    made = await adapter.create(replace(DESIRED, definition=bare))
    await adapter.release(made)
    assert classic.metadata(made.agent_id) == {}


async def test_an_assistant_with_nothing_in_it_is_read(classic: Bench) -> None:
    key = classic.service.add_assistant("")
    read = await classic.adapter().get(key)
    assert read is not None
    assert (read.name, read.version, read.definition.instructions, read.definition.tools) == ("", "", "", ())


def part(text: str, *annotations: dict[str, object]) -> dict[str, object]:
    return {"type": "text", "text": {"value": text, "annotations": list(annotations)}}


@pytest.mark.parametrize(
    ("content", "attachments", "message", "reason"),
    [
        ([part("a"), part("b")], [], Message("user", "a\nb"), "parts are lines"),
        ([], [], Message("user", ""), "nothing was said"),
        (
            [part("a"), {"type": "image_file", "image_file": {"file_id": "f1"}}],
            [],
            Message("user", "a", "an image (f1)"),
            "an image of the project",
        ),
        (
            [{"type": "image_url", "image_url": {"url": "https://x/y?sig=secret"}}],
            [],
            Message("user", "", "an image from the web"),
            "an address may bear a key",
        ),
        (
            [part("a")],
            [{"file_id": "f1"}, {"file_id": "f2"}],
            Message("user", "a", "an attached file (f1), an attached file (f2)"),
            "attachments",
        ),
        (
            [part("sandbox:/x.csv", {"type": "file_path", "file_path": {"file_id": "f3"}})],
            [],
            Message("user", "sandbox:/x.csv", "a file that it made (f3)"),
            "what the code interpreter made",
        ),
        (
            [part("a 【1】", {"type": "file_citation", "file_citation": {"file_id": "f1"}})],
            [],
            Message("user", "a 【1】"),
            "a citation stands in the text",
        ),
        ([{"type": "hologram"}], [], Message("user", "", "a part of kind hologram"), "what may come"),
    ],
)
def test_what_no_text_can_hold_is_told(
    content: list[object], attachments: list[object], message: Message, reason: str
) -> None:
    wire = {"id": "msg_1", "role": "user", "content": content, "attachments": attachments}
    assert message_from_wire(wire) == message, reason
