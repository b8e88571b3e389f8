"""The image, as far as it can be checked where no engine builds it: its parts, and what runs of them.

`docker build` is not run here. What it does is: the copied files only, the locked packages into a clean
environment, the wheel into it, and the operator and its sidecar started there as nobody on a read-only disk.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chart.helm import OPERATOR_CHART, ROOT, Helm, Json, container, environment, only
from tests.chart.rendered import finished, running, started
from tests.harness.kubectl import BIN
from tests.harness.planes import EmbeddedPlane
from tests.harness.polling import eventually
from tests.harness.process import free_port
from tests.harness.stage import manifest

DOCKERFILE = (ROOT / "operator" / "Dockerfile").read_text(encoding="utf-8")
IGNORE = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
USER = "65532"
# A disk that nobody can write to, and a user with no rights: the outer namespace makes the first, the inner
# one the second.
READ_ONLY = (
    "unshare",
    "--user",
    "--map-root-user",
    "--mount",
    "sh",
    "-c",
    'mount -o remount,ro,bind / && exec unshare --user --map-user=65532 --map-group=65532 -- "$@"',
    "sh",
)
# Where there are no namespaces (macOS, a closed container): Python itself refuses every write.
REFUSING = """
import errno, os, sys
def refuse(event, arguments):
    if event == "open" and arguments[0] != os.devnull and (
        arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if isinstance(arguments[2], int) else False
    ) or event in ("os.mkdir", "os.rename", "os.remove", "os.symlink", "os.truncate"):
        raise OSError(errno.EROFS, "read-only file system", str(arguments[0]))
sys.addaudithook(refuse)
sys.argv = sys.argv[1:]
from AgentOperatingSystem.cli import main
main()
"""

pytestmark = pytest.mark.timeout(600)


def instructions(name: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.split(None, 1)[1] for line in joined.splitlines() if line.startswith(f"{name} ")]


def copied() -> list[str]:
    """What is copied from the repository."""
    return [
        source
        for line in instructions("COPY")
        if not line.startswith("--from=")
        for source in line.split()[:-1]
    ]


def environment_of_image() -> dict[str, str]:
    """What the image sets, but for its PATH."""
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    pairs = re.findall(r"(\w+)=(\S+)", " ".join(re.findall(r"^ENV (.+)$", final, re.MULTILINE)))
    return {name: value for name, value in pairs if name != "PATH"}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A clean environment with the locked packages and the wheel, built from what the Dockerfile copies."""
    # Not below pytest's own folder, where only its user may look.
    folder = Path(tempfile.mkdtemp(prefix="image-"))
    context, uv = folder / "context", str(BIN / "uv")
    for source in copied():
        target = context / source.rstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, target)
    python = str(folder / "aos" / "bin" / "python")
    lock = str(context / "requirements" / "operator.txt")
    wheel = ("pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    for command in (
        (uv, "venv", "--quiet", "--python", sys.executable, str(folder / "aos")),
        (uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "--requirement", lock),
        (sys.executable, "-m", *wheel, str(context)),
    ):
        subprocess.run(command, check=True, timeout=300)
    built = str(next(folder.glob("*.whl")))
    subprocess.run(
        (uv, "pip", "install", "--quiet", "--python", python, "--no-deps", built), check=True, timeout=60
    )
    yield folder / "aos"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def confined(image: Path) -> tuple[str, ...]:
    """What goes before `aos`'s own arguments, so that it runs as in a pod."""
    probe = subprocess.run((*READ_ONLY, "true"), capture_output=True, check=False) if _has_unshare() else None
    if probe is not None and probe.returncode == 0:
        return (*READ_ONLY, str(image / "bin" / "aos"))
    return (str(image / "bin" / "python"), "-c", REFUSING, "aos")


def _has_unshare() -> bool:
    return shutil.which("unshare") is not None


def test_everything_that_is_copied_is_there_and_not_ignored() -> None:
    assert copied()
    let_in = {line[1:].rstrip("/") for line in IGNORE if line.startswith("!")}
    assert "*" in IGNORE
    for source in copied():
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in let_in, f".dockerignore keeps {source} out"


def test_the_base_is_pinned_and_slim() -> None:
    (base,) = re.findall(r"^ARG PYTHON=(.+)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)
    assert instructions("FROM") == ["${PYTHON} AS build", "${PYTHON}"]


def test_what_runs_is_nobody_and_was_only_copied() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(rf"^USER {USER}:{USER}$", final, re.MULTILINE)
    assert "\nRUN " not in final
    assert re.findall(r"^COPY (\S+)", final, re.MULTILINE) == ["--from=build"]
    assert 'ENTRYPOINT ["aos"]' in final


def test_every_package_is_installed_with_its_hash() -> None:
    installs = [line for line in instructions("RUN") if "pip install" in line]
    for line in installs:
        for one in re.findall(r"pip install [^&]+", line):
            assert "--require-hashes" in one or one.strip() == "pip install --no-deps dist/*.whl", one
    for name in ("operator", "build"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        for block in re.split(r"\n(?=\S)", text):
            assert block.startswith("#") or "--hash=sha256:" in block, block.splitlines()[0]


def test_the_build_backend_is_the_one_of_pyproject() -> None:
    (line,) = re.findall(r"^requires = \[(.+)\]$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    lock = (ROOT / "requirements" / "build.txt").read_text(encoding="utf-8")
    for wanted in re.findall(r'"([^"]+)"', line):
        assert f"\n{wanted} " in lock


def test_nothing_is_missing_and_nothing_clashes(image: Path) -> None:
    python = str(image / "bin" / "python")
    told = subprocess.run(
        (str(BIN / "uv"), "pip", "check", "--python", python), capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr


def test_what_it_runs_in_can_write_nothing(confined: tuple[str, ...], tmp_path: Path) -> None:
    command: Json = {"command": list(confined), "args": ["crds", "--output", str(tmp_path / "crds")]}
    code, said = finished(command, {}, tmp_path / "log")
    assert code != 0
    assert "ead-only file system" in said


def test_the_operator_and_its_sidecar_work_there(
    confined: tuple[str, ...], embedded_plane: EmbeddedPlane, helm: Helm, tmp_path: Path
) -> None:
    values: Json = {
        "sandbox": {"enabled": True, "port": free_port()},
        "liveness": {"port": free_port()},
        "metrics": {"port": free_port()},
        "leaderElection": {"enabled": False},
        "clusterId": "image",
        "namespaces": ["default"],
    }
    deployment = only(helm.objects(OPERATOR_CHART, values=values), "Deployment")
    sidecar, operator = container(deployment, "foundry"), container(deployment)
    # kubectl's user may look; the pod's user must, too.
    kubeconfig = Path(tempfile.mkdtemp(prefix="kubeconfig-")) / "config"
    shutil.copy(embedded_plane.kubeconfig, kubeconfig)
    kubectl = embedded_plane.kubectl("default")
    own = environment_of_image()
    where = {**own, **environment(operator), "KUBECONFIG": str(kubeconfig)}
    try:
        with running({**sidecar, "command": list(confined)}, own, tmp_path / "foundry.log"):
            started(sidecar)
            with running({**operator, "command": list(confined)}, where, tmp_path / "operator.log"):
                started(operator)
                kubectl.apply(manifest("of-the-image"))
                wait = ("wait", "--for=condition=Ready", "pda/of-the-image", "--timeout=30s")
                eventually(lambda: kubectl.run(*wait).code == 0, what="the agent is Ready")
                kubectl("delete", "pda", "of-the-image", "--timeout=30s")
    finally:
        shutil.rmtree(kubeconfig.parent)
