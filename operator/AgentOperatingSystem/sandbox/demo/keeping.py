"""`aos demo --keep`: all of it runs on, to be played with from another terminal."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from pathlib import Path

from AgentOperatingSystem.sandbox.demo.scene import Scene
from AgentOperatingSystem.sandbox.demo.stage import Stage

LOOK_SECONDS = 0.5


def keep_running(stage: Stage, scene: Scene) -> None:
    """Tell how to play, then wait for Ctrl-C. Raises ChildEnded when a process ends before that."""
    stage.say("It all runs on. In another terminal, in this folder:")
    for setting in _settings(scene):
        stage.line(setting)
    stage.blank()
    stage.say("Then, for example:")
    stage.table(
        (),
        (
            ("kubectl get pda --watch", "the agents as they change"),
            ("kubectl edit pda cmo", "a purpose of your own"),
            ("kubectl get events", "what the operator did"),
            ("aos ask cfo 'What can we afford?'", "a question"),
            (f"kubectl apply -f {_minimal(scene)}", "the smallest agent there is"),
            (f"tail -f {shlex.quote(str(scene.operator.log))}", "the operator's log"),
        ),
    )
    stage.blank()
    stage.say("Ctrl-C stops and removes everything.")
    try:
        while True:
            scene.check_running()
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        stage.blank()
        stage.say("Stopping ...")


def _settings(scene: Scene) -> list[str]:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in scene.exports.items()]
    if not (shutil.which("kubectl") and shutil.which("aos")):
        lines.append(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"')
    return lines


def _minimal(scene: Scene) -> str:
    return shlex.quote(str(scene.examples / "minimal-agent.yaml"))
