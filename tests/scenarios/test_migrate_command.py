"""`aos migrate --dry-run` tells what is on the classic generation and what moves it; `aos ask` asks both."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.harness.polling import eventually
from tests.harness.stage import Json, Stage, manifest
from tests.harness.tenants import agent, own_runtime, secret_manifest
from tests.scenarios.looking import Cli

NOTHING, FAILED, TO_MOVE = 0, 1, 2
TEAM = "team"
RETIRES = "31 March 2027"


def post(stage: Stage, path: str, body: Json) -> None:
    """Somebody uses the classic API beside the operator."""
    request = urllib.request.Request(  # noqa: S310 - the sandbox on loopback
        f"{stage.foundry.endpoint}/{path}?api-version=v1",
        json.dumps(body).encode(),
        {"Authorization": "Bearer someone", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        assert answer.status == 200


def settings(stage: Stage) -> dict[str, str | None]:
    return {"AOS_ALLOWED_ENDPOINTS": stage.foundry.base_url.removeprefix("http://")}


def cli(stage: Stage, folder: Path, command: str = "migrate") -> Cli:
    given = {"KUBECONFIG": str(stage.plane.kubeconfig), **settings(stage)}
    return Cli(stage.foundry, folder, command, given)


def start(stage: Stage, **more: str | None) -> None:
    stage.operator.start(AOS_DRIFT_INTERVAL="1", RUNTIME_TIMEOUT="1", **settings(stage), **more)


def runtime(stage: Stage, name: str, kind: str, endpoint: str = "") -> str:
    limits = {"timeoutSeconds": 1}
    return own_runtime(name, endpoint or stage.foundry.endpoint, TEAM, type=kind, limits=limits)


def test_a_move_from_the_first_look_to_nothing_left(stage: Stage, tmp_path: Path) -> None:
    foundry, migrate = stage.foundry, cli(stage, tmp_path)
    store, file = foundry.add_vector_store(), foundry.add_file()
    tools = {"fileSearch": {"vectorStoreIds": [store]}}
    stage.plane.lend_secrets(stage.namespace, stage.namespace)
    start(stage)
    stage.kubectl.apply(
        secret_manifest("any"),
        runtime(stage, "old", "FoundryClassic"),
        agent("ceo", "old", tools=tools),
        agent("cfo", "old"),
    )
    made = stage.ready("ceo")["status"]["runtime"]
    stage.ready("cfo")
    stage.operator.stop()
    thread = made["threadId"]
    foundry.add_message(thread, "Hi.")
    post(
        stage,
        f"threads/{thread}/messages",
        {"role": "user", "content": "See.", "attachments": [{"file_id": "f8"}]},
    )
    post(stage, f"threads/{thread}", {"tool_resources": {"code_interpreter": {"file_ids": [file]}}})

    given = ("--dry-run", "-n", stage.namespace)
    told = migrate(*given, code=TO_MOVE).stdout
    assert f"Project {foundry.endpoint}, AgentRuntime {stage.namespace}/old: 2 agents" in told
    assert "no runtime of type Foundry for this project can be named: make one as" in told
    assert told.rstrip().endswith(
        f"2 agents on FoundryClassic, which retires on {RETIRES}; of 1 not everything can move."
    )
    machine = json.loads(migrate(*given, "-o", "json", code=TO_MOVE).stdout)
    assert machine["retires"] == RETIRES
    ceo = next(one for one in machine["agents"] if one["name"] == "ceo")
    assert (ceo["edit"], ceo["changes"], ceo["refused"], ceo["problem"]) == (None, [], None, None)
    assert ceo["move"] == {
        "retires": RETIRES,
        "messages": 2,
        "references": [{"what": "vector store", "id": store, "there": True}],
        "lost": [
            "of message 2 of 2: an attached file (f8); a note takes its place",
            f"the thread's own file {file}: name it in spec.tools to keep it",
        ],
        "removed": {"agent": made["agentId"], "thread": thread},
    }

    stage.kubectl.apply(
        runtime(stage, "another", "Foundry", f"{foundry.base_url}/api/projects/another"),
        runtime(stage, "new", "Foundry"),
    )
    told = migrate(*given, code=TO_MOVE).stdout
    assert "  spec.runtimeRef: {kind: AgentRuntime, name: new}\n" in told
    wrong = migrate(*given, "--to", "AgentRuntime/another", "-o", "json", code=TO_MOVE)
    assert {one["refused"]["reason"] for one in json.loads(wrong.stdout)["agents"]} == {"RuntimeMoved"}
    wrong = migrate(*given, "--to", "AgentRuntime/old", code=FAILED)
    assert "is not of type Foundry" in wrong.stdout

    # The edit: plan shows it, then the operator does it.
    plan = cli(stage, tmp_path, "plan")
    edited = agent("ceo", "new", tools=tools)
    assert "Migrate ceo" in plan("-f", "-", "-n", stage.namespace, stdin=edited, code=TO_MOVE).stdout
    stage.kubectl.apply(edited)
    machine = json.loads(migrate(*given, "-o", "json", code=TO_MOVE).stdout)
    assert {one["name"]: one["underWay"] for one in machine["agents"]} == {"ceo": True, "cfo": False}
    start(stage)
    stage.kubectl.apply(agent("cfo", "new"))
    eventually(foundry.assistants, lambda left: not left, what="nothing classic is left")
    stage.operator.stop()
    assert migrate(*given, code=NOTHING).stdout == "Nothing is on FoundryClassic.\n"


def test_those_of_the_operators_environment_move_by_its_setting(stage: Stage, tmp_path: Path) -> None:
    migrate = cli(stage, tmp_path)
    start(stage, AOS_RUNTIME="FoundryClassic")
    stage.kubectl.apply(manifest("ceo"), manifest("off", enabled=False), manifest("cmo", adapterName="cmo"))
    stage.ready("cmo")
    stage.ready("ceo")
    stage.operator.stop()
    stage.foundry.deployments.remove("llama-3.3-70b-cmo")

    told = json.loads(migrate("--dry-run", "-n", stage.namespace, "-o", "json", code=TO_MOVE).stdout)

    agents = {one["name"]: one for one in told["agents"]}
    assert set(agents) == {"ceo", "cmo"}, "one that was never made is nowhere"
    assert agents["ceo"]["edit"] == {"operator": {"AOS_RUNTIME": "Foundry"}}
    assert agents["ceo"]["refused"] is None
    assert agents["cmo"]["refused"]["reason"] == "ModelNotFound"
    table = migrate("--dry-run", "-n", stage.namespace, code=TO_MOVE).stdout
    assert "the operator's setting AOS_RUNTIME=Foundry" in table


def test_a_project_that_cannot_be_seen_is_told_beside_the_others(stage: Stage, tmp_path: Path) -> None:
    start(stage, AOS_RUNTIME="FoundryClassic")
    stage.kubectl.apply(manifest("ceo"))
    stage.ready("ceo")
    stage.operator.stop()
    stage.foundry.down()
    migrate = cli(stage, tmp_path)
    told = migrate.run("--dry-run", "-n", stage.namespace, RUNTIME_MAX_RETRIES="0")
    stage.foundry.up()
    assert told.code == FAILED
    assert "could not be looked at" in told.stdout
    assert told.stdout.rstrip().endswith("1 could not be looked at.")


@pytest.mark.parametrize(
    ("reason", "arguments", "environment", "said"),
    [
        ("it does not move anything itself", (), {}, "moved by an edit in Git"),
        ("no cluster", ("--dry-run",), {"AOS_CLUSTER_ID": "c"}, "KUBECONFIG"),
        (
            "no such kind",
            ("--dry-run", "--to", "Runtime/x"),
            {},
            "AgentRuntime/NAME or ClusterAgentRuntime/NAME",
        ),
        ("a slip", ("--dry-rum",), {}, "No such option"),
    ],
)
def test_what_keeps_it_from_looking_is_told(
    tmp_path: Path, reason: str, arguments: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    nobody: Any = _Nowhere()
    told = Cli(nobody, tmp_path, "migrate", environment).run(*arguments)
    assert told.code == FAILED, reason
    assert said in told.stderr, reason
    assert told.stdout == ""


class _Nowhere:
    """A Foundry that nobody asks."""

    endpoint = "http://127.0.0.1:9/api/projects/none"


def test_an_agent_is_asked_in_its_own_runtime_and_generation(stage: Stage, tmp_path: Path) -> None:
    ask = cli(stage, tmp_path, "ask")
    stage.plane.lend_secrets(stage.namespace, stage.namespace)
    start(stage)
    stage.kubectl.apply(
        secret_manifest("any"),
        runtime(stage, "old", "FoundryClassic"),
        runtime(stage, "new", "Foundry", f"{stage.foundry.base_url}/api/projects/other"),
        agent("ceo", "old"),
        agent("cfo", "new"),
    )
    threads = {name: stage.ready(name)["status"]["runtime"]["threadId"] for name in ("ceo", "cfo")}
    for name, thread in threads.items():
        # With no project of their own in the environment: it is the runtime's that is asked.
        told = ask.run(name, "How are you?", "-n", stage.namespace, AZURE_AI_PROJECT_ENDPOINT=None)
        assert told.code == 0, told
        assert told.stdout.strip()
        assert f"thread {thread}" in told.stderr
    refused = ask.run("ceo", "Hi?", "-n", stage.namespace, AOS_ALLOWED_ENDPOINTS="a.example")
    assert refused.code == FAILED
    assert "AOS_ALLOWED_ENDPOINTS" in refused.stderr
