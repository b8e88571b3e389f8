"""What a seed brings: who is created, changed, disabled and deleted when, and when the blows fall. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

ADAPTERS = (None, "ceo", "cfo", "cmo", "coo")
KILLS = 5


class Verb(StrEnum):
    """What a person does to a resource."""

    CREATE = "create"
    CHANGE = "change"
    DISABLE = "disable"
    ENABLE = "enable"
    DELETE = "delete"


@dataclass(frozen=True)
class Act:
    """`verb` on the resource `name`, `at` seconds after the beginning; `spec` is the whole one afterwards."""

    at: float
    verb: Verb
    name: str
    spec: Mapping[str, Any] | None = None


class Blow(StrEnum):
    """What befalls the machinery."""

    KILL_OPERATOR = "the operator is killed"
    RESTART_API = "the API server is restarted"


@dataclass(frozen=True)
class Strike:
    """A blow `at` seconds after the beginning; a killed operator is started again `pause` seconds later."""

    at: float
    blow: Blow
    pause: float = 0.0


@dataclass(frozen=True)
class Plan:
    """All that a seed brings, each list in order of time."""

    seed: int
    acts: tuple[Act, ...]
    strikes: tuple[Strike, ...]

    def expected(self) -> dict[str, Mapping[str, Any]]:
        """The resources that must be there in the end, with their specs."""
        last = {act.name: act for act in self.acts}
        return {name: act.spec for name, act in last.items() if act.spec is not None}

    def deleted(self) -> set[str]:
        """The resources that must be gone in the end."""
        return {act.name for act in self.acts} - self.expected().keys()


def make_plan(seed: int, *, resources: int, seconds: float) -> Plan:
    """The plan of a seed: the same in every run. Acts are spread over `seconds`."""
    dice = random.Random(seed)  # noqa: S311 - it must be foreseeable
    acts = [
        act
        for number in range(resources)
        for act in _life(f"agent-{number:03}", random.Random(f"{seed}:{number}"), seconds)  # noqa: S311
    ]
    return Plan(seed, tuple(sorted(acts, key=lambda act: act.at)), tuple(_strikes(dice, seconds)))


@dataclass
class _State:
    """A resource while its life is written."""

    name: str
    dice: random.Random
    edition: int = 0
    alive: bool = False
    spec: dict[str, Any] = field(default_factory=dict)

    def next(self) -> Verb:
        if not self.alive:
            return Verb.CREATE
        toggle = Verb.DISABLE if self.spec["enabled"] else Verb.ENABLE
        return self.dice.choices((Verb.CHANGE, toggle, Verb.DELETE), weights=(5, 3, 2))[0]

    def become(self, verb: Verb) -> Mapping[str, Any] | None:
        """Do it; the spec afterwards."""
        self.alive = verb is not Verb.DELETE
        if not self.alive:
            return None
        self.edition += 1
        match verb:
            case Verb.CREATE:
                scope = "Event" if self.dice.random() < 0.1 else "Agent"
                self.spec = {
                    "enabled": self.dice.random() < 0.9,
                    "thread": {"scope": scope},
                    **self._content(),
                }
            case Verb.CHANGE:
                self.spec = {**self.spec, **self._content()}
            case _:
                self.spec = {**self.spec, "enabled": verb is Verb.ENABLE}
        return self.spec

    def _content(self) -> dict[str, Any]:
        tools = (
            [{"serverName": "erp", "toolName": f"tool-{self.edition}"}] if self.dice.random() < 0.3 else []
        )
        return {
            "purpose": f"Be {self.name}, edition {self.edition}.",
            "adapterName": self.dice.choice(ADAPTERS),
            "mcpTools": tools,
        }


def _life(name: str, dice: random.Random, seconds: float) -> Iterator[Act]:
    """A creation in the first half, then up to four more things; what was deleted may be made anew."""
    state = _State(name, dice)
    born = dice.uniform(0, seconds / 2)
    later = sorted(dice.uniform(born, seconds) for _ in range(dice.randint(0, 4)))
    for at in (born, *later):
        verb = state.next()
        yield Act(at, verb, name, state.become(verb))


def _strikes(dice: random.Random, seconds: float) -> Iterator[Strike]:
    """A kill in each of five equal parts of the time, and one restart of the API server in the middle."""
    part = seconds / KILLS
    kills = [
        Strike(part * (number + dice.uniform(0.4, 1.0)), Blow.KILL_OPERATOR, dice.uniform(0.0, 1.5))
        for number in range(KILLS)
    ]
    restart = Strike(dice.uniform(0.3, 0.7) * seconds, Blow.RESTART_API)
    yield from sorted((*kills, restart), key=lambda strike: strike.at)
