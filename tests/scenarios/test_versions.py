"""When a version is made: once for a resource, once for a change of what it asks for, and never else."""

import pytest
from tests.harness.polling import eventually
from tests.harness.stage import Stage, is_about, manifest

WIPED = '{"status": null}'


def test_applying_ten_times_makes_no_version(shared: Stage) -> None:
    agent = manifest("steady")
    shared.kubectl.apply(agent)
    shared.ready("steady")
    # Ten manifests of one resource in one command are applied one after the other.
    assert shared.kubectl.apply(*[agent] * 10).count("unchanged") == 10
    assert shared.versions("steady") == 1


def test_a_label_and_a_wiped_status_make_no_version(shared: Stage) -> None:
    shared.kubectl.apply(manifest("wiped"))
    before = shared.ready("wiped")
    shared.kubectl("label", "pda", "wiped", "team=board")
    shared.kubectl("patch", "pda", "wiped", "--subresource=status", "--type=merge", "-p", WIPED)
    after = eventually(
        lambda: shared.read("wiped"),
        lambda item: item is not None and is_about(item, "Running"),
        what="the status is rebuilt",
    )
    assert after is not None
    assert after["status"]["runtime"] == before["status"]["runtime"]
    assert after["metadata"]["labels"] == {"team": "board"}
    assert shared.versions("wiped") == 1


def test_a_status_replaced_by_an_empty_one_is_rebuilt(shared: Stage) -> None:
    shared.kubectl.apply(manifest("replaced"))
    before = shared.ready("replaced")
    emptied = manifest("replaced")
    shared.kubectl("replace", "--subresource=status", "-f", "-", stdin=emptied)
    after = shared.ready("replaced")
    assert after["status"]["runtime"] == before["status"]["runtime"]
    assert shared.versions("replaced") == 1


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("purposeful", {"purpose": "Another purpose"}),
        ("tuned", {"adapterName": "cfo"}),
        ("tooled", {"mcpTools": [{"serverName": "erpnext", "toolName": "get"}]}),
    ],
)
def test_a_change_of_the_definition_makes_exactly_one_version(
    shared: Stage, name: str, change: dict[str, object]
) -> None:
    shared.kubectl.apply(manifest(name))
    shared.ready(name)
    shared.kubectl.apply(manifest(name, **change))
    changed = shared.ready(name)
    assert changed["metadata"]["generation"] == 2
    assert changed["status"]["runtime"]["version"] == "2"
    assert shared.versions(name) == 2


def test_a_change_of_what_the_runtime_does_not_see_makes_none(shared: Stage) -> None:
    shared.kubectl.apply(manifest("unseen"))
    shared.ready("unseen")
    shared.kubectl.apply(manifest("unseen", deletionPolicy="Orphan"))
    assert shared.ready("unseen")["metadata"]["generation"] == 2
    assert shared.versions("unseen") == 1
