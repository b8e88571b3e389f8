"""A preview tells what a pass would do in the operator's own words, and its files are read right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.unit.samples import ENDPOINT, FACTS, FUNCTION, SPEC, STRANGER, resource

from AgentOperatingSystem.api.crd import purpose_driven_agent_crd
from AgentOperatingSystem.api.v1alpha1 import API_VERSION, KIND
from AgentOperatingSystem.kube.planning import admission
from AgentOperatingSystem.kube.planning.manifests import parse, read_manifests
from AgentOperatingSystem.kube.planning.rendering import Drafted, as_lines, summary
from AgentOperatingSystem.model.definition import CodeInterpreterTool, ObservedAgent, OtherTool
from AgentOperatingSystem.model.errors import NotAuthorized
from AgentOperatingSystem.model.facts import ModelCheck, ModelFinding
from AgentOperatingSystem.model.plan import Step
from AgentOperatingSystem.reconcile.desired import desired_state
from AgentOperatingSystem.reconcile.preview import Change, Preview, preview
from AgentOperatingSystem.reconcile.resource import (
    ADOPT_FROM_ANNOTATION,
    ENDPOINT_ANNOTATION,
    POLICY_ANNOTATION,
    ObjectKey,
)
from AgentOperatingSystem.reconcile.verdict import Reason

OLD = "You are old."
FOUND = ModelFinding(available=True)


@dataclass
class Runtime:
    """Holds one agent or none, and notes what it was asked."""

    observed: ObservedAgent | None = None
    model: ModelFinding = FOUND
    asked: list[str] = field(default_factory=list)

    async def observe(self, name: str, *, fresh: bool) -> ObservedAgent | None:
        assert fresh
        self.asked.append(f"observe {name}")
        return self.observed

    async def find_model(self, deployment: str) -> ModelFinding:
        self.asked.append(f"find_model {deployment}")
        return self.model


def held(**spec: Any) -> ObservedAgent:
    """The agent as a pass over such a spec left it."""
    desired = desired_state(resource({**SPEC, **spec}), FACTS).agent
    return ObservedAgent("ceo", "ceo", "3", desired.definition, desired.stamp, enabled=desired.enabled)


def edited(agent: ObservedAgent, **changes: Any) -> ObservedAgent:
    """The agent after somebody changed it in the runtime."""
    return replace(agent, definition=replace(agent.definition, **changes))


async def previewed(
    runtime: Runtime,
    spec: dict[str, Any],
    *,
    check: ModelCheck = ModelCheck.ENFORCE,
) -> Preview:
    facts = replace(FACTS, model_check=check)
    wanted = {**SPEC, **spec}
    asked = resource(wanted, annotations=wanted.pop("annotations", None))
    return await preview(asked, facts, desired_state(asked, facts), runtime)


TAKE_OVER = {ADOPT_FROM_ANNOTATION: str(STRANGER)}
THEIRS = replace(held(), stamp=replace(held().stamp, owner=STRANGER))

ACTIONS: list[tuple[str, ObservedAgent | None, dict[str, Any], tuple[str, ...], str]] = [
    # reason, observed, spec (and annotations), actions, remark
    ("nothing is there", None, {}, ("Create",), ""),
    ("nothing is there and nothing runs", None, {"enabled": False}, ("Nothing",), "made once it is true"),
    ("all is well", held(), {}, ("Nothing",), ""),
    ("the spec changed", held(), {"purpose": "Lead."}, ("Update",), ""),
    ("somebody edited it", edited(held(), instructions=OLD), {}, ("Update",), "Repairs an edit"),
    (
        "an edit is left",
        edited(held(), instructions=OLD),
        {"driftPolicy": "Report"},
        ("Nothing",),
        "left so by spec.driftPolicy: instructions",
    ),
    ("it is to stop", held(), {"enabled": False}, ("Disable",), ""),
    ("it is to run", held(enabled=False), {}, ("Enable",), ""),
    (
        "it is to run and changed",
        held(enabled=False),
        {"purpose": "Lead."},
        ("Update", "Enable"),
        "",
    ),
    (
        "it is stopped and changed",
        held(enabled=False),
        {"enabled": False, "purpose": "Lead."},
        ("Nothing",),
        "written once it is true: instructions",
    ),
    (
        "nobody owns it",
        replace(held(), stamp=None),
        {"adoptionPolicy": "AdoptUnowned"},
        ("Adopt",),
        "made by other means",
    ),
    (
        "its owner gives it up",
        THEIRS,
        {"annotations": TAKE_OVER},
        ("Adopt",),
        f"Takes over the agent of {STRANGER}",
    ),
    (
        "it is paused",
        None,
        {"annotations": {POLICY_ANNOTATION: "skip"}},
        ("Nothing",),
        "Paused by the annotation",
    ),
]


@pytest.mark.parametrize(("reason", "observed", "spec", "actions", "remark"), ACTIONS)
async def test_the_actions_are_those_of_a_pass(
    reason: str,
    observed: ObservedAgent | None,
    spec: dict[str, Any],
    actions: tuple[str, ...],
    remark: str,
) -> None:
    told = await previewed(Runtime(observed), spec)
    assert told.actions == actions, reason
    assert len(told.remarks) == bool(remark), reason
    assert remark in "".join(told.remarks), reason
    wrote = {"Create", "Update", "Adopt"} & set(actions)
    assert not told.changes or wrote, f"{reason}: changes are what a write would change"


@pytest.mark.parametrize(
    ("observed", "annotations", "model", "expected"),
    [
        (replace(held(), stamp=None), {}, True, Reason.ADOPTION_REQUIRED),
        (THEIRS, {}, True, Reason.OWNERSHIP_CONFLICT),
        (None, {ENDPOINT_ANNOTATION: f"{ENDPOINT}2"}, True, Reason.RUNTIME_MOVED),
        (None, {}, False, Reason.MODEL_NOT_FOUND),
    ],
)
async def test_a_refusal_has_the_reason_that_ready_would_have(
    observed: ObservedAgent | None, annotations: dict[str, str], model: bool, expected: Reason
) -> None:
    told = await previewed(Runtime(observed, ModelFinding(model, ("near",))), {"annotations": annotations})
    assert told.actions == ("Refuse",)
    assert told.refusal is not None
    assert told.refusal.reason is expected


async def test_the_model_is_looked_up_where_a_pass_would_look() -> None:
    missing = ModelFinding(available=False, nearest=("llama-3.3-70b",))
    unchanged, off, connected = Runtime(held(), missing), Runtime(None, missing), Runtime(None, missing)
    assert (await previewed(unchanged, {})).refusal is None
    assert (await previewed(off, {}, check=ModelCheck.OFF)).refusal is None
    assert (await previewed(connected, {"model": "other/model", "adapterName": None})).refusal is None
    assert {ask for one in (unchanged, off, connected) for ask in one.asked} == {"observe ceo"}
    warned = await previewed(Runtime(None, missing), {}, check=ModelCheck.WARN)
    assert warned.actions == ("Create",)
    assert "the nearest are llama-3.3-70b" in warned.remarks[0]


async def test_a_runtime_that_cannot_be_seen_is_no_refusal() -> None:
    class Closed(Runtime):
        async def observe(self, name: str, *, fresh: bool) -> ObservedAgent | None:
            raise NotAuthorized("No.")

    with pytest.raises(NotAuthorized):
        await previewed(Closed(), {})


async def test_each_change_has_both_its_values() -> None:
    had = edited(
        held(), deployment="old", instructions=OLD, tools=(FUNCTION, OtherTool("web")), metadata={"a": "1"}
    )
    spec = {
        "mcpTools": [{"serverName": "erpnext", "toolName": "get_company_overview"}],
        "tools": {"codeInterpreter": {}},
        "runtimeMetadata": {"a": "2", "b": "1"},
        "adapterName": "cfo",
    }
    told = {change.path: change for change in (await previewed(Runtime(had), spec)).changes}
    assert told["deployment"] == Change("deployment", "old", "llama-3.3-70b-cfo")
    assert told["instructions"].before == OLD
    assert told["tools.erpnext__get_company_overview"].before["parameters"] == FUNCTION.parameters
    assert told["tools.web"] == Change("tools.web", {"type": "web"}, None)
    code = {"type": "code_interpreter", "fileIds": []}
    assert told["tools.code_interpreter"] == Change("tools.code_interpreter", None, code)
    assert told["metadata.a"] == Change("metadata.a", "1", "2")
    assert told["metadata.b"] == Change("metadata.b", None, "1")
    assert told["stamp"] == Change("stamp", "agent ceo, adapter ceo", "agent ceo, adapter cfo")


async def test_two_tools_of_one_name_are_one_change() -> None:
    twin = replace(FUNCTION, name="code_interpreter")
    had = edited(held(), tools=(twin, CodeInterpreterTool()))
    told = await previewed(Runtime(had), {})
    (change,) = told.changes
    assert change.path == "tools.code_interpreter"
    assert len(change.before) == 2


# How it is told.


def drafted(*changes: Change, steps: tuple[Step, ...] = (Step.UPDATE,)) -> Drafted:
    return Drafted("a.yaml", Preview(ObjectKey("boardroom", "ceo"), "ceo", steps, changes, version="3"))


def rows(*changes: Change) -> list[str]:
    return [line.text for line in as_lines(FACTS, [drafted(*changes)])][3:-2]


def test_what_would_hide_is_shown() -> None:
    change = Change("instructions", "Be good. \nStay.", "Be good.\r\nSt\u202eay.\x1b[2J")
    assert rows(change) == [
        "  instructions: changed",
        "    @@ -1,2 +1,2 @@",
        "    -Be good. ",
        "    -Stay.",
        "    +Be good.\\r",
        "    +St\\u202eay.\\x1b[2J",
    ]
    assert rows(Change("metadata.a", "1\n", None)) == ['  metadata.a: "1\\n" -> (none)']


def test_the_summary_counts_each_resource_once() -> None:
    told = [drafted(steps=steps) for steps in ((), (Step.CREATE,), (Step.UPDATE, Step.ENABLE))]
    assert summary(told) == "Plan: 1 to create, 1 to update, 0 to refuse, 1 unchanged."
    told.append(drafted(steps=(Step.DISABLE,)))
    assert summary(told) == "Plan: 1 to create, 1 to update, 1 to disable, 0 to refuse, 1 unchanged."


# How files are read and checked.


def rules(node: Any) -> Iterator[str]:
    """Every rule below a node of a schema, without those on a change."""
    if isinstance(node, dict):
        for rule in node.get("x-kubernetes-validations", ()):
            yield rule["rule"]
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from rules(child)


def test_every_rule_of_the_crd_is_known() -> None:
    found = {rule for rule in rules(purpose_driven_agent_crd()) if "oldSelf" not in rule}
    others = {rule for rule in found if not admission.MATCHES.fullmatch(rule)}
    assert others == set(admission.RULES), "a rule came, went or changed: mend admission.RULES"


WRONG: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    # reason, spec, metadata, field, what is said
    ("no purpose", {"purpose": None}, {}, "spec.purpose", "required; add it."),
    ("a blank purpose", {"purpose": " "}, {}, "spec.purpose", "must not be blank."),
    ("an empty purpose", {"purpose": ""}, {}, "spec.purpose", "at least 1"),
    ("a number as text", {"purpose": 7}, {}, "spec.purpose", "not integer; put it in quotes."),
    ("nothing in a list", {"successCriteria": [None]}, {}, "spec.successCriteria[0]", "has no value; give"),
    ("a snake", {"adapter_name": "x"}, {}, "spec.adapter_name", "did you mean adapterName?"),
    ("a stranger", {"qqqq": 1}, {}, "spec.qqqq", "unknown field; remove it."),
    ("a stranger deep inside", {"thread": {"size": 1}}, {}, "spec.thread.size", "unknown field"),
    ("an adapter with a slash", {"adapterName": "a/b"}, {}, "spec.adapterName", "use letters, digits"),
    ("a line break at the end", {"adapterName": "ab\n"}, {}, "spec.adapterName", "use letters, digits"),
    (
        "too long a deployment",
        {"model": "m" * 40, "adapterName": "a" * 40},
        {},
        "spec.adapterName",
        "at most 64 characters",
    ),
    ("an enum", {"driftPolicy": "Mend"}, {}, "spec.driftPolicy", "write one of Correct, Report."),
    ("too few versions", {"versionHistoryLimit": 0}, {}, "spec.versionHistoryLimit", "write at least 1."),
    (
        "the stamp's key",
        {"runtimeMetadata": {"aos_x": "1"}},
        {},
        "spec.runtimeMetadata",
        "belong to the operator",
    ),
    ("a long key", {"runtimeMetadata": {"k" * 65: "1"}}, {}, "spec.runtimeMetadata", "at most 64 characters"),
    ("7 pairs", {"runtimeMetadata": dict.fromkeys("abcdefg", "")}, {}, "spec.runtimeMetadata", "at most 6"),
    ("a number as a value", {"runtimeMetadata": {"a": 1}}, {}, "spec.runtimeMetadata.a", "put it in quotes"),
    (
        "one tool twice",
        {"mcpTools": [{"serverName": "a", "toolName": "b"}] * 2},
        {},
        "spec.mcpTools[1]",
        "a/b is listed twice",
    ),
    ("a tool without a name", {"mcpTools": [{"serverName": "a"}]}, {}, "spec.mcpTools[0].toolName", "add it"),
    (
        "one store twice",
        {"tools": {"fileSearch": {"vectorStoreIds": ["a", "a"]}}},
        {},
        "spec.tools.fileSearch.vectorStoreIds[1]",
        "a is listed twice",
    ),
    ("a name that no agent can have", {}, {"name": "a.b"}, "", "metadata.name becomes the agent's name"),
    ("a name that no resource can have", {}, {"name": "A"}, "metadata.name", "use lower-case letters"),
    ("an annotation that is no text", {}, {"annotations": {"a": True}}, "metadata.annotations.a", "quotes"),
    ("a typo in the metadata", {}, {"anotations": {}}, "metadata.anotations", "did you mean annotations?"),
]


@pytest.mark.parametrize(("reason", "spec", "metadata", "where", "said"), WRONG)
def test_what_the_api_server_refuses_is_refused(
    reason: str, spec: dict[str, Any], metadata: dict[str, Any], where: str, said: str
) -> None:
    body = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": "ceo", **metadata},
        "spec": {"purpose": "Lead.", **spec},
    }
    _, told = admission.admit(body)
    assert [field for field, message in told if said in message] == [where], (reason, told)


def test_what_the_api_server_lets_through_is_let_through() -> None:
    body = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": "a.b", "namespace": "x", "uid": "u", "labels": {"a": "b"}},
        "spec": {
            "purpose": "Lead.",
            "agentId": "CEO",
            "model": f"connection/{'m' * 80}",
            "adapterName": "ceo",
            "mcpTools": [{"serverName": "a", "toolName": "b", "inputSchema": {"x": 1}, "configuration": {}}],
        },
        "status": {"any": "thing"},
    }
    assert admission.admit(body) == (body, [])


def test_a_field_without_a_value_is_not_there() -> None:
    tool = {"serverName": "a", "toolName": "b", "inputSchema": {"default": None}}
    given = {**tool, "description": None, "inputSchema": {"type": None, "default": None}}
    spec = {"purpose": "Lead.", "mcpTools": [given], "runtimeMetadata": {"a": None}}
    body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "ceo", "labels": None}}
    stored, wrong = admission.admit({**body, "spec": {**spec, "enabled": None, "tools": None}})
    assert wrong == []
    assert stored["metadata"] == {"name": "ceo"}
    assert stored["spec"] == {"purpose": "Lead.", "mcpTools": [tool], "runtimeMetadata": {}}
    assert admission.admit({**body, "spec": {**spec, "qqqq": None}})[1] != []


def test_yaml_is_read_as_kubernetes_reads_it() -> None:
    text = "a: 2026-01-02\nb: 12:30\nc: 7\nd: 2026-01-02T03:04:05Z\n5: x\n"
    assert parse(text) == [{"a": "2026-01-02", "b": "12:30", "c": 7, "d": "2026-01-02T03:04:05Z", "5": "x"}]
    assert parse('{"a":\t1}') == [{"a": 1}]
    assert parse("{a: 1}\n---\n{b: 2}") == [{"a": 1}, {"b": 2}]
    assert parse("base: &b {x: 1}\nmore: {<<: *b, y: 2}") == [{"base": {"x": 1}, "more": {"x": 1, "y": 2}}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2", "the key 'a' is there twice in the mapping of line 1"),
        ('{"a": 1, "a": 2}', "the key 'a' is there twice"),
        ("a: .nan", "not JSON compliant"),
        ("a: !!binary aGk=", "JSON cannot hold"),
        ("a: &x [*x]", "Circular"),
        ("- " * 5000, "nested too deeply"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
    ],
)
def test_what_is_no_manifest_is_told(text: str, said: str) -> None:
    reading = read_manifests(["-"], lambda: text)
    (problem,) = reading.problems
    assert problem.file == "stdin"
    assert said in problem.message


def test_what_is_nearly_ours_is_a_mistake() -> None:
    text = f"apiVersion: {API_VERSION}\nkind: PurposeDrivenAgnt\n---\n- 1\n---\nkind: {KIND}\n"
    reading = read_manifests(["-"], lambda: text)
    assert [problem.field for problem in reading.problems] == ["kind", "apiVersion"]
    assert reading.ignored == {"stdin": {"document without a kind": 1}}


def test_nothing_found_is_a_mistake() -> None:
    (problem,) = read_manifests(["-"], lambda: "").problems
    assert "no PurposeDrivenAgent was found" in problem.message
