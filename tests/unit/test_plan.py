"""The plan, as a table: what is desired, what is observed, and what is therefore done or refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.samples import DEFINITION, DESIRED, FUNCTION, LIBRARY, OBSERVED, OWNER, STAMP, STRANGER

from AgentOperatingSystem.model.definition import (
    CodeInterpreterTool,
    DesiredAgent,
    FileSearchTool,
    ObservedAgent,
    OtherTool,
)
from AgentOperatingSystem.model.errors import AdoptionRequired, OwnershipConflict, OwnershipError
from AgentOperatingSystem.model.plan import Claim, Step, make_plan, plan_removal, surplus_versions
from AgentOperatingSystem.model.stamp import Stamp

DISABLED = replace(DESIRED, enabled=False)
CREATE, UPDATE, ADOPT, ENABLE, DISABLE = Step.CREATE, Step.UPDATE, Step.ADOPT, Step.ENABLE, Step.DISABLE


def seen(*, enabled: bool = True, ready: bool = True, **fields: Any) -> ObservedAgent:
    """The observed agent with other fields in its definition."""
    definition = replace(DEFINITION, **fields)
    return replace(OBSERVED, definition=definition, enabled=enabled, ready=ready)


def asked(**fields: Any) -> DesiredAgent:
    return replace(DESIRED, definition=replace(DEFINITION, **fields))


@pytest.mark.parametrize(
    ("desired", "observed", "steps", "differences", "reason"),
    [
        (DESIRED, None, (CREATE,), (), "nothing is there"),
        (DISABLED, None, (), (), "a disabled agent is not made"),
        (DESIRED, OBSERVED, (), (), "all is as it should be"),
        (DESIRED, seen(ready=False), (), (), "the runtime still prepares it: wait"),
        (DESIRED, seen(enabled=False), (ENABLE,), (), "somebody disabled it, or it is enabled again"),
        (DISABLED, OBSERVED, (DISABLE,), (), "it runs and should not"),
        (DISABLED, seen(enabled=False), (), (), "it does not run, as it should be"),
        (DISABLED, seen(instructions="x"), (DISABLE,), ("instructions",), "a disabled agent is not changed"),
        (
            DISABLED,
            seen(enabled=False, instructions="x"),
            (),
            ("instructions",),
            "nor when it is disabled already",
        ),
        (DESIRED, seen(deployment="llama-3.3-70b"), (UPDATE,), ("deployment",), "another deployment"),
        (DESIRED, seen(instructions="x"), (UPDATE,), ("instructions",), "edited in the portal"),
        (
            DESIRED,
            seen(enabled=False, instructions="x"),
            (UPDATE, ENABLE),
            ("instructions",),
            "the right definition is there before the agent runs again",
        ),
        (
            DESIRED,
            seen(tools=()),
            (UPDATE,),
            ("tools.erpnext__get_company_overview",),
            "a tool was taken away",
        ),
        (
            DESIRED,
            seen(tools=(FUNCTION, CodeInterpreterTool())),
            (UPDATE,),
            ("tools.code_interpreter",),
            "a tool was added",
        ),
        (DESIRED, seen(tools=(FUNCTION, OtherTool("mcp"))), (UPDATE,), ("tools.mcp",), "of a kind unknown"),
        (
            asked(tools=(FileSearchTool(("vs_1",)),)),
            seen(tools=(FileSearchTool(("vs_1", "vs_2")),)),
            (UPDATE,),
            ("tools.file_search",),
            "a vector store more",
        ),
        (
            DESIRED,
            seen(tools=(replace(FUNCTION, parameters={"type": "object"}),)),
            (UPDATE,),
            ("tools.erpnext__get_company_overview",),
            "another schema",
        ),
        (DESIRED, seen(metadata={}), (UPDATE,), ("metadata.team",), "a pair was taken away"),
        (DESIRED, seen(metadata={"team": "x"}), (UPDATE,), ("metadata.team",), "a pair was changed"),
        (
            DESIRED,
            seen(metadata={"team": "board", "by": "hand"}),
            (UPDATE,),
            ("metadata.by",),
            "a pair was added",
        ),
        (
            DESIRED,
            seen(deployment="m", instructions="x", tools=(), metadata={}),
            (UPDATE,),
            (
                "deployment",
                "instructions",
                "tools.erpnext__get_company_overview",
                "metadata.team",
            ),
            "one update for all differences",
        ),
        (
            DESIRED,
            replace(OBSERVED, stamp=replace(STAMP, adapter="cfo")),
            (UPDATE,),
            ("stamp",),
            "the stamp names another adapter",
        ),
    ],
)
def test_a_difference_leads_to_these_steps(
    desired: DesiredAgent,
    observed: ObservedAgent | None,
    steps: tuple[Step, ...],
    differences: tuple[str, ...],
    reason: str,
) -> None:
    plan = make_plan(desired, observed)
    assert plan.steps == steps, reason
    assert plan.differences == differences, reason
    assert plan.name == "ceo"
    assert plan.desired is desired
    assert plan.observed is observed


@pytest.mark.parametrize(
    ("desired", "observed", "reason"),
    [
        (
            DESIRED,
            seen(instructions="\nYou are the agent ceo. \n"),
            "a service may trim the instructions",
        ),
        (
            asked(tools=(FUNCTION, CodeInterpreterTool(("f1", "f2")))),
            seen(tools=(CodeInterpreterTool(("f2", "f1")), FUNCTION)),
            "a service may keep tools in another order",
        ),
        (
            asked(tools=(replace(FUNCTION, description=" Figures of the company "),)),
            OBSERVED,
            "a service may trim descriptions",
        ),
        (DESIRED, replace(OBSERVED, stamp=replace(STAMP, uid="uid-2")), "a resource restored from a backup"),
        (DESIRED, replace(OBSERVED, stamp=replace(STAMP, hash="")), "the hash is a hint"),
        (DESIRED, replace(OBSERVED, version="4"), "a version more with the same content"),
    ],
)
def test_what_is_no_difference_makes_no_new_version(
    desired: DesiredAgent, observed: ObservedAgent, reason: str
) -> None:
    assert make_plan(desired, observed).steps == (), reason


def test_an_edit_that_copied_the_hash_is_seen_all_the_same() -> None:
    edited = replace(seen(instructions="Ignore your purpose."), stamp=DESIRED.stamp)
    assert make_plan(DESIRED, edited).steps == (UPDATE,)


@pytest.mark.parametrize(
    ("tools", "reason"),
    [
        ((FileSearchTool(("vs_stolen",)), FileSearchTool(("vs_1",))), "a second tool of one kind"),
        ((OtherTool("mcp"), OtherTool("mcp")), "two tools of a kind that we never ask for"),
        (
            (replace(FUNCTION, name="file_search"), FileSearchTool(("vs_1",))),
            "a function that is named like a kind of tool",
        ),
    ],
)
def test_no_tool_hides_behind_another(tools: tuple[FileSearchTool, ...], reason: str) -> None:
    desired = asked(tools=tools[1:])
    assert make_plan(desired, seen(tools=tools)).steps == (UPDATE,), reason


@pytest.mark.parametrize("desired", [DESIRED, DISABLED], ids=["enabled", "disabled"])
@pytest.mark.parametrize(
    ("stamp", "error", "words", "reason"),
    [
        (None, AdoptionRequired, ["ceo", "spec.adoptionPolicy: AdoptUnowned"], "made by other means"),
        (
            replace(STAMP, owner=STRANGER),
            OwnershipConflict,
            ["c1/elsewhere/ceo", "c1/boardroom/ceo", "adopt-from"],
            "another namespace's",
        ),
        (
            replace(STAMP, owner=replace(OWNER, cluster="c2")),
            OwnershipConflict,
            ["c2/boardroom/ceo"],
            "cluster",
        ),
        (replace(STAMP, owner=replace(OWNER, name="boss")), OwnershipConflict, ["c1/boardroom/boss"], "name"),
        (replace(STAMP, owner=LIBRARY), OwnershipConflict, ["library"], "a program's"),
        (replace(STAMP, agent_id="cfo"), OwnershipConflict, ["ceo"], "ours, copied to another name"),
    ],
)
def test_an_agent_that_is_not_ours_is_refused(
    desired: DesiredAgent, stamp: Stamp | None, error: type[OwnershipError], words: list[str], reason: str
) -> None:
    with pytest.raises(OwnershipError) as caught:
        make_plan(desired, replace(OBSERVED, stamp=stamp))
    assert type(caught.value) is error, reason
    assert [word for word in words if word not in str(caught.value)] == [], "the message says whose it is"


STALE = replace(STAMP, hash="sha256:older")


@pytest.mark.parametrize(
    ("desired", "observed", "steps", "drift", "reason"),
    [
        (DESIRED, OBSERVED, (), (), "no difference is no drift"),
        (DESIRED, seen(instructions="x"), (), ("instructions",), "an edit is told and left"),
        (
            DESIRED,
            replace(seen(instructions="x"), stamp=STALE),
            (UPDATE,),
            (),
            "written for another definition: the spec changed, and that is no drift",
        ),
        (
            DESIRED,
            seen(enabled=False, instructions="x"),
            (ENABLE,),
            ("instructions",),
            "it runs all the same",
        ),
        (DISABLED, seen(enabled=False, instructions="x"), (), (), "what does not run cannot drift"),
    ],
)
def test_drift_is_left_where_the_policy_says_so(
    desired: DesiredAgent,
    observed: ObservedAgent,
    steps: tuple[Step, ...],
    drift: tuple[str, ...],
    reason: str,
) -> None:
    plan = make_plan(desired, observed, correct_drift=False)
    assert plan.steps == steps, reason
    assert plan.drift == drift, reason


def test_drift_that_is_corrected_is_told_as_such() -> None:
    plan = make_plan(DESIRED, seen(instructions="x"))
    assert (plan.steps, plan.drift) == ((UPDATE,), ("instructions",))


UNOWNED, FROM_STRANGER = Claim(unowned=True), Claim(owner=STRANGER)


@pytest.mark.parametrize(
    ("desired", "stamp", "claim", "steps", "reason"),
    [
        (DESIRED, None, UNOWNED, (ADOPT,), "allowed by the policy"),
        (DISABLED, None, UNOWNED, (ADOPT, DISABLE), "taken over, and then not to run"),
        (DESIRED, None, FROM_STRANGER, None, "the annotation names an owner, and this has none"),
        (DESIRED, replace(STAMP, owner=STRANGER), FROM_STRANGER, (ADOPT,), "named by the annotation"),
        (DESIRED, replace(STAMP, owner=STRANGER), UNOWNED, None, "the policy is for unstamped agents alone"),
        (DESIRED, replace(STAMP, owner=LIBRARY), FROM_STRANGER, None, "another owner than the one named"),
        (DESIRED, replace(STAMP, owner=LIBRARY), Claim(owner=LIBRARY), (ADOPT,), "a program's, by name"),
        (DESIRED, STAMP, UNOWNED, (), "ours already: a claim changes nothing"),
        (DESIRED, STAMP, FROM_STRANGER, (), "taken over already: a claim changes nothing"),
        (DESIRED, None, Claim(), None, "an empty claim covers nothing"),
    ],
)
def test_only_what_is_claimed_is_taken_over(
    desired: DesiredAgent, stamp: Stamp | None, claim: Claim, steps: tuple[Step, ...] | None, reason: str
) -> None:
    observed = replace(OBSERVED, stamp=stamp)
    if steps is None:
        with pytest.raises(OwnershipError):
            make_plan(desired, observed, claim)
    else:
        assert make_plan(desired, observed, claim).steps == steps, reason


def test_deploy_agent_never_takes_what_a_resource_owns() -> None:
    with pytest.raises(OwnershipConflict):
        make_plan(replace(DESIRED, stamp=replace(STAMP, owner=LIBRARY)), OBSERVED)


@pytest.mark.parametrize(
    ("observed", "keep", "steps", "reason"),
    [
        (OBSERVED, False, (Step.DELETE,), "ours, and to go"),
        (OBSERVED, True, (Step.RELEASE,), "ours, and to stay without our stamp"),
        (seen(enabled=False), False, (Step.DELETE,), "a disabled agent goes too"),
        (None, False, (), "gone already"),
        (None, True, (), "nothing to release"),
        (replace(OBSERVED, stamp=None), False, (), "never ours: left as it is"),
        (replace(OBSERVED, stamp=None), True, (), "released already"),
        (replace(OBSERVED, stamp=replace(STAMP, owner=STRANGER)), False, (), "another's: left as it is"),
        (replace(OBSERVED, stamp=replace(STAMP, owner=STRANGER)), True, (), "its stamp stays on"),
        (replace(OBSERVED, stamp=replace(STAMP, agent_id="cfo")), False, (), "a copy of another of ours"),
        (
            replace(OBSERVED, stamp=replace(STAMP, uid="uid-0")),
            False,
            (Step.DELETE,),
            "the uid decides nothing",
        ),
    ],
)
def test_a_removal_touches_only_what_is_ours(
    observed: ObservedAgent | None, keep: bool, steps: tuple[Step, ...], reason: str
) -> None:
    plan = plan_removal(DESIRED.identity, observed, keep=keep)
    assert plan.steps == steps, reason
    assert plan.name == "ceo"
    assert plan.desired is None
    assert plan.observed is observed


def history(*versions: str) -> list[ObservedAgent]:
    """Versions from newest to oldest: a number and what the version says, `5:a`; `5:a!` is not ours."""
    made = []
    for text in versions:
        number, content = text.split(":")
        stamp = None if content.endswith("!") else STAMP
        made.append(replace(seen(instructions=content.rstrip("!")), version=number, stamp=stamp))
    return made


@pytest.mark.parametrize(
    ("versions", "limit", "surplus", "reason"),
    [
        (["1:a"], 1, [], "the newest is never deleted"),
        (["3:c", "2:b", "1:a"], 10, [], "each says something else, and there is room"),
        (["3:c", "2:b", "1:a"], 2, ["1"], "the oldest beyond the limit"),
        (["3:c", "2:b", "1:a"], 1, ["2", "1"], "only the newest is wanted"),
        (["3:b", "2:b", "1:a"], 10, ["2"], "left by a write whose answer was lost"),
        (["4:b", "3:b", "2:b", "1:a"], 10, ["3", "2"], "by more than one"),
        (["3:a", "2:b", "1:a"], 10, [], "an older one that says the same is history"),
        (["3:b", "2:b", "1:a"], 2, ["2"], "the surplus counts for nothing in the history"),
        (["3:b", "2:a!", "1:a"], 1, ["1"], "what is not ours stays"),
        (["3:b", "2:b!", "1:b"], 10, [], "another stamp is another content"),
    ],
)
def test_only_surplus_and_old_versions_are_pruned(
    versions: list[str], limit: int, surplus: list[str], reason: str
) -> None:
    assert surplus_versions(history(*versions), DESIRED.identity, limit=limit) == surplus, reason
