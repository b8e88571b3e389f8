"""A preview tells what a pass would do in the operator's own words, and its files are read right."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.unit.samples import ENDPOINT, FACTS, FUNCTION, NOW, OWNER, SPEC, STRANGER, resource

from AgentOperatingSystem.api.crd import KINDS, crd_of
from AgentOperatingSystem.api.v1alpha1 import API_VERSION, KIND, PurposeDrivenAgentStatus
from AgentOperatingSystem.kube.planning import admission
from AgentOperatingSystem.kube.planning.manifests import parse, read_manifests
from AgentOperatingSystem.kube.planning.rendering import Drafted, as_lines, summary
from AgentOperatingSystem.model.definition import (
    CodeInterpreterTool,
    FileSearchTool,
    ObservedAgent,
    OtherTool,
    Tool,
)
from AgentOperatingSystem.model.errors import NotAllowed, NotAuthorized, ReferenceMissing
from AgentOperatingSystem.model.facts import ModelCheck, ModelFinding, RuntimeFacts, RuntimeType
from AgentOperatingSystem.model.message import Message
from AgentOperatingSystem.model.plan import Plan, Step
from AgentOperatingSystem.model.stamp import AgentIdentity, Owner
from AgentOperatingSystem.reconcile.desired import desired_state
from AgentOperatingSystem.reconcile.preview import Change, Move, Preview, admitted, preview
from AgentOperatingSystem.reconcile.resource import (
    ADOPT_FROM_ANNOTATION,
    ENDPOINT_ANNOTATION,
    MOVED_FROM_ANNOTATION,
    POLICY_ANNOTATION,
    SUCCESSOR_ANNOTATION,
    THREAD_ANNOTATION,
    TYPE_ANNOTATION,
    MovedFrom,
    ObjectKey,
    Resource,
)
from AgentOperatingSystem.reconcile.verdict import Reason

OLD = "You are old."
FOUND = ModelFinding(available=True)
CLASSIC = RuntimeType.FOUNDRY_CLASSIC
NEW = replace(FACTS, type=RuntimeType.FOUNDRY)


@dataclass
class Runtime:
    """Holds one agent or none, and one thread or none, and notes what it was asked."""

    observed: ObservedAgent | None = None
    model: ModelFinding = FOUND
    settings: RuntimeFacts = NEW
    missing: frozenset[str] = frozenset()
    thread: str = ""
    said: Sequence[Message] = ()
    thread_has: Sequence[Tool] = ()
    full: bool = False
    asked: list[str] = field(default_factory=list)

    def facts(self) -> RuntimeFacts:
        return self.settings

    async def observe(
        self, identity: AgentIdentity, *, fresh: bool, known_id: str = "", doubtful: bool = False
    ) -> ObservedAgent | None:
        assert fresh
        self.asked.append(f"observe {identity.name}{known_id and f' as {known_id}'}")
        return self.observed

    async def find_model(self, deployment: str) -> ModelFinding:
        self.asked.append(f"find_model {deployment}")
        return self.model

    async def admit(self, plan: Plan) -> None:
        if self.full and Step.CREATE in plan.steps:
            raise NotAllowed("It has them.")

    async def has_vector_store(self, store_id: str) -> bool:
        self.asked.append(f"has {store_id}")
        return store_id not in self.missing

    async def has_file(self, file_id: str) -> bool:
        self.asked.append(f"has {file_id}")
        return file_id not in self.missing

    async def thread_owner(self, thread_id: str) -> Owner | None:
        return OWNER if thread_id == self.thread else None

    async def messages(self, thread_id: str) -> list[Message]:
        return list(self.said)

    async def thread_tools(self, thread_id: str) -> Sequence[Tool]:
        return self.thread_has


@dataclass
class Runtimes:
    """One project: its present generation, and the classic one beside it."""

    present: Runtime
    classic: Runtime = field(default_factory=Runtime)
    error: Exception | None = None

    @asynccontextmanager
    async def open(self, asked: Resource, generation: RuntimeType | None = None) -> AsyncIterator[Runtime]:
        if self.error is not None:
            raise self.error
        yield self.classic if generation is CLASSIC else self.present


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
    runtime.settings = replace(NEW, model_check=check)

    return await preview(asked_for(spec), Runtimes(runtime))


def asked_for(spec: dict[str, Any], status: dict[str, Any] | None = None) -> Resource:
    """A resource with such a spec, and with the annotations among it."""
    wanted = {**SPEC, **spec}
    annotations = wanted.pop("annotations", None)
    return resource(wanted, PurposeDrivenAgentStatus.model_validate(status or {}), annotations=annotations)


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
    with pytest.raises(NotAuthorized):
        await preview(asked_for({}), Runtimes(Runtime(), error=NotAuthorized("No.")))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotAllowed("Not here."), Reason.NOT_ALLOWED),
        (ReferenceMissing("No Secret."), Reason.WAITING_FOR_REFERENCE),
    ],
)
async def test_a_runtime_that_may_not_be_had_is_a_refusal(error: Exception, reason: Reason) -> None:
    told = await preview(asked_for({}), Runtimes(Runtime(), error=error))
    assert told.refusal is not None
    assert (told.refusal.reason, told.refusal.message) == (reason, str(error))
    assert told.facts is None


TOOLS = {
    "tools": {"fileSearch": {"vectorStoreIds": ["vs_1", "vs_2"]}, "codeInterpreter": {"fileIds": ["f1"]}}
}


async def test_what_a_tool_names_is_looked_up_where_a_pass_would_look() -> None:
    told = await previewed(Runtime(missing=frozenset({"vs_2", "f1"})), TOOLS)
    assert told.refusal is not None
    assert told.refusal.reason is Reason.WAITING_FOR_REFERENCE
    assert "spec.tools.codeInterpreter.fileIds: the project has no file f1" in told.refusal.message
    off = Runtime(missing=frozenset({"vs_2"}))
    assert (await previewed(off, {**TOOLS, "enabled": False})).refusal is None
    assert off.asked == ["observe ceo"]


async def test_who_is_one_too_many_is_refused() -> None:
    runtimes, asked = Runtimes(Runtime(full=True)), asked_for({})
    told = await admitted(asked, await preview(asked, runtimes), runtimes)
    assert told.refusal is not None
    assert told.refusal.reason is Reason.NOT_ALLOWED
    runtimes.present.observed = held()
    assert (await admitted(asked, await preview(asked, runtimes), runtimes)).refusal is None


# Moves.

THREAD = "thread_1"
MOVING = {ENDPOINT_ANNOTATION: ENDPOINT, TYPE_ANNOTATION: "FoundryClassic", THREAD_ANNOTATION: THREAD}
STATUS = {
    "runtime": {"type": "FoundryClassic", "endpoint": ENDPOINT, "agentId": "asst_1", "threadId": THREAD}
}


def classic(**more: Any) -> Runtime:
    """The classic generation with the agent on its thread."""
    settings = replace(FACTS, type=CLASSIC)
    agent = replace(held(), agent_id="asst_1", version="")
    return Runtime(**{"observed": agent, "settings": settings, "thread": THREAD, **more})


async def moved(
    former: Runtime, spec: dict[str, Any] | None = None, present: Runtime | None = None
) -> Preview:
    asked = asked_for({**(spec or {}), "annotations": MOVING}, STATUS)
    return await preview(asked, Runtimes(present or Runtime(), former))


async def test_a_move_is_told_before_it_happens() -> None:
    former = classic(said=[Message("user", "Hi."), Message("assistant", "Hello."), Message("user", " ")])
    told = await moved(former)
    assert told.actions == ("Migrate",)
    assert told.steps == (Step.CREATE,)
    assert told.move == Move("asst_1", THREAD, 2, (), ())
    assert told.changes == (), "the definition is the same in both generations"
    assert former.asked == ["observe ceo as asst_1"]


async def test_a_move_tells_what_it_cannot_carry_over() -> None:
    lost = "an image (f9), an attached file (f8)"
    former = classic(
        observed=edited(replace(held(), agent_id="asst_1"), tools=(OtherTool("bing_grounding"), FUNCTION)),
        said=[Message("user", "See.", lost)],
        thread_has=(FileSearchTool(("vs_1", "vs_9")), CodeInterpreterTool(("f7",))),
    )
    told = await moved(former, TOOLS, Runtime(missing=frozenset({"vs_2"})))
    assert told.actions == ("Refuse",), "the operator waits for the store before it moves anything"
    assert told.move is not None
    assert told.move.lost == (
        f"of message 1 of 1: {lost}; a note takes its place",
        "the thread's own vector store vs_9: name it in spec.tools to keep it",
        "the thread's own file f7: name it in spec.tools to keep it",
        "the tool bing_grounding: no resource can ask for it",
    )
    assert [(one.id, one.there) for one in told.move.references] == [
        ("f1", True),
        ("vs_1", True),
        ("vs_2", False),
    ]
    assert "tools.bing_grounding" in {change.path for change in told.changes}


@pytest.mark.parametrize(
    ("reason", "former", "spec", "thread", "said"),
    [
        ("it keeps no thread", classic(), {"thread": {"scope": "Event"}}, THREAD, "none is kept"),
        ("the thread is gone", classic(thread=""), {}, "", "is gone, or is not this agent's"),
    ],
)
async def test_a_thread_that_does_not_move_is_told(
    reason: str, former: Runtime, spec: dict[str, Any], thread: str, said: str
) -> None:
    told = await moved(former, spec)
    assert told.move is not None
    assert (told.move.thread_id, told.move.messages) == (thread, 0), reason
    assert said in "".join(told.move.lost), reason


async def test_an_agent_that_is_off_is_moved_too() -> None:
    told = await moved(classic(observed=None), {"enabled": False})
    assert told.actions == ("Migrate",)
    assert told.changes == ()
    assert told.move == Move("", THREAD, 0, (), ())


async def test_the_rest_of_a_move_is_remarked_on() -> None:
    rest = {ENDPOINT_ANNOTATION: ENDPOINT, MOVED_FROM_ANNOTATION: str(MovedFrom("asst_1", THREAD, NOW))}
    told = await preview(asked_for({"annotations": rest}), Runtimes(Runtime(held())))
    assert told.actions == ("Nothing",)
    assert "is removed soon" in told.remarks[0]
    back = {**MOVING, SUCCESSOR_ANNOTATION: "conv_1"}
    told = await preview(asked_for({"annotations": back}, STATUS), Runtimes(classic()))
    assert told.actions == ("Nothing",)
    assert "is taken back" in told.remarks[0]


def test_a_move_is_shown_line_by_line() -> None:
    move = Move("asst_1", THREAD, 50, (), ("of message 1 of 50: an \x1bimage; a note takes its place",))
    known = Preview(ObjectKey("boardroom", "ceo"), "ceo", (Step.CREATE,), move=move)
    told = [line.text for line in as_lines([Drafted("a.yaml", known)])]
    assert told[1:-2] == [
        "Migrate ceo  (boardroom/ceo, from a.yaml)",
        "  from FoundryClassic, which retires on 31 March 2027, to Foundry in the same project",
        "  definition: carried over as it is",
        "  messages: 50 of thread thread_1",
        "  cannot move: of message 1 of 50: an \\x1bimage; a note takes its place",
        "  afterwards removed: classic agent asst_1, thread thread_1",
    ]
    assert told[-1] == "Plan: 0 to create, 0 to update, 1 to migrate, 0 to refuse, 0 unchanged."


def test_each_runtime_has_a_line_of_its_own() -> None:
    other = replace(FACTS, source="AgentRuntime team/own", type=CLASSIC, endpoint=f"{ENDPOINT}2")
    shown = [
        Drafted("a.yaml", Preview(ObjectKey("a", "one"), "one", facts=FACTS)),
        Drafted("a.yaml", Preview(ObjectKey("b", "two"), "two", facts=other)),
        Drafted("a.yaml", Preview(ObjectKey("c", "three"), "three", facts=FACTS)),
    ]
    lines = [line.text for line in as_lines(shown)]
    assert lines[:2] == [
        f"Project {ENDPOINT}, the operator's environment, cluster c1, base model llama-3.3-70b",
        f"Project {ENDPOINT}2, AgentRuntime team/own, FoundryClassic, cluster c1, base model llama-3.3-70b",
    ]
    assert "Nothing two  (b/two, on AgentRuntime team/own, from a.yaml)" in lines


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
    known = Preview(ObjectKey("boardroom", "ceo"), "ceo", steps, changes, version="3", facts=FACTS)
    return Drafted("a.yaml", known)


def rows(*changes: Change) -> list[str]:
    return [line.text for line in as_lines([drafted(*changes)])][3:-2]


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


def test_every_rule_of_the_crds_is_known() -> None:
    found = {rule for kind in KINDS for rule in rules(crd_of(kind)) if "oldSelf" not in rule}
    patterns = (admission.MATCHES, admission.IMPLIES)
    others = {rule for rule in found if not any(pattern.fullmatch(rule) for pattern in patterns)}
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


PRINCIPAL = {"tenantId": "t", "clientId": "c", "secretRef": {"name": "s"}}
WRONG_RUNTIMES: list[tuple[str, str, dict[str, Any], str, str]] = [
    # reason, kind, spec, field, what is said
    ("no identity", "AgentRuntime", {}, "spec.servicePrincipal", "required; add it."),
    ("nobody named", "ClusterAgentRuntime", {"allowedNamespaces": {}}, "spec.allowedNamespaces", "say names"),
    (
        "no values",
        "ClusterAgentRuntime",
        {"allowedNamespaces": {"selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}},
        "spec.allowedNamespaces.selector.matchExpressions",
        "need values",
    ),
    (
        "no project",
        "AgentRuntime",
        {"servicePrincipal": PRINCIPAL, "endpoint": "https://a.services.ai.azure.com/"},
        "spec.endpoint",
        "must name the project",
    ),
    (
        "http",
        "AgentRuntime",
        {"servicePrincipal": PRINCIPAL, "endpoint": "http://a.example/"},
        "spec.endpoint",
        "plain https URL",
    ),
    (
        "no agent's id",
        "AgentRuntime",
        {"servicePrincipal": PRINCIPAL, "agentNameTemplate": "{name}"},
        "spec.agentNameTemplate",
        "must hold {agentId}",
    ),
    (
        "a hyphen",
        "AgentRuntime",
        {"servicePrincipal": PRINCIPAL, "agentNameTemplate": "-{agentId}"},
        "spec.agentNameTemplate",
        "must not begin",
    ),
    (
        "no words",
        "AgentRuntime",
        {"servicePrincipal": PRINCIPAL, "deploymentTemplate": "x"},
        "spec.deploymentTemplate",
        "must hold {model}",
    ),
    (
        "Off without quotes",
        "AgentRuntime",
        {"servicePrincipal": PRINCIPAL, "modelCheck": False},
        "spec.modelCheck",
        "put it in quotes",
    ),
]


@pytest.mark.parametrize(("reason", "kind", "spec", "where", "said"), WRONG_RUNTIMES)
def test_a_wrong_runtime_is_refused(
    reason: str, kind: str, spec: dict[str, Any], where: str, said: str
) -> None:
    body = {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": "board"},
        "spec": {"endpoint": ENDPOINT, **spec},
    }
    _, told = admission.admit(body)
    assert where in [field for field, message in told if said in message], (reason, told)


def test_what_may_not_change_is_known() -> None:
    before = {"endpoint": ENDPOINT, "type": "Foundry", "agentNameTemplate": "{agentId}", "maxAgents": 1}
    assert admission.changed_for_good("AgentRuntime", before, {"endpoint": ENDPOINT}) == []
    after = {"endpoint": f"{ENDPOINT}2", "type": "FoundryClassic", "agentNameTemplate": "x-{agentId}"}
    told = admission.changed_for_good("AgentRuntime", before, after)
    assert [field for field, _ in told] == ["spec.type", "spec.endpoint", "spec.agentNameTemplate"]
    assert all("make a runtime of another name" in message for _, message in told)


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
