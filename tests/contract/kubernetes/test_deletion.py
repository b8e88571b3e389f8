"""Deletion: finalizers, preconditions, owners, collections and namespaces."""

from typing import Any

from tests.contract.conftest import Home, Target
from tests.contract.kubernetes.conftest import Leaving

FINALIZER = "example.com/hold"


def _held(home: Home, name: str = "x") -> dict[str, Any]:
    return home.create(name, {"finalizers": [FINALIZER]})


def _release(target: Target, home: Home, name: str = "x") -> None:
    target.patch(home.one(name), {"metadata": {"finalizers": None}})


def test_a_deleted_object_is_gone(target: Target, home: Home) -> None:
    """The answer is a Status that names the object."""
    item = home.create("x")
    answer = target.delete(home.one("x"))
    assert (answer.status, answer.body["status"]) == (200, "Success")
    assert answer.body["details"]["uid"] == item["metadata"]["uid"]
    assert target.get(home.one("x")).status == 404


def test_nothing_cannot_be_deleted(target: Target, home: Home) -> None:
    """404 the second time."""
    assert target.delete(home.one("x")).status == 404


def test_a_finalizer_holds_an_object(target: Target, home: Home) -> None:
    """deletionTimestamp is set, the object stays, and its generation moves."""
    _held(home)
    assert target.delete(home.one("x")).status == 200
    metadata = target.get(home.one("x")).body["metadata"]
    assert metadata["deletionTimestamp"]
    assert metadata["deletionGracePeriodSeconds"] == 0
    assert metadata["generation"] == 2
    _release(target, home)


def test_the_last_finalizer_lets_go(target: Target, home: Home) -> None:
    """Removing it removes the object."""
    _held(home)
    target.delete(home.one("x"))
    _release(target, home)
    assert target.get(home.one("x")).status == 404


def test_a_finalizer_without_deletion_is_just_removed(target: Target, home: Home) -> None:
    """Removing one from a living object does not delete it."""
    _held(home)
    _release(target, home)
    assert target.get(home.one("x")).status == 200


def test_a_dying_object_takes_no_new_finalizer(target: Target, home: Home) -> None:
    """Else deletion could be put off for ever."""
    _held(home)
    target.delete(home.one("x"))
    answer = target.patch(home.one("x"), {"metadata": {"finalizers": [FINALIZER, "example.com/more"]}})
    assert answer.status == 422
    assert "no new finalizers can be added" in answer.message
    _release(target, home)


def test_a_second_deletion_keeps_the_first_time(target: Target, home: Home) -> None:
    """Deleting twice is harmless."""
    _held(home)
    target.delete(home.one("x"))
    first = target.get(home.one("x")).body["metadata"]
    assert target.delete(home.one("x")).status == 200
    assert target.get(home.one("x")).body["metadata"]["resourceVersion"] == first["resourceVersion"]
    _release(target, home)


def test_a_dying_object_keeps_its_name(target: Target, home: Home) -> None:
    """Who creates it again is told to wait."""
    _held(home)
    target.delete(home.one("x"))
    answer = target.post(home.all, home.widgets.make("x"))
    assert (answer.status, answer.reason) == (409, "AlreadyExists")
    assert answer.message.startswith("object is being deleted: ")
    _release(target, home)


def test_the_uid_is_a_precondition(target: Target, home: Home) -> None:
    """Deletes this incarnation or nothing."""
    item = home.create("x")
    answer = target.delete(home.one("x"), {"preconditions": {"uid": "another"}})
    assert (answer.status, answer.reason) == (409, "Conflict")
    mismatch = f"(another) does not match the UID in record ({item['metadata']['uid']})"
    assert f"the UID in the precondition {mismatch}" in answer.message
    assert target.delete(home.one("x"), {"preconditions": {"uid": item["metadata"]["uid"]}}).status == 200


def test_the_version_is_a_precondition(target: Target, home: Home) -> None:
    """Deletes this state or nothing."""
    item = home.create("x")
    target.patch(home.one("x"), {"spec": {"size": 2}})
    version = item["metadata"]["resourceVersion"]
    assert target.delete(home.one("x"), {"preconditions": {"resourceVersion": version}}).status == 409


def test_a_dry_run_deletes_nothing(target: Target, home: Home) -> None:
    """dryRun=All in the query."""
    home.create("x")
    assert target.delete(home.one("x"), dryRun="All").status == 200
    assert target.get(home.one("x")).status == 200


def test_a_collection_is_deleted_by_selector(target: Target, home: Home) -> None:
    """Only what is selected."""
    home.create("a", {"labels": {"team": "red"}})
    home.create("b")
    assert target.delete(home.all, labelSelector="team=red").status == 200
    assert [item["metadata"]["name"] for item in target.get(home.all).body["items"]] == ["b"]


# Config maps: a garbage collector learns of a new kind only half a minute later.
def _config_maps(home: Home) -> str:
    return f"/api/v1/namespaces/{home.namespace}/configmaps"


def _owner(target: Target, home: Home) -> dict[str, Any]:
    answer = target.post(_config_maps(home), {"metadata": {"name": "owner"}})
    about = {"apiVersion": "v1", "kind": "ConfigMap", "blockOwnerDeletion": True}
    return {**about, "name": "owner", "uid": answer.body["metadata"]["uid"]}


def _owned(target: Target, home: Home, owner: dict[str, Any], **metadata: Any) -> str:
    body = {"metadata": {"name": "owned", "ownerReferences": [owner], **metadata}}
    assert target.post(_config_maps(home), body).status == 201
    return f"{_config_maps(home)}/owned"


def test_what_is_owned_goes_with_its_owner(target: Target, home: Home) -> None:
    """Background collection, the default."""
    owned = _owned(target, home, _owner(target, home))
    target.delete(f"{_config_maps(home)}/owner")
    target.eventually(lambda: target.get(owned).status == 404, "the dependent is collected")


def test_an_owner_that_never_was_takes_its_own_along(target: Target, home: Home) -> None:
    """A uid that nobody has is an owner that is gone."""
    owned = _owned(target, home, {**_owner(target, home), "uid": "00000000-0000-0000-0000-000000000000"})
    target.eventually(lambda: target.get(owned).status == 404, "the dependent is collected")


def test_orphans_stay(target: Target, home: Home) -> None:
    """propagationPolicy Orphan takes the reference away instead."""
    owned = _owned(target, home, _owner(target, home))
    owner = f"{_config_maps(home)}/owner"
    target.delete(owner, {"propagationPolicy": "Orphan"})
    target.eventually(lambda: target.get(owner).status == 404, "the owner is gone")
    assert "ownerReferences" not in target.get(owned).body["metadata"]


def test_foreground_waits_for_what_is_owned(target: Target, home: Home) -> None:
    """The owner stays while a dependent that blocks it does."""
    owned = _owned(target, home, _owner(target, home), finalizers=[FINALIZER])
    owner = f"{_config_maps(home)}/owner"
    target.delete(owner, {"propagationPolicy": "Foreground"})
    assert target.get(owner).body["metadata"]["finalizers"] == ["foregroundDeletion"]
    target.eventually(
        lambda: "deletionTimestamp" in target.get(owned).body["metadata"], "the dependent is deleted"
    )
    target.patch(owned, {"metadata": {"finalizers": None}})
    target.eventually(lambda: target.get(owner).status == 404, "the owner follows")


def test_a_namespace_takes_its_content_along(target: Target, leaving: Leaving) -> None:
    """Finalizers hold the content, and the content holds the namespace."""
    assert leaving.phase == "Terminating"
    assert (leaving.refused.status, leaving.refused.reason) == (403, "Forbidden")
    assert "because it is being terminated" in leaving.refused.message
    target.eventually(lambda: target.get(leaving.path).status == 404, "the namespace is gone")
