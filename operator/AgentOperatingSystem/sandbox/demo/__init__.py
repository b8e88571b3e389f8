"""`aos demo`: the main job on this machine, from `kubectl apply` to an answer, with every step checked.

Why the operator and the sandbox are child processes and kubectl is the real one: what is shown is what a
user's own cluster will do, not a rehearsal inside one process. Each step is checked on both sides, with
kubectl and in Foundry; the first that does not hold ends the demo with 1.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from AgentOperatingSystem.model.errors import AOSError
from AgentOperatingSystem.sandbox.demo.acts import ACTS, check_examples
from AgentOperatingSystem.sandbox.demo.interruption import closed_for_sure, interrupted_by_signals
from AgentOperatingSystem.sandbox.demo.keeping import keep_running
from AgentOperatingSystem.sandbox.demo.scene import Scene, open_scene
from AgentOperatingSystem.sandbox.demo.stage import Stage

FAILED = 1
INTERRUPTED = 130

__all__ = ["run_demo"]


def run_demo(examples: Path, keep: bool) -> int:
    """Show the demo with the resources in `examples`; the process's exit code.

    With `keep` everything runs on until Ctrl-C. Whatever happens, nothing is left running or on the disk.
    """
    stage = Stage()
    try:
        check_examples(examples)
        with interrupted_by_signals(), closed_for_sure() as stack:
            code = _show(stack, stage, examples, keep=keep)
    except KeyboardInterrupt:
        stage.say("Interrupted; everything was stopped and removed.")
        return INTERRUPTED
    except AOSError as error:
        stage.failure(str(error))
        return FAILED
    stage.say("Everything was stopped and removed.")
    if code == 0 and not keep:
        stage.where_next()
    return code


def _show(stack: ExitStack, stage: Stage, examples: Path, *, keep: bool) -> int:
    started = time.monotonic()
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aos-demo-")))
    stage.opening()
    scene = open_scene(stack, stage, directory, examples)
    try:
        _play(scene)
    except AOSError as error:
        stage.failure(str(error))
        stage.log_tail("The operator's log ends with:", scene.operator.log_tail())
        return FAILED
    stage.closing(time.monotonic() - started, [act.lesson for act in ACTS])
    if keep:
        keep_running(stage, scene)
    return 0


def _play(scene: Scene) -> None:
    for number, act in enumerate(ACTS, start=1):
        scene.stage.act(number, act.title)
        act.play(scene)
