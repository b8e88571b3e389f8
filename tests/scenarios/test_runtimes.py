"""Many Foundry projects under one operator: whose agents land where and as whom, and what a change brings."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from tests.harness.azure import OPERATOR_CLIENT, TENANT, open_azure
from tests.harness.polling import eventually
from tests.harness.stage import DEPLOYMENTS, MODEL, Stage, condition
from tests.harness.tenants import (
    CLUSTERS,
    INTERVAL,
    Tenants,
    agent,
    client_secret,
    cluster_runtime,
    open_tenants,
    own_runtime,
    secret_manifest,
)

from AgentOperatingSystem.sandbox.foundry import Fault

NAMESPACE_SECONDS = 60.0


@pytest.fixture(scope="module")
def tenants(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    """One operator for all namespaces."""
    with open_tenants(
        pytestconfig.getoption("--control-plane"), tmp_path_factory.mktemp("tenants")
    ) as opened:
        yield opened


def test_agents_land_in_their_project_as_the_identity_of_their_runtime(tenants: Tenants) -> None:
    workload, first, second = "workload-app", "first-team", "second-team"
    tenants.azure.trust_operator_as(workload)
    boards = [tenants.namespace() for _ in range(4)]
    for stage, team in zip(boards[2:], (first, second), strict=True):
        stage.kubectl.apply(secret_manifest(tenants.principal(team)))
    projects = {
        client_id: tenants.project(f"of-{client_id}", client_id)
        for client_id in (OPERATOR_CLIENT, workload, first, second)
    }
    boards[0].kubectl.apply(
        cluster_runtime(
            "as-operator",
            projects[OPERATOR_CLIENT].endpoint,
            allowedNamespaces={"names": [boards[0].namespace]},
        ),
        cluster_runtime("as-workload", projects[workload].endpoint, identity={"clientId": workload}),
        agent("ceo", "as-operator", shared=True),
    )
    boards[1].kubectl.apply(agent("ceo", "as-workload", shared=True, adapterName="ceo"))
    for stage, team in zip(boards[2:], (first, second), strict=True):
        stage.kubectl.apply(own_runtime("own", projects[team].endpoint, team), agent("ceo", "own"))
    for stage, (client_id, project) in zip(boards, projects.items(), strict=True):
        item = stage.ready("ceo")
        assert item["status"]["runtime"]["endpoint"] == project.endpoint
        assert project.agents()["ceo"].metadata["aos_namespace"] == stage.namespace
        assert list(project.conversations()) == [item["status"]["runtime"]["threadId"]]
        assert {one.client for one in tenants.asked(project)} == {client_id}


def test_one_agent_id_in_two_namespaces_of_a_project_is_one_conflict(tenants: Tenants) -> None:
    project = tenants.project("one-id")
    one, other = tenants.namespace(), tenants.namespace()
    one.kubectl.apply(cluster_runtime("one-id", project.endpoint), agent("ceo", "one-id", shared=True))
    one.ready("ceo")
    before = project.agents()
    other.kubectl.apply(agent("ceo", "one-id", shared=True))
    refused = other.reason("ceo", "OwnershipConflict")
    assert one.namespace in condition(refused, "Ready")["message"]
    assert condition(one.ready("ceo"), "Ready")["status"] == "True"
    assert project.agents() == before


def test_with_a_template_for_names_two_namespaces_have_an_agent_each(tenants: Tenants) -> None:
    project = tenants.project("templated")
    stages = [tenants.namespace(), tenants.namespace()]
    stages[0].kubectl.apply(
        cluster_runtime("templated", project.endpoint, agentNameTemplate="{namespace}-{agentId}")
    )
    for stage in stages:
        stage.kubectl.apply(agent("ceo", "templated", shared=True))
    names = {f"{stage.namespace}-ceo" for stage in stages}
    for stage in stages:
        stage.ready("ceo")
    assert set(project.agents()) == names
    for stage in stages:
        stage.kubectl("delete", "pda", "ceo")
    assert project.agents() == {}


def test_a_runtime_tells_how_it_is(tenants: Tenants) -> None:
    team, stage = "telling-team", tenants.namespace()
    project = tenants.project("telling", team)
    stage.kubectl.apply(
        secret_manifest(tenants.principal(team)),
        own_runtime("board", project.endpoint, team),
        agent("ceo", "board"),
    )
    stage.ready("ceo")

    told = eventually(
        lambda: tenants.runtime("board", "Connected", stage),
        lambda seen: seen["status"].get("agents") == 1,
        what="the agent is counted",
    )
    status = told["status"]
    assert set(DEPLOYMENTS) <= set(status["deployments"])
    assert "lastError" not in status
    head, row = stage.kubectl("get", "art", "board").stdout.splitlines()
    assert head.split() == ["NAME", "READY", "REASON", "TYPE", "AGENTS", "AGE"]
    assert row.split()[:5] == ["board", "True", "Connected", "Foundry", "1"]

    # A change is looked at at once, and nobody waits for two intervals.
    project.admit(["somebody-else"])
    stage.kubectl.apply(own_runtime("board", project.endpoint, team, maxAgents=2))
    refused = tenants.runtime("board", "NotAuthorized", stage)
    assert "Foundry User" in refused["status"]["lastError"]["message"]
    assert set(DEPLOYMENTS) <= set(refused["status"]["deployments"]), "what was seen last is kept"
    project.admit([team])
    stage.kubectl.apply(own_runtime("board", project.endpoint, team, maxAgents=3))
    mended = tenants.runtime("board", "Connected", stage)
    assert mended["status"]["lastError"] == refused["status"]["lastError"], "it is kept after it is over"


def test_a_changed_runtime_reconciles_its_agents_without_a_restart(tenants: Tenants) -> None:
    project, stage = tenants.project("changing"), tenants.namespace()

    def change(**spec: object) -> None:
        stage.kubectl.apply(cluster_runtime("changing", project.endpoint, **spec))

    # An interval that nobody waits for: what happens comes from the change.
    slow: dict[str, object] = {"driftIntervalSeconds": 3600, "modelCheck": "Off"}
    change(**slow, maxAgents=1)
    stage.kubectl.apply(agent("ceo", "changing", shared=True))
    stage.ready("ceo")
    stage.kubectl.apply(agent("cfo", "changing", shared=True, adapterName="cfo"))
    assert "maxAgents" in condition(stage.reason("cfo", "NotAllowed"), "Ready")["message"]
    change(**slow, maxAgents=2)
    stage.ready("cfo")
    tenants.azure.foundry.deployments.add("another-model")
    change(**slow, maxAgents=2, baseModel="another-model")
    eventually(lambda: project.agents()["ceo"].latest.model, lambda model: model == "another-model")
    tenants.azure.foundry.deployments.add("cfo-tuned")
    change(**slow, maxAgents=2, deploymentTemplate="{adapter}-tuned")
    eventually(lambda: project.agents()["cfo"].latest.model, lambda model: model == "cfo-tuned")
    assert project.agents()["ceo"].latest.model == MODEL
    stage.kubectl.apply(agent("ceo", "changing", shared=True, model="another-model"))
    stage.ready("ceo")
    change(**slow, maxAgents=2, deploymentTemplate="{adapter}-tuned", allowedModels=["cfo-tuned"])
    assert "another-model" in condition(stage.reason("ceo", "NotAllowed"), "Ready")["message"]
    stage.ready("cfo")


def test_what_an_agent_waits_for_may_come_after_it(tenants: Tenants) -> None:
    team, stage = "late-team", tenants.namespace()
    project, secret = tenants.project("late", team), tenants.principal(team)
    stage.kubectl.apply(agent("ceo", "late"))
    waiting = stage.reason("ceo", "WaitingForReference")
    assert "late" in condition(waiting, "Ready")["message"]
    stage.kubectl.apply(own_runtime("late", project.endpoint, team))
    eventually(
        lambda: condition(stage.read("ceo") or {}, "Ready").get("message", ""),
        lambda message: "Secret" in message,
        what="the agent waits for the Secret",
    )
    tenants.runtime("late", "WaitingForReference", stage)
    assert tenants.tokens_for(team) == 0
    stage.kubectl.apply(secret_manifest(secret))
    tenants.runtime("late", "Connected", stage)
    stage.ready("ceo", within=2 * INTERVAL)


def test_a_deleted_runtime_stays_until_its_last_agent_is_gone(tenants: Tenants) -> None:
    project, stage = tenants.project("leaving"), tenants.namespace()
    stage.kubectl.apply(cluster_runtime("leaving", project.endpoint), agent("ceo", "leaving", shared=True))
    stage.ready("ceo")
    stage.kubectl("delete", "cart", "leaving", "--wait=false")
    held = tenants.runtime("leaving", "InUse")
    assert "an agent" in condition(held, "Ready")["message"]
    stage.kubectl.apply(agent("late", "leaving", shared=True))
    assert "being deleted" in condition(stage.reason("late", "WaitingForReference"), "Ready")["message"]
    stage.kubectl("delete", "pda", "ceo", "late")
    assert project.agents() == {}
    eventually(lambda: tenants.read(CLUSTERS, "leaving") is None, what="the runtime is gone", within=40)


def test_an_agent_that_may_not_be_on_a_runtime_does_not_hold_it(tenants: Tenants) -> None:
    """Else whoever names a runtime could keep its administrator from deleting it."""
    project, stage = tenants.project("held"), tenants.namespace()
    stage.kubectl.apply(
        cluster_runtime("held", project.endpoint, allowedNamespaces={"names": []}),
        agent("ceo", "held", shared=True, notes={"runtime-endpoint": project.endpoint}),
    )
    stage.reason("ceo", "NotAllowed")
    stage.kubectl("delete", "cart", "held", "--wait=false")
    eventually(lambda: tenants.read(CLUSTERS, "held") is None, what="the runtime is gone", within=40)
    stage.kubectl("delete", "pda", "ceo", "--wait=false")


def test_without_a_runtime_only_the_configured_namespaces_are_served(tenants: Tenants) -> None:
    other = tenants.namespace()
    tenants.home.kubectl.apply(agent("default", None))
    other.kubectl.apply(agent("default", None))
    tenants.home.ready("default")
    refused = other.reason("default", "NotAllowed")
    assert "AOS_DEFAULT_RUNTIME_NAMESPACES" in condition(refused, "Ready")["message"]
    assert tenants.azure.foundry.agents()["default"].metadata["aos_namespace"] == tenants.home.namespace


def test_a_namespace_goes_with_its_runtime_and_secret_and_all_its_agents(tenants: Tenants) -> None:
    team, stage = "going-team", tenants.namespace()
    project = tenants.project("going", team)
    names = [f"agent-{number}" for number in range(20)]
    stage.kubectl.apply(
        secret_manifest(tenants.principal(team)),
        own_runtime("going", project.endpoint, team),
        *(agent(name, "going") for name in names),
    )
    for name in names:
        stage.ready(name)
    assert len(project.agents()) == len(project.conversations()) == 20
    core = client.CoreV1Api(tenants.plane.api)
    # One that cannot go for longer than the operator may remember the Secret.
    with stage.fault(Fault(operation="DELETE .*/agents/agent-0$", project=project.name, status=503)):
        core.delete_namespace(stage.namespace)
        eventually(lambda: not core.list_namespaced_secret(stage.namespace).items, what="the Secret is gone")
        without = time.time()
        eventually(lambda: time.time() > without + INTERVAL, what="nobody remembers it", every=0.5)
    eventually(
        lambda: not tenants.namespace_is_there(stage.namespace),
        what="the namespace is gone",
        within=NAMESPACE_SECONDS,
        every=0.3,
    )
    assert (project.agents(), project.conversations()) == ({}, {})
    last = [one for one in tenants.asked(project, "delete_agent") if one.status == 200][-1]
    assert (last.path.rpartition("/")[-1], last.client) == ("agent-0", team)


def test_an_operator_for_some_namespaces_serves_their_own_runtimes_only(stage: Stage, tmp_path: Path) -> None:
    team = "namespaced-team"
    stage.plane.lend_secrets(stage.namespace, stage.namespace)
    with open_azure(tmp_path, deployments=DEPLOYMENTS) as azure:
        azure.identity.add_secret(TENANT, team, client_secret(team))
        settings: dict[str, Any] = azure.environment
        stage.operator.start(**settings)
        stage.kubectl.apply(
            secret_manifest(client_secret(team)),
            own_runtime("own", azure.foundry.endpoint, team),
            agent("ceo", "own"),
            agent("cfo", "clusters", shared=True),
        )
        stage.ready("ceo")
        assert {one.client for one in azure.foundry.requests} == {team}
        refused = stage.reason("cfo", "NotAllowed")
        assert "name an AgentRuntime" in condition(refused, "Ready")["message"]
        stage.operator.kill()
