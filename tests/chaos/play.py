"""Makes a plan happen on a stage: through the API server only, with the operator as a process that may die.

Why something here starts the operator again: in a cluster the kubelet does, after a kill and after an end of
its own, such as a Lease that was lost while the API server was away.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from tests.chaos.faults import SLOW_SECONDS, TIMEOUT_SECONDS, chaos_faults, lost_answers
from tests.chaos.plan import Act, Blow, Plan, Strike, Verb
from tests.chaos.promises import Breach, Sight, breaches
from tests.harness.planes import EmbeddedPlane, Plane, RealPlane
from tests.harness.stage import GROUP, PLURAL, VERSION, Stage, open_stage
from urllib3.exceptions import HTTPError

DRIFT_SECONDS = 4
SETTINGS: dict[str, Any] = {
    "RUNTIME_TIMEOUT": str(TIMEOUT_SECONDS),
    "AOS_DRIFT_INTERVAL": str(DRIFT_SECONDS),
    "AOS_MAX_DELETES_PER_MINUTE": "100000",
    "AOS_REQUESTS_PER_SECOND": "500",
    "AOS_LEASE_SECONDS": "5",
}
TICK_SECONDS = 0.02
LOOK_SECONDS = 1.0
AGAIN_SECONDS = 0.5
RESTART_SECONDS = 1.0
AT_REST_SECONDS = 2.2 * DRIFT_SECONDS


class PromisesBroken(AssertionError):
    """Chaos is over, and something that was promised is not so."""


@dataclass
class Toll:
    """What happened besides the plan: how often the operator ended, and what its ends may have cost."""

    kills: int = 0
    ends_of_its_own: int = 0
    api_restarts: int = 0
    deferred: int = 0
    unnoted: set[str] = field(default_factory=set)
    unanswered: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a seed ended; seconds are from the last act on."""

    plan: Plan
    toll: Toll
    converged_after: float
    faults: Counter[str]
    calls: int
    conversations_left: int
    surplus_versions: int

    def lines(self) -> Iterator[str]:
        """For people."""
        verbs = Counter(act.verb.value for act in self.plan.acts)
        yield f"seed {self.plan.seed}: all promises kept {self.converged_after:.0f} s after the last act"
        yield f"  acts: {_told(verbs)}; tried again {self.toll.deferred} times"
        yield (
            f"  operator killed {self.toll.kills} times, ended by itself {self.toll.ends_of_its_own} times; "
            f"API server restarted {self.toll.api_restarts} times"
        )
        yield f"  of {self.calls} runtime calls: {_told(self.faults)}"
        yield (
            f"  left over: {self.conversations_left} conversations whose create answer was lost, "
            f"{self.surplus_versions} versions beyond what the acts asked for"
        )


@contextmanager
def chaos_stage(plane: Plane, folder: Path) -> Iterator[Stage]:
    """A stage whose operator needs no API server to be started again: its kubeconfig is made once."""
    with open_stage(plane, folder) as stage:
        kubeconfig = plane.admit_operator(stage.namespace, cluster_wide=False, identity=False)
        operator = stage.operator.twin(lambda _cluster_wide, _identity: kubeconfig, stage.operator._log)
        try:
            yield replace(stage, operator=operator)
        finally:
            operator.kill()


def look(stage: Stage) -> Sight:
    """What is there now."""
    resources = {item["metadata"]["name"]: item for item in stage.read_all()}
    return Sight(resources, stage.foundry.agents(), stage.foundry.conversations())


def play(stage: Stage, plan: Plan, *, within: float) -> Outcome:
    """Play the plan to its end, and wait until every promise is kept. Raises PromisesBroken."""
    toll = Toll()
    for fault in chaos_faults(plan.seed):
        stage.foundry.faults.add(fault)
    keeper = Keeper(stage, toll)
    keeper.start()
    _act(stage, plan, keeper)
    stage.foundry.faults.clear()
    over = time.monotonic()
    sight = _converged(stage, plan, keeper, within)
    converged_after = time.monotonic() - over
    _at_rest(stage, plan, keeper, sight)
    return Outcome(
        plan,
        toll,
        converged_after,
        Counter(one.fault for one in stage.foundry.requests if one.fault is not None),
        len(stage.foundry.requests),
        len(sight.unnoted()),
        _surplus_versions(sight, plan),
    )


class Keeper:
    """Keeps the operator running as a kubelet does, and notes at each end what was half done."""

    def __init__(self, stage: Stage, toll: Toll) -> None:
        self._stage = stage
        self._toll = toll
        self._start_at: float | None = None

    @property
    def toll(self) -> Toll:
        """What it cost so far."""
        return self._toll

    def start(self) -> None:
        """Start it, the first time and again."""
        self._stage.operator.start(**SETTINGS)

    def kill(self, pause: float) -> None:
        """SIGKILL; started again after `pause` seconds."""
        self._toll.kills += 1
        self._end(pause)

    def tend(self) -> None:
        """Start again what has ended and whose pause is over."""
        if self._start_at is None:
            try:
                self._stage.operator.check_running()
            except AssertionError:
                self._toll.ends_of_its_own += 1
                self._end(RESTART_SECONDS)
        elif time.monotonic() >= self._start_at:
            self._start_at = None
            self.start()

    def _end(self, pause: float) -> None:
        self._stage.operator.kill()
        self._start_at = time.monotonic() + pause
        self._note_half_done()

    def _note_half_done(self) -> None:
        """The conversations that the killed process may have made and not noted, or has just asked for."""
        creates = [one for one in self._stage.foundry.requests if one.operation == "create_conversation"]
        self._toll.unanswered += sum(one.status is None and one.fault is None for one in creates)
        try:
            self._toll.unnoted |= look(self._stage).unnoted()
        except (HTTPError, ApiException):
            # The API server is away: it may be any of them, and those that are noted in the end are not.
            self._toll.unnoted |= self._stage.foundry.conversations().keys()


class _Hands:
    """A person's hands: one act after the other, each again until the API server has taken it."""

    def __init__(self, stage: Stage) -> None:
        self._objects: Any = client.CustomObjectsApi(stage.plane.api)
        self._where = (GROUP, VERSION, stage.namespace, PLURAL)

    def do(self, act: Act) -> bool:
        """True once it is done; False while it cannot be."""
        try:
            self._send(act)
        except ApiException as refusal:
            return self._is_done_already(act, refusal)
        except (HTTPError, OSError):
            return False
        return True

    def _send(self, act: Act) -> None:
        match act.verb:
            case Verb.CREATE:
                body = {
                    "apiVersion": f"{GROUP}/{VERSION}",
                    "kind": "PurposeDrivenAgent",
                    "metadata": {"name": act.name},
                    "spec": {key: value for key, value in (act.spec or {}).items() if value is not None},
                }
                self._objects.create_namespaced_custom_object(*self._where, body)
            case Verb.DELETE:
                self._objects.delete_namespaced_custom_object(*self._where, act.name)
            case _:
                self._objects.patch_namespaced_custom_object(*self._where, act.name, {"spec": act.spec})

    def _is_done_already(self, act: Act, refusal: ApiException) -> bool:
        """An earlier try took effect, though its answer was lost. A name that is still going is not free."""
        if act.verb is Verb.DELETE and refusal.status == 404:
            return True
        if act.verb is Verb.CREATE and refusal.status == 409:
            return self._is_as_asked(act)
        if refusal.status in (0, 401, 403, 429, 500, 502, 503, 504):
            return False
        raise refusal

    def _is_as_asked(self, act: Act) -> bool:
        try:
            found = self._objects.get_namespaced_custom_object(*self._where, act.name)
        except (ApiException, HTTPError, OSError):
            return False
        return "deletionTimestamp" not in found["metadata"]


@dataclass
class _Line:
    """The acts on one resource that wait for their turn, and when the first is tried again."""

    acts: deque[Act] = field(default_factory=deque)
    again_at: float = 0.0


def _act(stage: Stage, plan: Plan, keeper: Keeper) -> None:
    """Everything in its time; what one resource still waits for holds up its own acts and no others."""
    hands = _Hands(stage)
    acts, strikes = deque(plan.acts), deque(plan.strikes)
    waiting: dict[str, _Line] = defaultdict(_Line)
    restarts: list[threading.Thread] = []
    faulty = True
    began = time.monotonic()
    while acts or strikes or waiting:
        now = time.monotonic() - began
        if faulty and not acts and not strikes:
            # What still waits is a name that is not free yet: it must become free without further ado.
            faulty = False
            stage.foundry.faults.clear()
        while acts and acts[0].at <= now:
            act = acts.popleft()
            waiting[act.name].acts.append(act)
        for name in [name for name, line in waiting.items() if line.again_at <= now]:
            _do_in_order(hands, waiting[name], keeper.toll)
            if not waiting[name].acts:
                del waiting[name]
            else:
                waiting[name].again_at = now + AGAIN_SECONDS
        while strikes and strikes[0].at <= now:
            restarts += _strike(stage, strikes.popleft(), keeper)
        keeper.tend()
        time.sleep(TICK_SECONDS)
    for restart in restarts:
        restart.join()


def _do_in_order(hands: _Hands, line: _Line, toll: Toll) -> None:
    while line.acts:
        if not hands.do(line.acts[0]):
            toll.deferred += 1
            return
        line.acts.popleft()


def _strike(stage: Stage, strike: Strike, keeper: Keeper) -> list[threading.Thread]:
    if strike.blow is Blow.KILL_OPERATOR:
        keeper.kill(strike.pause)
        return []
    keeper.toll.api_restarts += 1
    thread = threading.Thread(target=restart_api, args=(stage.plane,), name="restart of the API server")
    thread.start()
    return [thread]


def restart_api(plane: Plane) -> None:
    """The API server goes and comes back with the same state."""
    match plane:
        case EmbeddedPlane():
            plane.server.restart()
        case RealPlane():
            plane._plane.restart_apiserver(kill=True)


def _converged(stage: Stage, plan: Plan, keeper: Keeper, within: float) -> Sight:
    """What is there once every promise is kept."""
    deadline = time.monotonic() + within
    while broken := breaches(sight := look(stage), plan.expected(), stage.namespace):
        if time.monotonic() > deadline:
            raise _failure(plan, f"{within:.0f} s after the last act", broken)
        time.sleep(LOOK_SECONDS)
        keeper.tend()
    if lost := _unexplained(stage, sight, keeper.toll):
        raise _failure(plan, "in the end", lost)
    return sight


def _at_rest(stage: Stage, plan: Plan, keeper: Keeper, before: Sight) -> None:
    """What is right stays so: two drift intervals later nothing was written, here or there."""
    # The last requests of a time-out may still come.
    time.sleep(AT_REST_SECONDS + SLOW_SECONDS)
    stage.operator.check_running()
    after = look(stage)
    broken = breaches(after, plan.expected(), stage.namespace)
    broken += [
        Breach("at rest nothing is written", name, "was written again")
        for name in plan.expected()
        if _written(after, name) != _written(before, name)
    ]
    if broken:
        raise _failure(plan, "two drift intervals later", broken)


def _written(sight: Sight, name: str) -> tuple[str, int]:
    agent = sight.agents.get(name)
    return sight.resources[name]["metadata"]["resourceVersion"], agent.latest.number if agent else 0


def _unexplained(stage: Stage, sight: Sight, toll: Toll) -> list[Breach]:
    """Conversations beyond those whose create answer, or whose deletion, was lost to a fault or a kill."""
    requests = stage.foundry.requests
    undeleted = {
        one.path.rpartition("/")[2]
        for one in requests
        if one.operation == "delete_conversation" and one.fault
    }
    left = sight.unnoted() - toll.unnoted - undeleted
    bound = lost_answers(requests, "create_conversation") + toll.unanswered
    if len(left) <= bound:
        return []
    told = f"{len(left)} conversations have no resource, and only {bound} create answers were lost"
    return [Breach("0 orphans", "conversations", told)]


def _surplus_versions(sight: Sight, plan: Plan) -> int:
    """Versions that no act asked for, left by lost answers until the history is pruned; never an agent."""
    asked: Counter[str] = Counter()
    for act in plan.acts:
        asked[act.name] = 0 if act.verb is Verb.DELETE else asked[act.name] + 1
    return sum(max(0, len(agent.versions) - asked[name]) for name, agent in sight.agents.items())


def _failure(plan: Plan, when: str, broken: list[Breach]) -> PromisesBroken:
    told = "\n  ".join(str(breach) for breach in broken[:40])
    more = f"\n  and {len(broken) - 40} more" if len(broken) > 40 else ""
    head = f"seed {plan.seed}, {when} ({len(broken)} broken):"
    return PromisesBroken(f"{head}\n  {told}{more}\nagain: make chaos SEED={plan.seed}")


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
