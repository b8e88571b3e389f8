"""What the contract suites share: a target that is a Kubernetes API, and the tests' own kind on it.

The target is the control plane of `--control-plane`, so that the same probes hold the embedded API to what a
real kube-apiserver does. It is thrown away afterwards: namespaces are left behind.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import yaml
from tests.harness.planes import Plane

Json = dict[str, Any]

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `body` is the JSON object, or empty."""

    status: int
    body: Json
    headers: http.client.HTTPMessage

    @property
    def reason(self) -> str:
        """The Kubernetes reason of a refusal."""
        return str(self.body.get("reason", ""))

    @property
    def message(self) -> str:
        """The message of a refusal."""
        return str(self.body.get("message", ""))


@dataclass(frozen=True)
class Target:
    """A Kubernetes API to probe, over HTTP alone."""

    url: str
    kubeconfig: Path
    headers: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None

    def connect(self, timeout: float = 30.0) -> http.client.HTTPConnection:
        """A fresh connection."""
        host = urlsplit(self.url).netloc
        if self.tls is None:
            return http.client.HTTPConnection(host, timeout=timeout)
        return http.client.HTTPSConnection(host, timeout=timeout, context=self.tls)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        kind: str = "application/json",
        accept: str = "application/json",
        **query: str,
    ) -> Answer:
        """One request."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection = self.connect()
        try:
            where = f"{path}?{urlencode(query)}" if query else path
            headers = {**self.headers, "Content-Type": kind, "Accept": accept, "User-Agent": "contract/1"}
            connection.request(method, where, body=data, headers=headers)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        try:
            found = json.loads(text) if text else {}
        except ValueError:
            found = {"text": text.decode(errors="replace")}
        return Answer(response.status, found, response.headers)

    def get(self, path: str, *, accept: str = "application/json", **query: str) -> Answer:
        """GET."""
        return self.call("GET", path, accept=accept, **query)

    def post(self, path: str, body: Any, **query: str) -> Answer:
        """POST of an object."""
        return self.call("POST", path, body, **query)

    def put(self, path: str, body: Any, **query: str) -> Answer:
        """PUT of an object."""
        return self.call("PUT", path, body, **query)

    def patch(self, path: str, body: Any, kind: str = MERGE, **query: str) -> Answer:
        """PATCH; a merge patch unless said otherwise."""
        return self.call("PATCH", path, body, kind=kind, **query)

    def delete(self, path: str, body: Any = None, **query: str) -> Answer:
        """DELETE."""
        return self.call("DELETE", path, body, **query)

    def watch(
        self,
        path: str,
        until: Callable[[list[Json]], bool],
        *,
        accept: str = "application/json",
        **query: str,
    ) -> list[Json]:
        """The events of a watch, until enough came or the server ended it."""
        connection = self.connect(timeout=PATIENCE_SECONDS)
        events: list[Json] = []
        asked = {"watch": "true", "timeoutSeconds": "10", **query}
        try:
            headers = {**self.headers, "Accept": accept}
            connection.request("GET", f"{path}?{urlencode(asked)}", headers=headers)
            response = connection.getresponse()
            if response.status != 200:
                return [{"type": "ERROR", "object": json.loads(response.read())}]
            while not until(events):
                line = response.readline()
                if not line:
                    break
                events.append(json.loads(line))
        finally:
            connection.close()
        return events

    def eventually(self, check: Callable[[], bool], what: str) -> None:
        """Wait until a check holds; controllers of a real cluster take a moment."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not check():
            if time.monotonic() > end:
                pytest.fail(f"within {PATIENCE_SECONDS:.0f} s it did not happen that {what}")
            time.sleep(0.05)


HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On the embedded API a listed difference must fail; on the real one its own tests say nothing."""
    real = config.getoption("--control-plane") == "real"
    listed = {item["probe"]: item["reason"] for item in differences()}
    own = [item for item in items if real and item.path == HERE / "kubernetes" / "test_embedded.py"]
    if own:
        config.hook.pytest_deselected(items=own)
        items[:] = [item for item in items if item not in own]
    for item in items:
        probe = probe_of(item)
        if probe in listed and not real:
            item.add_marker(pytest.mark.xfail(reason=listed[probe], strict=True))


def differences() -> list[Json]:
    """The probes that the embedded API is known to fail, with reasons."""
    found: list[Json] = yaml.safe_load((HERE / "differences.yaml").read_text(encoding="utf-8")) or []
    return found


def probe_of(item: pytest.Item) -> str:
    """A test's name in this folder."""
    path = item.path.relative_to(HERE).as_posix() if item.path.is_relative_to(HERE) else ""
    return f"{path}::{item.name}"


@pytest.fixture(scope="session")
def target(control_plane: Plane) -> Target:
    """The Kubernetes API under test."""
    return _from_kubeconfig(control_plane.kubeconfig)


def _from_kubeconfig(path: Path) -> Target:
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    named = {
        kind: {item["name"]: item for item in config[kind]} for kind in ("contexts", "clusters", "users")
    }
    context = named["contexts"][config["current-context"]]["context"]
    cluster = named["clusters"][context["cluster"]]["cluster"]
    user = named["users"][context["user"]]["user"]
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    tls = None
    if cluster["server"].startswith("https:"):
        tls = ssl.create_default_context(cafile=_file(cluster, "certificate-authority"))
        if "client-certificate" in user or "client-certificate-data" in user:
            tls.load_cert_chain(str(_file(user, "client-certificate")), _file(user, "client-key"))
    return Target(cluster["server"], path, headers, tls)


def _file(section: Json, name: str) -> str | None:
    if name in section:
        return str(section[name])
    if f"{name}-data" not in section:
        return None
    with tempfile.NamedTemporaryFile(delete=False, suffix=".pem") as file:
        file.write(base64.b64decode(section[f"{name}-data"]))
    return file.name


@dataclass(frozen=True)
class Kind:
    """The tests' own kind, and the paths of its objects."""

    target: Target
    group: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """Group and version."""
        return f"{self.group}/v1"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The path of all objects, those of a namespace, or one."""
        scope = f"/namespaces/{namespace}" if namespace else ""
        rest = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"/apis/{self.api_version}{scope}/{self.plural}{rest}"

    def make(self, name: str, metadata: Json | None = None, **spec: Any) -> Json:
        """A sound object with more in its spec."""
        head = {"apiVersion": self.api_version, "kind": self.kind}
        return {**head, "metadata": {"name": name, **(metadata or {})}, "spec": {"purpose": "test", **spec}}


@dataclass(frozen=True)
class Home:
    """A namespace of a test's own, and the widgets in it."""

    widgets: Kind
    namespace: str

    @property
    def all(self) -> str:
        """The path of the namespace's widgets."""
        return self.widgets.path(self.namespace)

    def one(self, name: str, subresource: str = "") -> str:
        """The path of one widget."""
        return self.widgets.path(self.namespace, name, subresource)

    def create(self, name: str, metadata: Json | None = None, **spec: Any) -> Json:
        """Create a widget; returns it."""
        answer = self.widgets.target.post(self.all, self.widgets.make(name, metadata, **spec))
        assert answer.status == 201, answer.message
        return answer.body


def unique(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def define(target: Target) -> Iterator[Callable[..., Answer]]:
    """Create a custom resource definition that goes with the test; waits until it is served."""
    made: list[str] = []

    def create(crd: Json, *, wait: bool = True) -> Answer:
        answer = create_definition(target, crd, wait=wait)
        if answer.status == 201:
            made.append(crd["metadata"]["name"])
        return answer

    yield create
    for name in made:
        target.delete(f"{CRDS}/{name}")


CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def create_definition(target: Target, crd: Json, *, wait: bool = True) -> Answer:
    """Create a custom resource definition and wait until its kind is served."""
    answer = target.post(CRDS, crd)
    if wait and answer.status == 201:
        served(target, crd)
    return answer


def served(target: Target, crd: Json) -> None:
    """Wait until a definition's kind is served."""
    spec = crd["spec"]
    path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
    target.eventually(lambda: target.get(path).status == 200, f"{path} is served")


def definition(
    group: str, schema: Json, *, kind: str = "Widget", scope: str = "Namespaced", **version: Any
) -> Json:
    """A custom resource definition with one version."""
    plural = f"{kind.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    **version,
                }
            ],
        },
    }


def unique_group() -> str:
    """An API group that no other test uses."""
    return f"{unique('g')}.contract.example.com"


@pytest.fixture(scope="session")
def widgets(target: Target) -> Iterator[Kind]:
    """The kind Widget, whose schema has every feature that the probes need."""
    group = unique_group()
    schema = yaml.safe_load(
        (Path(__file__).parent / "kubernetes" / "widget.yaml").read_text(encoding="utf-8")
    )
    columns = [
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Color", "type": "string", "jsonPath": ".spec.color"},
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    crd = definition(group, schema, subresources={"status": {}}, additionalPrinterColumns=columns)
    assert create_definition(target, crd).status == 201
    yield Kind(target, group, "widgets", "Widget")
    target.delete(f"{CRDS}/{crd['metadata']['name']}")


@pytest.fixture
def home(target: Target, widgets: Kind) -> Home:
    """A namespace of the test's own."""
    name = unique("contract")
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    assert target.post("/api/v1/namespaces", body).status == 201
    return Home(widgets, name)
