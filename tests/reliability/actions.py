"""What the operator does to an agent, as small stories: what was there, what is asked for, what must come.

The same table is played with a process that dies at every crossing and with answers that are lost on the
way, so that an action which is added here is proved against both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from AgentOperatingSystem.model.facts import RuntimeType
from AgentOperatingSystem.model.stamp import Owner, OwnerKind, Stamp
from AgentOperatingSystem.reconcile.resource import ADOPT_FROM_ANNOTATION, DETACH, POLICY_ANNOTATION

PURPOSE = "Be of use."
ANOTHER_PURPOSE = "Be of more use than before."

STRANGER = Owner(OwnerKind.RESOURCE, "another-cluster", "elsewhere", "theirs")


def stamp_of(owner: Owner, agent_id: str) -> dict[str, str]:
    """The metadata on an agent of that owner."""
    return Stamp(owner, agent_id).to_metadata()


@dataclass(frozen=True)
class Expected:
    """How it ends. `reason` is Ready's, None when the resource is gone; no version, no agent."""

    versions: int
    reason: str | None = "Running"
    enabled: bool = True
    ours: bool = True
    conversations: int = 1
    purpose: str = PURPOSE


@dataclass(frozen=True, eq=False)
class Action:
    """One story. `given` are the specs the resource has had, `asks` the next one, None a deletion.

    `found` is the owner of an agent that is there beforehand (`nobody` for one without a stamp);
    `edited`: somebody edits the agent in the portal. `interval` is the drift interval in seconds.
    `generation` is the runtime's, `asks_generation` the one that it is set to, None for the same.
    """

    name: str
    reason: str
    expected: Expected
    given: tuple[Mapping[str, Any], ...] = ()
    asks: Mapping[str, Any] | None = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    found: Owner | None = None
    unstamped: bool = False
    edited: bool = False
    interval: int = 60
    generation: RuntimeType = RuntimeType.FOUNDRY
    asks_generation: RuntimeType | None = None

    @property
    def creations(self) -> int:
        """How often an agent is made for it: an assistant that is switched off is gone."""
        if self.generation is RuntimeType.FOUNDRY:
            return 1
        return 1 + int(self.name == "enable") + int(self.moves)

    @property
    def moves(self) -> bool:
        """True when it ends on another generation than the one where it begins."""
        return self.ends_on is not self.generation

    @property
    def ends_on(self) -> RuntimeType:
        """The generation of the runtime at the end."""
        return self.asks_generation or self.generation


ACTIONS = (
    Action("create", "the first version of an agent, and its conversation", Expected(versions=1)),
    Action(
        "update",
        "a further version, and nothing else",
        Expected(versions=2, purpose=ANOTHER_PURPOSE),
        given=({},),
        asks={"purpose": ANOTHER_PURPOSE},
    ),
    Action(
        "prune",
        "a further version that makes an older one surplus",
        Expected(versions=1, purpose=ANOTHER_PURPOSE),
        given=({"versionHistoryLimit": 1},),
        asks={"versionHistoryLimit": 1, "purpose": ANOTHER_PURPOSE},
    ),
    Action(
        "correct",
        "an edit in the portal is repaired by a version of ours",
        Expected(versions=3),
        given=({},),
        edited=True,
    ),
    Action(
        "adopt",
        "an agent without a stamp becomes ours",
        Expected(versions=2),
        asks={"adoptionPolicy": "AdoptUnowned"},
        unstamped=True,
    ),
    Action(
        "takeover",
        "another's agent becomes ours, and the resource remembers that it was done",
        Expected(versions=2),
        annotations={ADOPT_FROM_ANNOTATION: str(STRANGER)},
        found=STRANGER,
        interval=1,
    ),
    Action(
        "disable",
        "the agent stops and keeps what it has",
        Expected(versions=1, reason="Disabled", enabled=False),
        given=({},),
        asks={"enabled": False},
    ),
    Action(
        "enable",
        "the agent runs again, on the same conversation",
        Expected(versions=1),
        given=({}, {"enabled": False}),
    ),
    Action(
        "release",
        "an orphaned agent stays, without our stamp",
        Expected(versions=2, reason=None, ours=False),
        given=({"deletionPolicy": "Orphan"},),
        asks=None,
    ),
    Action(
        "detach",
        "the same, by the annotation",
        Expected(versions=2, reason=None, ours=False),
        given=({},),
        asks=None,
        annotations={POLICY_ANNOTATION: DETACH},
    ),
    Action(
        "delete",
        "nothing of it is left",
        Expected(versions=0, reason=None, conversations=0),
        given=({},),
        asks=None,
    ),
)

# An assistant has no versions: there is no more than one of it, and nothing to prune.
CLASSIC_ACTIONS = tuple(
    replace(action, generation=RuntimeType.FOUNDRY_CLASSIC) for action in ACTIONS if action.name != "prune"
)

MOVES = tuple(
    replace(action, generation=RuntimeType.FOUNDRY_CLASSIC, asks_generation=RuntimeType.FOUNDRY)
    for action in (
        Action("move", "the agent and its thread on the new generation", Expected(versions=1), given=({},)),
        Action(
            "move-off",
            "the same for an agent that is switched off: its thread",
            Expected(versions=0, reason="Disabled"),
            given=({}, {"enabled": False}),
            asks={"enabled": False},
        ),
    )
)
