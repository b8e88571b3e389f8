"""A resource as it is read: what survives a wiped status, and what an odd status may not break."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.samples import ENDPOINT, FACTS, NOW, SPEC, resource

from AgentOperatingSystem.api.v1alpha1 import FINALIZER, PurposeDrivenAgentStatus, RuntimeStatus
from AgentOperatingSystem.model.errors import NotAuthorized
from AgentOperatingSystem.reconcile.resource import (
    DETACH,
    ENDPOINT_ANNOTATION,
    POLICY_ANNOTATION,
    REQUEST_ANNOTATION,
    SKIP,
    ObjectKey,
    Resource,
)
from AgentOperatingSystem.reconcile.status import Findings, make_status


def body(**more: Any) -> dict[str, Any]:
    metadata = {
        "name": "ceo",
        "namespace": "boardroom",
        "uid": "uid-1",
        "resourceVersion": "7",
        "generation": 2,
        **more.pop("metadata", {}),
    }
    return {"metadata": metadata, "spec": dict(SPEC), **more}


def test_a_new_object_is_read_without_any_status() -> None:
    read = Resource.from_object(body())
    assert read.key == ObjectKey("boardroom", "ceo")
    assert str(read.key) == "boardroom/ceo"
    assert read.status == PurposeDrivenAgentStatus()
    assert (read.deleting, read.protected, read.changed) == (False, False, True)


def test_an_object_that_goes_is_seen_to() -> None:
    read = Resource.from_object(
        body(metadata={"deletionTimestamp": "2026-05-04T12:00:00Z", "finalizers": ["x", FINALIZER]})
    )
    assert (read.deleting, read.protected) == (True, True)


@pytest.mark.parametrize(
    ("status", "changed", "reason"),
    [
        ({"observedGeneration": 2}, False, "the status speaks of this generation"),
        ({"observedGeneration": 1}, True, "the status is older than the spec"),
        ({}, True, "wiped"),
        (None, True, "null is as good as wiped"),
        ({"observedGeneration": "two"}, True, "of no shape that we know: as good as wiped"),
        ({"conditions": [{"type": "Ready"}]}, True, "half a condition: as good as wiped"),
    ],
)
def test_a_spec_is_new_until_the_status_speaks_of_it(status: Any, changed: bool, reason: str) -> None:
    assert Resource.from_object(body(status=status)).changed is changed, reason


@pytest.mark.parametrize(
    ("spec", "name", "reason"),
    [
        ({"purpose": "p"}, "ceo", "the resource's name"),
        ({"purpose": "p", "agentId": "Chief"}, "Chief", "as the spec says"),
        ({"agentId": None, "purpose": 3}, "ceo", "readable though the spec is refused"),
    ],
)
def test_an_agent_is_named_by_its_resource(spec: dict[str, Any], name: str, reason: str) -> None:
    assert resource(spec).agent_name == name, reason


@pytest.mark.parametrize(
    ("annotations", "handled", "requested", "paused", "reason"),
    [
        ({}, None, False, False, "nobody asked for anything"),
        ({REQUEST_ANNOTATION: "1"}, None, True, False, "asked for, and not yet done"),
        ({REQUEST_ANNOTATION: "1"}, "1", False, False, "asked for and done"),
        ({REQUEST_ANNOTATION: "2"}, "1", True, False, "asked for once more"),
        ({POLICY_ANNOTATION: SKIP}, None, False, True, "to be left alone"),
        ({POLICY_ANNOTATION: DETACH}, None, False, False, "that is for its deletion"),
    ],
)
def test_what_a_person_asks_for_by_annotation(
    annotations: dict[str, str], handled: str | None, requested: bool, paused: bool, reason: str
) -> None:
    status = PurposeDrivenAgentStatus(last_handled_reconcile_at=handled)
    read = resource(status=status, annotations=annotations)
    assert (read.requested, read.paused) == (requested, paused), reason


OTHER = "https://other.services.ai.azure.com/api/projects/board"
RUNNING = PurposeDrivenAgentStatus(runtime=RuntimeStatus(type="Foundry", endpoint=ENDPOINT, agent_id="ceo"))


@pytest.mark.parametrize(
    ("status", "note", "endpoint", "reason"),
    [
        (None, None, None, "nothing was made"),
        (RUNNING, None, ENDPOINT, "the note is gone, the status is not"),
        (None, ENDPOINT, ENDPOINT, "the status was wiped"),
        (RUNNING, OTHER, OTHER, "the note outlives the status, so it wins"),
    ],
)
def test_the_project_of_an_agent_is_known_from_note_or_status(
    status: PurposeDrivenAgentStatus | None, note: str | None, endpoint: str | None, reason: str
) -> None:
    annotations = {} if note is None else {ENDPOINT_ANNOTATION: note}
    assert resource(status=status, annotations=annotations).recorded_endpoint == endpoint, reason


def test_a_wrong_endpoint_that_nothing_was_made_in_is_no_home() -> None:
    """Else putting a misspelt endpoint right is told as RuntimeMoved, and deletion never ends."""
    failed = make_status(resource(), Findings(facts=FACTS, error=NotAuthorized("403")), NOW)
    assert resource(status=failed).recorded_endpoint is None
