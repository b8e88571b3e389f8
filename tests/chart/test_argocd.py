"""What Argo CD reads: the health of an agent in a real Lua 5.1, and Applications in the right order."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from tests.chart.health import ARGOCD, health, scripts
from tests.chart.helm import EXAMPLES, OPERATOR_CHART, Helm, Json, of_kind

from AgentOperatingSystem.api.conditions import broken_rules
from AgentOperatingSystem.api.crd import crds
from AgentOperatingSystem.api.runtimes import RuntimeResourceStatus
from AgentOperatingSystem.api.v1alpha1 import PurposeDrivenAgentStatus

AGENT, APPLICATION = "agentoperatingsystem.io_PurposeDrivenAgent", "argoproj.io_Application"
RUNTIMES = ["agentoperatingsystem.io_AgentRuntime", "agentoperatingsystem.io_ClusterAgentRuntime"]
PAUSED = {"agentoperatingsystem.io/reconcile-policy": "skip"}


def agent(*conditions: Json, seen: int = 2, **metadata: Any) -> Json:
    """A resource at generation 2 whose status is about generation `seen`."""
    status = {"observedGeneration": seen, "conditions": list(conditions)}
    return {"metadata": {"name": "ceo", "generation": 2, **metadata}, "status": status}


def condition(kind: str, status: str, reason: str, seen: int = 2) -> Json:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": f"About {reason}.",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": seen,
    }


READY = condition("Ready", "True", "Running")
IN_SYNC = condition("InSync", "True", "InSync")

FIXTURES: list[tuple[str, Json, str, str]] = [
    # reason, resource, status, message
    (
        "the operator has not come by",
        {"metadata": {"generation": 1}},
        "Progressing",
        "Waiting for the operator",
    ),
    ("a status without conditions", agent(), "Progressing", "Waiting for the operator"),
    (
        "a change that was not seen yet",
        agent(condition("Ready", "True", "Running", 1), seen=1),
        "Progressing",
        "Waiting for the operator to see the change",
    ),
    (
        "stalled about the spec before this one",
        agent(
            condition("Ready", "False", "SpecRejected", 1),
            condition("Stalled", "True", "SpecRejected", 1),
            seen=1,
        ),
        "Progressing",
        "Waiting for the operator to see the change",
    ),
    ("it runs", agent(READY, IN_SYNC), "Healthy", "Running: About Running."),
    (
        "drift that is only told",
        agent(READY, condition("InSync", "False", "DriftReported")),
        "Healthy",
        "Running: About Running.",
    ),
    (
        "being made",
        agent(
            condition("Ready", "Unknown", "Provisioning"), condition("Reconciling", "True", "Provisioning")
        ),
        "Progressing",
        "Provisioning: About Provisioning.",
    ),
    (
        "a runtime that does not answer",
        agent(
            condition("Ready", "False", "RuntimeUnavailable"), condition("Reconciling", "True", "Retrying")
        ),
        "Progressing",
        "RuntimeUnavailable: About RuntimeUnavailable.",
    ),
    (
        "only a person can help",
        agent(condition("Ready", "False", "ModelNotFound"), condition("Stalled", "True", "ModelNotFound")),
        "Degraded",
        "ModelNotFound: About ModelNotFound.",
    ),
    (
        "switched off",
        agent(condition("Ready", "True", "Disabled")),
        "Suspended",
        "Disabled: About Disabled.",
    ),
    (
        "paused before it was ever seen",
        {"kind": "PurposeDrivenAgent", "metadata": {"generation": 1, "annotations": PAUSED}},
        "Suspended",
        "Paused: reconcile-policy is skip",
    ),
    (
        "on its way out",
        agent(
            condition("Ready", "False", "Deleting"),
            condition("Reconciling", "True", "Deleting"),
            deletionTimestamp="2026-01-01T00:00:00Z",
        ),
        "Progressing",
        "Deleting: About Deleting.",
    ),
    (
        "on its way out though stalled",
        agent(
            condition("Ready", "False", "NotAuthorized"),
            condition("Stalled", "True", "NotAuthorized"),
            deletionTimestamp="2026-01-01T00:00:00Z",
        ),
        "Progressing",
        "NotAuthorized: About NotAuthorized.",
    ),
    (
        "on its way out before it was ever seen",
        {"metadata": {"generation": 1, "deletionTimestamp": "2026-01-01T00:00:00Z"}},
        "Progressing",
        "Waiting for the operator to let it go",
    ),
]
RUNTIME_FIXTURES: list[tuple[str, Json, str, str]] = [
    (
        "the operator has not come by",
        {"metadata": {"generation": 1}},
        "Progressing",
        "Waiting for the operator",
    ),
    ("it answers", agent(condition("Ready", "True", "Reachable")), "Healthy", "Reachable: About Reachable."),
    (
        "an endpoint that is not on the list",
        agent(condition("Ready", "False", "NotAllowed"), condition("Stalled", "True", "NotAllowed")),
        "Degraded",
        "NotAllowed: About NotAllowed.",
    ),
    (
        "a Secret that is not there yet",
        agent(
            condition("Ready", "False", "WaitingForReference"),
            condition("Reconciling", "True", "WaitingForReference"),
        ),
        "Progressing",
        "WaitingForReference: About WaitingForReference.",
    ),
    (
        "an annotation that is for agents",
        agent(condition("Ready", "True", "Reachable"), annotations=PAUSED),
        "Healthy",
        "Reachable: About Reachable.",
    ),
    (
        "on its way out with agents on it",
        agent(
            condition("Ready", "False", "Deleting"),
            condition("Reconciling", "True", "Deleting"),
            deletionTimestamp="2026-01-01T00:00:00Z",
        ),
        "Progressing",
        "Deleting: About Deleting.",
    ),
]


@pytest.mark.parametrize(
    ("reason", "resource", "status", "message"), FIXTURES, ids=[row[0] for row in FIXTURES]
)
def test_the_health_of_an_agent(reason: str, resource: Json, status: str, message: str) -> None:
    assert health(scripts()[AGENT], resource) == (status, message), reason


@pytest.mark.parametrize("kind", RUNTIMES)
@pytest.mark.parametrize(
    ("reason", "resource", "status", "message"), RUNTIME_FIXTURES, ids=[row[0] for row in RUNTIME_FIXTURES]
)
def test_the_health_of_a_runtime(kind: str, reason: str, resource: Json, status: str, message: str) -> None:
    told = {"kind": kind.rpartition("_")[2], **resource}
    assert health(scripts()[kind], told) == (status, message), reason


def test_the_fixtures_are_statuses_that_the_operator_writes() -> None:
    for fixtures, model in (
        (FIXTURES, PurposeDrivenAgentStatus),
        (RUNTIME_FIXTURES, RuntimeResourceStatus),
    ):
        for reason, resource, _, _ in fixtures:
            if resource.get("status", {}).get("conditions"):
                status = model.model_validate(resource["status"])
                assert broken_rules(status) == [], reason


@pytest.mark.parametrize("kind", [AGENT, *RUNTIMES])
def test_the_config_map_holds_the_script_as_it_is(kind: str) -> None:
    assert scripts()[kind] == (ARGOCD / "health.lua").read_text(encoding="utf-8")


def test_every_kind_of_ours_has_a_health() -> None:
    kinds = {crd["spec"]["names"]["kind"] for crd in crds().values()}
    assert {f"agentoperatingsystem.io_{kind}" for kind in kinds} == set(scripts()) - {APPLICATION}


def test_an_application_is_as_healthy_as_it_says() -> None:
    script = scripts()[APPLICATION]
    assert health(script, {"metadata": {}}) == ("Progressing", "")
    told = {"status": {"health": {"status": "Degraded", "message": "No."}}}
    assert health(script, told) == ("Degraded", "No.")


def application(name: str) -> Json:
    loaded: Json = yaml.safe_load((ARGOCD / f"{name}.yaml").read_text(encoding="utf-8"))
    return loaded


def wave(found: Json) -> int:
    return int(found["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])


def test_crds_come_before_the_operator_then_runtimes_then_agents(helm: Helm) -> None:
    operator = application("apps/operator")
    runtimes, agents = application("apps/runtimes"), application("apps/agents")
    values = operator["spec"]["source"]["helm"]["valuesObject"]
    objects = helm.objects(OPERATOR_CHART, values=values, options=["--include-crds"])
    assert {wave(crd) for crd in of_kind(objects, "CustomResourceDefinition")} == {-2}
    assert (wave(operator), wave(runtimes), wave(agents)) == (-1, 0, 1)


def test_in_one_application_a_runtime_comes_before_the_agents_on_it() -> None:
    folder = EXAMPLES / "runtimes"
    runtime, agent = (
        yaml.safe_load((folder / f"team-{name}.yaml").read_text()) for name in ("runtime", "agent")
    )
    assert wave(runtime) < 0
    assert "annotations" not in agent["metadata"]


@pytest.mark.parametrize("name", ["apps/runtimes", "apps/agents"])
def test_resources_may_be_synced_before_their_crd_is_there(name: str) -> None:
    options = application(name)["spec"]["syncPolicy"]["syncOptions"]
    assert {"SkipDryRunOnMissingResource=true", "ServerSideApply=true"} <= set(options)


@pytest.mark.parametrize("name", ["app-of-apps", "apps/operator", "apps/runtimes", "apps/agents"])
def test_each_application_leads_to_what_is_there(name: str) -> None:
    source = application(name)["spec"]["source"]
    folder = EXAMPLES.parent / source["path"]
    wanted = {"app-of-apps": "*.yaml", "apps/operator": "Chart.yaml"}.get(name) or source["directory"][
        "include"
    ]
    assert list(folder.glob(wanted))
    assert source["targetRevision"] == "v0.1.0"
