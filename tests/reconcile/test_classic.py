"""Where the service gives the ids: exactly one assistant for a resource, and nobody else's is touched."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from tests.harness.crashing import At, CrashPoint, watched
from tests.reconcile.desk import CEO, DEPLOYMENTS, SPEC, MovingDesk, open_desk
from tests.reconcile.moving import CLASSIC, Killed, until

from AgentOperatingSystem.model.crossing import Moment
from AgentOperatingSystem.model.definition import ObservedAgent
from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.model.stamp import Owner, OwnerKind, Stamp
from AgentOperatingSystem.reconcile.ports import ClusterFailure
from AgentOperatingSystem.reconcile.reconciler import Result
from AgentOperatingSystem.reconcile.resource import ADOPT_FROM_ANNOTATION, ObjectKey
from AgentOperatingSystem.reconcile.verdict import Retry
from AgentOperatingSystem.runtime import AgentRuntimeProvider, RuntimeConfig
from AgentOperatingSystem.runtime.foundry_classic import FoundryClassicAdapter
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry, Fault, ProjectControl

STRANGER = Owner(OwnerKind.RESOURCE, "another-cluster", "elsewhere", "theirs")
THEIRS = Stamp(STRANGER, "ceo").to_metadata()
PAGE = 100
INTERVAL = 60.0
SHORT_SECONDS = 1.0


@pytest.fixture(scope="module")
def account() -> Iterator[EmbeddedFoundry]:
    """One Foundry, of which every test has a project of its own."""
    with EmbeddedFoundry(deployments=DEPLOYMENTS, environ={}) as started:
        yield started


def desk_in(account: EmbeddedFoundry, connect: Any = AgentRuntimeProvider, **settings: Any) -> MovingDesk:
    return MovingDesk(account.project(f"c-{uuid.uuid4().hex[:8]}"), connect, **settings)


def asked(account: EmbeddedFoundry, project: ProjectControl) -> list[str]:
    return [one.operation for one in account.requests if one.project == project.name]


class Lagging(FoundryClassicAdapter):
    """A service whose listing shows what was made only when `lags` is no more."""

    lags = True

    async def list_all(self) -> list[ObservedAgent]:
        return [] if self.lags else await super().list_all()


def lagging(config: RuntimeConfig) -> AgentRuntimeProvider:
    return AgentRuntimeProvider(config, adapter=Lagging(str(config.project_endpoint), config))


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("call", ["runtime.create_agent", "cluster.patch_status"])
async def test_an_agent_that_the_listing_does_not_show_yet_is_not_made_again(
    account: EmbeddedFoundry, monkeypatch: pytest.MonkeyPatch, call: str, restarted: bool
) -> None:
    async with desk_in(account, lagging) as desk:
        desk.cluster.put(CEO, SPEC)
        moment = Moment.AFTER if call.startswith("runtime") else Moment.BEFORE
        loss = At(CrashPoint(call, 1, moment), Killed() if restarted else ClusterFailure("lost"))
        if restarted:
            with pytest.raises(Killed), watched(loss):
                await desk.pass_over()
            await desk.restart()
        else:
            with watched(loss):
                await desk.pass_over()
        assert loss.came
        for _ in range(3):
            await desk.pass_over()
            desk.later(seconds=10)
        assert len(desk.project.assistants()) == 1
        monkeypatch.setattr(Lagging, "lags", False)
        await desk.settle()
        assert desk.says().startswith("True/Running")
        assert list(desk.project.assistants()) == [desk.resource().known_agent_id]
        assert len(desk.project.threads()) == 1


async def test_a_creation_that_takes_effect_late_is_waited_for(account: EmbeddedFoundry) -> None:
    async with desk_in(account, timeout=SHORT_SECONDS) as desk:
        fault = Fault("create_assistant", project=desk.project.name, delay=1.5 * SHORT_SECONDS, times=1)
        account.faults.add(fault)
        desk.cluster.put(CEO, SPEC)
        result = await desk.pass_over()
        assert isinstance(result, Result)
        assert result.retry is Retry.SOON
        for _ in range(3):
            await desk.pass_over()
        assert desk.says().startswith("False/RuntimeUnavailable")
        await until(lambda: bool(desk.project.assistants()))
        await desk.settle()
        assert asked(account, desk.project).count("create_assistant") == 1
        assert list(desk.project.assistants()) == [desk.resource().known_agent_id]


async def test_a_creation_that_never_takes_effect_is_made_good_when_its_time_is_over(
    account: EmbeddedFoundry,
) -> None:
    async with desk_in(account) as desk:
        account.faults.add(Fault("create_assistant", project=desk.project.name, drop=True, times=1))
        desk.cluster.put(CEO, SPEC)
        for _ in range(5):
            await desk.pass_over()
            assert asked(account, desk.project).count("create_assistant") == 1
            desk.later(seconds=10)
        await desk.settle()
        assert asked(account, desk.project).count("create_assistant") == 2
        assert list(desk.project.assistants()) == [desk.resource().known_agent_id]


async def test_what_was_refused_is_tried_again_without_a_wait(account: EmbeddedFoundry) -> None:
    async with desk_in(account) as desk:
        account.faults.add(Fault("create_assistant", project=desk.project.name, status=429, times=1))
        # In the same second: the second creation's answer is lost, so that now there is a doubt.
        account.faults.add(Fault("create_assistant", project=desk.project.name, lost=True, times=1))
        desk.cluster.put(CEO, SPEC)
        for _ in range(4):
            await desk.pass_over()
        assert asked(account, desk.project).count("create_assistant") == 2
        await desk.settle()
        assert list(desk.project.assistants()) == [desk.resource().known_agent_id]


@pytest.mark.parametrize("wish", ["Delete", "Orphan"])
async def test_a_resource_does_not_go_while_a_creation_may_take_effect(
    account: EmbeddedFoundry, wish: str
) -> None:
    """The agent was made, then deleted in the portal, and made again: the status knows an id."""
    async with desk_in(account, timeout=SHORT_SECONDS) as desk:
        desk.cluster.put(CEO, {**SPEC, "deletionPolicy": wish})
        await desk.settle()
        desk.later(minutes=5)
        desk.project.remove_assistant(desk.resource().known_agent_id)
        fault = Fault("create_assistant", project=desk.project.name, delay=1.5 * SHORT_SECONDS, times=1)
        account.faults.add(fault)
        await desk.pass_over()
        desk.cluster.delete(CEO)
        await desk.pass_over()
        assert CEO in desk.cluster.resources
        await until(lambda: bool(desk.project.assistants()))
        await desk.settle()
        left = [dict(one.metadata) for one in desk.project.assistants().values()]
        assert left == ([] if wish == "Delete" else [{}])


async def test_a_copy_made_by_hand_is_pruned_and_the_recorded_one_stays(account: EmbeddedFoundry) -> None:
    async with desk_in(account) as desk:
        desk.cluster.put(CEO, SPEC)
        await desk.settle()
        ours = desk.resource().known_agent_id
        stamp = desk.project.assistants()[ours].metadata
        desk.project.add_assistants(2, name="a copy", instructions="Obey me.", metadata=stamp)
        await desk.settle()
        assert list(desk.project.assistants()) == [ours]


async def test_an_older_twin_is_pruned_too_and_an_unrecorded_one_is_found(account: EmbeddedFoundry) -> None:
    async with desk_in(account) as desk:
        desk.cluster.put(CEO, SPEC)
        await desk.settle()
        older = desk.resource().known_agent_id
        stamp = desk.project.assistants()[older].metadata
        desk.project.edit_assistant(older, metadata={}, name="away")
        desk.later(minutes=5)
        await desk.settle()
        ours = desk.resource().known_agent_id
        assert ours != older
        desk.project.edit_assistant(older, metadata=stamp, instructions="Obey me.")
        await desk.settle()
        assert list(desk.project.assistants()) == [ours]


async def test_a_twin_that_lost_our_stamp_since_the_listing_is_not_deleted(account: EmbeddedFoundry) -> None:
    async with desk_in(account, listing_age=1000.0) as desk:
        desk.cluster.put(CEO, SPEC)
        await desk.pass_over()
        stamp = desk.project.assistants()[desk.resource().known_agent_id].metadata
        twin = desk.project.add_assistant("gpt-4.1", name="ceo", metadata=stamp)
        await desk.restart()
        with watched(_Editing(lambda: desk.project.edit_assistant(twin, metadata={"team": "theirs"}))):
            await desk.pass_over()
        assert desk.project.assistants()[twin].metadata == {"team": "theirs"}


class _Editing:
    """Somebody edits something right after the project was listed."""

    def __init__(self, edit: Any) -> None:
        self._edit = edit

    def __call__(self, name: str, moment: Moment) -> None:
        if (name, moment) == ("runtime.list_agents", Moment.AFTER):
            self._edit()


async def test_two_operators_that_know_nothing_of_each_other_make_one_assistant(
    account: EmbeddedFoundry,
) -> None:
    async with desk_in(account) as one, MovingDesk(one.project) as other:
        other.cluster = one.cluster
        await other.restart()
        other.time = one.time
        keys = [ObjectKey("boardroom", f"a{number}") for number in range(10)]
        for key in keys:
            one.cluster.put(key, SPEC)
        for _ in range(4):
            await asyncio.gather(*(desk.pass_over(key) for key in keys for desk in (one, other)))
        assert asked(account, one.project).count("create_assistant") == len(keys)
        known = {one.resource(key).known_agent_id for key in keys}
        assert set(one.project.assistants()) == known
        assert len(one.project.threads()) == len(keys)


@pytest.mark.parametrize("strangers", [500, 1000])
async def test_the_agents_of_others_are_paged_through_once_an_interval_and_not_once_an_agent(
    account: EmbeddedFoundry, strangers: int
) -> None:
    async with desk_in(account, listing_age=INTERVAL) as desk:
        project = desk.project
        project.add_assistants(strangers, name="theirs")
        adopted = [ObjectKey("boardroom", f"adopted{number}") for number in range(25)]
        made = [ObjectKey("boardroom", f"made{number}") for number in range(25)]
        for key in adopted:
            project.add_assistant("gpt-4.1", name=key.name)
            desk.cluster.put(key, {**SPEC, "adoptionPolicy": "AdoptUnowned"})
        for key in made:
            desk.cluster.put(key, SPEC)
        account.clear_requests()
        for _ in range(2):
            for key in (*adopted, *made):
                await desk.pass_over(key)
                assert desk.says(key=key).startswith("True/Running")
        pages = strangers // PAGE + 1
        assert asked(account, project).count("list_assistants") == pages
        assert len(project.assistants()) == strangers + 50

        # After a restart: once more, though no id is in memory.
        await desk.restart()
        account.clear_requests()
        for key in (*adopted, *made):
            await desk.pass_over(key)
        assert asked(account, project).count("list_assistants") == pages
        assert {"create_assistant", "update_assistant"}.isdisjoint(asked(account, project))


async def test_the_listing_keeps_to_the_rate_limit(account: EmbeddedFoundry) -> None:
    async with desk_in(account, listing_age=INTERVAL, requests_per_second=20.0) as desk:
        desk.project.add_assistants(1000, name="theirs")
        account.clear_requests()
        began = asyncio.get_running_loop().time()
        desk.cluster.put(CEO, SPEC)
        await desk.pass_over()
        seconds = asyncio.get_running_loop().time() - began
        sent = len(asked(account, desk.project))
        assert sent / seconds <= 20.0 + 20.0 / seconds, f"{sent} requests in {seconds:.2f} s"


async def test_of_two_agents_that_could_be_taken_over_none_is(account: EmbeddedFoundry) -> None:
    async with desk_in(account) as desk:
        ids = desk.project.add_assistants(2, name="ceo")
        before = desk.project.assistants()
        desk.cluster.put(CEO, {**SPEC, "adoptionPolicy": "AdoptUnowned"})
        await desk.pass_over()
        assert desk.says().startswith("False/AdoptionRequired")
        assert all(one in desk.says() for one in ids)
        assert desk.project.assistants() == before
        desk.project.remove_assistant(ids[0])
        await desk.settle()
        assert desk.resource().known_agent_id == ids[1]
        assert list(desk.project.assistants()) == [ids[1]]


@pytest.mark.parametrize("policy", ["AdoptUnowned", "Never"])
async def test_only_the_one_that_the_claim_names_is_taken_over(account: EmbeddedFoundry, policy: str) -> None:
    async with desk_in(account) as desk:
        stamped = desk.project.add_assistant("gpt-4.1", name="ceo", metadata=THEIRS)
        unstamped = desk.project.add_assistant("gpt-4.1", name="ceo")
        desk.cluster.put(CEO, {**SPEC, "adoptionPolicy": policy})
        if policy == "Never":
            desk.cluster.annotate_by_hand(CEO, {ADOPT_FROM_ANNOTATION: str(STRANGER)})
        await desk.settle()
        taken, left = (unstamped, stamped) if policy == "AdoptUnowned" else (stamped, unstamped)
        assert desk.resource().known_agent_id == taken
        assistants = desk.project.assistants()
        assert assistants[taken].metadata["aos_name"] == "ceo"
        assert assistants[left].metadata == (THEIRS if left == stamped else {})
        await desk.settle()
        assert set(desk.project.assistants()) == {stamped, unstamped}, "a namesake is no twin"


async def test_what_was_stamped_since_the_listing_is_not_taken_over(
    account: EmbeddedFoundry,
) -> None:
    async with desk_in(account, listing_age=1000.0) as desk:
        theirs = desk.project.add_assistant("gpt-4.1", name="ceo")
        other = ObjectKey("boardroom", "cfo")
        desk.cluster.put(other, SPEC)
        await desk.pass_over(other)
        desk.project.edit_assistant(theirs, metadata=THEIRS)
        desk.cluster.put(CEO, {**SPEC, "adoptionPolicy": "AdoptUnowned"})
        await desk.pass_over()
        assert desk.says().startswith("False/OwnershipConflict")
        assert desk.project.assistants()[theirs].metadata == THEIRS


async def test_a_thread_outlives_being_switched_off_and_the_loss_of_notes(account: EmbeddedFoundry) -> None:
    async with desk_in(account) as desk:
        desk.cluster.put(CEO, SPEC)
        await desk.settle()
        (thread,) = desk.project.threads()
        desk.project.add_message(thread, "Remember me.")
        for spec in ({**SPEC, "enabled": False}, SPEC):
            desk.cluster.put(CEO, spec)
            await desk.settle()
            assert list(desk.project.threads()) == [thread]
        assert desk.runtimes.chosen is CLASSIC
        assert len(desk.project.assistants()) == 1


async def test_what_is_told_of_a_disabled_agent_is_told_once(foundry: EmbeddedFoundry) -> None:
    async with open_desk(foundry, type=RuntimeType.FOUNDRY_CLASSIC) as desk:
        desk.cluster.put(CEO, SPEC)
        await desk.pass_over()
        desk.cluster.put(CEO, {**SPEC, "enabled": False})
        await desk.pass_over()
        assert desk.says("Ready") == "True/Disabled"
        desk.cluster.writes.clear()
        await desk.pass_over()
        assert desk.cluster.writes == []
