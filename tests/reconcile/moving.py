"""The story of a move, and what it must end in: fifty messages, two vector stores, a file, and one agent.

Everything that a test of moves plays, loses or kills is judged by the same `broken_promises`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.harness.crashing import CrashPoint
from tests.reconcile.desk import CEO, SPEC, MovingDesk

from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.model.stamp import Owner, OwnerKind, Stamp
from AgentOperatingSystem.reconcile.resource import ENDPOINT_ANNOTATION, THREAD_ANNOTATION
from AgentOperatingSystem.sandbox.foundry import EmbeddedFoundry, ProjectControl, RequestRecord

FOUNDRY, CLASSIC = RuntimeType.FOUNDRY, RuntimeType.FOUNDRY_CLASSIC
OWNER = Owner(OwnerKind.RESOURCE, "c1", CEO.namespace, CEO.name)
STORES, FILE = ("vs_1", "vs_2"), "f1"
TOOLS = {
    "tools": {"fileSearch": {"vectorStoreIds": list(STORES)}, "codeInterpreter": {"fileIds": [FILE]}},
}
GOOD = {**SPEC, **TOOLS}

Words = list[tuple[str, str]]


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def said_by_hand() -> tuple[list[dict[str, Any]], Words]:
    """Fifty messages as they are sent, and what of them must be on the conversation."""
    sent: list[dict[str, Any]] = []
    words: Words = []
    for number in range(46):
        role = "assistant" if number % 2 else "user"
        line = "Go on." if number % 5 == 0 else f"Satz {number} ⚖\nund noch einer"
        sent.append({"role": role, "content": line})
        words.append((role, line))
    sent.append({"role": "user", "content": " \n"})
    image = {"type": "image_file", "image_file": {"file_id": "img_1"}}
    sent.append({"role": "user", "content": [text("Look at this:"), image]})
    words.append(("user", "Look at this:\n\n[Not carried over: an image (img_1)]"))
    attached = {"file_id": FILE, "tools": [{"type": "code_interpreter"}]}
    sent.append({"role": "user", "content": "And at this.", "attachments": [attached]})
    words.append(("user", f"And at this.\n\n[Not carried over: an attached file ({FILE})]"))
    sent.append({"role": "user", "content": [image]})
    words.append(("user", "[Not carried over: an image (img_1)]"))
    return sent, words


SENT, SAID = said_by_hand()


@dataclass
class Story:
    """One agent on its way, on a desk of its own, and all that was said to it so far."""

    account: EmbeddedFoundry
    desk: MovingDesk
    thread: str
    strangers: list[str]
    said: Words = field(default_factory=lambda: list(SAID))

    @property
    def project(self) -> ProjectControl:
        return self.desk.project

    def say(self, words: str) -> None:
        """Somebody writes into the classic thread."""
        self.project.add_message(self.thread, words)
        self.said.append(("user", words))

    def conversation(self) -> Words:
        """What is on the conversation that the status names."""
        runtime = self.desk.resource().status.runtime
        assert runtime is not None
        return words_on(self.project, str(runtime.thread_id))


async def classic_agent(foundry: EmbeddedFoundry, desk: MovingDesk | None = None, **spec: Any) -> Story:
    """An agent on the classic generation with its fifty messages, among others' agents of the same name."""
    desk = desk or MovingDesk(a_project(foundry))
    project = desk.project
    strangers = project.add_assistants(3, name="cfo")
    thread = project.add_thread(metadata=Stamp(OWNER, "ceo").to_metadata(), messages=SENT)
    desk.cluster.put(CEO, {**GOOD, **spec})
    desk.cluster.annotate_by_hand(CEO, {THREAD_ANNOTATION: thread})
    await desk.settle()
    assert desk.says().startswith("True/"), desk.says()
    return Story(foundry, desk, thread, strangers)


def a_project(foundry: EmbeddedFoundry) -> ProjectControl:
    """A project of its own, with what the agent's tools work on."""
    project = foundry.project(f"p-{uuid.uuid4().hex[:8]}")
    project.add_file(FILE)
    for store in STORES:
        project.add_vector_store(store)
    return project


def words_on(project: ProjectControl, conversation_id: str) -> Words:
    held = project.conversations().get(conversation_id)
    if held is None:
        return []
    return [
        (item["role"], "".join(part.get("text", "") for part in item["content"]))
        for item in held.items
        if item["type"] == "message"
    ]


def broken_promises(story: Story, *, lost_conversations: int = 0, enabled: bool = True) -> list[str]:
    """What is not as a finished move promises, in words."""
    desk, project = story.desk, story.project
    problems = []
    reason = "Running" if enabled else "Disabled"
    if not desk.says().startswith(f"True/{reason}"):
        problems.append(f"the status says {desk.says()}")
    runtime = desk.resource().status.runtime
    if runtime is None or runtime.type != FOUNDRY:
        return [*problems, f"the status names {runtime}"]
    wanted = {ENDPOINT_ANNOTATION: project.endpoint, THREAD_ANNOTATION: runtime.thread_id}
    if desk.resource().annotations != wanted:
        problems.append(f"the annotations are {desk.resource().annotations}")
    agents = project.agents()
    if {name: len(agent.versions) for name, agent in agents.items()} != ({"ceo": 1} if enabled else {}):
        problems.append(f"the agents are {agents}")
    if any(agent.metadata.get("aos_name") != "ceo" for agent in agents.values()):
        problems.append("the agent is not ours")
    if list(project.assistants()) != story.strangers:
        problems.append(f"the assistants are {project.assistants()}")
    if project.threads():
        problems.append("the classic thread is there")
    if len(project.conversations()) != 1 + lost_conversations:
        problems.append(f"there are {len(project.conversations())} conversations")
    return problems + _wrong_words(story.said, story.conversation())


def _wrong_words(said: Words, there: Words) -> list[str]:
    if said == there:
        return []
    missing = [words for words in said if words not in there]
    return [f"of {len(said)} messages {len(there)} are there, without {missing}, or not in their order"]


class Killed(BaseException):
    """The process ended: nothing catches it, and nothing after it is done."""


def requests_of(story: Story) -> list[RequestRecord]:
    """What was asked of the story's project so far."""
    return [one for one in story.account.requests if one.project == story.project.name]


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what a server in another thread does."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def effects(points: Sequence[CrashPoint]) -> list[CrashPoint]:
    """The points up to the last write."""
    last = max(
        n for n, one in enumerate(points) if not one.crossing.split(".")[1].startswith(("get", "list"))
    )
    return list(points[: last + 1])
