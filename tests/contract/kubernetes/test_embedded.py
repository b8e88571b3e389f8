"""What only the embedded API has: its audit log, planted faults, restarts, and silence."""

import http.client
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.contract.conftest import Target

from AgentOperatingSystem.sandbox.kubernetes import EmbeddedKubernetes

NAMESPACES = "/api/v1/namespaces"


@pytest.fixture
def api() -> Iterator[EmbeddedKubernetes]:
    """An API of the test's own."""
    with EmbeddedKubernetes() as embedded:
        yield embedded


@pytest.fixture
def own(api: EmbeddedKubernetes, tmp_path: Path) -> Target:
    """How to reach it."""
    return Target(api.url, api.write_kubeconfig(tmp_path / "config"))


def test_requests_are_recorded(api: EmbeddedKubernetes, own: Target) -> None:
    """Tests count writes with it."""
    own.get(NAMESPACES, limit="1")
    own.get(f"{NAMESPACES}/none")
    records = api.requests
    assert [(item.method, item.path, item.status) for item in records] == [
        ("GET", NAMESPACES, 200),
        ("GET", f"{NAMESPACES}/none", 404),
    ]
    assert (records[0].query, records[0].user_agent) == ({"limit": "1"}, "contract/1")
    api.clear_requests()
    assert api.requests == ()


def test_faults_hit_once(api: EmbeddedKubernetes, own: Target) -> None:
    """Only the method and path that were named, and only so often."""
    api.fail_next("GET", "/namespaces$", 503)
    assert own.get(f"{NAMESPACES}/default").status == 200
    assert own.get(NAMESPACES).status == 503
    assert own.get(NAMESPACES).status == 200


def _read_to_the_cut(response: http.client.HTTPResponse) -> None:
    while response.readline():
        pass
    raise http.client.IncompleteRead(b"")


def test_a_restart_keeps_the_state(api: EmbeddedKubernetes, own: Target) -> None:
    """Connections are cut, objects stay."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kept"}}
    own.post(NAMESPACES, body)
    connection = own.connect()
    connection.request("GET", f"{NAMESPACES}?watch=true")
    response = connection.getresponse()
    response.readline()
    api.restart()
    with pytest.raises((OSError, http.client.HTTPException)):
        _read_to_the_cut(response)
    connection.close()
    assert own.get(f"{NAMESPACES}/kept").status == 200


def test_muted_watches_are_silent_and_open(api: EmbeddedKubernetes, own: Target) -> None:
    """A dead watch: the connection stays, nothing comes; afterwards what was held back comes."""
    version = own.get(NAMESPACES).body["metadata"]["resourceVersion"]
    connection = own.connect(timeout=10)
    connection.request("GET", f"{NAMESPACES}?watch=true&resourceVersion={version}")
    response = connection.getresponse()
    api.mute_watches(True)
    own.post(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "late"}})
    connection.sock.settimeout(0.3)
    with pytest.raises(TimeoutError):
        response.fp.readline()
    api.mute_watches(False)
    connection.sock.settimeout(10)
    connection.close()


def test_an_old_version_is_gone(own: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log of changes is bounded; a watch from before it gets 410."""
    path = "/api/v1/namespaces/default/configmaps"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"n": "0"}}
    with EmbeddedKubernetes(log_length=10) as small:
        target = Target(small.url, Path("unused"))
        target.post(path, body)
        version = target.get(path).body["metadata"]["resourceVersion"]
        for number in range(20):
            target.patch(f"{path}/c", {"data": {"n": str(number + 1)}})
        events = target.watch(path, bool, resourceVersion=version)
        assert events[0]["type"] == "ERROR"
        assert (events[0]["object"]["code"], events[0]["object"]["reason"]) == (410, "Expired")


def test_other_host_names_are_refused(own: Target) -> None:
    """A web page that rebinds its name to loopback gets nothing."""
    connection = own.connect()
    connection.request("GET", NAMESPACES, headers={"Host": "evil.example.com"})
    assert connection.getresponse().status == 403
    connection.close()


def test_it_listens_on_loopback_only(api: EmbeddedKubernetes) -> None:
    """A development tool without a password."""
    assert urlsplit(api.url).hostname == "127.0.0.1"


def test_it_does_not_slow_down_with_history(own: Target) -> None:
    """Later writes take as little processor time as the first; the clock would measure the neighbours."""
    path = "/api/v1/namespaces/default/configmaps"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "c-"}}

    def batch() -> float:
        started = time.process_time()
        for _ in range(100):
            own.post(path, body)
        return time.process_time() - started

    times = [batch() for _ in range(6)]
    assert min(times[3:]) < 3 * min(times[:3])
