"""Runs what the chart renders as processes: a container with the account and the environment that it has.

Why: no kubelet runs here, and a chart whose pods nobody ever started is a guess. What differs from a pod is
the image (this checkout) and the in-cluster configuration (a kubeconfig with a token of the same account).
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kubernetes import client
from tests.chart.helm import Json
from tests.harness.kubectl import BIN
from tests.harness.polling import eventually

_INHERITED = ("HOME", "LANG", "TMPDIR")
STOP_SECONDS = 40.0


def pod_environment(api: client.ApiClient, container: Json, namespace: str) -> dict[str, str]:
    """What the kubelet would put into the container's environment."""
    return {one["name"]: _value(api, one, namespace) for one in container.get("env", [])}


def _value(api: client.ApiClient, variable: Json, namespace: str) -> str:
    if "value" in variable:
        return str(variable["value"])
    match variable["valueFrom"]:
        case {"secretKeyRef": {"name": name, "key": key}}:
            secret = client.CoreV1Api(api).read_namespaced_secret(name, namespace)
            return base64.b64decode(secret.data[key]).decode()
        case {"fieldRef": {"fieldPath": "metadata.namespace"}}:
            return namespace
        case other:
            raise AssertionError(f"no way to give a process {other}")


@contextmanager
def running(container: Json, environment: Mapping[str, str], log: Path) -> Iterator[None]:
    """The container's process runs, until the context ends; then SIGTERM must end it with 0."""
    process = _process(container, environment, log)
    try:
        yield
        assert process.poll() is None, f"it ended by itself with {process.returncode}"
        process.terminate()
        assert process.wait(STOP_SECONDS) == 0
    except BaseException:
        sys.stderr.write(log.read_text(encoding="utf-8", errors="replace")[-6000:])
        raise
    finally:
        process.kill()
        process.wait()


def finished(container: Json, environment: Mapping[str, str], log: Path) -> tuple[int, str]:
    """The container's process runs to its end: its exit code, and what it printed."""
    code = _process(container, environment, log).wait(STOP_SECONDS)
    return code, log.read_text(encoding="utf-8")


def _process(container: Json, environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    path = {"PATH": f"{BIN}:{os.environ['PATH']}"}
    command = [*container.get("command", [str(BIN / "aos")]), *container.get("args", [])]
    with log.open("ab") as file:
        return subprocess.Popen(
            command,
            env={**inherited, **path, **environment},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )


def started(container: Json) -> None:
    """Wait until the container's startup probe succeeds, and its readiness probe if it has one."""
    for name in ("startupProbe", "readinessProbe"):
        if name in container:
            command = _probe(container, container[name])
            eventually(
                lambda command=command: subprocess.run(command, capture_output=True, check=False).returncode,
                lambda code: code == 0,
                what=f"its {name} succeeds",
                every=0.2,
            )


def _probe(container: Json, probe: Json) -> list[str]:
    """What asks on this machine what the kubelet would ask in the pod."""
    if "exec" in probe:
        program, *arguments = probe["exec"]["command"]
        return [str(BIN / program), *arguments]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    get = probe["httpGet"]
    url = f"http://127.0.0.1:{ports[get['port']]}{get['path']}"
    return [sys.executable, "-c", f"import urllib.request as u; u.urlopen({url!r}, timeout=5)"]
