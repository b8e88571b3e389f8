"""From the classic generation to the new one: nothing said is forgotten or doubled, and one agent is left."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from tests.harness.crashing import At, CrashPoint, points_in, watched
from tests.reconcile.desk import CEO, DEPLOYMENTS, SPEC, MovingDesk
from tests.reconcile.moving import (
    CLASSIC,
    FOUNDRY,
    GOOD,
    SAID,
    Killed,
    Story,
    a_project,
    broken_promises,
    classic_agent,
    effects,
    requests_of,
    until,
)

from AgentOperatingSystem.model.crossing import Moment
from AgentOperatingSystem.model.message import Message
from AgentOperatingSystem.reconcile.ports import ClusterFailure
from AgentOperatingSystem.reconcile.resource import (
    DETACH,
    ENDPOINT_ANNOTATION,
    MOVED_FROM_ANNOTATION,
    POLICY_ANNOTATION,
    SUCCESSOR_ANNOTATION,
    TYPE_ANNOTATION,
)
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry, Fault

CREATED = CrashPoint("runtime.create_thread", 1, Moment.AFTER)
SHORT_SECONDS = 1.0


@pytest.fixture(scope="module")
def account() -> Iterator[EmbeddedFoundry]:
    """One Foundry, of which every story has a project of its own."""
    with EmbeddedFoundry(deployments=DEPLOYMENTS, environ={}) as started:
        yield started


async def test_an_agent_is_moved_with_all_that_was_said_to_it(account: EmbeddedFoundry) -> None:
    story = await classic_agent(account)
    async with story.desk as desk:
        assistant = desk.resource().known_agent_id
        desk.choose(FOUNDRY)
        await desk.pass_over()
        assert desk.says().startswith("True/Running"), "the new one serves"
        assert assistant in story.project.assistants(), "a run may be under way"
        await desk.settle()
        assert broken_promises(story) == []
        definition = story.project.agents()["ceo"].latest.definition
        assert {tool["type"] for tool in definition["tools"]} == {"file_search", "code_interpreter"}
        reasons = Counter(notice.reason for notice in desk.cluster.notices)
        assert reasons == {"Created": 2, "Moved": 1}
        before = len(desk.cluster.writes)
        await desk.settle()
        assert len(desk.cluster.writes) == before, "nothing is left to do"


async def points_of(account: EmbeddedFoundry) -> list[CrashPoint]:
    """Every point that an undisturbed move passes."""
    story = await classic_agent(account)
    lines: list[str] = []
    async with story.desk as desk:
        desk.choose(FOUNDRY)
        with watched(lambda name, moment: lines.append(f"{name} {moment}")):
            await desk.settle()
    assert broken_promises(story) == []
    return effects(points_in(lines))


def lost_at(points: list[CrashPoint], point: CrashPoint) -> int:
    """1 while a conversation is there that nobody noted: its id died with the process."""
    noted = next(
        place
        for place, later in enumerate(points)
        if place > points.index(CREATED) and later.crossing == "cluster.annotate"
    )
    return int(points.index(CREATED) <= points.index(point) <= noted)


@pytest.mark.timeout(300)
async def test_a_move_that_is_killed_at_any_point_goes_on(account: EmbeddedFoundry) -> None:
    points = await points_of(account)
    broken = []
    for point in points:
        story = await classic_agent(account)
        async with story.desk as desk:
            desk.choose(FOUNDRY)
            death = At(point, Killed())
            with pytest.raises(Killed), watched(death):
                await desk.settle()
            await desk.restart()
            await desk.settle()
            problems = broken_promises(story, lost_conversations=lost_at(points, point))
            broken += [f"{point}: {problem}" for problem in problems]
    assert broken == []
    assert len(points) > 40


async def test_an_answer_of_the_api_server_that_is_lost_doubles_nothing(account: EmbeddedFoundry) -> None:
    points = [point for point in await points_of(account) if point.crossing.startswith("cluster.")]
    broken = []
    for point in points:
        story = await classic_agent(account)
        async with story.desk as desk:
            desk.choose(FOUNDRY)
            loss = At(point, ClusterFailure("the connection broke off"))
            with watched(loss):
                await desk.settle()
            assert loss.came
            broken += [f"{point}: {problem}" for problem in broken_promises(story)]
    assert broken == []


LOSSES = {
    "a 500, and nothing was done": Fault(status=500),
    "a 500, though it was done": Fault(status=500, lost=True),
    "the connection breaks before": Fault(drop=True),
    "the connection breaks after": Fault(lost=True),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", [pytest.param(fault, id=reason) for reason, fault in LOSSES.items()])
async def test_a_call_of_the_runtime_that_is_lost_doubles_nothing(
    account: EmbeddedFoundry, fault: Fault
) -> None:
    story = await classic_agent(account)
    async with story.desk as desk:
        account.clear_requests()
        desk.choose(FOUNDRY)
        await desk.settle()
        seen: Counter[str] = Counter()
        calls = []
        for request in requests_of(story):
            seen[request.operation] += 1
            calls.append((request.operation, seen[request.operation]))
    broken = []
    for operation, occurrence in calls:
        story = await classic_agent(account)
        armed = account.faults.add(
            replace(fault, operation=operation, project=story.project.name, skip=occurrence - 1, times=1)
        )
        async with story.desk as desk:
            desk.choose(FOUNDRY)
            await desk.settle()
            assert account.faults.struck()[armed] == 1, operation
            lost = int(fault.lost and operation == "create_conversation")
            problems = broken_promises(story, lost_conversations=lost)
            broken += [f"{operation} #{occurrence}: {problem}" for problem in problems]
        account.faults.remove(armed)
    assert broken == []


@pytest.mark.parametrize("operation", ["create_items", "create_version", "delete_assistant"])
async def test_what_takes_effect_after_we_gave_up_doubles_nothing(
    account: EmbeddedFoundry, operation: str
) -> None:
    desk = MovingDesk(a_project(account), timeout=SHORT_SECONDS)
    story = await classic_agent(account, desk)
    async with desk:
        account.faults.add(
            Fault(operation=operation, project=story.project.name, delay=1.5 * SHORT_SECONDS, times=1)
        )
        desk.choose(FOUNDRY)
        await desk.pass_over()
        await desk.pass_over()
        await until(lambda: all(one.status is not None for one in requests_of(story)))
        await desk.settle()
        await desk.settle()
        assert broken_promises(story) == []


async def test_what_is_said_late_is_carried_over_too(account: EmbeddedFoundry) -> None:
    story = await classic_agent(account)
    async with story.desk as desk:
        desk.choose(FOUNDRY)
        # After the copy and before the switch.
        account.faults.add(Fault(operation="create_version", project=story.project.name, status=500, times=1))
        await desk.pass_over()
        story.say("One more thing.")
        await desk.pass_over()
        assert story.conversation() == story.said
        # After the switch, and twice the same words, which were also said before and are said anew.
        for words in ("Late.", "Go on.", "Late."):
            story.say(words)
        runtime = desk.resource().status.runtime
        assert runtime is not None
        new = [("user", "Late."), ("user", "Hello, new one.")]
        async with desk.runtimes.open(desk.resource(), FOUNDRY) as opened:
            await opened.add_messages(str(runtime.thread_id), [Message(*words) for words in new])
        await desk.settle()
        late = story.said[-3:]
        story.said[-3:] = [*new, *late]
        assert broken_promises(story) == []


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("call", ["runtime.add_messages", "runtime.delete_thread", "cluster.annotate"])
async def test_what_is_said_late_is_carried_over_once_whoever_dies(
    account: EmbeddedFoundry, call: str, moment: Moment
) -> None:
    story = await classic_agent(account)
    async with story.desk as desk:
        desk.choose(FOUNDRY)
        await desk.pass_over()
        for words in ("Late.", "Go on.", "Late."):
            story.say(words)
        desk.later(minutes=5)
        with pytest.raises(Killed), watched(At(CrashPoint(call, 1, moment), Killed())):
            await desk.pass_over()
        if story.thread in story.project.threads():
            story.say("Later still.")
        await desk.restart()
        await desk.settle()
        assert broken_promises(story) == []


async def flipped_after(account: EmbeddedFoundry, point: CrashPoint) -> Story:
    """A move that ended at the point, and whose runtime was then set back."""
    story = await classic_agent(account)
    story.desk.choose(FOUNDRY)
    with pytest.raises(Killed), watched(At(point, Killed())):
        await story.desk.settle()
    await story.desk.restart()
    story.desk.choose(CLASSIC)
    return story


@pytest.mark.timeout(300)
async def test_a_move_that_is_taken_back_before_the_switch_leaves_nothing_behind(
    account: EmbeddedFoundry,
) -> None:
    points = await points_of(account)
    annotated = [place for place, point in enumerate(points) if point.crossing == "cluster.annotate"]
    switch = next(place for place in annotated[::2] if _is_the_switch(points, place))
    broken = []
    for point in points[: switch + 1]:
        story = await flipped_after(account, point)
        async with story.desk as desk:
            await desk.settle()
            broken += [f"{point}: {problem}" for problem in _not_classic(story, lost_at(points, point))]
    assert broken == []


def _is_the_switch(points: list[CrashPoint], place: int) -> bool:
    """The note after which the status is written."""
    return points[place + 2].crossing == "cluster.patch_status"


def _not_classic(story: Story, lost_conversations: int = 0) -> list[str]:
    """What is not as it was on the classic generation."""
    project, desk, problems = story.project, story.desk, []
    if not desk.says().startswith("True/Running"):
        problems.append(f"the status says {desk.says()}")
    ours = [key for key in project.assistants() if key not in story.strangers]
    if ours != [desk.resource().known_agent_id]:
        problems.append(f"the assistants are {ours}")
    if list(project.threads()) != [story.thread] or len(project.messages(story.thread)) != 50:
        problems.append("the thread is not what it was")
    if project.agents() or len(project.conversations()) != lost_conversations:
        problems.append(f"of the new one there is {project.agents()}, {project.conversations()}")
    left = {SUCCESSOR_ANNOTATION, MOVED_FROM_ANNOTATION} & desk.resource().annotations.keys()
    if left or desk.resource().annotations[TYPE_ANNOTATION] != CLASSIC:
        problems.append(f"the annotations are {desk.resource().annotations}")
    return problems


async def test_a_new_agent_that_shows_after_the_move_was_taken_back_is_removed(
    account: EmbeddedFoundry,
) -> None:
    desk = MovingDesk(a_project(account), timeout=SHORT_SECONDS)
    story = await classic_agent(account, desk)
    async with desk:
        account.faults.add(
            Fault(operation="create_version", project=story.project.name, delay=1.5 * SHORT_SECONDS, times=1)
        )
        desk.choose(FOUNDRY)
        await desk.pass_over()
        desk.choose(CLASSIC)
        await desk.pass_over()
        assert SUCCESSOR_ANNOTATION in desk.resource().annotations, "it is not known whether it was made"
        await until(lambda: bool(story.project.agents()))
        await desk.settle()
        assert _not_classic(story) == []


async def test_after_the_switch_there_is_no_way_back(account: EmbeddedFoundry) -> None:
    story = await classic_agent(account)
    async with story.desk as desk:
        desk.choose(FOUNDRY)
        await desk.pass_over()
        desk.choose(CLASSIC)
        await desk.pass_over()
        assert desk.says().startswith("False/RuntimeMoved")
        desk.choose(FOUNDRY)
        await desk.settle()
        assert broken_promises(story) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("generation", [FOUNDRY, CLASSIC])
async def test_deleted_in_the_middle_of_a_move_nothing_is_left_in_either_generation(
    account: EmbeddedFoundry, generation: str
) -> None:
    points = await points_of(account)
    broken = []
    for point in points:
        story = await flipped_after(account, point)
        async with story.desk as desk:
            desk.runtimes.chosen = type(FOUNDRY)(generation)
            desk.cluster.delete(CEO)
            await desk.settle()
            left = (
                story.project.agents(),
                len(story.project.conversations()),
                list(story.project.assistants()),
                story.project.threads(),
            )
            if left != ({}, lost_at(points, point), story.strangers, {}):
                broken.append(f"{point}: {left}")
    assert broken == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("wish", ["orphan", "detach"])
async def test_let_go_in_the_middle_of_a_move_one_agent_is_left_unstamped(
    account: EmbeddedFoundry, wish: str
) -> None:
    points = await points_of(account)
    broken = []
    for point in points:
        story = await flipped_after(account, point)
        async with story.desk as desk:
            desk.choose(FOUNDRY)
            if wish == "detach":
                desk.cluster.annotate_by_hand(CEO, {POLICY_ANNOTATION: DETACH})
            else:
                desk.cluster.put(CEO, {**GOOD, "deletionPolicy": "Orphan"})
            desk.cluster.delete(CEO)
            await desk.settle()
            left = [*story.project.agents().values(), *_assistants_of(story)]
            if len(left) != 1 or any(key.startswith("aos_") for key in left[0].metadata):
                broken.append(f"{point}: {left}")
            conversations = story.project.conversations()
            whole = [len(conversations[key].items) for key in conversations]
            if whole not in ([], [0], [len(SAID)]) and not lost_at(points, point):
                broken.append(f"{point}: conversations of {whole}")
    assert broken == []


def _assistants_of(story: Story) -> list[object]:
    return [one for key, one in story.project.assistants().items() if key not in story.strangers]


CANNOT = {
    "a vector store that the new generation does not know": "WaitingForReference",
    "a deployment that is gone": "ModelNotFound",
    "an agent of that name that is somebody else's": "AdoptionRequired",
}


@pytest.mark.parametrize(("why", "reason"), CANNOT.items())
async def test_what_cannot_be_moved_stays_and_says_why(
    account: EmbeddedFoundry, why: str, reason: str
) -> None:
    story = await classic_agent(account)
    project = story.project
    async with story.desk as desk:
        before = project.assistants(), project.threads()
        match reason:
            case "WaitingForReference":
                path = f"{project.name}/openai/v1/vector_stores/vs_2"
                account.faults.add(Fault(operation=path, status=404))
            case "ModelNotFound":
                account.deployments.remove("llama-3.3-70b-ceo")
            case _:
                project.add_agent("ceo", "gpt-4.1")
        desk.choose(FOUNDRY)
        for _ in range(3):
            await desk.pass_over()
        account.deployments.add("llama-3.3-70b-ceo")
        assert desk.says().startswith(f"False/{reason}"), why
        runtime = desk.resource().status.runtime
        assert runtime is not None
        assert runtime.type == CLASSIC
        assert (project.assistants(), project.threads()) == before
        assert project.conversations() == {}
        desk.choose(CLASSIC)
        await desk.settle()
        assert (project.assistants(), project.threads()) == before
        if reason == "AdoptionRequired":
            return
        account.faults.clear()
        desk.choose(FOUNDRY)
        await desk.settle()
        assert broken_promises(story) == []


async def test_a_version_that_is_being_prepared_leaves_the_classic_agent_serving(
    foundry: EmbeddedFoundry,
) -> None:
    story = await classic_agent(foundry)
    async with story.desk as desk:
        foundry.behave(creating_seconds=0.5)
        desk.choose(FOUNDRY)
        await desk.pass_over()
        assert desk.says().startswith("False/Migrating")
        assert desk.resource().annotations[TYPE_ANNOTATION] == CLASSIC
        story.say("Are you still there?")
        await asyncio.sleep(0.6)
        await desk.settle()
        assert broken_promises(story) == []


async def test_a_disabled_agent_keeps_its_thread(account: EmbeddedFoundry) -> None:
    story = await classic_agent(account)
    async with story.desk as desk:
        desk.cluster.put(CEO, {**GOOD, "enabled": False})
        await desk.settle()
        assert list(story.project.assistants()) == story.strangers
        assert story.thread in story.project.threads()
        desk.choose(FOUNDRY)
        await desk.settle()
        assert broken_promises(story, enabled=False) == []
        desk.cluster.put(CEO, GOOD)
        await desk.settle()
        assert broken_promises(story) == []


async def test_a_disabled_agent_keeps_its_thread_whoever_dies(account: EmbeddedFoundry) -> None:
    story = await classic_agent(account)
    async with story.desk as desk:
        desk.cluster.put(CEO, {**GOOD, "enabled": False})
        await desk.settle()
        desk.choose(FOUNDRY)
        point = CrashPoint("cluster.patch_status", 1, Moment.BEFORE)
        with pytest.raises(Killed), watched(At(point, Killed())):
            await desk.settle()
        await desk.restart()
        await desk.settle()
        assert broken_promises(story, enabled=False) == []


async def test_an_agent_without_a_thread_of_its_own_moves_without_one(account: EmbeddedFoundry) -> None:
    desk = MovingDesk(a_project(account))
    async with desk:
        desk.cluster.put(CEO, {**GOOD, "thread": {"scope": "Event"}})
        await desk.settle()
        desk.choose(FOUNDRY)
        await desk.settle()
        assert desk.says().startswith("True/Running")
        assert desk.resource().annotations == {ENDPOINT_ANNOTATION: desk.project.endpoint}
        assert list(desk.project.agents()) == ["ceo"]
        left = desk.project.assistants(), desk.project.threads(), desk.project.conversations()
        assert left == ({}, {}, {})


async def test_a_thread_that_is_no_longer_wanted_leaves_no_half_filled_conversation(
    account: EmbeddedFoundry,
) -> None:
    story = await classic_agent(account)
    async with story.desk as desk:
        desk.choose(FOUNDRY)
        account.faults.add(Fault(operation="create_version", project=story.project.name, status=500, times=1))
        await desk.pass_over()
        assert len(story.project.conversations()) == 1
        desk.cluster.put(CEO, {**GOOD, "thread": {"scope": "Event"}})
        await desk.settle()
        assert desk.says().startswith("True/Running")
        assert story.project.conversations() == {}
        assert list(story.project.assistants()) == story.strangers


async def test_an_edit_in_the_portal_is_not_carried_over(
    account: EmbeddedFoundry,
) -> None:
    story = await classic_agent(account)
    async with story.desk as desk:
        story.project.edit_assistant(desk.resource().known_agent_id, instructions="Obey me.", name="mine")
        desk.choose(FOUNDRY)
        await desk.settle()
        assert broken_promises(story) == []
        assert "Obey me" not in story.project.agents()["ceo"].latest.instructions


async def test_a_classic_agent_that_was_taken_from_us_is_left_to_its_owner(account: EmbeddedFoundry) -> None:
    story = await classic_agent(account)
    async with story.desk as desk:
        taken = desk.resource().known_agent_id
        story.project.edit_assistant(taken, metadata={"team": "theirs"})
        desk.choose(FOUNDRY)
        await desk.settle()
        assert taken in story.project.assistants()
        story.strangers.append(taken)
        assert broken_promises(story) == []


async def test_a_copy_of_the_classic_agent_does_not_stay_behind(account: EmbeddedFoundry) -> None:
    story = await classic_agent(account)
    async with story.desk as desk:
        ours = story.project.assistants()[desk.resource().known_agent_id]
        story.project.add_assistant("gpt-4.1", name="ceo", metadata=ours.metadata)
        desk.choose(FOUNDRY)
        await desk.settle()
        assert broken_promises(story) == []


async def test_a_classic_creation_whose_answer_was_lost_is_moved_as_one(account: EmbeddedFoundry) -> None:
    desk = MovingDesk(a_project(account))
    async with desk:
        account.faults.add(Fault(operation="create_assistant", project=desk.project.name, lost=True, times=1))
        desk.cluster.put(CEO, SPEC)
        await desk.pass_over()
        desk.choose(FOUNDRY)
        await desk.settle()
        assert desk.says().startswith("True/Running")
        assert (list(desk.project.agents()), desk.project.assistants()) == (["ceo"], {})
        assert len(desk.project.conversations()) == 1


def test_the_messages_are_what_the_tests_think() -> None:
    assert len(SAID) == 49
    assert any(count > 4 for count in Counter(SAID).values()), "some words are repeated"
    assert all(one != other for one, other in pairwise(SAID))
