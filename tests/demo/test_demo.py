"""`aos demo` and `aos sandbox` keep their promises: what they show is checked, and nothing stays behind."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from . import processes

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks for left processes in /proc"),
    pytest.mark.timeout(180),
]


@pytest.fixture
def marker() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def settings_of_production(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the shell of somebody who works on a real cluster holds."""
    monkeypatch.setenv("KUBECONFIG", "/nonexistent/of-production")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "192.0.2.1")
    monkeypatch.setenv("AZURE_AI_PROJECT_ENDPOINT", "https://production.example/api/projects/real")
    monkeypatch.setenv("AZURE_AI_MODEL_DEPLOYMENT", "gpt-of-production")
    monkeypatch.setenv("USE_FOUNDRY_RUNTIME", "false")
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")


@pytest.mark.usefixtures("settings_of_production")
def test_the_demo_shows_the_whole_story_uses_no_foreign_setting_and_leaves_nothing(
    marker: str, out: Path
) -> None:
    code, printed = processes.run("demo", "--examples", str(EXAMPLES), marker=marker, out=out)

    assert code == 0, printed
    for line in (
        f"$ kubectl apply -f {EXAMPLES}/ceo-agent.yaml",
        "llama-3.3-70b-cmo   1",
        "Foundry: ceo went from version 1 to 2, exactly one more",
        "$ aos ask ceo",
        "no AI] I am agent 'ceo' version 2",
        "This is turn 2 of this thread",
        "cfo was disabled and is enabled again, still version 1",
        "version 3 is what the resource asks for",
        "coo and its thread are gone; ceo, cfo and cmo are as they were",
        "What you saw, in",
        "make demo KEEP=1",
    ):
        assert line in printed
    assert "production" not in printed
    assert processes.left_behind(marker) == []
    assert list(out.parent.glob("aos-*")) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param("  purpose: Keep", '  purpose: ""  # Keep', "spec.purpose", id="kubectl itself fails"),
        pytest.param("adapterName: cfo", "adapterName: cto", "llama-3.3-70b-cto", id="it never gets Ready"),
    ],
)
def test_an_expectation_that_fails_ends_the_demo_with_1(
    old: str, new: str, told: str, marker: str, out: Path
) -> None:
    examples = out.parent / "examples"
    shutil.copytree(EXAMPLES, examples)
    broken = examples / "cfo-agent.yaml"
    text = broken.read_text()
    assert old in text
    broken.write_text(text.replace(old, new))

    code, printed = processes.run("demo", "--examples", str(examples), marker=marker, out=out)

    assert code == 1, printed
    assert "The demo failed." in printed
    assert "Expected: " in printed
    assert "Seen:" in printed
    assert told in printed
    assert "The operator's log ends with:" in printed
    assert processes.left_behind(marker) == []
    assert list(out.parent.glob("aos-*")) == []


def test_a_folder_without_the_agents_is_told_at_once(marker: str, out: Path) -> None:
    code, printed = processes.run("demo", "--examples", str(out.parent), marker=marker, out=out)

    assert code == 1
    assert "has no ceo-agent.yaml, cfo-agent.yaml" in printed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_demo_leaves_no_process(number: signal.Signals, marker: str, out: Path) -> None:
    with processes.started("demo", "--examples", str(EXAMPLES), marker=marker, out=out) as process:
        processes.until_printed("A new purpose", out, process)
        process.send_signal(number)
        code = process.wait(processes.SECONDS)

    assert processes.left_behind(marker) == []
    if number is not signal.SIGKILL:
        assert code == 130
        assert "Interrupted; everything was stopped and removed." in out.read_text()
        assert list(out.parent.glob("aos-*")) == []


def test_a_kept_demo_can_be_played_with_until_ctrl_c(marker: str, out: Path) -> None:
    with processes.started("demo", "--keep", "--examples", str(EXAMPLES), marker=marker, out=out) as process:
        printed = processes.until_printed("Ctrl-C stops and removes everything.", out, process)
        agents = _kubectl(printed, "get", "pda", "-o", "name")
        process.send_signal(signal.SIGINT)
        code = process.wait(processes.SECONDS)

    assert code == 0
    assert [name.rpartition("/")[2] for name in agents.split()] == ["ceo", "cfo", "cmo"]
    assert processes.left_behind(marker) == []
    assert list(out.parent.glob("aos-*")) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_prints_two_exports_that_work_and_stops_cleanly(
    number: signal.Signals, marker: str, out: Path
) -> None:
    with processes.started("sandbox", marker=marker, out=out) as process:
        printed = processes.until_printed("AZURE_AI_PROJECT_ENDPOINT", out, process)
        names = [line.removeprefix("export ").partition("=")[0] for line in printed.splitlines()]
        files = [word for path in sorted(EXAMPLES.glob("*-agent.yaml")) for word in ("-f", str(path))]
        applied = _kubectl(printed, "apply", *files)
        process.send_signal(number)
        code = process.wait(processes.SECONDS)

    assert code == 0
    assert names == ["KUBECONFIG", "AZURE_AI_PROJECT_ENDPOINT"]
    assert applied.count(" created\n") == len(files) / 2
    assert processes.left_behind(marker) == []
    assert list(out.parent.glob("aos-*")) == []


def test_the_sandbox_writes_its_kubeconfig_where_it_is_told(marker: str, out: Path) -> None:
    folder = out.parent / "a folder" / "of mine"
    with processes.started("sandbox", "--dir", str(folder), marker=marker, out=out) as process:
        printed = processes.until_printed("AZURE_AI_PROJECT_ENDPOINT", out, process)
        assert "purposedrivenagents" in _kubectl(printed, "get", "crd", "-o", "name")

    assert (folder / "sandbox.kubeconfig").is_file()


@pytest.mark.parametrize("option", ["--kubernetes-port", "--foundry-port"])
def test_a_taken_port_is_told_in_one_line(option: str, marker: str, out: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, printed = processes.run("sandbox", option, str(port), marker=marker, out=out)

    told = out.with_suffix(".err").read_text()
    assert code == 2
    assert printed == ""
    assert told.count("\n") == 1
    assert told.startswith(f"aos: {option} {port} cannot be used (Address already in use)")
    assert processes.left_behind(marker) == []


def _kubectl(printed: str, *arguments: str) -> str:
    """What kubectl answers with the settings among the printed lines."""
    exports = [line.strip() for line in printed.splitlines() if line.strip().startswith("export ")]
    settings = dict(shlex.split(line)[1].split("=", 1) for line in exports)
    environment = {**os.environ, **settings, "KUBECACHEDIR": str(Path(settings["KUBECONFIG"]).parent)}
    environment.pop("PATH", None)
    done = subprocess.run(
        [processes.KUBECTL, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
