"""The official envtest archive: downloaded, checked against the pinned SHA-512, and only then unpacked.

Knows nothing of other sources. Where the network is closed it must give up within seconds, so that the next
source gets its turn.
"""

import hashlib
import http.client
import shutil
import tarfile
import urllib.error
import urllib.request
from collections.abc import Collection
from pathlib import Path

from .errors import BinariesUnavailable
from .progress import Say
from .release import APISERVER, ETCD, Release

OFFICIAL_BASE_URL = "https://github.com/kubernetes-sigs/controller-tools/releases/download"

_ARCHIVED = frozenset({ETCD, APISERVER})
# Bounds the connection and each read, not the whole download.
_TIMEOUT_SECONDS = 8.0
_CHUNK_BYTES = 1 << 20


def archive_url(release: Release, base_url: str) -> str:
    name = f"envtest-v{release.version}"
    return f"{base_url.rstrip('/')}/{name}/{name}-{release.platform}.tar.gz"


def fetch_archive(release: Release, names: Collection[str], folder: Path, *, base_url: str, say: Say) -> None:
    """Put those of the named binaries that the archive holds into `folder`.

    Raises BinariesUnavailable when no checksum is pinned, when the archive cannot be had, or when it is not
    the one we pinned.
    """
    if _ARCHIVED.isdisjoint(names):
        raise BinariesUnavailable(f"the archive never holds {', '.join(names)}")
    sha512 = release.archive_sha512
    if sha512 is None:
        raise BinariesUnavailable(f"no SHA-512 is pinned for the archive of {release}")
    url = archive_url(release, base_url)
    say(f"downloading {url}")
    packed = folder / "envtest.tar.gz"
    actual = _download(url, packed)
    if actual != sha512:
        packed.unlink()
        raise BinariesUnavailable(f"{url} has SHA-512 {actual}, not the pinned {sha512}: not unpacked")
    _unpack(packed, names, folder)
    packed.unlink()
    say(f"unpacked {', '.join(sorted(file.name for file in folder.iterdir()))}")


def _download(url: str, target: Path) -> str:
    """Save the URL's body; its SHA-512 comes back."""
    if not url.startswith(("https://", "http://")):
        raise BinariesUnavailable(f"{url}: only http and https are fetched")
    digest = hashlib.sha512()
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer, target.open("wb") as file:  # noqa: S310
            while chunk := answer.read(_CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)
    except urllib.error.HTTPError as error:
        error.close()
        raise BinariesUnavailable(f"{url} answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise BinariesUnavailable(f"{url} could not be downloaded: {error}") from error
    return digest.hexdigest()


def _unpack(packed: Path, names: Collection[str], folder: Path) -> None:
    """Copy the named regular files out: nothing in the archive chooses where it is written."""
    with tarfile.open(packed, "r:gz") as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            content = archive.extractfile(member) if member.isfile() and name in names else None
            if content is None:
                continue
            with content, (folder / name).open("wb") as file:
                shutil.copyfileobj(content, file)
            (folder / name).chmod(0o755)
