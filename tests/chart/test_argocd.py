"""What Argo CD reads: the health of an agent in a real Lua 5.1, and Applications in the right order."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from tests.chart.health import ARGOCD, health, scripts
from tests.chart.helm import EXAMPLES, OPERATOR_CHART, Helm, Json, only

from AgentOperatingSystem.api.conditions import broken_rules
from AgentOperatingSystem.api.v1alpha1 import PurposeDrivenAgentStatus

AGENT, APPLICATION = "agentoperatingsystem.io_PurposeDrivenAgent", "argoproj.io_Application"


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
        {"metadata": {"generation": 1, "annotations": {"agentoperatingsystem.io/reconcile-policy": "skip"}}},
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
        "Waiting for the operator to delete the agent",
    ),
]


@pytest.mark.parametrize(
    ("reason", "resource", "status", "message"), FIXTURES, ids=[row[0] for row in FIXTURES]
)
def test_the_health_of_an_agent(reason: str, resource: Json, status: str, message: str) -> None:
    assert health(scripts()[AGENT], resource) == (status, message), reason


def test_the_fixtures_are_statuses_that_the_operator_writes() -> None:
    for reason, resource, _, _ in FIXTURES:
        if resource.get("status", {}).get("conditions"):
            status = PurposeDrivenAgentStatus.model_validate(resource["status"])
            assert broken_rules(status) == [], reason


def test_the_config_map_holds_the_script_as_it_is() -> None:
    assert scripts()[AGENT] == (ARGOCD / "health.lua").read_text(encoding="utf-8")


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


def test_crds_come_before_the_operator_and_the_operator_before_agents(helm: Helm) -> None:
    operator, agents = application("apps/operator"), application("apps/agents")
    values = operator["spec"]["source"]["helm"]["valuesObject"]
    objects = helm.objects(OPERATOR_CHART, values=values, options=["--include-crds"])
    assert (wave(only(objects, "CustomResourceDefinition")), wave(operator), wave(agents)) == (-2, -1, 0)


def test_agents_may_be_synced_before_their_crd_is_there() -> None:
    options = application("apps/agents")["spec"]["syncPolicy"]["syncOptions"]
    assert {"SkipDryRunOnMissingResource=true", "ServerSideApply=true"} <= set(options)


@pytest.mark.parametrize("name", ["app-of-apps", "apps/operator", "apps/agents"])
def test_each_application_leads_to_what_is_there(name: str) -> None:
    source = application(name)["spec"]["source"]
    folder = EXAMPLES.parent / source["path"]
    wanted = {"app-of-apps": "*.yaml", "apps/operator": "Chart.yaml"}.get(name) or source["directory"][
        "include"
    ]
    assert list(folder.glob(wanted))
    assert source["targetRevision"] == "v0.1.0"
