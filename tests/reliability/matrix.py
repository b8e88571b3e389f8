"""The crash matrix: record each action once, then play it again for every point at which a process can die.

The points come from the recording, so that a call which is added to a pass is a point of the next run.
Many are played at once, each in a namespace of its own: one operator brings all of them to where the action
begins, one process for each point dies, and one operator makes good what they left.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.harness.crashing import CrashPoint, Recording
from tests.harness.polling import eventually
from tests.reliability.actions import Action
from tests.reliability.playground import LOOK_EVERY, WITHIN, Playground
from tests.reliability.processes import KILLED, Operator
from tests.reliability.subjects import Project, Subject, broken_promises, problems_now

from AgentOperatingSystem.model.crossing import Moment

AT_ONCE = 3
SEED = 4
QUIET_PASSES = 2
_READS = ("get", "list", "read")

Choose = Callable[[Sequence[CrashPoint]], Sequence[CrashPoint]]


@dataclass(frozen=True)
class Verdict:
    """How it ended for one point; `broken` is empty when every promise was kept."""

    action: str
    point: CrashPoint
    broken: tuple[str, ...]
    lost_conversations: int

    def __str__(self) -> str:
        return f"{self.action}, {self.point}: {'; '.join(self.broken)}"


@dataclass(frozen=True)
class Death:
    """A subject, the point at which its operator dies, and what is lost there for good."""

    subject: Subject
    point: CrashPoint
    lost_conversations: int


def every(points: Sequence[CrashPoint]) -> Sequence[CrashPoint]:
    """All of them."""
    return points


def every_nth(step: int) -> Choose:
    """Each `step`-th of them."""
    return lambda points: points[::step]


def one_by_lot(points: Sequence[CrashPoint]) -> Sequence[CrashPoint]:
    """One of them, the same in every run for the same points."""
    return [random.Random(f"{SEED}{len(points)}{points[0]}").choice(points)]  # noqa: S311 - a lot, no secret


class CrashMatrix:
    """Plays actions on a playground, all of which begin and end on the same generations."""

    def __init__(self, ground: Playground, actions: Sequence[Action]) -> None:
        self._ground = ground
        self._actions = actions
        (self._ends_on,) = {action.ends_on for action in actions}

    def play(self, choose: Choose) -> list[Verdict]:
        """A verdict on every point that `choose` leaves of an action's."""
        records = self._record_all()
        deaths = [
            Death(self._ground.subject(action), point, _lost_conversations(points, point))
            for action, points in records.items()
            for point in choose(points)
        ]
        subjects = [death.subject for death in deaths]
        self._ground.bring_about(subjects)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            surplus = list(pool.map(self._die, deaths))
        self._make_good(deaths)
        project = Project.of(self._ground.foundry)
        return [
            Verdict(
                death.subject.action.name,
                death.point,
                (*before, *_judged(death, project)),
                death.lost_conversations,
            )
            for death, before in zip(deaths, surplus, strict=True)
        ]

    def _record_all(self) -> dict[Action, list[CrashPoint]]:
        subjects = [self._ground.subject(action) for action in self._actions]
        self._ground.bring_about(subjects)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            recorded = list(pool.map(self._record, subjects))
        return dict(zip(self._actions, recorded, strict=True))

    def _record(self, subject: Subject) -> list[CrashPoint]:
        """The points that an undisturbed run of the action passes."""
        recording = Recording(self._ground.folder / f"{subject.name}.crossings")
        operator = self._operator(subject)
        subject.ask()
        operator.start(recording)
        try:
            eventually(
                lambda: _problems_under(operator, subject),
                lambda broken: not broken,
                within=WITHIN,
                every=LOOK_EVERY,
                what=f"{subject.action.name}, undisturbed, keeps its promises",
            )
            operator.stop()
        finally:
            operator.kill()
        points = _up_to_the_last_effect(recording.points())
        return _without_waiting(points) if subject.action.moves else points

    def _die(self, death: Death) -> list[str]:
        """Let a process do the action and die at the point; what is wrong already then."""
        subject = death.subject
        operator = self._operator(subject)
        subject.ask()
        operator.start(death.point)
        code = operator.ended()
        if code != KILLED:
            return [f"the process ended with {code} in place of dying at {death.point}"]
        if len(subject.see().assistants) > 1:
            return ["the crash left two assistants"]
        agent = self._ground.foundry.agents().get(subject.name)
        surplus = len(agent.versions) - max(1, subject.action.expected.versions) if agent else 0
        return [f"the crash left {surplus} surplus versions"] if surplus > 1 else []

    def _operator(self, subject: Subject) -> Operator:
        return self._serving([subject.namespace], subject.name, subject.action.interval)

    def _serving(self, namespaces: Sequence[str], name: str, interval: int) -> Operator:
        """An operator for how the actions end."""
        moves = self._actions[0].moves
        return self._ground.operator(
            namespaces, name, interval=interval, generation=self._ends_on, impatient=moves
        )

    def _make_good(self, deaths: Sequence[Death]) -> None:
        """Run one operator until nothing is left to do, and some passes more, which must write nothing."""
        namespaces = [death.subject.namespace for death in deaths]
        operator = self._serving(namespaces, "restarted", interval=2)
        operator.start()
        try:
            for death in deaths:
                operator.check_running()
                _wait_for(death)
            before = _versions(deaths)
            self._ground.passes_go_by(QUIET_PASSES + 1)
            after = _versions(deaths)
            busy = [
                f"{death.subject.action.name}, {death.point}: {after[str(death.subject)]}"
                for death in deaths
                if after[str(death.subject)] != before[str(death.subject)]
            ]
            assert not busy, f"the operator goes on writing though nothing is left to do: {busy}"
        finally:
            operator.kill()


def _wait_for(death: Death) -> None:
    """Wait until the promises are kept; when they never are, the verdict says which."""
    try:
        eventually(
            lambda: problems_now(death.subject, lost_conversations=death.lost_conversations),
            lambda broken: not broken,
            every=LOOK_EVERY,
        )
    except AssertionError:
        return


def _problems_under(operator: Operator, subject: Subject) -> list[str]:
    operator.check_running()
    return problems_now(subject)


def _judged(death: Death, project: Project) -> list[str]:
    return broken_promises(
        death.subject, death.subject.see(project), lost_conversations=death.lost_conversations
    )


def _versions(deaths: Iterable[Death]) -> dict[str, str | None]:
    items = {str(death.subject): death.subject.read() for death in deaths}
    return {name: item["metadata"]["resourceVersion"] if item else None for name, item in items.items()}


def _up_to_the_last_effect(points: list[CrashPoint]) -> list[CrashPoint]:
    """Without the reads of passes that came after it: how many there are is chance."""
    last = max(
        place for place, point in enumerate(points) if not point.crossing.split(".")[1].startswith(_READS)
    )
    return points[: last + 1]


def _without_waiting(points: list[CrashPoint]) -> list[CrashPoint]:
    """Without the looks whether it is time for the next step: how many there are is chance."""
    return [point for point in points if point.crossing != "cluster.get" or point.occurrence == 1]


def _lost_conversations(points: Sequence[CrashPoint], point: CrashPoint) -> int:
    """1 from the moment a conversation was created until it is noted on the resource, else 0.

    The service has no way to find a conversation again whose id nobody kept: this is the one thing that
    a crash may leave behind.
    """
    created = CrashPoint("runtime.create_thread", 1, Moment.AFTER)
    if created not in points:
        return 0
    noted = next(
        place
        for place, later in enumerate(points)
        if place > points.index(created)
        and (later.crossing, later.moment) == ("cluster.annotate", Moment.BEFORE)
    )
    return int(points.index(created) <= points.index(point) <= noted)
