"""Creating and reading objects: what the server sets, and which names it refuses."""

import pytest
from tests.contract.conftest import Home, Target, unique


def test_a_created_object_gets_identity_and_version(home: Home) -> None:
    """Controllers build on uid, resourceVersion, generation and creationTimestamp."""
    metadata = home.create("one")["metadata"]
    assert metadata["uid"]
    assert int(metadata["resourceVersion"]) > 0
    assert metadata["generation"] == 1
    assert metadata["creationTimestamp"].endswith("Z")
    assert metadata["namespace"] == home.namespace


def test_a_name_is_taken_once(target: Target, home: Home) -> None:
    """409 AlreadyExists is how two creators find out about each other."""
    home.create("one")
    answer = target.post(home.all, home.widgets.make("one"))
    assert (answer.status, answer.reason) == (409, "AlreadyExists")
    assert answer.body["details"]["name"] == "one"


def test_a_missing_object_is_named(target: Target, home: Home) -> None:
    """404 says what is missing, in message and details."""
    answer = target.get(home.one("none"))
    assert (answer.status, answer.reason) == (404, "NotFound")
    assert answer.message == f'widgets.{home.widgets.group} "none" not found'
    assert answer.body["details"] == {"name": "none", "group": home.widgets.group, "kind": "widgets"}


def test_an_unknown_resource_is_not_found(target: Target) -> None:
    """A kind that is not served is a 404 too."""
    assert target.get("/apis/nobody.example.com/v1/things").status == 404


def test_generate_name_makes_names(target: Target, home: Home) -> None:
    """generateName gives each object a name of its own."""
    body = home.widgets.make("x")
    body["metadata"] = {"generateName": "made-"}
    names = {target.post(home.all, body).body["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("made-") and len(name) == 10 for name in names)


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "a..b", "x" * 254])
def test_a_bad_name_is_refused(target: Target, home: Home, name: str) -> None:
    """Names are RFC 1123 subdomains."""
    answer = target.post(home.all, home.widgets.make(name))
    assert (answer.status, answer.reason) == (422, "Invalid")
    assert "metadata.name" in answer.message


def test_a_missing_name_is_refused(target: Target, home: Home) -> None:
    """Neither name nor generateName."""
    body = home.widgets.make("x")
    body["metadata"] = {}
    answer = target.post(home.all, body)
    assert answer.status == 422
    assert "name or generateName is required" in answer.message


def test_a_bad_label_is_refused(target: Target, home: Home) -> None:
    """Labels have a syntax; selectors depend on it."""
    answer = target.post(home.all, home.widgets.make("x", {"labels": {"a": "not ok"}}))
    assert answer.status == 422
    assert "metadata.labels" in answer.message


def test_annotations_are_limited(target: Target, home: Home) -> None:
    """All annotations together hold 256 KiB; copies of the spec live there."""
    answer = target.post(home.all, home.widgets.make("x", {"annotations": {"a": "x" * 262_144}}))
    assert answer.status == 422
    assert "metadata.annotations: Too long" in answer.message
    assert "262144 bytes" in answer.message


def test_annotations_fit_up_to_the_limit(home: Home) -> None:
    """Keys count as well: one byte of key, the rest of value."""
    home.create("x", {"annotations": {"a": "x" * 262_143}})


def test_the_namespace_must_exist(target: Target, home: Home) -> None:
    """404 names the namespace, not the object."""
    answer = target.post(home.widgets.path(unique("nowhere")), home.widgets.make("x"))
    assert answer.status == 404
    assert answer.body["details"]["kind"] == "namespaces"


def test_the_namespace_must_match(target: Target, home: Home) -> None:
    """The body and the URL agree on the namespace."""
    answer = target.post(home.all, home.widgets.make("x", {"namespace": "default"}))
    assert (answer.status, answer.reason) == (400, "BadRequest")


def test_the_kind_must_match(target: Target, home: Home) -> None:
    """A body of another kind is invalid, one of another version a bad request."""
    answer = target.post(home.all, {**home.widgets.make("x"), "kind": "Gadget"})
    assert answer.status == 422
    assert answer.message.endswith('kind: Invalid value: "Gadget": must be Widget')
    assert target.post(home.all, {**home.widgets.make("x"), "apiVersion": "a.b/v1"}).status == 400


def test_a_custom_object_names_its_kind(target: Target, home: Home) -> None:
    """Custom objects carry apiVersion and kind."""
    body = home.widgets.make("x")
    del body["kind"]
    answer = target.post(home.all, body)
    assert answer.status == 400
    assert "Object 'Kind' is missing" in answer.message


@pytest.mark.parametrize(
    "metadata", ["text", {"labels": ["a"]}, {"annotations": {"a": 1}}, {"finalizers": "a"}, {"name": 5}]
)
def test_unreadable_metadata_is_a_bad_request(target: Target, home: Home, metadata: object) -> None:
    """Metadata has the same types for every kind."""
    answer = target.post(home.all, {**home.widgets.make("x"), "metadata": metadata})
    assert (answer.status, answer.reason) == (400, "BadRequest")
    assert "cannot be handled as a Widget: json: cannot unmarshal" in answer.message


def test_a_version_is_not_for_a_new_object(target: Target, home: Home) -> None:
    """The store refuses it."""
    answer = target.post(home.all, home.widgets.make("x", {"resourceVersion": "5"}))
    assert (answer.status, answer.message) == (
        500,
        "resourceVersion should not be set on objects to be created",
    )


def test_an_unreadable_body_is_a_bad_request(target: Target, home: Home) -> None:
    """Half a JSON object."""
    assert target.call("POST", home.all, b'{"a": ').status == 400


def test_a_collection_cannot_be_put(target: Target, home: Home) -> None:
    """405 for a verb that a path does not have; for custom objects the name is missed first."""
    answer = target.put("/api/v1/namespaces/default/configmaps", {})
    assert (answer.status, answer.reason) == (405, "MethodNotAllowed")
    answer = target.put(home.all, home.widgets.make("x"))
    assert (answer.status, answer.message) == (400, "name must be provided")


def test_a_dry_run_creates_nothing(target: Target, home: Home) -> None:
    """dryRun=All answers as if, and stores nothing."""
    answer = target.post(home.all, home.widgets.make("x"), dryRun="All")
    assert answer.status == 201
    assert answer.body["spec"]["color"] == "green"
    assert target.get(home.one("x")).status == 404


def test_a_dry_run_still_validates(target: Target, home: Home) -> None:
    """dryRun=All is how kubectl diff and CI ask."""
    assert target.post(home.all, home.widgets.make("x", size=99), dryRun="All").status == 422


def test_created_status_is_dropped(target: Target, home: Home) -> None:
    """Status belongs to its subresource from the first moment."""
    answer = target.post(home.all, {**home.widgets.make("x"), "status": {"observedGeneration": 9}})
    assert answer.status == 201
    assert "status" not in answer.body
