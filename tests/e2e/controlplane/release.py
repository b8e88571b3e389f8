"""Which Kubernetes is run, for which platform, and the checksums that the official archives must have.

The one file to edit when the pinned version moves (then `python tests/e2e/controlplane pin` renews gomod/).
"""

import platform as machine
import re
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import ControlPlaneError

PINNED_VERSION = "1.37.0"

ETCD = "etcd"
APISERVER = "kube-apiserver"
CONTROLLERS = "kube-controller-manager"

# SHA-512 of envtest-v<version>-<platform>.tar.gz: envtest-releases.yaml of kubernetes-sigs/controller-tools.
ARCHIVE_SHA512: Mapping[str, Mapping[str, str]] = {
    "1.37.0": {
        "linux-amd64": (
            "1d1c453633b72c161a5d5a886cde7ac850be1a2ac796a9e1d4ffacacc6486829"
            "5bdd2d57aa66cd0c158f5ce510f5dfe3fbc61ac21bd3dcfb875bd70658aa663a"
        ),
        "linux-arm64": (
            "ae6a670502988200b0131c943758cfd3d3a58cf4e6247ef7f0e6a6467f1cd9a3"
            "33c802e86101f0446b1b92a0e327387224e1e44fe1a4693da0929c6e529cfe9a"
        ),
        "darwin-amd64": (
            "19a2a5376a8aa57a7b25ec5198834db29bf2ba0d6ff572d7f45ba683b13fb14c"
            "3ebec8069e92db66c39f1c7a9cff1bc2be879e2aacdc9fa8b8a7e861959bdf7b"
        ),
        "darwin-arm64": (
            "fb38cfacdd71b5e97a4d4cceac861af5f55069cf783f0e49cf181bfc32eb3e55"
            "7c2091a534dc5d38f1b92c5ba142bc1979f215a5385b3630ea6a661be6fa161b"
        ),
    },
    "1.30.0": {
        "linux-amd64": (
            "d53870e1a6c9b3b50366489a9387f4e254c664955e932e3e25e2088bb437b270"
            "bfab75d241b50849233f9a34bb1f08b41567ebb81ea29352104ae0f5b1cb9e88"
        ),
        "linux-arm64": (
            "140748efaa394598f50175e809cd53896881ed046d93ebdfbd5442100f68b3d8"
            "d51fd22f8cf1ae06a6e43473897b789df0db6e0ae6c45c8320b000d5ee900005"
        ),
        "darwin-amd64": (
            "e705b35189052880afefeac72797834d2750bfcfc8971dd913cc2b5575ea7222"
            "e9cfa3ebb38a5e5deec8f06089ecc654beaf9c4fe990acf41e57758c26b3d62a"
        ),
        "darwin-arm64": (
            "48c1fa5555f021f8aa365faaa96b106804ce5e3022142a2a166bc91ecd5b22da"
            "79f012d20c1a4963e0236df00a214f3311cdd842de4ab19442ca1c83b3bcb859"
        ),
    },
}

PLATFORMS = ("linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64")
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Release:
    """One Kubernetes version ("1.N.P") for one platform ("linux-amd64")."""

    version: str
    platform: str

    def __str__(self) -> str:
        return f"{self.version}-{self.platform}"

    @property
    def staging_version(self) -> str:
        """The version under which this Kubernetes publishes its k8s.io/* modules: 1.N.P is v0.N.P."""
        return "v0" + self.version.removeprefix("1")

    @property
    def archive_sha512(self) -> str | None:
        return ARCHIVE_SHA512.get(self.version, {}).get(self.platform)


def release_wanted(environ: Mapping[str, str]) -> Release:
    """The release that AOS_KUBERNETES_VERSION names, else the pinned one, for this machine."""
    version = environ.get("AOS_KUBERNETES_VERSION") or PINNED_VERSION
    version = version.removeprefix("v")
    if not re.fullmatch(r"1\.\d+\.\d+", version):
        raise ControlPlaneError(f"AOS_KUBERNETES_VERSION must look like 1.37.0, not {version!r}")
    return Release(version, _platform(machine.system(), machine.machine()))


def _platform(system: str, architecture: str) -> str:
    known = _ARCHITECTURES.get(architecture.lower())
    if system not in {"Linux", "Darwin"} or known is None:
        raise ControlPlaneError(
            f"the control plane needs Linux or macOS, on amd64 or arm64; this is {system} on {architecture}"
        )
    return f"{system.lower()}-{known}"
