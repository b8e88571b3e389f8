"""The acts: what a team does with its agents, each checked with kubectl and in Foundry itself.

Why both: a status can say what never happened. What Foundry holds is asked of the stand-in's control
surface, past the operator.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from AgentOperatingSystem.model.errors import ConfigurationError
from AgentOperatingSystem.sandbox.demo.scene import DRIFT_SECONDS, POLL_SECONDS, Scene
from AgentOperatingSystem.sandbox.demo.seen import AgentStatus, ExpectationFailed, expect
from AgentOperatingSystem.sandbox.demo.terminal import CommandFailed
from AgentOperatingSystem.sandbox.foundry import AgentVersion

OFFICERS = ("ceo", "cfo", "cmo", "coo")
DEPLOYMENT = "llama-3.3-70b-{name}"
WAIT_SECONDS = 20
NEW_PURPOSE = "Strategic oversight, with profitable growth in Europe as the first goal."
PORTAL_EDIT = "Sell at any price. Promise whatever the customer wants to hear."
FIRST_QUESTION = "Which market do we enter first?"
SECOND_QUESTION = "And what would change your mind?"


@dataclass(frozen=True, slots=True)
class Act:
    """`lesson` is what the audience has seen when `play` returned; it raises AOSError when it fails."""

    title: str
    lesson: str
    play: Callable[[Scene], None]


def check_examples(examples: Path) -> None:
    """Raises ConfigurationError when an agent of the demo has no file."""
    missing = [path.name for path in (_file(examples, name) for name in OFFICERS) if not path.is_file()]
    if missing:
        raise ConfigurationError(
            "--examples",
            f"{examples} has no {', '.join(missing)}: name the folder `examples` of the repository.",
        )


def create(scene: Scene) -> None:
    """Apply the four and see each of them run on its own deployment."""
    files = [word for name in OFFICERS for word in ("-f", str(_file(scene.examples, name)))]
    scene.terminal.kubectl("apply", *files)
    _wait(scene, "condition=Ready", *OFFICERS)
    shown = _all_shown(scene)
    expect("the agents that kubectl shows", seen=sorted(shown), wanted=sorted(OFFICERS))
    scene.stage.table(
        ("AGENT", "READY", "DEPLOYMENT", "VERSION", "THREAD"),
        [(one.name, one.ready, one.deployment, one.version, _short(one.thread)) for one in shown.values()],
    )
    threads = scene.foundry.conversations()
    for name, status in shown.items():
        expect(f"{name}'s deployment in Foundry", seen=_latest(scene, name).model, wanted=status.deployment)
        expect(f"{name}'s deployment", seen=status.deployment, wanted=DEPLOYMENT.format(name=name))
        expect(f"a thread of {name} in Foundry", seen=status.thread in threads, wanted=True)
    _expect_versions(scene, ceo=1, cfo=1, cmo=1, coo=1)
    scene.stage.checked("Foundry holds the four, version 1 each, on their own LoRA deployments.")


def change_purpose(scene: Scene) -> None:
    """A new purpose is exactly one new version, on the same thread."""
    before = _shown(scene, "ceo")
    scene.terminal.kubectl(*_patch("ceo", purpose=NEW_PURPOSE))
    _wait(scene, "jsonpath={.status.runtime.version}=2", "ceo")
    after = _shown(scene, "ceo")
    expect("ceo is Ready", seen=after.ready, wanted="True")
    expect("ceo keeps its thread", seen=after.thread, wanted=before.thread)
    agent = scene.foundry.agents()["ceo"]
    purposes = [NEW_PURPOSE in version.instructions for version in agent.versions]
    expect("the new purpose in ceo's versions, oldest first", seen=purposes, wanted=[False, True])
    _expect_versions(scene, ceo=2, cfo=1, cmo=1, coo=1)
    scene.stage.checked("Foundry: ceo went from version 1 to 2, exactly one more; the others did not move.")


def ask(scene: Scene) -> None:
    """Two questions on the agent's own thread: the second is its second turn."""
    scene.stage.say(
        "The model of the sandbox is no AI, and says so: it repeats the question and counts the turns. "
        "All that lies before the model is the real way."
    )
    for turn, question in enumerate((FIRST_QUESTION, SECOND_QUESTION), start=1):
        answer = scene.terminal.aos("ask", "ceo", question)
        for word in (f'"{question}"', "version 2", f"This is turn {turn} of this thread"):
            if word not in answer:
                raise ExpectationFailed(f"an answer that holds: {word}", answer.strip())
    thread = scene.foundry.conversations()[_shown(scene, "ceo").thread]
    roles = [str(item.get("role")) for item in thread.items if item.get("type", "message") == "message"]
    expect("who spoke on ceo's thread", seen=roles, wanted=["user", "assistant"] * 2)
    scene.stage.checked("Foundry: both questions and both answers are on the one thread of ceo.")


def disable(scene: Scene) -> None:
    """`enabled: false` stops an agent and loses nothing; true brings it back."""
    for enabled, reason in ((False, "Disabled"), (True, "Running")):
        scene.terminal.kubectl(*_patch("cfo", enabled=enabled))
        _wait(scene, f'jsonpath={{.status.conditions[?(@.type=="Ready")].reason}}={reason}', "cfo")
        expect("cfo is enabled in Foundry", seen=scene.foundry.agents()["cfo"].enabled, wanted=enabled)
    _expect_versions(scene, ceo=2, cfo=1, cmo=1, coo=1)
    scene.stage.checked("Foundry: cfo was disabled and is enabled again, still version 1.")


def repair(scene: Scene) -> None:
    """An edit in the portal is undone at the next comparison."""
    wanted = _latest(scene, "cmo").instructions
    edited = scene.foundry.edit_agent("cmo", instructions=PORTAL_EDIT)
    expect("the version that the edit made", seen=edited, wanted=2)
    scene.stage.say(f'Somebody edits cmo in the Foundry portal: "{PORTAL_EDIT}"')
    with scene.stage.waiting(f"The operator compares every {DRIFT_SECONDS} s here, every minute by default"):
        _until_instructed(scene, "cmo", wanted)
    _wait(scene, "jsonpath={.status.runtime.version}=3", "cmo")
    _expect_versions(scene, ceo=2, cfo=1, cmo=3, coo=1)
    instructions = [version.instructions for version in scene.foundry.agents()["cmo"].versions]
    expect("cmo's instructions, oldest first", seen=instructions, wanted=[wanted, PORTAL_EDIT, wanted])
    scene.stage.checked("Foundry: version 2 of cmo was the edit; version 3 is what the resource asks for.")


def delete(scene: Scene) -> None:
    """Deleting the resource deletes the agent and its thread, and no other."""
    thread = _shown(scene, "coo").thread
    scene.terminal.kubectl("delete", "pda", "coo", f"--timeout={WAIT_SECONDS}s")
    scene.terminal.kubectl("get", "pda")
    _expect_versions(scene, ceo=2, cfo=1, cmo=3)
    expect("coo's thread in Foundry", seen=thread in scene.foundry.conversations(), wanted=False)
    expect("the agents that kubectl shows", seen=sorted(_all_shown(scene)), wanted=["ceo", "cfo", "cmo"])
    scene.stage.checked("Foundry: coo and its thread are gone; ceo, cfo and cmo are as they were.")


ACTS = (
    Act(
        "Four agents from YAML", "kubectl apply made four agents, each on its LoRA-tuned deployment.", create
    ),
    Act("A new purpose", "A changed purpose became exactly one new version of the agent.", change_purpose),
    Act("A question", "The agent answered on its thread, and the thread remembers.", ask),
    Act("A pause", "`enabled: false` stopped an agent without losing anything.", disable),
    Act("An edit behind our back", "An edit in the portal was found and undone.", repair),
    Act("A farewell", "kubectl delete removed the agent and its thread from Foundry.", delete),
)


def _file(examples: Path, name: str) -> Path:
    return examples / f"{name}-agent.yaml"


def _patch(name: str, **spec: object) -> tuple[str, ...]:
    return ("patch", "pda", name, "--type=merge", "-p", json.dumps({"spec": spec}))


def _wait(scene: Scene, reached: str, *names: str) -> None:
    """`kubectl wait`; when it waits in vain, what the resources themselves say is told."""
    resources = [f"pda/{name}" for name in names]
    try:
        scene.terminal.kubectl("wait", *resources, f"--for={reached}", f"--timeout={WAIT_SECONDS}s")
    except CommandFailed as error:
        scene.check_running()
        said = [
            f"{one.name}: {one.reason or 'no status yet'}. {one.message}"
            for one in _all_shown(scene).values()
            if one.name in names
        ]
        expected = f"{', '.join(names)}: {reached} within {WAIT_SECONDS} s"
        raise ExpectationFailed(expected, "\n      ".join(said)) from error


def _until_instructed(scene: Scene, name: str, wanted: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while (seen := _latest(scene, name).instructions) != wanted:
        scene.check_running()
        if time.monotonic() > deadline:
            raise ExpectationFailed(f"{name}'s instructions in Foundry are the resource's again", seen)
        time.sleep(POLL_SECONDS)


def _all_shown(scene: Scene) -> dict[str, AgentStatus]:
    shown = map(AgentStatus.from_object, scene.terminal.kubectl_json("get", "pda")["items"])
    return {status.name: status for status in shown}


def _shown(scene: Scene, name: str) -> AgentStatus:
    return AgentStatus.from_object(scene.terminal.kubectl_json("get", "pda", name))


def _latest(scene: Scene, name: str) -> AgentVersion:
    agents = scene.foundry.agents()
    expect(f"{name} is in Foundry", seen=name in agents, wanted=True)
    return agents[name].latest


def _expect_versions(scene: Scene, **newest: int) -> None:
    """Foundry holds these agents and no other, each with the versions 1 to its newest."""
    agents = scene.foundry.agents()
    seen = {name: [version.number for version in agents[name].versions] for name in sorted(agents)}
    wanted = {name: list(range(1, number + 1)) for name, number in sorted(newest.items())}
    expect("the agents in Foundry and their versions", seen=seen, wanted=wanted)


def _short(thread: str) -> str:
    return f"{thread[:5]}...{thread[-8:]}" if len(thread) > 16 else thread
