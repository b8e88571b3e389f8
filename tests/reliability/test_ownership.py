"""Whose an agent is: what is not ours is never touched, and what is ours is found again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import pytest
from tests.harness.planes import EmbeddedPlane, create_namespace
from tests.harness.planes import embedded_plane as another_plane
from tests.harness.stage import CLUSTER_ID, FINALIZER, MODEL, condition, is_about
from tests.reliability.actions import ANOTHER_PURPOSE, PURPOSE, STRANGER, stamp_of
from tests.reliability.subjects import Subject
from tests.reliability.workbench import Workbench, nothing_changes

from AgentOperatingSystem.model.errors import OwnershipError
from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.model.stamp import STAMP_KEYS, Owner, OwnerKind
from AgentOperatingSystem.reconcile.resource import (
    ADOPT_FROM_ANNOTATION,
    DETACH,
    POLICY_ANNOTATION,
)
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry, Fault

NAME = "ceo"
LIBRARY = Owner(OwnerKind.LIBRARY)


@dataclass(frozen=True)
class Foreign:
    """An agent named NAME that is not the resource's. `says` must be in the message."""

    reason: str
    stamp: Callable[[Owner], dict[str, str]]
    verdict: str
    says: str


FOREIGN = (
    Foreign("somebody made it by other means", lambda _: {}, "AdoptionRequired", "adoptionPolicy"),
    Foreign(
        "it belongs to another cluster",
        lambda ours: stamp_of(replace(ours, cluster="another-cluster"), NAME),
        "OwnershipConflict",
        "another-cluster/",
    ),
    Foreign(
        "it belongs to another namespace",
        lambda ours: stamp_of(replace(ours, namespace="elsewhere"), NAME),
        "OwnershipConflict",
        f"{CLUSTER_ID}/elsewhere/{NAME}",
    ),
    Foreign(
        "it belongs to another resource",
        lambda ours: stamp_of(replace(ours, name="cfo"), NAME),
        "OwnershipConflict",
        "/cfo",
    ),
    Foreign(
        "another agent's stamp was copied onto it by hand",
        lambda ours: stamp_of(replace(ours, name="cfo"), "cfo"),
        "OwnershipConflict",
        "/cfo",
    ),
    Foreign(
        "our own stamp was copied onto it from an agent of another name",
        lambda ours: stamp_of(ours, "cfo"),
        "OwnershipConflict",
        "copied by hand",
    ),
    Foreign("a program made it", lambda _: stamp_of(LIBRARY, NAME), "OwnershipConflict", "library"),
)


@pytest.mark.parametrize("generation", list(RuntimeType))
@pytest.mark.parametrize("policy", ["Delete", "Orphan"])
@pytest.mark.parametrize("foreign", [pytest.param(one, id=one.reason) for one in FOREIGN])
async def test_what_is_not_ours_is_never_touched(
    embedded_plane: EmbeddedPlane,
    projects: EmbeddedFoundry,
    foreign: Foreign,
    policy: str,
    generation: RuntimeType,
) -> None:
    workbench = Workbench(embedded_plane, projects, generation=generation)
    subject = workbench.subject(NAME)
    stamp = foreign.stamp(subject.owner)
    if generation is RuntimeType.FOUNDRY_CLASSIC:
        workbench.project.add_assistant(MODEL, name=NAME, metadata=stamp)
    else:
        workbench.project.add_agent(NAME, MODEL, instructions="As they like it.", metadata=stamp)
    async with workbench:
        with nothing_changes(workbench.project):
            for spec in ({}, {"purpose": ANOTHER_PURPOSE}, {"enabled": False}, {"enabled": True}):
                subject.put({**spec, "deletionPolicy": policy})
                await workbench.settle(subject)
                says_why(subject, foreign.verdict, foreign.says)
            subject.delete()
            await workbench.settle(subject)
            assert subject.read() is None
    assert workbench.project.conversations() == {}
    assert workbench.project.threads() == {}


async def test_the_two_words_of_ownership_do_not_cross(workbench: Workbench) -> None:
    workbench.project.add_agent("stamped", MODEL, metadata=stamp_of(STRANGER, "stamped"))
    workbench.project.add_agent("unstamped", MODEL)
    async with workbench:
        with nothing_changes(workbench.project):
            unowned = await workbench.put("stamped", adoptionPolicy="AdoptUnowned")
            taking = await workbench.put("unstamped", {ADOPT_FROM_ANNOTATION: str(STRANGER)})
    says_why(unowned, "OwnershipConflict", str(STRANGER))
    says_why(taking, "AdoptionRequired", "AdoptUnowned")


@pytest.mark.parametrize("former", [STRANGER, LIBRARY], ids=str)
async def test_a_takeover_happens_once_though_the_wish_stays_in_git(
    workbench: Workbench, former: Owner
) -> None:
    workbench.project.add_agent(NAME, MODEL, metadata=stamp_of(former, NAME))
    async with workbench:
        subject = await workbench.put(NAME, {ADOPT_FROM_ANNOTATION: str(former)})
        assert len(workbench.project.agents()[NAME].versions) == 2
        assert is_about(subject.item, "Running")

        workbench.project.edit_agent(NAME, metadata=stamp_of(former, NAME))
        with nothing_changes(workbench.project):
            await workbench.settle(subject)
            says_why(subject, "OwnershipConflict", str(former))
            await workbench.restart()
            await workbench.settle(subject)


async def test_a_takeover_from_somebody_else_takes_nothing(workbench: Workbench) -> None:
    workbench.project.add_agent(NAME, MODEL, metadata=stamp_of(STRANGER, NAME))
    async with workbench:
        with nothing_changes(workbench.project):
            subject = await workbench.put(NAME, {ADOPT_FROM_ANNOTATION: "another-cluster/elsewhere/them"})
            says_why(subject, "OwnershipConflict", str(STRANGER))
            subject.annotate({ADOPT_FROM_ANNOTATION: "them"})
            await workbench.settle(subject)
            says_why(subject, "SpecRejected", "cluster/namespace/name")


async def test_an_agent_that_is_taken_from_us_is_let_go(workbench: Workbench) -> None:
    async with workbench:
        subject = await workbench.put(NAME)
        workbench.project.edit_agent(NAME, metadata=stamp_of(STRANGER, NAME))
        with nothing_changes(workbench.project):
            await workbench.settle(subject)
            says_why(subject, "OwnershipConflict", str(STRANGER))
            subject.delete()
            await workbench.settle(subject)
            assert subject.read() is None
    assert workbench.project.conversations() == {}


async def test_of_two_resources_for_one_agent_the_first_owns_it_and_the_second_follows(
    workbench: Workbench,
) -> None:
    async with workbench:
        first = await workbench.put("first", agentId="shared")
        with nothing_changes(workbench.project):
            second = await workbench.put("second", agentId="shared")
            says_why(second, "OwnershipConflict", "/first")
            await workbench.settle(first, second)
            assert is_about(first.item, "Running")
        before = set(workbench.project.conversations())
        first.delete()
        await workbench.settle(first, second)
        assert is_about(second.item, "Running")
        assert workbench.project.agents()["shared"].metadata["aos_name"] == "second"
        assert len(workbench.project.agents()["shared"].versions) == 1
        assert len(set(workbench.project.conversations()) - before) == 1
        assert len(workbench.project.conversations()) == 1


async def test_a_program_may_not_write_what_a_resource_owns(workbench: Workbench) -> None:
    async with workbench:
        await workbench.put(NAME)
        with nothing_changes(workbench.project):
            with pytest.raises(OwnershipError, match=f"/{NAME}"):
                await workbench.runtime.deploy_agent(NAME, "Another purpose")
            with pytest.raises(OwnershipError, match=f"/{NAME}"):
                await workbench.runtime.undeploy_agent(NAME)


async def test_a_resource_restored_with_another_uid_finds_its_agent_and_its_thread(
    workbench: Workbench,
) -> None:
    async with workbench:
        subject = await workbench.put(NAME)
        before = subject.item
        subject.patch({"metadata": {"finalizers": None}})
        subject.delete()
        with nothing_changes(workbench.project):
            subject.put({}, before["metadata"]["annotations"])
            await workbench.settle(subject)
        after = subject.item
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["status"]["runtime"] == before["status"]["runtime"]
    assert list(workbench.project.conversations()) == [after["status"]["runtime"]["threadId"]]


async def test_a_cluster_rebuilt_from_git_finds_its_agents_and_another_one_does_not(
    workbench: Workbench, projects: EmbeddedFoundry
) -> None:
    async with workbench:
        subject = await workbench.put(NAME)
        thread = subject.item["status"]["runtime"]["threadId"]
    with another_plane() as plane:
        create_namespace(plane, workbench.namespace)
        rebuild = partial(
            Workbench, plane, projects, namespace=workbench.namespace, project=workbench.project.name
        )
        with nothing_changes(workbench.project):
            async with rebuild() as rebuilt:
                again = await rebuilt.put(NAME)
                assert is_about(again.item, "Running")
            await _forget(again)
            async with rebuild(cluster_id="other-cluster") as other:
                says_why(await other.put(NAME), "OwnershipConflict", f"{CLUSTER_ID}/")
    # Git does not know the old thread, and the service cannot be asked for it: it is the one that is left.
    assert set(workbench.project.conversations()) - {thread}


async def test_another_project_is_never_a_silent_second_agent(
    workbench: Workbench, projects: EmbeddedFoundry
) -> None:
    elsewhere = projects.project(f"{workbench.project.name}-moved")
    async with workbench:
        subject = await workbench.put(NAME)
        await workbench.restart(project_endpoint=elsewhere.endpoint)
        await workbench.settle(subject)
        says_why(subject, "RuntimeMoved", workbench.project.endpoint)
        subject.delete()
        await workbench.settle(subject)
        assert subject.item["metadata"]["finalizers"] == [FINALIZER]
        says_why(subject, "RuntimeMoved", elsewhere.endpoint)
        assert elsewhere.agents() == {}
        assert NAME in workbench.project.agents()

        await workbench.restart(project_endpoint=workbench.project.endpoint)
        await workbench.settle(subject)
    assert subject.read() is None
    assert workbench.project.agents() == {}
    assert workbench.project.conversations() == {}


@pytest.mark.parametrize("gone", ["moved", "unset", "silent", "refusing"])
async def test_detached_from_a_runtime_that_is_gone_for_good_the_resource_goes(
    workbench: Workbench, projects: EmbeddedFoundry, gone: str
) -> None:
    async with workbench:
        subject = await workbench.put(NAME)
        match gone:
            case "moved":
                elsewhere = projects.project(f"{workbench.project.name}-moved").endpoint
                await workbench.restart(project_endpoint=elsewhere)
            case "unset":
                await workbench.restart(project_endpoint=None)
            case "silent":
                projects.faults.add(Fault(project=workbench.project.name, drop=True, name="for good"))
            case "refusing":
                projects.faults.add(Fault(project=workbench.project.name, status=403, name="for good"))
        subject.delete()
        for _ in range(3):
            await workbench.pass_over(subject)
        assert subject.item["metadata"]["finalizers"] == [FINALIZER], "without proof it stays"

        subject.annotate({POLICY_ANNOTATION: DETACH})
        await workbench.settle(subject)
    assert subject.read() is None
    assert "Detached" in subject.see().events
    assert len(workbench.project.agents()[NAME].versions) == 1


async def test_the_newest_versions_are_kept_and_never_one_that_is_not_ours(workbench: Workbench) -> None:
    workbench.project.add_agent(NAME, MODEL, metadata=stamp_of(STRANGER, NAME))
    limited = {"versionHistoryLimit": 3}
    async with workbench:
        subject = workbench.subject(NAME)
        subject.put(limited, {ADOPT_FROM_ANNOTATION: str(STRANGER)})
        await workbench.settle(subject)
        for number in range(5):
            subject.put({**limited, "purpose": f"{PURPOSE} {number}"})
            await workbench.settle(subject)
        agent = workbench.project.agents()[NAME]
        assert [version.number for version in agent.versions] == [1, 5, 6, 7]
        assert subject.item["status"]["runtime"]["version"] == "7"
        subject.put({"versionHistoryLimit": 1, "purpose": PURPOSE})
        await workbench.settle(subject)
    assert [version.number for version in workbench.project.agents()[NAME].versions] == [1, 8]


async def test_a_released_agent_bears_nothing_of_ours(workbench: Workbench) -> None:
    async with workbench:
        subject = await workbench.put(NAME, deletionPolicy="Orphan", runtimeMetadata={"team": "board"})
        subject.delete()
        await workbench.settle(subject)
        left = workbench.project.agents()[NAME]
        assert left.metadata == {"team": "board"}
        assert not STAMP_KEYS & left.metadata.keys()
        again = await workbench.put(NAME)
        says_why(again, "AdoptionRequired", NAME)


def says_why(subject: Subject, reason: str, words: str) -> None:
    """The resource says that it is not Ready, for that reason, in these words, and that trying is no use."""
    item = subject.item
    ready = condition(item, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", reason)
    assert words in ready["message"]
    assert condition(item, "Stalled")["reason"] == reason


async def _forget(subject: Subject) -> None:
    """The resource is gone without the operator's having been asked."""
    subject.patch({"metadata": {"finalizers": None}})
    subject.delete()
