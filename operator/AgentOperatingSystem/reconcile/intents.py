"""Creations whose outcome is not known: noted before they are sent, and looked for before another is.

Where the service gives an agent its id, two creations make two agents. So the intent is on the resource
first, by a compare-and-swap; and after an answer was lost no second creation is sent until the first has had
the time to show in a listing, or to fail for good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from AgentOperatingSystem.api.conditions import timestamp
from AgentOperatingSystem.model.errors import OutcomeUnknown, RuntimeFailure
from AgentOperatingSystem.model.facts import RuntimeFacts
from AgentOperatingSystem.reconcile.resource import INTENT_ANNOTATION, SUCCESSOR_ANNOTATION, Resource

# A request that nobody waits for any more may go on in the service for as long again.
PATIENCE = 2
# Whose outcome is forgotten is in doubt for a while, and that is all.
KEPT = 4096


def patience(facts: RuntimeFacts) -> timedelta:
    """How long after it was sent a write may take effect. A second more, since notes have whole seconds."""
    return timedelta(seconds=1 + PATIENCE * facts.write_seconds)


class Intents:
    """What this process knows of the intents on its resources. `clock` gives the time, with a time zone."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._settled: dict[str, str] = {}

    def begun(self) -> str:
        """The note of a creation that begins now."""
        return timestamp(self._clock())

    def now(self) -> datetime:
        """The time, to be taken before the look whose finding is checked."""
        return self._clock()

    def check(self, resource: Resource, facts: RuntimeFacts, *, looked: datetime) -> None:
        """Raise OutcomeUnknown while a creation may yet take effect that a look did not find.

        `looked` is when that look began: what took effect while it went on, it may have missed.
        """
        begun = resource.intent
        if begun is None or self._settled.get(resource.uid) == resource.annotations[INTENT_ANNOTATION]:
            return
        wait = (begun + patience(facts) - looked).total_seconds()
        if wait > 0:
            raise OutcomeUnknown(
                f"It is not known whether the agent was made at {timestamp(begun)}; it is looked for before "
                "another one is made.",
                retry_after=min(wait, 1.0),
            )

    @contextmanager
    def judged(self, resource: Resource) -> Iterator[None]:
        """The body sends the creation: a refusal leaves nothing in doubt.

        A success does, until the agent was seen: a listing may not show yet what was made.
        """
        self._settled.pop(resource.uid, None)  # two creations in one second have the same note
        try:
            yield
        except OutcomeUnknown:
            raise
        except RuntimeFailure:
            self._settle(resource)
            raise

    def seen(self, resource: Resource) -> None:
        """The resource's agent was seen, so that what was noted is no longer in doubt.

        During a move the note is of the new agent, and any that was seen may be the former.
        """
        if SUCCESSOR_ANNOTATION not in resource.annotations:
            self._settle(resource)

    def _settle(self, resource: Resource) -> None:
        noted = resource.annotations.get(INTENT_ANNOTATION)
        if noted is None:
            return
        self._settled.pop(resource.uid, None)
        self._settled[resource.uid] = noted
        if len(self._settled) > KEPT:
            del self._settled[next(iter(self._settled))]
