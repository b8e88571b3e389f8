"""Two operators for the same agents, one of which leads: and which of them wrote what, and when.

The runtime's own log tells them apart by their user agents, to which each adds its name.
"""

from __future__ import annotations

import itertools
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client
from tests.harness.link import Link, link
from tests.harness.polling import eventually
from tests.harness.process import OperatorProcess, free_port
from tests.harness.stage import GROUP, PLURAL, VERSION, Stage, manifest

AGENTS = ("ceo", "cfo", "cmo")
LEASE = "aos-operator"
EDIT_SECONDS = 0.15


@dataclass
class Rival:
    """One of the two; its way to the API server can be cut."""

    name: str
    operator: OperatorProcess
    link: Link
    stage: Stage

    def start(self, **settings: str) -> None:
        """Start it; it stands by when the other one leads."""
        self.operator.start(liveness_port=free_port(), AZURE_HTTP_USER_AGENT=self.name, **settings)

    def probe(self, path: str) -> tuple[int, dict[str, Any]]:
        """The status and the body of one of its probes; 0 while nobody answers."""
        return probe(self.operator.liveness_port, path)

    def becomes(self, role: str, *, within: float = 25.0) -> None:
        """Wait until it says that it is the leader, or standing by, and ready."""
        eventually(
            lambda: self.probe("readyz"),
            lambda seen: seen[0] == 200 and seen[1]["role"] == role,
            what=f"{self.name} is {role}",
            within=within,
        )

    def writes(self) -> list[float]:
        """When it wrote to the runtime, oldest first."""
        return [
            one.at
            for one in self.stage.runtime_requests()
            if one.method != "GET" and self.name in one.user_agent
        ]


@dataclass
class Rivals:
    """Both of them, and the resources that never come to rest."""

    first: Rival
    second: Rival
    stage: Stage

    def holder(self) -> str:
        """Who holds the Lease; empty when nobody does."""
        lease = client.CoordinationV1Api(self.stage.plane.api).read_namespaced_lease(
            LEASE, self.stage.namespace
        )
        return str(lease.spec.holder_identity or "")

    @contextmanager
    def edited(self) -> Iterator[None]:
        """All the while somebody changes the agents' purposes, so that the leader always has to write."""
        self.stage.kubectl.apply(*(manifest(name) for name in AGENTS))
        done = threading.Event()
        editor = threading.Thread(target=self._edit, args=(done,))
        editor.start()
        try:
            yield
        finally:
            done.set()
            editor.join()

    def begins_to_write(self, rival: Rival, *, within: float = 25.0) -> float:
        """Wait until `rival` has written to the runtime; when it first did."""
        return eventually(rival.writes, what=f"{rival.name} writes", within=within, every=0.2)[0]

    def goes_on_writing(self, rival: Rival) -> None:
        """Wait for some further writes by `rival`."""
        before = len(rival.writes())
        eventually(rival.writes, lambda seen: len(seen) > before + 2, what=f"{rival.name} writes on")

    def converge(self) -> None:
        """Wait until the status of each agent is true, once nobody edits any more."""
        for name in AGENTS:
            item = self.stage.ready(name)
            told = self.stage.agent(name).versions[-1].definition["instructions"]
            assert item["spec"]["purpose"] in told

    def _edit(self, done: threading.Event) -> None:
        objects = client.CustomObjectsApi(self.stage.plane.api)
        for number in itertools.count():
            if done.wait(EDIT_SECONDS):
                return
            where = (GROUP, VERSION, self.stage.namespace, PLURAL, AGENTS[number % len(AGENTS)])
            objects.patch_namespaced_custom_object(*where, {"spec": {"purpose": f"Purpose number {number}."}})


@contextmanager
def open_rivals(stage: Stage, folder: Path) -> Iterator[Rivals]:
    """Two operators on one stage, neither started."""
    admitted = stage.plane.admit_operator(stage.namespace, cluster_wide=False, identity=False)
    with (
        _rival("first", stage, admitted, folder) as first,
        _rival("second", stage, admitted, folder) as second,
    ):
        yield Rivals(first, second, stage)


@contextmanager
def _rival(name: str, stage: Stage, kubeconfig: Path, folder: Path) -> Iterator[Rival]:
    with link(kubeconfig) as (way, over):
        operator = stage.operator.twin(lambda _wide, _identity: over, folder / f"{name}.log")
        try:
            yield Rival(name, operator, way, stage)
        finally:
            operator.kill()


def probe(port: int, path: str) -> tuple[int, dict[str, Any]]:
    """The status and the body that a probe of an operator gets; 0 while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)
    except OSError:
        return 0, {}
