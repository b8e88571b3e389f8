"""What a pass writes on the resource: the table of the design, and how long a silent runtime is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.unit.samples import ENDPOINT, FACTS, NOW, OBSERVED, SPEC, resource

from AgentOperatingSystem.api.conditions import broken_rules
from AgentOperatingSystem.api.v1alpha1 import LIST_LIMIT, Condition, PurposeDrivenAgentStatus, ToolStatus
from AgentOperatingSystem.model import errors
from AgentOperatingSystem.model.definition import ObservedAgent
from AgentOperatingSystem.model.errors import AOSError
from AgentOperatingSystem.model.facts import ModelFinding
from AgentOperatingSystem.reconcile.desired import desired_state
from AgentOperatingSystem.reconcile.resource import REQUEST_ANNOTATION, Resource
from AgentOperatingSystem.reconcile.status import (
    Findings,
    make_bug_status,
    make_deleting_status,
    make_status,
    missing_model,
)

Seen = dict[str, tuple[str, str]]

MINUTE = timedelta(minutes=1)
UNAVAILABLE = errors.RuntimeUnavailable("The runtime failed (503).")
PASSING: list[AOSError] = [
    UNAVAILABLE,
    errors.Throttled("429"),
    errors.OutcomeUnknown("No answer."),
]
LASTING: list[tuple[AOSError, str]] = [
    (errors.SpecRejected("spec.model", "no"), "SpecRejected"),
    (
        errors.NotAuthorized("403; give it the role Foundry User"),
        "NotAuthorized",
    ),
    (errors.EndpointNotConfigured(), "EndpointNotConfigured"),
    (errors.ConfigurationError("RUNTIME_TIMEOUT", "is wrong"), "ConfigurationInvalid"),
    (errors.ModelNotFound("no such deployment"), "ModelNotFound"),
    (errors.DefinitionRejected("400"), "DefinitionRejected"),
    (errors.AdoptionRequired("not ours"), "AdoptionRequired"),
    (errors.OwnershipConflict("another's"), "OwnershipConflict"),
    (errors.RuntimeMoved("moved"), "RuntimeMoved"),
    (errors.NotFound("404"), "ProjectNotFound"),
    (errors.RuntimeFailure("in circles"), "RuntimeRefused"),
]


def findings(
    *,
    spec: Mapping[str, Any] = SPEC,
    observed: ObservedAgent | None = OBSERVED,
    thread_id: str | None = "conv_1",
) -> Findings:
    """What a pass found that went well."""
    return Findings(FACTS, desired_state(resource(spec), FACTS), observed, "conv_1")


def failed(error: AOSError) -> Findings:
    """What a pass found that an error stopped."""
    return Findings(facts=FACTS, desired=desired_state(resource(), FACTS), error=error)


def after(status: PurposeDrivenAgentStatus, *, generation: int = 1) -> Resource:
    """The resource once `status` was written."""
    return resource(status=status, generation=generation)


def seen(status: PurposeDrivenAgentStatus) -> Seen:
    """Each condition's status and reason, once the status proved fit to be written."""
    assert broken_rules(status) == []
    return {item.type: (item.status.value, item.reason) for item in status.conditions}


def condition(status: PurposeDrivenAgentStatus, kind: str) -> Condition:
    return next(item for item in status.conditions if item.type == kind)


def serving(now: datetime = NOW) -> PurposeDrivenAgentStatus:
    """The status of an agent that runs."""
    return make_status(resource(), findings(), now)


RUNNING: Seen = {"Ready": ("True", "Running"), "InSync": ("True", "InSync")}


@pytest.mark.parametrize(
    ("found", "conditions", "reason"),
    [
        (findings(), RUNNING, "it runs"),
        (
            findings(observed=None),
            {"Ready": ("False", "Provisioning"), "Reconciling": ("True", "Provisioning")},
            "written, and not to be seen yet",
        ),
        (
            findings(observed=replace(OBSERVED, ready=False)),
            {"Ready": ("False", "Provisioning"), "Reconciling": ("True", "Provisioning")},
            "the runtime still prepares the version",
        ),
        (
            findings(observed=replace(OBSERVED, ready=False, failed=True)),
            {"Ready": ("False", "VersionFailed"), "Stalled": ("True", "VersionFailed")},
            "the runtime gave up",
        ),
        (
            findings(spec={**SPEC, "enabled": False}, observed=replace(OBSERVED, enabled=False)),
            {"Ready": ("True", "Disabled"), "InSync": ("True", "InSync")},
            "off, as asked for",
        ),
        (
            findings(spec={**SPEC, "enabled": False}, observed=None),
            {"Ready": ("True", "Disabled"), "InSync": ("True", "InSync")},
            "never made, as asked for",
        ),
    ],
)
def test_a_pass_that_went_well_says_what_it_saw(found: Findings, conditions: Seen, reason: str) -> None:
    assert seen(make_status(resource(), found, NOW)) == conditions, reason


@pytest.mark.parametrize(("error", "why"), LASTING, ids=[why for _, why in LASTING])
@pytest.mark.parametrize("before", [None, serving()], ids=["new", "serving"])
def test_what_waiting_alone_does_not_mend_is_stalled(
    before: PurposeDrivenAgentStatus | None, error: AOSError, why: str
) -> None:
    made = make_status(resource(status=before), failed(error), NOW)
    conditions = seen(made)
    assert conditions["Ready"] == ("False", why)
    assert conditions["Stalled"] == ("True", why)
    assert "Reconciling" not in conditions
    assert condition(made, "Ready").message == str(error)


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_an_agent_that_was_not_there_yet_is_on_its_way(error: AOSError) -> None:
    why = "Throttled" if isinstance(error, errors.Throttled) else "RuntimeUnavailable"
    conditions = seen(make_status(resource(), failed(error), NOW))
    assert conditions == {
        "Ready": ("False", why),
        "Reconciling": ("True", why),
        "InSync": ("Unknown", why),
    }


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_an_agent_that_served_stays_ready_while_its_runtime_is_silent(error: AOSError) -> None:
    why = "Throttled" if isinstance(error, errors.Throttled) else "RuntimeUnavailable"
    before = serving()
    made = make_status(after(before), failed(error), NOW + MINUTE)
    assert seen(made) == {"Ready": ("True", "Running"), "InSync": ("Unknown", why)}
    assert condition(made, "Ready") == condition(before, "Ready"), "not a word of it changes"
    assert condition(made, "InSync").message == str(error)
    assert made.runtime == before.runtime


@pytest.mark.parametrize(
    ("minutes", "ready", "reason"),
    [
        (1, "True", "the runtime may still serve it"),
        (5, "True", "for five minutes"),
        (5.1, "False", "and no longer"),
        (600, "False", "and no longer"),
    ],
)
def test_patience_ends_five_minutes_after_the_runtime_fell_silent(
    minutes: float, ready: str, reason: str
) -> None:
    silent = make_status(after(serving()), failed(UNAVAILABLE), NOW + 60 * MINUTE)
    made = make_status(after(silent), failed(UNAVAILABLE), NOW + (60 + minutes) * MINUTE)
    assert seen(made)["Ready"][0] == ready, reason


def test_patience_counts_through_every_pass_in_between() -> None:
    status = serving()
    outcomes = []
    for minute in range(8):
        error = UNAVAILABLE if minute % 2 else errors.Throttled("429")
        status = make_status(after(status), failed(error), NOW + minute * MINUTE)
        outcomes.append(seen(status)["Ready"])
    assert outcomes == [("True", "Running")] * 6 + [("False", "Throttled"), ("False", "RuntimeUnavailable")]


def test_patience_begins_anew_once_the_runtime_answered() -> None:
    silent = make_status(after(serving()), failed(UNAVAILABLE), NOW + MINUTE)
    back = make_status(after(silent), findings(), NOW + 4 * MINUTE)
    assert seen(back) == RUNNING
    assert condition(back, "Ready").last_transition_time == condition(silent, "Ready").last_transition_time
    again = make_status(after(back), failed(UNAVAILABLE), NOW + 8 * MINUTE)
    later = make_status(after(again), failed(UNAVAILABLE), NOW + 12 * MINUTE)
    assert seen(later)["Ready"] == ("True", "Running")


def test_a_changed_spec_is_not_called_ready_by_a_silent_runtime() -> None:
    """`kubectl wait` would take the old agent for the new one."""
    made = make_status(after(serving(), generation=2), failed(UNAVAILABLE), NOW + MINUTE)
    assert seen(made)["Ready"] == ("False", "RuntimeUnavailable")
    assert made.observed_generation == 2


def test_a_disabled_agent_stays_so_while_its_runtime_is_silent() -> None:
    off = make_status(resource(), findings(spec={**SPEC, "enabled": False}, observed=None), NOW)
    made = make_status(after(off), failed(UNAVAILABLE), NOW + MINUTE)
    assert seen(made)["Ready"] == ("True", "Disabled")


def test_a_bug_is_told_without_its_text() -> None:
    made = make_bug_status(after(serving()), "KeyError", NOW)
    assert seen(made) == {
        "Ready": ("Unknown", "InternalError"),
        "Reconciling": ("True", "InternalError"),
    }
    assert "KeyError" in condition(made, "Ready").message
    assert made.runtime == serving().runtime


@pytest.mark.parametrize(
    ("error", "conditions", "reason"),
    [
        (None, {"Ready": ("False", "Deleting"), "Reconciling": ("True", "Deleting")}, "waiting for proof"),
        (
            UNAVAILABLE,
            {"Ready": ("False", "RuntimeUnavailable"), "Reconciling": ("True", "RuntimeUnavailable")},
            "no patience: it is to go",
        ),
        (
            errors.NotAuthorized("403"),
            {"Ready": ("False", "NotAuthorized"), "Stalled": ("True", "NotAuthorized")},
            "somebody has to help",
        ),
    ],
)
def test_a_resource_that_cannot_go_says_why(error: AOSError | None, conditions: Seen, reason: str) -> None:
    made = make_deleting_status(after(serving()), error, NOW)
    assert seen(made) == conditions, reason
    if error is not None:
        assert condition(made, "Ready").message == f"Cannot delete the agent yet: {error}"


def test_the_runtime_is_told_as_it_was_seen() -> None:
    made = serving()
    assert made.observed_generation == 1
    assert made.runtime is not None
    assert made.runtime.model_dump(exclude={"definition_hash"}) == {
        "type": "Foundry",
        "endpoint": ENDPOINT,
        "agent_id": "ceo",
        "version": "3",
        "deployment": "llama-3.3-70b-ceo",
        "thread_id": "conv_1",
    }
    assert str(made.runtime.definition_hash).startswith("sha256:")


def test_what_was_known_of_the_agent_outlives_a_failure() -> None:
    """The thread and the version still stand, and a question may be asked on them."""
    made = make_status(after(serving()), Findings(error=errors.NotAuthorized("403")), NOW + MINUTE)
    assert made.runtime == serving().runtime


def test_without_settings_nothing_is_told_of_a_runtime() -> None:
    made = make_status(resource(), Findings(error=errors.EndpointNotConfigured()), NOW)
    assert made.runtime is None
    assert "AZURE_AI_PROJECT_ENDPOINT" in condition(made, "Ready").message


def test_drift_that_is_left_is_told_with_the_moment_it_was_first_seen() -> None:
    first = make_status(resource(), replace(findings(), drift=("instructions",)), NOW)
    assert seen(first) == {"Ready": ("True", "Running"), "InSync": ("False", "Drifted")}
    assert "instructions" in condition(first, "InSync").message
    more = replace(findings(), drift=("deployment", "instructions"))
    later = make_status(after(first), more, NOW + MINUTE)
    assert [(item.path, item.since) for item in later.drift] == [
        ("deployment", "2026-05-04T12:01:00Z"),
        ("instructions", "2026-05-04T12:00:00Z"),
    ]
    assert make_status(after(later), failed(UNAVAILABLE), NOW + 2 * MINUTE).drift == later.drift
    assert make_status(after(later), findings(), NOW + 2 * MINUTE).drift == []


FOUND, MISSING = ModelFinding(available=True), ModelFinding(available=False, nearest=("llama-3.3-70b-cfo",))


@pytest.mark.parametrize(
    ("model", "expected", "reason"),
    [
        (FOUND, ("True", "DeploymentFound"), "it exists"),
        (MISSING, ("False", "DeploymentNotFound"), "not listed, and only warned of"),
        (None, None, "never checked"),
    ],
)
def test_a_deployment_has_a_condition_of_its_own(
    model: ModelFinding | None, expected: tuple[str, str] | None, reason: str
) -> None:
    made = make_status(resource(), replace(findings(), model=model), NOW)
    conditions = seen(made)
    assert conditions.get("ModelAvailable") == expected, reason
    assert conditions["Ready"] == ("True", "Running")


def test_what_was_found_of_a_deployment_is_kept_while_nobody_looks_again() -> None:
    first = make_status(resource(), replace(findings(), model=MISSING), NOW)
    later = make_status(after(first), findings(), NOW + MINUTE)
    assert condition(later, "ModelAvailable") == condition(first, "ModelAvailable")


def test_a_missing_deployment_is_told_under_its_own_condition_too() -> None:
    made = make_status(resource(), failed(errors.ModelNotFound("no deployment")), NOW)
    assert seen(made)["ModelAvailable"] == ("False", "DeploymentNotFound")


def test_a_missing_deployment_is_told_with_what_is_most_like_it() -> None:
    sentence = missing_model("llama-3.3-70b-ceo", MISSING, ENDPOINT)
    assert "no deployment llama-3.3-70b-ceo; the nearest are llama-3.3-70b-cfo." in sentence
    assert "--name acme " in sentence
    assert "it has none" in missing_model("x", ModelFinding(available=False), "")


def test_a_message_is_no_longer_than_people_read() -> None:
    made = make_status(resource(), failed(errors.DefinitionRejected("x" * 100_000)), NOW)
    assert len(condition(made, "Ready").message) <= 2048


def test_a_fulfilled_wish_is_noted() -> None:
    asked = resource(annotations={REQUEST_ANNOTATION: "2026-05-04"})
    assert make_status(asked, findings(), NOW).last_handled_reconcile_at == "2026-05-04"


TOOL = {"serverName": "erpnext", "toolName": "get"}
CLOSED = {**TOOL, "inputSchema": {"type": "object"}}


@pytest.mark.parametrize(
    ("tools", "why", "words", "reason"),
    [
        ([], None, "", "no tools, no condition"),
        ([CLOSED], "Resolved", "", "declared with its schema"),
        ([TOOL], "OpenSchema", "erpnext/get", "works, and could work better"),
    ],
)
def test_tools_have_a_condition_of_their_own(
    tools: list[dict[str, Any]], why: str | None, words: str, reason: str
) -> None:
    made = make_status(resource(), findings(spec={**SPEC, "mcpTools": tools}), NOW)
    conditions = seen(made)
    assert conditions.get("ToolsResolved") == (None if why is None else ("True", why)), reason
    assert made.tools == [ToolStatus(name="erpnext__get", server="erpnext") for _ in tools]
    if why is not None:
        assert words in condition(made, "ToolsResolved").message


def test_tools_are_still_told_when_the_spec_is_refused() -> None:
    made = make_status(resource(), findings(spec={**SPEC, "mcpTools": [TOOL]}), NOW)
    refused = make_status(after(made), Findings(error=errors.SpecRejected("spec.model", "x")), NOW)
    assert refused.tools == made.tools


def test_as_many_tools_as_a_spec_may_have_make_a_status() -> None:
    tools = [{"serverName": "s" * 128, "toolName": f"{'t' * 124}{number:04}"} for number in range(LIST_LIMIT)]
    made = make_status(resource(), findings(spec={**SPEC, "mcpTools": tools}), NOW)
    assert len(made.tools) == LIST_LIMIT


def test_the_same_findings_make_the_same_status() -> None:
    """Else every pass would be a write, and every write a pass."""
    for found in (findings(), failed(UNAVAILABLE), failed(errors.NotAuthorized("403"))):
        first = make_status(after(serving()), found, NOW + MINUTE)
        assert make_status(after(first), found, NOW + 2 * MINUTE) == first
