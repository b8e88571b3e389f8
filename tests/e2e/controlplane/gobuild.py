"""Builds etcd, kube-apiserver and kube-controller-manager from their published Go modules.

Kubernetes' own go.mod points its k8s.io/* modules at folders of its repository, which a module download does
not have; ours replaces each with the version published beside the release. go.mod and go.sum of the pinned
version are in gomod/; any other version's are made on the fly, and Go's checksum database vouches for them.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from .errors import BinariesUnavailable
from .progress import Say
from .release import APISERVER, CONTROLLERS, ETCD, PINNED_VERSION, PLATFORMS, Release

GOMOD = Path(__file__).parent / "gomod"

PACKAGES: Mapping[str, str] = {
    ETCD: "go.etcd.io/etcd/server/v3",
    APISERVER: "k8s.io/kubernetes/cmd/kube-apiserver",
    CONTROLLERS: "k8s.io/kubernetes/cmd/kube-controller-manager",
}

_HEARTBEAT_SECONDS = 15.0
_LOG_TAIL_CHARACTERS = 2000


def build_binaries(
    release: Release, names: Collection[str], folder: Path, *, environ: Mapping[str, str], say: Say
) -> None:
    """Build the named binaries into `folder`. Raises BinariesUnavailable with the end of Go's output."""
    go = _go_on(environ)
    environ = _go_environ(environ, release.platform)
    module, mode = _module_for(release, go, folder, environ)
    for name in names:
        say(f"building {name} for Kubernetes {release.version} with {go} (minutes when Go's cache is cold)")
        arguments = [
            "build", "-v", f"-mod={mode}", "-trimpath",
            "-ldflags", _linker_flags(release), "-o", str(folder / name), PACKAGES[name],
        ]  # fmt: skip
        _run_with_heartbeat(
            [go, *arguments], module, log=folder / f"{name}.log", environ=environ, say=say, label=name
        )


def pin(release: Release, target: Path, *, environ: Mapping[str, str]) -> None:
    """Write go.mod and go.sum for the release into `target`, complete for every platform."""
    go = _go_on(environ)
    target.mkdir(parents=True, exist_ok=True)
    go_mod = _go_mod(release, go, _go_environ(environ, release.platform))
    (target / "go.mod").write_text(go_mod)
    listing = [go, "list", "-mod=mod", "-deps", *PACKAGES.values()]
    for platform in PLATFORMS:
        _go_output(listing, target, _go_environ(environ, platform))


def _go_on(environ: Mapping[str, str]) -> str:
    go = shutil.which("go", path=environ.get("PATH", os.defpath))
    if go is None:
        raise BinariesUnavailable("no Go toolchain on PATH")
    return go


def _module_for(release: Release, go: str, folder: Path, environ: Mapping[str, str]) -> tuple[Path, str]:
    """The folder with the go.mod to build in, and whether Go may complete it."""
    if release.version == PINNED_VERSION:
        return GOMOD, "readonly"
    module = folder / "gomod"
    module.mkdir()
    (module / "go.mod").write_text(_go_mod(release, go, environ))
    return module, "mod"


def _go_mod(release: Release, go: str, environ: Mapping[str, str]) -> str:
    download = [go, "mod", "download", "-json", f"k8s.io/kubernetes@v{release.version}"]
    described = json.loads(_go_output(download, Path(os.path.sep), environ))
    return render_go_mod(Path(described["GoMod"]).read_text(), release)


def render_go_mod(kubernetes_go_mod: str, release: Release) -> str:
    """Our go.mod for a release, from that release's own.

    The language version and the GODEBUG defaults are Kubernetes' own; the etcd is the one it was tested with.
    """
    etcd = re.search(r"go\.etcd\.io/etcd/server/v3 (v\S+)", kubernetes_go_mod)
    language = re.search(r"^go \S+$", kubernetes_go_mod, re.MULTILINE)
    if etcd is None or language is None:
        raise BinariesUnavailable(
            f"the go.mod of Kubernetes {release.version} names no etcd or no Go version"
        )
    godebug = re.findall(r"^godebug .+$", kubernetes_go_mod, re.MULTILINE)
    staging = sorted(set(re.findall(r"^\s*(k8s\.io/[\w-]+) v0\.0\.0\s*$", kubernetes_go_mod, re.MULTILINE)))
    return "\n".join([
        "// Made by `python tests/e2e/controlplane pin`; see gobuild.py.",
        "module controlplane.invalid/gomod", "",
        language[0], "",
        *(line + "\n" for line in godebug),
        "require (",
        f"\tgo.etcd.io/etcd/server/v3 {etcd[1]}", f"\tk8s.io/kubernetes v{release.version}",
        ")", "",
        "replace (", *(f"\t{module} => {module} {release.staging_version}" for module in staging), ")", "",
    ])  # fmt: skip


def _linker_flags(release: Release) -> str:
    """Strips the binary and tells it and its client the version, as Kubernetes' own build scripts do."""
    major, minor, _ = release.version.split(".")
    values = {
        "gitVersion": f"v{release.version}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    stamped = (f"-X {package}.{name}={value}" for package in packages for name, value in values.items())
    return " ".join(("-s", "-w", *stamped))


def _go_environ(environ: Mapping[str, str], platform: str) -> Mapping[str, str]:
    """The caller's environment without what would change the result; GOFLAGS keeps only its `-p` (cores)."""
    cores = [flag for flag in environ.get("GOFLAGS", "").split() if flag.startswith("-p=")]
    system, _, architecture = platform.partition("-")
    return {
        **environ,
        "GOFLAGS": " ".join(("-buildvcs=false", *cores)),
        "GOWORK": "off",
        "GOOS": system,
        "GOARCH": architecture,
        "CGO_ENABLED": "0",
    }


def _go_output(command: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr + done.stdout)[-_LOG_TAIL_CHARACTERS:]
        raise BinariesUnavailable(f"`{' '.join(command[:4])}` failed: {said}")
    return done.stdout


def _run_with_heartbeat(
    command: Sequence[str], cwd: Path, *, log: Path, environ: Mapping[str, str], say: Say, label: str
) -> None:
    """Run Go with its output in `log` (`-v`: one line a package), saying every so often how far it is."""
    began = time.monotonic()
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=cwd, env=environ, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        while (code := _wait(process, _HEARTBEAT_SECONDS)) is None:
            compiled = log.read_bytes().count(b"\n")
            say(f"building {label}: {time.monotonic() - began:.0f} s, {compiled} packages so far")
    if code != 0:
        said = log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]
        raise BinariesUnavailable(f"the Go build of {label} failed: {said}")
    say(f"built {label} in {time.monotonic() - began:.0f} s")


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """The process' exit code, or None when it still runs after so many seconds."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
