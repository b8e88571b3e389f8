"""Deletion: finalizers, preconditions, owners, collections and namespaces."""

from typing import Any

from tests.contract.conftest import Home, Target, unique

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


def test_the_uid_is_a_precondition(target: Target, home: Home) -> None:
    """Deletes this incarnation or nothing."""
    item = home.create("x")
    answer = target.delete(home.one("x"), {"preconditions": {"uid": "another"}})
    assert (answer.status, answer.reason) == (409, "Conflict")
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


def _owned(home: Home, owner: dict[str, Any], name: str) -> dict[str, Any]:
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
    reference |= {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
    return home.create(name, {"ownerReferences": [reference]})


def test_what_is_owned_goes_with_its_owner(target: Target, home: Home) -> None:
    """Background collection, the default."""
    _owned(home, home.create("owner"), "owned")
    target.delete(home.one("owner"))
    target.eventually(lambda: target.get(home.one("owned")).status == 404, "the dependent is collected")


def test_orphans_stay(target: Target, home: Home) -> None:
    """propagationPolicy Orphan takes the reference away instead."""
    _owned(home, home.create("owner"), "owned")
    target.delete(home.one("owner"), {"propagationPolicy": "Orphan"})
    target.eventually(lambda: target.get(home.one("owner")).status == 404, "the owner is gone")
    assert "ownerReferences" not in target.get(home.one("owned")).body["metadata"]


def test_foreground_waits_for_what_is_owned(target: Target, home: Home) -> None:
    """The owner stays while a dependent that blocks it does."""
    owner = home.create("owner")
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "blockOwnerDeletion": True}
    reference |= {"name": "owner", "uid": owner["metadata"]["uid"]}
    home.create("owned", {"ownerReferences": [reference], "finalizers": [FINALIZER]})
    target.delete(home.one("owner"), {"propagationPolicy": "Foreground"})
    dying = target.get(home.one("owner")).body["metadata"]
    assert dying["finalizers"] == ["foregroundDeletion"]
    target.eventually(
        lambda: "deletionTimestamp" in target.get(home.one("owned")).body["metadata"],
        "the dependent is deleted",
    )
    _release(target, home, "owned")
    target.eventually(lambda: target.get(home.one("owner")).status == 404, "the owner follows")


def test_a_namespace_takes_its_content_along(target: Target, home: Home) -> None:
    """Finalizers hold the content, and the content holds the namespace."""
    name = unique("doomed")
    path = f"/api/v1/namespaces/{name}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    target.post("/api/v1/namespaces", body)
    doomed = Home(home.widgets, name)
    _held(doomed)
    target.delete(path)
    target.eventually(
        lambda: "deletionTimestamp" in target.get(doomed.one("x")).body["metadata"], "the content is deleted"
    )
    assert target.get(path).body["status"]["phase"] == "Terminating"
    refused = target.post(doomed.all, home.widgets.make("late"))
    assert (refused.status, refused.reason) == (403, "Forbidden")
    assert "because it is being terminated" in refused.message
    _release(target, doomed)
    target.eventually(lambda: target.get(path).status == 404, "the namespace is gone")
