"""Changing objects: PUT and PATCH, conflicts, generation, and the status subresource."""

from typing import Any

import pytest
from tests.contract.conftest import JSON_PATCH, Home, Target


def _version(item: dict[str, Any]) -> str:
    return str(item["metadata"]["resourceVersion"])


def test_put_replaces(target: Target, home: Home) -> None:
    """What the new object does not say is gone."""
    item = home.create("x", size=3)
    del item["spec"]["size"]
    answer = target.put(home.one("x"), item)
    assert answer.status == 200
    assert "size" not in answer.body["spec"]
    assert int(_version(answer.body)) > int(_version(item))


def test_put_on_an_old_version_conflicts(target: Target, home: Home) -> None:
    """Optimistic concurrency: the second writer is told."""
    item = home.create("x")
    assert target.put(home.one("x"), {**item, "spec": {"purpose": "first"}}).status == 200
    answer = target.put(home.one("x"), {**item, "spec": {"purpose": "second"}})
    assert (answer.status, answer.reason) == (409, "Conflict")
    assert "the object has been modified" in answer.message


def test_put_needs_a_version(target: Target, home: Home) -> None:
    """Custom objects cannot be replaced blindly."""
    home.create("x")
    answer = target.put(home.one("x"), home.widgets.make("x"))
    assert answer.status == 422
    assert "metadata.resourceVersion" in answer.message


def test_put_keeps_the_name(target: Target, home: Home) -> None:
    """The name in the body is the name in the URL."""
    item = home.create("x")
    item["metadata"]["name"] = "y"
    assert target.put(home.one("x"), item).status == 400


def test_put_of_nothing_is_not_found(target: Target, home: Home) -> None:
    """PUT does not create custom objects."""
    body = home.widgets.make("x", {"resourceVersion": "1"})
    assert target.put(home.one("x"), body).status in {404, 409}


def test_a_merge_patch_sets_and_removes(target: Target, home: Home) -> None:
    """null removes (RFC 7396)."""
    home.create("x", size=3, limit=5)
    answer = target.patch(home.one("x"), {"spec": {"size": None, "limit": 6}})
    assert answer.status == 200
    assert "size" not in answer.body["spec"]
    assert answer.body["spec"]["limit"] == 6


def test_a_merge_patch_replaces_lists(target: Target, home: Home) -> None:
    """Lists do not merge in a merge patch, whatever their type."""
    home.create("x", tags=["a", "b"])
    answer = target.patch(home.one("x"), {"spec": {"tags": ["c"]}})
    assert answer.body["spec"]["tags"] == ["c"]


def test_a_patch_on_an_old_version_conflicts(target: Target, home: Home) -> None:
    """A resourceVersion in a merge patch is a compare-and-swap."""
    item = home.create("x")
    target.patch(home.one("x"), {"spec": {"size": 2}})
    stale = {"metadata": {"resourceVersion": _version(item)}, "spec": {"size": 3}}
    answer = target.patch(home.one("x"), stale)
    assert (answer.status, answer.reason) == (409, "Conflict")


def test_a_patch_of_another_uid_conflicts(target: Target, home: Home) -> None:
    """A uid in a patch says which incarnation is meant."""
    home.create("x")
    answer = target.patch(home.one("x"), {"metadata": {"uid": "00000000-0000-0000-0000-000000000000"}})
    assert answer.status == 422
    assert "metadata.uid: Invalid value" in answer.message
    assert answer.message.endswith("field is immutable")


def test_a_json_patch_applies(target: Target, home: Home) -> None:
    """RFC 6902 with a test that holds."""
    item = home.create("x")
    operations = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": _version(item)},
        {"op": "add", "path": "/metadata/finalizers", "value": ["example.com/hold"]},
    ]
    answer = target.patch(home.one("x"), operations, JSON_PATCH)
    assert answer.body["metadata"]["finalizers"] == ["example.com/hold"]
    target.patch(home.one("x"), {"metadata": {"finalizers": None}})


def test_a_failing_json_patch_test_is_invalid(target: Target, home: Home) -> None:
    """kopf adds its finalizer this way and expects 422."""
    home.create("x")
    operations = [{"op": "test", "path": "/metadata/resourceVersion", "value": "1"}]
    answer = target.patch(home.one("x"), operations, JSON_PATCH)
    assert (answer.status, answer.reason) == (422, "Invalid")


@pytest.mark.parametrize(
    ("operations", "status"),
    [
        ([{"op": "remove", "path": "/spec/nothing"}], 422),
        ([{"op": "wish", "path": "/spec/size"}], 422),
        ({"op": "remove", "path": "/spec/size"}, 400),
    ],
)
def test_a_json_patch_that_cannot_be(target: Target, home: Home, operations: Any, status: int) -> None:
    """What is not there is not removed."""
    home.create("x")
    assert target.patch(home.one("x"), operations, JSON_PATCH).status == status


def test_a_json_patch_replaces_what_is_not_there(target: Target, home: Home) -> None:
    """Against RFC 6902, and clients rely on it."""
    home.create("x")
    answer = target.patch(home.one("x"), [{"op": "replace", "path": "/spec/size", "value": 5}], JSON_PATCH)
    assert answer.body["spec"]["size"] == 5


def test_a_merge_patch_is_an_object(target: Target, home: Home) -> None:
    """A list is not."""
    home.create("x")
    assert target.patch(home.one("x"), ["a"]).status == 400


def test_an_owner_is_named_in_full(target: Target, home: Home) -> None:
    """Each missing part is told."""
    home.create("x")
    answer = target.patch(home.one("x"), {"metadata": {"ownerReferences": [{"kind": "Widget"}]}})
    assert answer.status == 422
    for field in ("apiVersion", "name", "uid"):
        assert f"metadata.ownerReferences[0].{field}: Required value: must not be empty" in answer.message


def test_a_strategic_patch_is_not_for_custom_objects(target: Target, home: Home) -> None:
    """415; kubectl falls back to a merge patch."""
    home.create("x")
    answer = target.patch(home.one("x"), {"spec": {}}, "application/strategic-merge-patch+json")
    assert (answer.status, answer.reason) == (415, "UnsupportedMediaType")


def test_a_patch_of_nothing_is_not_found(target: Target, home: Home) -> None:
    """A merge patch does not create."""
    assert target.patch(home.one("x"), {"spec": {}}).status == 404


@pytest.mark.parametrize(
    ("patch", "generation", "reason"),
    [
        ({"spec": {"size": 2}}, 2, "the spec changed"),
        ({"metadata": {"labels": {"a": "b"}}}, 1, "labels are metadata"),
        ({"metadata": {"annotations": {"a": "b"}}}, 1, "annotations are metadata"),
        ({"metadata": {"finalizers": ["example.com/f"]}}, 1, "finalizers are metadata"),
        ({"status": {"observedGeneration": 1}}, 1, "status is not written here"),
        ({"metadata": {"generation": 7}}, 1, "clients cannot set it"),
    ],
)
def test_generation_counts_changes_of_the_spec(
    target: Target, home: Home, patch: Any, generation: int, reason: str
) -> None:
    """observedGeneration means something only because of this."""
    home.create("x")
    assert target.patch(home.one("x"), patch).body["metadata"]["generation"] == generation, reason
    target.patch(home.one("x"), {"metadata": {"finalizers": None}})


def test_a_write_that_changes_nothing_is_no_write(target: Target, home: Home) -> None:
    """No new resourceVersion, so no event and no loop."""
    item = home.create("x", size=2)
    answer = target.patch(home.one("x"), {"spec": {"size": 2}})
    assert (answer.status, _version(answer.body)) == (200, _version(item))


def test_identity_cannot_be_changed(target: Target, home: Home) -> None:
    """creationTimestamp is the server's."""
    item = home.create("x")
    patch = {"metadata": {"creationTimestamp": "2001-01-01T00:00:00Z"}}
    answer = target.patch(home.one("x"), patch)
    assert answer.body["metadata"]["creationTimestamp"] == item["metadata"]["creationTimestamp"]


def test_status_is_written_on_its_own_path(target: Target, home: Home) -> None:
    """The status subresource changes status and nothing else."""
    home.create("x")
    patch = {"status": {"observedGeneration": 1}, "spec": {"size": 5}, "metadata": {"labels": {"a": "b"}}}
    answer = target.patch(home.one("x", "status"), patch)
    assert answer.status == 200
    assert answer.body["status"] == {"observedGeneration": 1}
    assert "size" not in answer.body["spec"]
    assert "labels" not in answer.body["metadata"]
    assert answer.body["metadata"]["generation"] == 1


def test_status_is_not_written_elsewhere(target: Target, home: Home) -> None:
    """The main path ignores status."""
    home.create("x")
    target.patch(home.one("x", "status"), {"status": {"observedGeneration": 1}})
    item = target.patch(home.one("x"), {"status": {"observedGeneration": 2}}).body
    assert item["status"]["observedGeneration"] == 1


def test_status_can_be_put(target: Target, home: Home) -> None:
    """PUT on the subresource, against a version."""
    item = {**home.create("x"), "status": {"observedGeneration": 4}}
    assert target.put(home.one("x", "status"), item).body["status"]["observedGeneration"] == 4
    assert target.put(home.one("x", "status"), item).status == 409


def test_status_is_validated(target: Target, home: Home) -> None:
    """The schema holds for status too."""
    home.create("x")
    answer = target.patch(home.one("x", "status"), {"status": {"observedGeneration": "one"}})
    assert answer.status == 422
    assert "status.observedGeneration" in answer.message


def test_a_dry_run_changes_nothing(target: Target, home: Home) -> None:
    """dryRun=All on a patch."""
    item = home.create("x")
    assert target.patch(home.one("x"), {"spec": {"size": 2}}, dryRun="All").body["spec"]["size"] == 2
    assert _version(target.get(home.one("x")).body) == _version(item)
