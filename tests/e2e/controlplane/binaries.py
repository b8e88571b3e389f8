"""Finds the binaries: the caller's folder, our cache, the official archive, a Go build, in this order.

Never skips: without a control plane an end-to-end test has proved nothing, so the error says what to install.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .archive import OFFICIAL_BASE_URL, fetch_archive
from .errors import BinariesUnavailable
from .gobuild import build_binaries
from .progress import Say
from .release import APISERVER, CONTROLLERS, ETCD, Release

SERVERS = (ETCD, APISERVER)
EVERYTHING = (ETCD, APISERVER, CONTROLLERS)

Fetch = Callable[[Collection[str], Path], None]


@dataclass(frozen=True)
class Binaries:
    """A folder that holds the wanted executables, and where they came from."""

    folder: Path
    source: str

    def path(self, name: str) -> str:
        return str(self.folder / name)


def cache_folder(release: Release, environ: Mapping[str, str]) -> Path:
    root = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "agent-operating-system" / "controlplane" / str(release)


def find_binaries(
    release: Release, names: Collection[str], *, environ: Mapping[str, str], say: Say
) -> Binaries:
    """The named binaries from the first source that has all of them.

    The archive and the Go build fill our cache, where each may add what the other could not give. Raises
    BinariesUnavailable when some are still missing after the last source.
    """
    refusals: list[str] = []
    assets = environ.get("KUBEBUILDER_ASSETS")
    if assets:
        lacking = _missing(Path(assets), names)
        if not lacking:
            return Binaries(Path(assets), "KUBEBUILDER_ASSETS")
        refusals.append(f"KUBEBUILDER_ASSETS={assets}: holds no {', no '.join(lacking)}")
        say(refusals[-1])
    cache = cache_folder(release, environ)
    if not _missing(cache, names):
        return Binaries(cache, "cache")
    refusals.append(f"cache: {cache} holds no {', no '.join(_missing(cache, names))}")
    with _locked(cache, say):
        if not _missing(cache, names):
            return Binaries(cache, "cache")
        for source, fetch in _sources(release, environ, say).items():
            refusal = _refusal(fetch, cache, names)
            missing = _missing(cache, names)
            if not missing:
                return Binaries(cache, source)
            refusals.append(f"{source}: {refusal or 'gave no ' + ', no '.join(missing)}")
            say(refusals[-1])
    raise BinariesUnavailable(_what_to_install(release, _missing(cache, names), refusals))


def _sources(release: Release, environ: Mapping[str, str], say: Say) -> Mapping[str, Fetch]:
    """What fills the cache, in order: puts named binaries into a folder or raises BinariesUnavailable."""
    base_url = environ.get("AOS_ENVTEST_BASE_URL") or OFFICIAL_BASE_URL
    return {
        "archive": partial(fetch_archive, release, base_url=base_url, say=say),
        "go": partial(build_binaries, release, environ=environ, say=say),
    }


def _refusal(fetch: Fetch, cache: Path, names: Collection[str]) -> str | None:
    """Bring what is missing into the cache; why that could not be done, if so."""
    try:
        with _staged(cache) as staging:
            fetch(_missing(cache, names), staging)
    except BinariesUnavailable as refusal:
        return str(refusal)
    return None


def _what_to_install(release: Release, missing: Collection[str], refusals: Collection[str]) -> str:
    tried = "\n".join(f"  - {refusal}" for refusal in refusals)
    return (
        f"no {', no '.join(missing)} of Kubernetes {release} for the end-to-end tests.\n"
        f"Tried:\n{tried}\n"
        "Do one of:\n"
        "  - set KUBEBUILDER_ASSETS to a folder that holds them (`setup-envtest use -p path`)\n"
        "  - let this machine reach the archive, or set AOS_ENVTEST_BASE_URL to a mirror of the same layout\n"
        "  - install the Go toolchain (1.26 or newer) with access to its module proxy"
    )


def _missing(folder: Path, names: Collection[str]) -> list[str]:
    return [name for name in names if not os.access(folder / name, os.X_OK)]


@contextlib.contextmanager
def _locked(cache: Path, say: Say) -> Iterator[None]:
    """One process at a time fills the cache; the others wait, then find it filled."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    with (cache.parent / f"{cache.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that fills {cache}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _staged(cache: Path) -> Iterator[Path]:
    """A folder whose executables are renamed into the cache once all is well: a cached binary is whole."""
    with tempfile.TemporaryDirectory(prefix=f".{cache.name}-", dir=cache.parent) as made:
        staging = Path(made)
        yield staging
        _keep(staging, cache)


def _keep(staging: Path, cache: Path) -> None:
    cache.mkdir(exist_ok=True)
    for name in EVERYTHING:
        if os.access(staging / name, os.X_OK):
            shutil.move(staging / name, cache / name)
