"""The control plane as a context manager: prepares a folder, starts the servers, stops them in reverse."""

import contextlib
import http.client
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from .audit import POLICY, AuditEvent, read_audit
from .binaries import EVERYTHING, SERVERS, Binaries, find_binaries
from .certificates import Authority, KeyPair, write_token_keys
from .client import Answer, Endpoint, by_certificate, request, service_account_token, write_kubeconfig
from .commands import Layout, apiserver_command, controllers_command, etcd_command
from .errors import ControlPlaneError, NotStarted
from .processes import Server, free_ports
from .progress import Say, say_on_stderr
from .release import release_wanted

_READY_SECONDS = 60.0
_POLL_SECONDS = 0.1


class ControlPlane:
    """etcd and kube-apiserver on loopback; with `controllers`, kube-controller-manager too.

    `folder` holds certificates, logs and data, and stays afterwards; without it a temporary one is used,
    which stays only after a failed start. `environ` may hold KUBEBUILDER_ASSETS, AOS_KUBERNETES_VERSION,
    AOS_ENVTEST_BASE_URL and XDG_CACHE_HOME. Entering raises BinariesUnavailable or NotStarted.
    """

    def __init__(
        self,
        *,
        controllers: bool = False,
        folder: Path | None = None,
        environ: Mapping[str, str] = os.environ,
        say: Say | None = None,
    ) -> None:
        self._controllers = controllers
        self._folder = folder
        self._environ = environ
        self._say = say or say_on_stderr()
        self._plane: _Running | None = None

    def __enter__(self) -> Self:
        release = release_wanted(self._environ)
        names = EVERYTHING if self._controllers else SERVERS
        binaries = find_binaries(release, names, environ=self._environ, say=self._say)
        folder = self._folder or Path(tempfile.mkdtemp(prefix="controlplane-"))
        running = _Running(_prepare(folder, binaries), controllers=self._controllers)
        self._say(f"starting Kubernetes {release} (from {binaries.source}) in {folder}")
        with contextlib.ExitStack() as unless_started:
            unless_started.callback(running.stop)
            running.start()
            unless_started.pop_all()
        self._plane = running
        self._say(f"ready at {self.url}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running, self._plane = self._running, None
        running.stop()
        if self._folder is None:
            shutil.rmtree(running.layout.folder)

    @property
    def url(self) -> str:
        """https://127.0.0.1:<port>; the same through every restart."""
        return self._running.endpoint.url

    @property
    def ca_file(self) -> Path:
        return self._running.layout.ca_file

    @property
    def folder(self) -> Path:
        """Where the logs (etcd.log, kube-apiserver.log, ...), audit.log and certificates are."""
        return self._running.layout.folder

    @property
    def admin_kubeconfig(self) -> Path:
        """A kubeconfig of a member of system:masters, whom RBAC never stops."""
        return self._running.admin_kubeconfig

    def kubeconfig_for_service_account(self, namespace: str, name: str) -> Path:
        """A kubeconfig with a day's token of the service account, which is made when there is none.

        The namespace must exist. Raises Refused with the API server's answer.
        """
        running = self._running
        token = service_account_token(running.endpoint, running.admin, namespace, name)
        path = running.layout.folder / f"{namespace}-{name}.kubeconfig"
        return write_kubeconfig(path, running.endpoint, {"token": token})

    def audit(self) -> Iterator[AuditEvent]:
        """The requests so far, oldest first. A request's event may come a moment after its answer."""
        return read_audit(self._running.layout.audit_log)

    def audited(self, matches: Callable[[AuditEvent], bool], *, within: float = 5.0) -> list[AuditEvent]:
        """The matching events, as soon as there is one; after `within` seconds an empty list."""
        deadline = time.monotonic() + within
        while not (found := [event for event in self.audit() if matches(event)]):
            if time.monotonic() > deadline:
                return []
            time.sleep(_POLL_SECONDS)
        return found

    def stop_apiserver(self, *, kill: bool = False) -> None:
        """End the API server, politely or not; etcd and its data stay."""
        self._running.apiserver.stop(kill=kill)

    def start_apiserver(self) -> None:
        """Start the API server on the same port and wait until it is ready."""
        self._running.start_apiserver()

    def restart_apiserver(self, *, kill: bool = False) -> None:
        self.stop_apiserver(kill=kill)
        self.start_apiserver()

    @property
    def _running(self) -> "_Running":
        if self._plane is None:
            raise ControlPlaneError("the control plane is not running: use it in a `with` statement")
        return self._plane


class _Running:
    """The servers of a prepared folder."""

    def __init__(self, layout: Layout, *, controllers: bool) -> None:
        self.layout = layout
        self.endpoint = Endpoint(layout.api_port, layout.ca_file)
        self.admin = KeyPair(layout.folder / "pki/admin.crt", layout.folder / "pki/admin.key")
        self.admin_kubeconfig = self._kubeconfig("admin")
        self.etcd = Server(etcd_command(layout), layout.folder / "etcd.log")
        self.apiserver = Server(apiserver_command(layout), layout.folder / "kube-apiserver.log")
        self.controllers: Server | None = None
        if controllers:
            command = controllers_command(layout, self._kubeconfig("controllers"))
            self.controllers = Server(command, layout.folder / "kube-controller-manager.log")

    def start(self) -> None:
        self.etcd.start()
        self.start_apiserver()
        if self.controllers is not None:
            self.controllers.start()
            self._until(self._has_default_account, self.controllers)

    def start_apiserver(self) -> None:
        self.apiserver.start()
        self._until(self._is_ready, self.apiserver)

    def stop(self) -> None:
        for server in (self.controllers, self.apiserver, self.etcd):
            if server is not None:
                server.stop()

    def _kubeconfig(self, user: str) -> Path:
        pki = self.layout.folder / "pki"
        pair = KeyPair(pki / f"{user}.crt", pki / f"{user}.key")
        return write_kubeconfig(
            self.layout.folder / f"{user}.kubeconfig", self.endpoint, by_certificate(pair)
        )

    def _is_ready(self) -> bool:
        answer = self._ask("/readyz")
        return answer is not None and answer.code == 200

    def _has_default_account(self) -> bool:
        """The service account controller has done its first work."""
        answer = self._ask("/api/v1/namespaces/default/serviceaccounts/default")
        return answer is not None and answer.code == 200

    def _ask(self, path: str) -> Answer | None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return request(self.endpoint, self.admin, "GET", path)
        return None

    def _until(self, done: Callable[[], bool], awaited: Server) -> None:
        """Wait for it, as long as etcd and the awaited server run. Raises NotStarted with their logs."""
        deadline = time.monotonic() + _READY_SECONDS
        while not done():
            self.etcd.check_running()
            awaited.check_running()
            if time.monotonic() > deadline:
                logs = "\n".join((self.etcd.log_tail(), awaited.log_tail()))
                raise NotStarted(f"{awaited.name} was not ready after {_READY_SECONDS:.0f} s\n{logs}")
            time.sleep(_POLL_SECONDS)


def _prepare(folder: Path, binaries: Binaries) -> Layout:
    """Write what the servers read: certificates, keys and the audit policy."""
    pki = folder / "pki"
    authority = Authority(pki)
    authority.issue("admin", "admin", ["system:masters"])
    authority.issue("controllers", "system:kube-controller-manager")
    api_port, etcd_port, peer_port = free_ports(3)
    layout = Layout(
        folder=folder,
        binaries=binaries,
        ca_file=authority.certificate,
        serving=authority.issue("serving", "kube-apiserver"),
        token_keys=write_token_keys(pki),
        api_port=api_port,
        etcd_port=etcd_port,
        peer_port=peer_port,
    )
    layout.audit_policy.write_text(json.dumps(POLICY))
    return layout
