"""Where it is measured: a real control plane, and Foundry as a process of its own with 100 ms a call.

Why another process: what answers must not wait for what measures.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

from kubernetes import client
from tests.benchmarks.measured import Measured
from tests.harness.kubectl import BIN
from tests.harness.planes import RealPlane, create_namespace, real_plane
from tests.harness.stage import CLUSTER_ID, GROUP, MODEL, PLURAL, VERSION

from AgentOperatingSystem.sandbox.foundry import Fault, FoundryControl, ProjectControl

CALL_SECONDS = 0.1
SLOTS = 64
LOOK_SECONDS = 0.05
HERE = Path(__file__).resolve().parent
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")
_WRITERS = 4


@dataclass
class Field:
    """The control plane, the runtime, and a folder for logs."""

    plane: RealPlane
    foundry: FoundryControl
    folder: Path

    def conditions(self) -> dict[str, str]:
        """What the figures depend on."""
        return {
            "machine": f"{os.cpu_count()} CPUs, shared with the control plane, Foundry and the measuring",
            "Kubernetes": client.VersionApi(self.plane.api).get_code().git_version,
            "Python": platform.python_version(),
            "kopf": version("kopf"),
            "azure-ai-projects": version("azure-ai-projects"),
            "runtime": f"{CALL_SECONDS * 1000:.0f} ms a call, {SLOTS} in flight",
        }

    def plot(self, name: str, count: int) -> Plot:
        """A namespace of its own with so many resources, and a project of its own."""
        create_namespace(self.plane, name)
        kubeconfig = self.plane.admit_operator(name, cluster_wide=False, identity=False)
        plot = Plot(self, name, count, kubeconfig, self.foundry.project(name))
        plot.sow()
        return plot


@dataclass
class Plot:
    """One namespace with its resources, and the operators that are measured on it."""

    field: Field
    namespace: str
    count: int
    kubeconfig: Path
    project: ProjectControl

    def sow(self) -> None:
        """Create the resources; each is applied by nobody yet."""
        objects: Any = client.CustomObjectsApi(self.field.plane.api)

        def create(number: int) -> None:
            name = f"agent-{number:04}"
            body = {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": "PurposeDrivenAgent",
                "metadata": {"name": name},
                "spec": {"purpose": f"Be {name}.", "adapterName": "ceo"},
            }
            objects.create_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, body)

        with ThreadPoolExecutor(_WRITERS) as pool:
            list(pool.map(create, range(self.count)))

    def ours(self, *, sampled: Path | None = None, **settings: str) -> Measured:
        """`aos operator`; with `sampled`, under the clock that writes that file at the end."""
        environment = {
            "AZURE_AI_PROJECT_ENDPOINT": self.project.endpoint,
            "AZURE_AI_MODEL_DEPLOYMENT": MODEL,
            "AOS_CLUSTER_ID": CLUSTER_ID,
            "AOS_MAX_IN_FLIGHT": str(SLOTS),
            "AOS_REQUESTS_PER_SECOND": "10000",
            **settings,
        }
        start = [sys.executable, str(HERE / "sampled.py"), str(sampled)] if sampled else [str(BIN / "aos")]
        arguments = ["operator", "--liveness-port=0", "--metrics-port=0", f"--namespace={self.namespace}"]
        return Measured([*start, *arguments], self._environment(environment), self._log("ours"))

    def bare(self) -> Measured:
        """The bare kopf handler."""
        command = [sys.executable, str(HERE / "bare.py"), self.namespace]
        return Measured(command, self._environment({}), self._log("bare"))

    def writes(self) -> Counter[str]:
        """What the plot's operator wrote so far, by verb and resource; the Lease is no object's cost."""
        return Counter(
            str(one)
            for one in self.field.plane.requests(self.namespace)
            if one.writes and one.resource != "leases"
        )

    def reads(self) -> Counter[str]:
        """What it read."""
        return Counter(
            str(one)
            for one in self.field.plane.requests(self.namespace)
            if not one.writes and one.resource != "leases"
        )

    def calls(self) -> Counter[str]:
        """What was asked of the plot's project so far, by operation."""
        return Counter(one.operation for one in self.field.foundry.requests if one.project == self.namespace)

    def finished(self, within: float) -> Iterator[int]:
        """A number each time one more resource has its status; by a look at the log every 50 ms.

        From the audit log: a watch, or a list now and then, would cost the API server what is measured.
        """
        done: set[str] = set()
        deadline = time.monotonic() + within
        with (self.field.plane._plane.folder / "audit.log").open(encoding="utf-8") as log:
            log.seek(0, os.SEEK_END)
            while len(done) < self.count:
                assert time.monotonic() < deadline, f"{len(done)} of {self.count} within {within} s"
                time.sleep(LOOK_SECONDS)
                for name in self._told(log):
                    if name not in done:
                        done.add(name)
                        yield len(done)

    def _told(self, log: TextIO) -> Iterator[str]:
        """The resources whose status was written, in the lines that are new."""
        while line := log.readline():
            if not line.endswith("\n"):
                log.seek(log.tell() - len(line.encode()))
                return
            if '"subresource":"status"' in line and f'"namespace":"{self.namespace}"' in line:
                event = json.loads(line)
                if event["stage"] == "ResponseComplete" and event["responseStatus"]["code"] == 200:
                    yield event["objectRef"]["name"]

    def _environment(self, settings: dict[str, str]) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        return {**inherited, **settings, "KUBECONFIG": str(self.kubeconfig)}

    def _log(self, kind: str) -> Path:
        return self.field.folder / f"{self.namespace}-{kind}.log"


@contextmanager
def field(folder: Path) -> Iterator[Field]:
    """Everything started; 100 ms a call."""
    with real_plane() as plane, _foundry() as foundry:
        foundry.faults.add(Fault(delay=CALL_SECONDS))
        yield Field(plane, foundry, folder)


@contextmanager
def _foundry() -> Iterator[FoundryControl]:
    process = subprocess.Popen(
        [str(BIN / "aos"), "sandbox", "--only=foundry"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        exported = shlex.split(process.stdout.readline().decode())[1]
        yield FoundryControl(exported.partition("=")[2].partition("/api/")[0])
    finally:
        process.terminate()
        process.wait()
