"""Lists: selectors, pages, namespaces, and the table that kubectl prints."""

import pytest
from tests.contract.conftest import TABLE, Home, Target


def _names(answer: object) -> list[str]:
    return [item["metadata"]["name"] for item in answer.body["items"]]  # type: ignore[attr-defined]


def test_a_list_has_a_kind_and_a_version(target: Target, home: Home) -> None:
    """A watch starts from the list's resourceVersion."""
    item = home.create("x")
    body = target.get(home.all).body
    assert (body["kind"], body["apiVersion"]) == ("WidgetList", home.widgets.api_version)
    assert int(body["metadata"]["resourceVersion"]) >= int(item["metadata"]["resourceVersion"])


def test_a_list_is_sorted_by_name(target: Target, home: Home) -> None:
    """Pages depend on an order."""
    for name in ("b", "c", "a"):
        home.create(name)
    assert _names(target.get(home.all)) == ["a", "b", "c"]


def test_a_namespace_is_a_border(target: Target, home: Home) -> None:
    """One namespace's list against everybody's."""
    home.create("x")
    assert _names(target.get(home.widgets.path("default"))) == []
    everywhere = target.get(home.widgets.path()).body["items"]
    assert home.namespace in {item["metadata"]["namespace"] for item in everywhere}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("team=red", ["a"]),
        ("team==red", ["a"]),
        ("team!=red", ["b", "c"]),
        ("team in (red,blue)", ["a", "b"]),
        ("team notin (red,blue)", ["c"]),
        ("team", ["a", "b"]),
        ("!team", ["c"]),
        ("team,tier=1", ["b"]),
    ],
)
def test_labels_select(target: Target, home: Home, selector: str, expected: list[str]) -> None:
    """Every operator of a label selector."""
    home.create("a", {"labels": {"team": "red"}})
    home.create("b", {"labels": {"team": "blue", "tier": "1"}})
    home.create("c")
    assert _names(target.get(home.all, labelSelector=selector)) == expected


def test_a_bad_label_selector_is_refused(target: Target, home: Home) -> None:
    """400, not an empty list."""
    assert target.get(home.all, labelSelector="a in b").status == 400


def test_the_name_selects(target: Target, home: Home) -> None:
    """kubectl wait uses metadata.name."""
    home.create("a")
    home.create("b")
    assert _names(target.get(home.all, fieldSelector="metadata.name=b")) == ["b"]
    assert _names(target.get(home.all, fieldSelector="metadata.name!=b")) == ["a"]


def test_other_fields_do_not_select(target: Target, home: Home) -> None:
    """Custom objects select by metadata unless the definition says more."""
    assert target.get(home.all, fieldSelector="spec.color=red").status == 400


def test_pages(target: Target, home: Home) -> None:
    """limit and continue give every object once."""
    for name in "abcde":
        home.create(name)
    first = target.get(home.all, limit="2")
    assert _names(first) == ["a", "b"]
    assert first.body["metadata"]["remainingItemCount"] == 3
    second = target.get(home.all, limit="2", **{"continue": first.body["metadata"]["continue"]})
    third = target.get(home.all, limit="2", **{"continue": second.body["metadata"]["continue"]})
    assert _names(second) + _names(third) == ["c", "d", "e"]
    assert not third.body["metadata"].get("continue")


def test_pages_are_of_one_moment(target: Target, home: Home) -> None:
    """What is created between two pages is not in the second."""
    for name in "acd":
        home.create(name)
    first = target.get(home.all, limit="1")
    home.create("b")
    rest = target.get(home.all, **{"continue": first.body["metadata"]["continue"]})
    assert _names(rest) == ["c", "d"]


def test_an_exact_version_shows_the_past(target: Target, home: Home) -> None:
    """resourceVersionMatch=Exact, the paging of clients that read more than once."""
    home.create("a")
    version = target.get(home.all).body["metadata"]["resourceVersion"]
    home.create("b")
    past = target.get(home.all, resourceVersion=version, resourceVersionMatch="Exact")
    assert _names(past) == ["a"]
    assert past.body["metadata"]["resourceVersion"] == version


def test_a_bad_continue_token_is_refused(target: Target, home: Home) -> None:
    """400 for a token that is none."""
    assert target.get(home.all, limit="1", **{"continue": "nonsense"}).status == 400


def test_a_table_has_the_declared_columns(target: Target, home: Home) -> None:
    """kubectl get prints this."""
    home.create("x", size=3)
    condition = {"type": "Ready", "status": "True"}
    target.patch(home.one("x", "status"), {"status": {"conditions": [condition]}})
    body = target.get(home.all, accept=TABLE).body
    assert body["kind"] == "Table"
    columns = [(column["name"], column["priority"]) for column in body["columnDefinitions"]]
    assert columns == [("Name", 0), ("Ready", 0), ("Color", 0), ("Size", 1), ("Age", 0)]
    cells = body["rows"][0]["cells"]
    assert cells[:4] == ["x", "True", "green", 3]
    assert cells[4].endswith("s")
    assert body["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


def test_one_object_is_a_table_too(target: Target, home: Home) -> None:
    """kubectl get of one name; an absent value is null."""
    home.create("x")
    body = target.get(home.one("x"), accept=TABLE).body
    assert len(body["rows"]) == 1
    assert body["rows"][0]["cells"][1] is None


def test_metadata_alone(target: Target, home: Home) -> None:
    """Clients that need no spec ask for PartialObjectMetadata."""
    home.create("x", {"labels": {"a": "b"}})
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    body = target.get(home.all, accept=accept).body
    assert body["kind"] == "PartialObjectMetadataList"
    assert "spec" not in body["items"][0]
    assert body["items"][0]["metadata"]["labels"] == {"a": "b"}
