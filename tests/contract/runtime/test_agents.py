"""An agent on either generation: what is written is what is read, and nobody else's part is touched."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.contract.runtime.bench import DESIRED, FUNCTION, MODEL, STAMP, Bench

from AgentOperatingSystem.model.definition import (
    AgentDefinition,
    CodeInterpreterTool,
    DesiredAgent,
    FileSearchTool,
    FunctionTool,
    ObservedAgent,
    OtherTool,
    tool_content,
)
from AgentOperatingSystem.model.errors import DefinitionRejected, ModelNotFound
from AgentOperatingSystem.model.stamp import STAMP_KEYS, Owner, OwnerKind, Stamp
from AgentOperatingSystem.runtime.adapter import RuntimeAdapter

NESTED = FunctionTool(
    "größe",
    "Wie groß? 大きさ 📏",
    {
        "type": "object",
        "properties": {"orte": {"type": "array", "items": {"$ref": "#/$defs/ort"}}},
        "$defs": {"ort": {"type": ["string", "null"], "enum": ["Köln", None]}},
        "required": ["orte"],
    },
)


def desired(**changes: object) -> DesiredAgent:
    return replace(DESIRED, definition=replace(DESIRED.definition, **changes))  # type: ignore[arg-type]


def contents(agent: ObservedAgent | DesiredAgent) -> list[str]:
    return sorted(json.dumps(tool_content(tool), sort_keys=True) for tool in agent.definition.tools)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tools": ()}, "no tools"),
        ({"tools": (FUNCTION,)}, "a function"),
        ({"tools": (NESTED,)}, "a function with a nested schema, in more than ASCII"),
        ({"tools": (FunctionTool("bare", "", {"type": "object"}),)}, "a function without a description"),
        ({"tools": (CodeInterpreterTool(),)}, "a code interpreter without files"),
        ({"tools": (CodeInterpreterTool(("file-2", "file-1")),)}, "a code interpreter with files"),
        ({"tools": (FileSearchTool(("vs_2", "vs_1")),)}, "a file search over two stores"),
        (
            {"tools": (FUNCTION, CodeInterpreterTool(("file-1",)), FileSearchTool(("vs_1",)), NESTED)},
            "every kind at once, in this order",
        ),
        ({"tools": tuple(replace(FUNCTION, name=f"f{n}") for n in range(128))}, "as many as can be"),
        ({"instructions": "Zweck: größer werden 🚀\n\tund 長い\n"}, "instructions in more than ASCII"),
        ({"instructions": "x" * 256_000}, "instructions as long as can be"),
        ({"instructions": ""}, "no instructions"),
        ({"metadata": {}}, "no pairs of the owner's"),
        ({"metadata": {"team": "Vorstand ⚖", "x" * 64: "y" * 512}}, "pairs as long as can be"),
        ({"metadata": {f"k{n}": str(n) for n in range(6)}}, "16 pairs, 10 of them the stamp's"),
        ({"deployment": "llama-3.3-70b"}, "another deployment"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_created_is_what_is_read(
    adapter: RuntimeAdapter, changes: dict[str, object], reason: str
) -> None:
    asked = desired(**changes)
    made = await adapter.create(asked)
    assert made.definition == asked.definition, reason
    assert await adapter.get(made.agent_id) == made
    assert await adapter.list_all() == [made]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"instructions": "x" * 256_001}, "instructions that are too long"),
        ({"tools": tuple(replace(FUNCTION, name=f"f{n}") for n in range(129))}, "too many tools"),
        ({"metadata": {f"k{n}": str(n) for n in range(7)}}, "17 pairs with the stamp"),
        ({"metadata": {"team": "y" * 513}}, "a value that is too long"),
        ({"metadata": {"x" * 65: "board"}}, "a key that is too long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_the_service_cannot_hold_is_refused_and_nothing_is_made(
    bench: Bench, adapter: RuntimeAdapter, changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(DefinitionRejected, match="Change the spec"):
        await adapter.create(desired(**changes))
    assert bench.made() == 0, reason


async def test_a_deployment_that_does_not_exist_is_told_as_such(
    bench: Bench, adapter: RuntimeAdapter
) -> None:
    with pytest.raises(ModelNotFound, match="nowhere"):
        await adapter.create(desired(deployment="nowhere"))
    made = await adapter.create(DESIRED)
    with pytest.raises(ModelNotFound, match="nowhere"):
        await adapter.update(made, desired(deployment="nowhere"))
    assert await adapter.get(made.agent_id) == made


async def test_what_the_service_spells_otherwise_is_no_difference(
    bench: Bench, adapter: RuntimeAdapter
) -> None:
    bench.service.behave(normalise=True)
    asked = desired(tools=(FUNCTION, CodeInterpreterTool(("file-1",)), FileSearchTool(("vs_1",))))
    made = await adapter.create(asked)
    read = await adapter.get(made.agent_id)
    assert read is not None
    assert contents(read) == contents(asked)


async def test_an_agent_that_is_not_there_is_none(adapter: RuntimeAdapter) -> None:
    assert await adapter.get("asst_none") is None
    assert await adapter.get("..") is None


async def test_an_agent_says_whether_its_name_is_its_key(bench: Bench, adapter: RuntimeAdapter) -> None:
    first, second = await adapter.create(DESIRED), await adapter.create(DESIRED)
    assert (first.name, second.name) == ("ceo", "ceo")
    assert adapter.names_are_keys == (first.agent_id == second.agent_id == "ceo")
    assert len(await adapter.list_all()) == (1 if adapter.names_are_keys else 2)


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [
        (STAMP, "a resource's"),
        (replace(STAMP, adapter="", uid="", hash=""), "without what decides nothing"),
        (Stamp(Owner(OwnerKind.LIBRARY), agent_id="ceo"), "a program's"),
        (replace(STAMP, owner=replace(STAMP.owner, name="größe.x-1")), "a name in more than ASCII"),
    ],
)
async def test_the_stamp_is_read_as_it_was_written(
    bench: Bench, adapter: RuntimeAdapter, stamp: Stamp, reason: str
) -> None:
    made = await adapter.create(replace(DESIRED, stamp=stamp))
    read = await adapter.get(made.agent_id)
    assert read is not None
    assert read.stamp == stamp, reason
    assert bench.metadata(made.agent_id) == {"team": "board", **stamp.to_metadata()}


async def test_an_agent_of_somebody_elses_bears_no_stamp(bench: Bench, adapter: RuntimeAdapter) -> None:
    (key,) = bench.add_strangers(1)
    read = await adapter.get(key)
    assert read is not None
    assert (read.agent_id, read.stamp, read.definition) == (key, None, AgentDefinition(MODEL, ""))


async def test_a_tool_that_we_never_ask_for_is_seen_by_its_kind(
    bench: Bench, adapter: RuntimeAdapter
) -> None:
    tools = [{"type": "openapi", "openapi": {"name": "x", "spec": {}, "auth": {"type": "anonymous"}}}]
    if bench.is_classic:
        key = bench.service.add_assistant(MODEL, tools=tools)
    else:
        bench.service.add_agent(key := "theirs", MODEL, tools=tools)
    read = await adapter.get(key)
    assert read is not None
    assert read.definition.tools == (OtherTool("openapi"),)


async def test_an_update_makes_the_same_agent_what_is_desired(bench: Bench, adapter: RuntimeAdapter) -> None:
    made = await adapter.create(desired(tools=(CodeInterpreterTool(("file-1",)), FileSearchTool(("vs_1",)))))
    asked = desired(
        deployment="llama-3.3-70b",
        instructions="Anders.",
        tools=(FileSearchTool(("vs_2",)), FUNCTION),
        metadata={"unit": "x"},
    )
    updated = await adapter.update(made, asked)
    assert (updated.agent_id, updated.definition) == (made.agent_id, asked.definition)
    assert await adapter.list_all() == [updated]


async def test_an_update_to_nothing_leaves_nothing_behind(bench: Bench, adapter: RuntimeAdapter) -> None:
    full = desired(tools=(CodeInterpreterTool(("file-1",)), FileSearchTool(("vs_1",)), FUNCTION))
    made = await adapter.create(full)
    asked = desired(instructions="", tools=(), metadata={})
    assert (await adapter.update(made, asked)).definition == asked.definition
    assert bench.metadata(made.agent_id).keys() <= STAMP_KEYS
    back = desired(tools=(CodeInterpreterTool(), FUNCTION), metadata={})
    assert (await adapter.update(made, back)).definition == back.definition


async def test_an_update_stamps_an_agent_that_had_no_stamp(bench: Bench, adapter: RuntimeAdapter) -> None:
    (key,) = bench.add_strangers(1)
    theirs = await adapter.get(key)
    assert theirs is not None
    adopted = await adapter.update(theirs, replace(DESIRED, name=theirs.name))
    assert (adopted.agent_id, adopted.stamp) == (key, STAMP)


async def test_a_release_takes_the_stamp_alone(bench: Bench, adapter: RuntimeAdapter) -> None:
    made = await adapter.create(desired(tools=(FUNCTION, CodeInterpreterTool(("file-1",)))))
    released = await adapter.release(made)
    assert released.stamp is None
    assert released.definition == made.definition
    assert bench.metadata(made.agent_id) == {"team": "board"}


async def test_a_release_keeps_what_was_changed_since_it_was_looked_at(
    bench: Bench, adapter: RuntimeAdapter
) -> None:
    made = await adapter.create(DESIRED)
    changes = {"instructions": "Theirs.", "metadata": {**STAMP.to_metadata(), "by": "them"}}
    if bench.is_classic:
        bench.service.edit_assistant(made.agent_id, **changes)
    else:
        bench.service.edit_agent("ceo", **changes)
    released = await adapter.release(made)
    assert (released.definition.instructions, released.stamp) == ("Theirs.", None)
    assert bench.metadata(made.agent_id) == {"by": "them"}


async def test_a_disabled_agent_does_not_run_and_an_enabled_one_does(
    bench: Bench, adapter: RuntimeAdapter
) -> None:
    made = await adapter.create(DESIRED)
    thread = await adapter.create_thread(STAMP)
    disabled = await adapter.disable(made)
    assert not bench.enabled(made.agent_id)
    assert (disabled is None) == bench.is_classic
    assert await adapter.thread_stamp(thread) == STAMP
    again = await adapter.enable(disabled or await adapter.create(DESIRED))
    assert again.enabled
    assert bench.enabled(again.agent_id)
    assert await adapter.get(again.agent_id) == again


async def test_a_deleted_agent_is_gone_and_deleting_it_again_is_no_failure(
    bench: Bench, adapter: RuntimeAdapter
) -> None:
    made, (stranger,) = await adapter.create(DESIRED), bench.add_strangers(1)
    await adapter.delete(made.agent_id)
    await adapter.delete(made.agent_id)
    assert [agent.agent_id for agent in await adapter.list_all()] == [stranger]
    assert bench.made() == 1


async def test_versions_are_told_newest_first_or_there_are_none(
    bench: Bench, adapter: RuntimeAdapter
) -> None:
    made = await adapter.create(DESIRED)
    updated = await adapter.update(made, desired(instructions="Anders."))
    versions = await adapter.versions(made.agent_id)
    assert [one.version for one in versions] == ([] if bench.is_classic else ["2", "1"])
    assert (updated.version, updated.definition.instructions) == ("" if bench.is_classic else "2", "Anders.")
    await adapter.delete_version(made.agent_id, "1")
    await adapter.delete_version(made.agent_id, "1")
    assert await adapter.get(made.agent_id) == updated
    assert await adapter.versions("asst_none") == []
