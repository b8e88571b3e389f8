"""Where the test control plane gets its binaries, and how its processes end; none of it needs them."""

import concurrent.futures
import contextlib
import functools
import hashlib
import http.server
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.e2e.controlplane import BinariesUnavailable, ControlPlane, ControlPlaneError, NotStarted
from tests.e2e.controlplane import release as releases
from tests.e2e.controlplane.audit import read_audit
from tests.e2e.controlplane.binaries import EVERYTHING, SERVERS, Binaries, cache_folder, find_binaries
from tests.e2e.controlplane.gobuild import render_go_mod
from tests.e2e.controlplane.processes import Server, free_ports
from tests.e2e.controlplane.release import PINNED_VERSION, Release, release_wanted

RELEASE = Release(PINNED_VERSION, "linux-amd64")
NOBODY_LISTENS = "http://127.0.0.1:1"
# Takes the place of `go build ... -o FILE PACKAGE`, and writes down each build.
FAKE_GO = """#!/bin/sh
echo "$@" >> "$0.calls"
while [ "$1" != -o ]; do shift; done
sleep 0.2
echo go > "$2"; chmod 755 "$2"
"""


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the URL at which it is served."""
    folder = tmp_path / "index"
    folder.mkdir()
    handler = functools.partial(Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """No source gives anything: an empty cache, an archive out of reach, no Go on PATH."""
    (tmp_path / "bin").mkdir()
    return {
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "AOS_ENVTEST_BASE_URL": NOBODY_LISTENS,
        "PATH": f"{tmp_path / 'bin'}",
    }


def silent(text: str) -> None:
    """Progress that nobody reads."""


def executable(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)


def publish(folder: Path, members: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an archive of these members into the index and pin its checksum."""
    name = f"envtest-v{RELEASE.version}"
    packed = folder / name / f"{name}-{RELEASE.platform}.tar.gz"
    packed.parent.mkdir()
    with tarfile.open(packed, "w:gz") as archive:
        for member, content in members.items():
            described = tarfile.TarInfo(member)
            described.size = len(content)
            archive.addfile(described, io.BytesIO(content.encode()))
    sha512 = hashlib.sha512(packed.read_bytes()).hexdigest()
    monkeypatch.setattr(releases, "ARCHIVE_SHA512", {RELEASE.version: {RELEASE.platform: sha512}})
    return packed


ARCHIVED = {f"controller-tools/envtest/{name}": "archive" for name in (*SERVERS, "kubectl")}


@pytest.fixture
def offer(
    environ: dict[str, str], index: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Makes the named sources give the servers, each with its own name as their content."""
    folder, url = index

    def make(*sources: str) -> None:
        if "assets" in sources:
            environ["KUBEBUILDER_ASSETS"] = str(folder.parent / "assets")
            for name in SERVERS:
                executable(folder.parent / "assets" / name, "assets")
        if "cache" in sources:
            for name in SERVERS:
                executable(cache_folder(RELEASE, environ) / name, "cache")
        if "archive" in sources:
            publish(folder, ARCHIVED, monkeypatch)
            environ["AOS_ENVTEST_BASE_URL"] = url
        if "go" in sources:
            offer_go(environ, FAKE_GO)

    return make


def offer_go(environ: dict[str, str], script: str) -> Path:
    go = Path(environ["PATH"].partition(os.pathsep)[0]) / "go"
    executable(go, script)
    environ["PATH"] += os.pathsep + os.defpath
    return go


def found(environ: Mapping[str, str], names: tuple[str, ...] = SERVERS) -> Binaries:
    return find_binaries(RELEASE, names, environ=environ, say=silent)


def content(binaries: Binaries, name: str) -> str:
    return Path(binaries.path(name)).read_text().strip()


@pytest.mark.parametrize(
    ("offered", "expected", "reason"),
    [
        (("assets", "cache", "archive", "go"), "assets", "what the caller names goes before all else"),
        (("cache", "archive", "go"), "cache", "what was fetched once is not fetched again"),
        (("archive", "go"), "archive", "a download takes seconds, a build minutes"),
        (("go",), "go", "without the archive's site the modules still build"),
    ],
)
def test_the_sources_are_asked_in_order(
    offered: tuple[str, ...], expected: str, reason: str, environ: dict[str, str], offer: Callable[..., None]
) -> None:
    offer(*offered)
    binaries = found(environ)
    assert {content(binaries, name) for name in SERVERS} == {expected}, reason


def test_what_was_fetched_is_in_the_cache_next_time(
    environ: dict[str, str], offer: Callable[..., None]
) -> None:
    offer("archive")
    assert found(environ).source == "archive"
    assert found({**environ, "AOS_ENVTEST_BASE_URL": NOBODY_LISTENS}).source == "cache"


def test_an_archive_with_another_checksum_is_never_unpacked(
    environ: dict[str, str], index: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = publish(index[0], ARCHIVED, monkeypatch)
    with packed.open("ab") as file:
        file.write(b"tampered")
    with pytest.raises(BinariesUnavailable, match="not the pinned"):
        found({**environ, "AOS_ENVTEST_BASE_URL": index[1]})
    assert not list(cache_folder(RELEASE, environ).glob("*"))


def test_an_archive_without_a_pinned_checksum_is_not_downloaded(
    environ: dict[str, str], index: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(index[0], ARCHIVED, monkeypatch)
    monkeypatch.setattr(releases, "ARCHIVE_SHA512", {})
    with pytest.raises(BinariesUnavailable, match="no SHA-512 is pinned"):
        found({**environ, "AOS_ENVTEST_BASE_URL": index[1]})


def test_an_archive_cannot_choose_where_it_is_written(
    environ: dict[str, str], index: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish(index[0], {"../../etcd": "archive", "/kube-apiserver": "archive", "x/other": "no"}, monkeypatch)
    binaries = found({**environ, "AOS_ENVTEST_BASE_URL": index[1]})
    assert sorted(path.name for path in binaries.folder.iterdir()) == sorted(SERVERS)
    assert not list(tmp_path.glob("etcd"))


def test_an_archive_out_of_reach_costs_no_time(environ: dict[str, str]) -> None:
    began = time.monotonic()
    with pytest.raises(BinariesUnavailable, match="could not be downloaded"):
        found(environ)
    assert time.monotonic() - began < 3


def test_what_the_archive_lacks_is_built(environ: dict[str, str], offer: Callable[..., None]) -> None:
    offer("archive", "go")
    binaries = found(environ, EVERYTHING)
    assert [content(binaries, name) for name in EVERYTHING] == ["archive", "archive", "go"]


def test_the_archive_is_not_downloaded_for_what_it_never_holds(
    environ: dict[str, str], offer: Callable[..., None]
) -> None:
    offer("cache", "archive")
    with pytest.raises(BinariesUnavailable, match="archive never holds kube-controller-manager"):
        found(environ, EVERYTHING)


def test_without_any_source_the_error_says_what_was_tried_and_what_to_install(
    environ: dict[str, str], tmp_path: Path
) -> None:
    environ["KUBEBUILDER_ASSETS"] = str(tmp_path / "empty")
    with pytest.raises(BinariesUnavailable) as raised:
        found(environ)
    said = str(raised.value)
    for part in (
        "KUBEBUILDER_ASSETS=",
        "cache:",
        "archive:",
        "go: no Go toolchain on PATH",
        "install the Go",
    ):
        assert part in said


def test_a_failed_build_shows_its_output_and_leaves_nothing_behind(environ: dict[str, str]) -> None:
    half_done = FAKE_GO + "echo 'undefined: widget' >&2; exit 1\n"
    offer_go(environ, half_done)
    with pytest.raises(BinariesUnavailable, match="undefined: widget"):
        found(environ)
    assert not list(cache_folder(RELEASE, environ).glob("*"))


def test_two_runs_at_once_build_once(environ: dict[str, str]) -> None:
    go = offer_go(environ, FAKE_GO)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        both = [pool.submit(found, environ) for _ in range(2)]
    assert {one.result().source for one in both} == {"go", "cache"}
    assert len(Path(f"{go}.calls").read_text().splitlines()) == len(SERVERS)


def test_the_progress_of_a_build_is_told(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.e2e.controlplane.gobuild._HEARTBEAT_SECONDS", 0.05)
    offer_go(environ, FAKE_GO)
    said: list[str] = []
    find_binaries(RELEASE, SERVERS, environ=environ, say=said.append)
    assert any("packages so far" in line for line in said)
    assert any(line.startswith("built kube-apiserver in") for line in said)


def test_another_version_s_go_mod_takes_the_published_staging_modules() -> None:
    theirs = """module k8s.io/kubernetes

go 1.26.0

godebug default=go1.26

require (
\tgithub.com/example/thing v0.0.0
\tgo.etcd.io/etcd/client/v3 v3.7.0
\tk8s.io/api v0.0.0
\tk8s.io/client-go v0.0.0
\tk8s.io/utils v0.0.0-20260101000000-abcdefabcdef
\tgo.etcd.io/etcd/server/v3 v3.7.0 // indirect
)

replace k8s.io/api => ./staging/src/k8s.io/api
"""
    ours = render_go_mod(theirs, Release("1.36.4", "linux-arm64"))
    assert [line.strip() for line in ours.splitlines() if "=>" in line] == [
        "k8s.io/api => k8s.io/api v0.36.4",
        "k8s.io/client-go => k8s.io/client-go v0.36.4",
    ]
    assert "k8s.io/kubernetes v1.36.4" in ours
    assert "go.etcd.io/etcd/server/v3 v3.7.0\n" in ours
    assert "\ngo 1.26.0\n\ngodebug default=go1.26\n" in ours


@pytest.mark.parametrize(
    ("named", "version"), [("", PINNED_VERSION), ("1.30.0", "1.30.0"), ("v1.36.2", "1.36.2")]
)
def test_the_version_can_be_chosen(named: str, version: str) -> None:
    assert release_wanted({"AOS_KUBERNETES_VERSION": named}).version == version


@pytest.mark.parametrize("named", ["1.37", "latest", "../../1.37.0"])
def test_a_version_that_is_none_is_refused(named: str) -> None:
    with pytest.raises(ControlPlaneError, match="AOS_KUBERNETES_VERSION"):
        release_wanted({"AOS_KUBERNETES_VERSION": named})


def test_a_failed_start_shows_the_log_and_keeps_the_folder(environ: dict[str, str], tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    executable(assets / "etcd", "#!/bin/sh\necho no space left on device; exit 3\n")
    executable(assets / "kube-apiserver", "#!/bin/sh\nexec sleep 60\n")
    environ["KUBEBUILDER_ASSETS"] = str(assets)
    folder = tmp_path / "plane"
    plane = ControlPlane(folder=folder, environ=environ, say=silent)
    with pytest.raises(NotStarted, match=r"etcd ended with exit code 3(.|\n)*no space left on device"), plane:
        pytest.fail("it started")
    assert (folder / "etcd.log").exists()


def test_a_control_plane_is_used_in_a_with_statement() -> None:
    with pytest.raises(ControlPlaneError, match="with"):
        _ = ControlPlane().url


def test_a_server_that_does_not_listen_to_reason_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.e2e.controlplane.processes._STOP_SECONDS", 0.2)
    stubborn = tmp_path / "stubborn"
    executable(stubborn, "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done\n")
    server = Server([str(stubborn)], tmp_path / "log")
    server.start()
    assert server.running
    server.stop()
    assert not server.running


def test_a_server_that_ended_by_itself_can_be_started_again(tmp_path: Path) -> None:
    brief = tmp_path / "brief"
    executable(brief, "#!/bin/sh\necho bye\n")
    server = Server([str(brief)], tmp_path / "log")
    for _ in range(2):
        server.start()
        while server.running:
            time.sleep(0.01)
        with pytest.raises(NotStarted, match="exit code 0"):
            server.check_running()
    server.stop()
    assert server.log.read_text() == "bye\nbye\n"


def test_a_killed_test_run_leaves_no_server_behind(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from tests.e2e.controlplane.processes import Server\n"
        f"server = Server(['sleep', '60'], Path({str(tmp_path / 'log')!r})); server.start()\n"
        "print(server._process.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        server = int(run.stdout.readline())
        run.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_alive(server):
        assert time.monotonic() < deadline, "the server outlived its test run"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody reaped does not."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        state = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return state.stdout.strip()[:1] not in {"", "Z"}
    return False


def test_ports_are_distinct_and_outside_the_systems_own_range() -> None:
    ports = free_ports(3)
    assert len(set(ports)) == 3
    assert all(20000 <= port < 32000 for port in ports)


def test_an_audit_line_that_is_still_written_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    whole = (
        '{"stage":"ResponseComplete","requestURI":"/apis/x/v1/namespaces/n/things/t/status","verb":"patch",'
        '"user":{"username":"system:serviceaccount:n:operator"},"userAgent":"kopf/1","responseStatus":{"code":409},'
        '"objectRef":{"apiGroup":"x","resource":"things","subresource":"status","namespace":"n","name":"t"}}\n'
    )
    log.write_text(whole + whole[:40])
    (event,) = read_audit(log)
    assert (event.user, event.verb, event.resource, event.subresource, event.namespace, event.name) == (
        "system:serviceaccount:n:operator", "patch", "things", "status", "n", "t",
    )  # fmt: skip
    assert (event.code, event.stage, event.user_agent) == (409, "ResponseComplete", "kopf/1")


def test_before_the_first_request_the_audit_is_empty(tmp_path: Path) -> None:
    assert list(read_audit(tmp_path / "audit.log")) == []
