"""`aos plan` says what the operator would do, and does none of it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.harness.azure import OPERATOR_CLIENT
from tests.harness.polling import eventually
from tests.harness.stage import CLUSTER_ID, DEPLOYMENTS, MODEL, Json, Stage, condition, manifest
from tests.harness.tenants import (
    Tenants,
    agent,
    cluster_runtime,
    open_tenants,
    own_runtime,
    secret_manifest,
)
from tests.scenarios.looking import Cli

from AgentOperatingSystem.api.v1alpha1 import PurposeDrivenAgentStatus
from AgentOperatingSystem.kube.planning.checking import check
from AgentOperatingSystem.kube.planning.manifests import read_manifests
from AgentOperatingSystem.model.plan import make_plan
from AgentOperatingSystem.reconcile.desired import desired_state
from AgentOperatingSystem.reconcile.resource import ObjectKey, Resource
from AgentOperatingSystem.runtime.config import RuntimeConfig
from AgentOperatingSystem.runtime.provider import AgentRuntimeProvider
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry

UNCHANGED, FAILED, CHANGES = 0, 1, 2
ERP = {"serverName": "erpnext", "toolName": "get_overview", "description": "Figures."}
PERIOD = {"type": "object", "properties": {"period": {"type": "string"}}}
QUARTER = {"type": "object", "properties": {"period": {"type": "string"}, "quarter": {"type": "integer"}}}

UPDATE = """\
Project {endpoint}, cluster test-cluster, base model llama-3.3-70b

Update ceo  (default/ceo, version 1, from stdin)
  deployment: llama-3.3-70b -> llama-3.3-70b-ceo
  instructions: changed
    @@ -1,5 +1,8 @@
     You are the agent ceo.

    -Your purpose: Be of use.
    +Your purpose: Lead the company.
    +
    +You succeed when you:
    +- It grows.

     Judge every event and every question by how it serves this purpose.
  tools.erpnext__get_overview: changed
    @@ -5,6 +5,9 @@
         "properties": {{
           "period": {{
             "type": "string"
    +      }},
    +      "quarter": {{
    +        "type": "integer"
           }}
         }},
         "type": "object"
  tools.erpnext__old: removed
    -{{
    -  "description": "old of erpnext",
    -  "name": "erpnext__old",
    -  "parameters": {{
    -    "additionalProperties": true,
    -    "properties": {{}},
    -    "type": "object"
    -  }},
    -  "type": "function"
    -}}
  metadata.team: "board" -> "top"
  stamp: agent ceo, adapter (none) -> agent ceo, adapter ceo

Plan: 0 to create, 1 to update, 0 to refuse, 0 unchanged.
"""


@pytest.fixture
def foundry() -> Iterator[EmbeddedFoundry]:
    with EmbeddedFoundry(deployments=DEPLOYMENTS, environ={}) as running:
        yield running


@pytest.fixture
def aos_plan(foundry: EmbeddedFoundry, tmp_path: Path) -> Cli:
    return Cli(foundry, tmp_path)


def made(foundry: EmbeddedFoundry, name: str, /, *, namespace: str = "default", **spec: Any) -> None:
    """Have the agent of such a resource in the runtime, as the operator makes it."""

    async def make() -> None:
        config = RuntimeConfig(foundry.endpoint, MODEL, cluster_id=CLUSTER_ID)
        key = ObjectKey(namespace, name)
        wanted = json.loads(manifest(name, **spec))["spec"]
        resource = Resource(key, "uid", "1", 1, False, (), {}, wanted, PurposeDrivenAgentStatus())
        async with AgentRuntimeProvider(config) as runtime:
            await runtime.apply(make_plan(desired_state(resource, runtime.facts()).agent, None))

    asyncio.run(make())


def test_an_update_is_told_as_a_diff(foundry: EmbeddedFoundry, aos_plan: Cli) -> None:
    old = {"serverName": "erpnext", "toolName": "old"}
    made(foundry, "ceo", mcpTools=[{**ERP, "inputSchema": PERIOD}, old], runtimeMetadata={"team": "board"})
    new = manifest(
        "ceo",
        purpose="Lead the company.",
        successCriteria=["It grows."],
        adapterName="ceo",
        mcpTools=[{**ERP, "inputSchema": QUARTER}],
        runtimeMetadata={"team": "top"},
    )

    told = aos_plan("-f", "-", stdin=new, code=CHANGES)

    assert told.stdout == UPDATE.format(endpoint=foundry.endpoint)
    assert told.stderr == ""


def test_a_folder_is_told_resource_by_resource(foundry: EmbeddedFoundry, aos_plan: Cli) -> None:
    folder = aos_plan.folder / "agents"
    (folder / "deep").mkdir(parents=True)
    (folder / "ceo.json").write_text(manifest("ceo", adapterName="ceo"))
    service = json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}})
    off = manifest("cmo", enabled=False)
    (folder / "deep" / "two.yml").write_text(f"# two\n{manifest('cfo')}\n---\n{service}\n---\n{off}\n---\n")
    items = [json.loads(manifest("coo")), json.loads(manifest("dormant", enabled=False))]
    (folder / "list.yaml").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    (folder / "notes.txt").write_text("{{ no manifest }}")
    for name in ("cfo", "cmo"):
        made(foundry, name)

    told = aos_plan("-f", "agents", "-f", "agents/ceo.json", code=CHANGES)

    heads = [line.split("  ")[0] for line in told.stdout.splitlines() if line[:1].isupper()]
    assert heads[1:-1] == ["Create ceo", "Nothing cfo", "Disable cmo", "Create coo", "Nothing dormant"]
    assert heads[-1] == "Plan: 2 to create, 0 to update, 1 to disable, 0 to refuse, 2 unchanged."
    assert told.stderr == f"aos plan: agents{os.sep}deep{os.sep}two.yml: ignored 1 Service\n"


def test_what_is_as_it_should_be_ends_with_0(foundry: EmbeddedFoundry, aos_plan: Cli) -> None:
    made(foundry, "ceo", namespace="boardroom")
    told = aos_plan("-f", "-", "-n", "boardroom", stdin=manifest("ceo"), code=UNCHANGED)
    assert "Nothing ceo  (boardroom/ceo, version 1, from stdin)" in told.stdout
    assert told.stdout.endswith("Plan: 0 to create, 0 to update, 0 to refuse, 1 unchanged.\n")


def test_what_belongs_to_another_is_refused(foundry: EmbeddedFoundry, aos_plan: Cli) -> None:
    made(foundry, "ceo", namespace="elsewhere")
    foundry.add_agent("cfo", MODEL, instructions="By hand.")
    told = aos_plan("-f", "-", stdin=f"{manifest('ceo')}\n---\n{manifest('cfo')}", code=FAILED).stdout
    assert "Refuse ceo" in told
    assert "OwnershipConflict: The agent ceo belongs to test-cluster/elsewhere/ceo" in told
    assert "AdoptionRequired: An agent named cfo exists" in told
    assert "Plan: 0 to create, 0 to update, 2 to refuse, 0 unchanged." in told


def test_a_deployment_that_is_missing_is_refused_or_remarked(aos_plan: Cli) -> None:
    wanted = manifest("cto", adapterName="cto")
    refused = aos_plan("-f", "-", stdin=wanted, code=FAILED).stdout
    assert "ModelNotFound: The project has no deployment llama-3.3-70b-cto; the nearest are" in refused
    warned = aos_plan("-f", "-", stdin=wanted, code=CHANGES, AOS_MODEL_CHECK="Warn").stdout
    assert "Create cto" in warned
    assert "  The project has no deployment llama-3.3-70b-cto" in warned


def test_a_machine_gets_json(foundry: EmbeddedFoundry, aos_plan: Cli) -> None:
    foundry.add_agent("ceo", MODEL, instructions="By \x1b[31mhand.", tools=[{"type": "web_search"}])
    wanted = manifest("ceo", adoptionPolicy="AdoptUnowned")

    told = json.loads(aos_plan("-f", "-", "-o", "json", stdin=wanted, code=CHANGES).stdout)

    (resource,) = told["resources"]
    assert (resource["actions"], resource["version"], resource["refused"]) == (["Adopt"], "1", None)
    changes = {change["path"]: change for change in resource["changes"]}
    assert changes["instructions"]["before"] == "By \x1b[31mhand."
    assert changes["tools.web_search"] == {
        "path": "tools.web_search",
        "before": {"type": "web_search"},
        "after": None,
    }
    assert told["summary"]["adopt"] == 1
    assert told["project"] == foundry.endpoint

    text = aos_plan("-f", "-", stdin=wanted, code=CHANGES, FORCE_COLOR="1").stdout
    assert "-By \\x1b[31mhand." in text, "what is in the runtime cannot colour the terminal"


def test_all_that_is_wrong_is_told_and_nothing_is_asked(foundry: EmbeddedFoundry, aos_plan: Cli) -> None:
    folder = aos_plan.folder
    (folder / "typo.yaml").write_text(
        manifest("ceo", purpse="x", system_message="y", enabled="true", runtimeMetadata={"aos_owner": "me"})
    )
    (folder / "tool.yaml").write_text(
        manifest("cfo", mcpTools=[{**ERP, "inputSchema": {"properties": {"a": {"type": "quarter"}}}}])
    )
    (folder / "broken.yaml").write_text("a: [")
    (folder / "twice.yaml").write_text("kind: Pod\nkind: PurposeDrivenAgent\n")
    (folder / "version.yaml").write_text(manifest("coo").replace("v1alpha1", "v1beta1"))
    (folder / "cmo.yaml").write_text(f"{manifest('cmo')}\n---\n{manifest('cmo')}")

    told = aos_plan("-f", ".", "-o", "json", code=FAILED)

    errors = json.loads(told.stdout)["errors"]
    assert [(error["file"], error["resource"].split(" ")[-1], error["field"]) for error in errors] == [
        ("broken.yaml", "", ""),
        ("twice.yaml", "", ""),
        ("version.yaml", "1", "apiVersion"),
        ("cmo.yaml", "default/cmo", "metadata.name"),
        ("tool.yaml", "default/cfo", "spec.mcpTools[0].inputSchema.properties.a.type"),
        ("typo.yaml", "default/ceo", "spec.enabled"),
        ("typo.yaml", "default/ceo", "spec.runtimeMetadata"),
        ("typo.yaml", "default/ceo", "spec.purpse"),
        ("typo.yaml", "default/ceo", "spec.system_message"),
    ]
    lines = told.stderr.splitlines()
    mend = "spec.purpse: unknown field; did you mean purpose?"
    assert f"aos plan: typo.yaml: PurposeDrivenAgent default/ceo: {mend}" in lines
    assert lines[-1] == "aos plan: 9 errors; nothing was planned."
    assert foundry.requests == ()


@pytest.mark.parametrize(
    ("reason", "arguments", "settings", "said"),
    [
        ("no project", ("-f", "-"), {"AZURE_AI_PROJECT_ENDPOINT": None}, "AZURE_AI_PROJECT_ENDPOINT"),
        ("no cluster to name", ("-f", "-"), {"AOS_CLUSTER_ID": None}, "AOS_CLUSTER_ID"),
        ("no file", (), {}, "Missing option"),
        ("an option that does not exist", ("-f", "-", "--fiel"), {}, "No such option"),
        ("a file that does not exist", ("-f", "nowhere.yaml"), {}, "nowhere.yaml: no such file or folder"),
        ("a runtime that is away", ("-f", "-"), {"AZURE_AI_PROJECT_ENDPOINT": "http://127.0.0.1:1"}, "127.0"),
    ],
)
def test_what_keeps_it_from_planning_is_no_change(
    aos_plan: Cli, reason: str, arguments: tuple[str, ...], settings: dict[str, str | None], said: str
) -> None:
    told = aos_plan(
        *arguments, stdin=manifest("ceo"), code=FAILED, **{"RUNTIME_MAX_RETRIES": "0", **settings}
    )
    assert said in told.stderr, reason
    assert told.stdout == ""


def test_the_operator_does_what_the_plan_said(stage: Stage, tmp_path: Path) -> None:
    aos_plan = Cli(stage.foundry, tmp_path)
    cluster = {"KUBECONFIG": str(stage.plane.kubeconfig), "AOS_CLUSTER_ID": None}
    stage.operator.start(AOS_DRIFT_INTERVAL="1", AOS_CLUSTER_ID=None)

    def planned(text: str, code: int) -> str:
        return aos_plan("-f", "-", "-n", stage.namespace, stdin=text, code=code, **cluster).stdout

    first = manifest("ceo", adapterName="ceo")
    assert "Create ceo" in planned(first, CHANGES)
    stage.kubectl.apply(first)
    stage.ready("ceo")
    assert "Nothing ceo" in planned(first, UNCHANGED)

    second = manifest("ceo", adapterName="ceo", purpose="Lead.")
    assert "Update ceo" in planned(second, CHANGES)
    assert stage.versions("ceo") == 1
    stage.kubectl.apply(second)
    stage.ready("ceo")
    assert stage.versions("ceo") == 2
    assert "Nothing ceo" in planned(second, UNCHANGED)


def test_the_examples_can_be_planned(aos_plan: Cli, report: Callable[[str], None]) -> None:
    examples = Path(__file__).resolve().parents[2] / "examples"
    shutil.copytree(examples, aos_plan.folder / "agents", ignore=shutil.ignore_patterns("runtimes"))
    told = aos_plan("-f", "agents", code=CHANGES)
    report(told.stdout.splitlines()[-1])
    assert "0 to update, 0 to refuse, 0 unchanged." in told.stdout
    # Their runtimes are on Azure: all that can be said without it is that nothing is wrong with the files.
    checked = check(read_manifests([str(examples / "runtimes")], str), "default", RuntimeConfig())
    assert (len(checked.asked), len(checked.drafts), checked.problems) == (2, 2, [])


def test_two_who_ask_for_one_agent_are_told(aos_plan: Cli) -> None:
    told = aos_plan("-f", "-", stdin=f"{manifest('cmo')}\n---\n{manifest('one', agentId='cmo')}", code=FAILED)
    assert "Create cmo  (default/cmo" in told.stdout
    assert "OwnershipConflict: The agent cmo is asked for by default/cmo too" in told.stdout


# Runtimes that resources name.


@pytest.fixture(scope="module")
def tenants(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    """One operator for all namespaces."""
    kind = pytestconfig.getoption("--control-plane")
    with open_tenants(kind, tmp_path_factory.mktemp("tenants")) as opened:
        yield opened


@pytest.fixture
def tenants_plan(tenants: Tenants, tmp_path: Path) -> Cli:
    """`aos plan` by somebody who may read the cluster, and who is the operator in Azure."""
    return Cli(
        tenants.azure.foundry,
        tmp_path,
        environment={
            **tenants.azure.environment,
            "KUBECONFIG": str(tenants.plane.kubeconfig),
            "AOS_DEFAULT_RUNTIME_NAMESPACES": tenants.home.namespace,
        },
    )


def test_each_agent_is_looked_at_in_its_own_project_as_its_own_identity(
    tenants: Tenants, tenants_plan: Cli
) -> None:
    stage, team, project = tenants.namespace(), "planning-team", tenants.project("of-planning-team")
    stage.kubectl.apply(secret_manifest(tenants.principal(team)))
    files = [
        own_runtime("own", project.endpoint, team),
        agent("ceo", "own", adapterName="ceo"),
        cluster_runtime("planned-for-all", tenants.azure.foundry.endpoint),
        agent("cfo", "planned-for-all", shared=True),
    ]
    text = "\n---\n".join(files)

    def asked(*arguments: str, code: int) -> Json:
        given = ("-f", "-", "-n", stage.namespace, "-o", "json", *arguments)
        outcome = tenants_plan.run(*given, stdin=text)
        assert outcome.code == code, outcome
        told: Json = json.loads(outcome.stdout)
        return told

    told = asked(code=CHANGES)
    assert [one["actions"] for one in told["resources"]] == [["Create"], ["Create"]]
    assert [one["source"] for one in told["runtimes"]] == [
        f"AgentRuntime {stage.namespace}/own",
        "ClusterAgentRuntime planned-for-all",
    ]
    assert told["project"] is None
    assert {one.client for one in tenants.asked(project)} == {team}, "the runtime's own identity, no other"
    asked("--as-me", code=CHANGES)
    assert {one.client for one in tenants.asked(project)} == {team, OPERATOR_CLIENT}

    stage.kubectl.apply(*files)
    stage.ready("ceo")
    stage.ready("cfo")
    asked(code=UNCHANGED)
    # From now on the runtimes are those of the cluster.
    text = "\n---\n".join((files[1], files[3]))
    asked(code=UNCHANGED)
    moved = own_runtime("own", f"{project.endpoint}2", team)
    refused = tenants_plan.run("-f", "-", "-n", stage.namespace, stdin=moved)
    assert (refused.code, refused.stdout) == (FAILED, "")
    assert f"AgentRuntime {stage.namespace}/own: spec.endpoint: " in refused.stderr


def test_a_refusal_is_the_one_that_ready_will_have(tenants: Tenants, tenants_plan: Cli) -> None:
    stage, name = tenants.namespace(), "careful"
    foundry = tenants.azure.foundry
    stage.kubectl.apply(secret_manifest(tenants.principal("careful-team")))
    with tenants.azure.another_foundry() as elsewhere:
        files = [
            cluster_runtime(name, foundry.endpoint, allowedModels=[], allowedVectorStores=["vs_no"]),
            cluster_runtime("not-for-you", foundry.endpoint, allowedNamespaces={"names": ["nobody"]}),
            cluster_runtime("full", tenants.project("full").endpoint, maxAgents=0),
            own_runtime("secretless", foundry.endpoint, "careful-team", secret="nowhere"),
            own_runtime("off-the-list", elsewhere.endpoint, "careful-team"),
            agent("model", name, shared=True, model="other"),
            agent("store", name, shared=True, tools={"fileSearch": {"vectorStoreIds": ["vs_other"]}}),
            agent("missing", name, shared=True, tools={"fileSearch": {"vectorStoreIds": ["vs_no"]}}),
            agent("stranger", "not-for-you", shared=True),
            agent("surplus", "full", shared=True),
            agent("secretless", "secretless"),
            agent("off", "off-the-list"),
            agent("nowhere", "no-such-runtime"),
            agent("default", None),
        ]
        told = tenants_plan.run("-f", "-", "-n", stage.namespace, "-o", "json", stdin="\n---\n".join(files))
        assert told.code == FAILED, told
        refused = {one["name"]: one["refused"] for one in json.loads(told.stdout)["resources"]}
        assert elsewhere.requests == ()
        stage.kubectl.apply(*files)
        for agent_name, refusal in refused.items():
            ready = condition(stage.reason(agent_name, refusal["reason"]), "Ready")
            assert ready["message"] == refusal["message"], agent_name
    reasons = {agent_name: refusal["reason"] for agent_name, refusal in refused.items()}
    waiting = {"missing", "secretless", "nowhere"}
    assert reasons == {
        agent_name: "WaitingForReference" if agent_name in waiting else "NotAllowed" for agent_name in reasons
    }


def test_without_the_cluster_nobody_elses_identity_is_taken(foundry: EmbeddedFoundry, aos_plan: Cli) -> None:
    files = f"{own_runtime('own', foundry.endpoint, 'team')}\n---\n{agent('ceo', 'own')}"
    allowed = {"AOS_ALLOWED_ENDPOINTS": foundry.endpoint.split("/")[2]}
    refused = aos_plan("-f", "-", stdin=files, code=FAILED, **allowed)
    assert "The Secret principal in default cannot be read" in refused.stderr
    assert refused.stderr.count("--as-me") == 1
    assert foundry.requests == ()
    assert "Create ceo" in aos_plan("-f", "-", "--as-me", stdin=files, code=CHANGES, **allowed).stdout
    nowhere = aos_plan("-f", "-", stdin=agent("ceo", "own"), code=FAILED, **allowed)
    assert "KUBECONFIG" in nowhere.stderr


@pytest.mark.needs_rights
def test_who_may_not_read_the_secret_is_told_the_right_and_the_way_out(stage: Stage, tmp_path: Path) -> None:
    kubeconfig = stage.plane.admit_operator(stage.namespace, cluster_wide=False, identity=False)
    allowed = stage.foundry.base_url.removeprefix("http://")
    aos_plan = Cli(
        stage.foundry, tmp_path, environment={"KUBECONFIG": str(kubeconfig), "AOS_ALLOWED_ENDPOINTS": allowed}
    )
    stage.kubectl.apply(secret_manifest("any"), own_runtime("own", stage.foundry.endpoint, "team"))
    given = ("-f", "-", "-n", stage.namespace)
    refused = aos_plan(*given, stdin=agent("ceo", "own"), code=FAILED)
    assert "cannot be read (you may not)" in refused.stderr
    assert "`get` secrets there, or look with your own credentials: --as-me" in refused.stderr
    assert stage.foundry.requests == ()
    assert "Create ceo" in aos_plan(*given, "--as-me", stdin=agent("ceo", "own"), code=CHANGES).stdout
    # A resource that may not be read on the cluster is planned by its file alone.
    told = aos_plan("-f", "-", "-n", "kube-system", stdin=manifest("ceo"), code=CHANGES)
    assert "annotations count as the files have them" in told.stderr


# The move to the new generation.


def test_a_move_is_told_before_the_operator_does_it(stage: Stage, tmp_path: Path) -> None:
    foundry = stage.foundry
    stores = [foundry.add_vector_store() for _ in range(2)]
    file = foundry.add_file()
    wanted = manifest(
        "ceo", tools={"fileSearch": {"vectorStoreIds": stores}, "codeInterpreter": {"fileIds": [file]}}
    )
    stage.operator.start(AOS_DRIFT_INTERVAL="1", AOS_RUNTIME="FoundryClassic", RUNTIME_TIMEOUT="1")
    stage.kubectl.apply(wanted)
    status = stage.ready("ceo")["status"]["runtime"]
    stage.operator.stop()
    for number in range(12):
        foundry.add_message(status["threadId"], f"Said {number}.", role=("user", "assistant")[number % 2])
    image: Any = [{"type": "image_file", "image_file": {"file_id": "img"}}]
    foundry.add_message(status["threadId"], image)

    aos_plan = Cli(foundry, tmp_path, environment={"KUBECONFIG": str(stage.plane.kubeconfig)})
    given = ("-f", "-", "-n", stage.namespace)
    assert (
        "Nothing ceo" in aos_plan(*given, stdin=wanted, code=UNCHANGED, AOS_RUNTIME="FoundryClassic").stdout
    )
    told = aos_plan(*given, stdin=wanted, code=CHANGES).stdout
    assert told.splitlines()[2:-2] == [
        f"Migrate ceo  ({stage.namespace}/ceo, from stdin)",
        "  from FoundryClassic, which retires on 31 March 2027, to Foundry in the same project",
        "  definition: carried over as it is",
        f"  messages: 13 of thread {status['threadId']}",
        f"  file {file}: found in the project",
        *(f"  vector store {store}: found in the project" for store in stores),
        "  cannot move: of message 13 of 13: an image (img); a note takes its place",
        f"  afterwards removed: classic agent {status['agentId']}, thread {status['threadId']}",
    ]
    machine = json.loads(aos_plan(*given, "-o", "json", stdin=wanted, code=CHANGES).stdout)
    assert machine["resources"][0]["move"]["messages"] == 13
    assert machine["summary"]["migrate"] == 1

    stage.operator.start(AOS_DRIFT_INTERVAL="1", RUNTIME_TIMEOUT="1")
    stage.ready("ceo")
    eventually(foundry.threads, lambda threads: not threads, what="the classic thread is gone")
    assert foundry.assistants() == {}
    (conversation,) = foundry.conversations().values()
    assert len(conversation.items) == 13
    assert "Nothing ceo" in aos_plan.run(*given, stdin=wanted).stdout
