"""A team's client secret: rotated under load, wrong, and mended; and it is told nowhere."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread
from typing import cast

import pytest
from kubernetes import client, watch
from tests.harness.azure import TENANT
from tests.harness.polling import eventually
from tests.harness.stage import GROUP, PLURAL, VERSION, Json, Stage, condition
from tests.harness.tenants import (
    INTERVAL,
    Tenants,
    agent,
    client_secret,
    open_tenants,
    own_runtime,
    secret_manifest,
)

from AgentOperatingSystem.sandbox.foundry import Fault

AGENTS = 50
# Jitter, and a look that takes its time.
WITHIN_AN_INTERVAL = 1.5 * INTERVAL


@pytest.fixture(scope="module")
def tenants(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    """One operator for all namespaces."""
    kind = pytestconfig.getoption("--control-plane")
    with open_tenants(kind, tmp_path_factory.mktemp("tenants")) as opened:
        yield opened


@contextmanager
def unready_seen(stage: Stage) -> Iterator[list[str]]:
    """Every agent that the watch shows as not Ready, while the context lasts."""
    found: list[str] = []
    over = Event()
    objects = client.CustomObjectsApi(stage.plane.api)
    where = (GROUP, VERSION, stage.namespace, PLURAL)
    newest = cast("Json", objects.list_namespaced_custom_object(*where))["metadata"]["resourceVersion"]

    def look() -> None:
        since = newest
        while not over.is_set():
            events = watch.Watch().stream(
                objects.list_namespaced_custom_object, *where, resource_version=since, timeout_seconds=1
            )
            for event in events:
                item: Json = event["object"]
                since = item["metadata"]["resourceVersion"]
                if event["type"] != "DELETED" and condition(item, "Ready").get("status") != "True":
                    found.append(f"{item['metadata']['name']}: {condition(item, 'Ready')}")

    looking = Thread(target=look, name="unready", daemon=True)
    looking.start()
    try:
        yield found
    finally:
        over.set()
        looking.join()


def _rotate(tenants: Tenants, stage: Stage, team: str, number: int) -> None:
    """As an administrator does it: a new secret beside the old one, into the Secret, the old one away."""
    tenants.azure.identity.add_secret(TENANT, team, client_secret(team, number))
    stage.kubectl.apply(secret_manifest(client_secret(team, number)))
    tenants.azure.identity.remove_secret(TENANT, team, client_secret(team, number - 1))


def test_the_secret_is_rotated_while_fifty_agents_change_and_none_fails(
    tenants: Tenants, report: Callable[[str], None]
) -> None:
    stage = tenants.namespace()
    team = f"team-{stage.namespace}"
    project = tenants.project(team, team)
    names = [f"agent-{number:02}" for number in range(AGENTS)]
    stage.kubectl.apply(
        secret_manifest(tenants.principal(team)),
        own_runtime("board", project.endpoint, team),
        *(agent(name, "board") for name in names),
    )
    for name in names:
        stage.ready(name)

    def changed() -> int:
        return sum(len(one.versions) == 2 for one in project.agents().values())

    slow = Fault(operation="create_version", project=team, delay=0.5)
    with unready_seen(stage) as unready, stage.fault(slow), ThreadPoolExecutor(1) as another:
        began = time.monotonic()
        changes = [agent(name, "board", purpose="Be of more use.") for name in names]
        applying = another.submit(stage.kubectl.apply, *changes)
        eventually(changed, what="the first ones are changed")
        _rotate(tenants, stage, team, 2)
        tenants.azure.identity.revoke(team)
        done = changed()
        applying.result()
        for name in names:
            stage.ready(name)
        lasted = time.monotonic() - began
    assert unready == []
    assert 0 < done < AGENTS, "the rotation was one under load"
    assert {len(one.versions) for one in project.agents().values()} == {2}
    report(
        f"{AGENTS} agents changed in {lasted:.1f} s on {stage.plane.name}; after {done} of them their Secret "
        "was rotated, and every token of the old one revoked"
    )


def test_a_wrong_secret_is_told_with_the_role_and_mended_within_an_interval(
    tenants: Tenants, report: Callable[[str], None]
) -> None:
    stage = tenants.namespace()
    team = f"team-{stage.namespace}"
    right, project = tenants.principal(team), tenants.project(team, team)
    stage.kubectl.apply(
        secret_manifest(client_secret(team, 9)),
        own_runtime("board", project.endpoint, team),
        agent("ceo", "board"),
    )
    for refused in (stage.reason("ceo", "NotAuthorized"), tenants.runtime("board", "NotAuthorized", stage)):
        message = condition(refused, "Ready")["message"]
        assert "Foundry User" in message
        assert "Secret" in message
        assert team in message
    stage.kubectl.apply(secret_manifest(right))
    mended = time.monotonic()
    stage.ready("ceo", within=WITHIN_AN_INTERVAL)
    tenants.runtime("board", "Connected", stage, within=WITHIN_AN_INTERVAL)
    lasted = time.monotonic() - mended
    report(f"a wrong Secret, mended: Ready after {lasted:.1f} s of an interval of {INTERVAL} s")


def test_a_token_that_is_revoked_is_fetched_anew_with_the_new_secret_at_the_next_refusal(
    tenants: Tenants,
) -> None:
    """Between two intervals too: whoever is refused reads the Secret again."""
    stage = tenants.namespace()
    team = f"team-{stage.namespace}"
    project = tenants.project(team, team)
    slow = own_runtime("board", project.endpoint, team, driftIntervalSeconds=3600)
    stage.kubectl.apply(secret_manifest(tenants.principal(team)), slow, agent("ceo", "board"))
    stage.ready("ceo")
    _rotate(tenants, stage, team, 2)
    tenants.azure.identity.revoke(team)
    with unready_seen(stage) as unready:
        stage.kubectl.apply(agent("ceo", "board", purpose="Be of more use."))
        stage.ready("ceo")
    assert unready == []
    assert len(project.agents()["ceo"].versions) == 2


@pytest.mark.needs_rights
def test_a_secret_that_the_operator_may_not_read_is_told_with_the_role_to_bind(tenants: Tenants) -> None:
    stage = tenants.namespace(lends_secrets=False)
    team = f"team-{stage.namespace}"
    project = tenants.project(team, team)
    stage.kubectl.apply(
        secret_manifest(tenants.principal(team)),
        own_runtime("board", project.endpoint, team),
        agent("ceo", "board"),
    )
    refused = stage.reason("ceo", "NotAuthorized")
    assert "tenant-secrets" in condition(refused, "Ready")["message"]
    assert tenants.tokens_for(team) == 0
    tenants.plane.lend_secrets(stage.namespace, tenants.home.namespace)
    stage.ready("ceo", within=2 * INTERVAL)
