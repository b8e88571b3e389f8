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
from AgentOperatingSystem.reconcile.resource import INTENT_ANNOTATION, Resource

# A request that nobody waits for any more may go on in the service for as long again.
PATIENCE = 2


class Intents:
    """What this process knows of the intents on its resources. `clock` gives the time, with a time zone."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._refused: dict[str, str] = {}

    def begun(self) -> str:
        """The note of a creation that begins now."""
        return timestamp(self._clock())

    def check(self, resource: Resource, facts: RuntimeFacts) -> None:
        """Raise OutcomeUnknown while a creation that was sent may yet take effect."""
        begun = resource.intent
        if begun is None or self._refused.get(resource.uid) == resource.annotations[INTENT_ANNOTATION]:
            return
        # A second more: the note has whole seconds.
        over = begun + timedelta(seconds=1 + PATIENCE * facts.write_seconds)
        wait = (over - self._clock()).total_seconds()
        if wait > 0:
            raise OutcomeUnknown(
                f"It is not known whether the agent was made at {timestamp(begun)}; it is looked for before "
                "another one is made.",
                retry_after=min(wait, 1.0),
            )

    @contextmanager
    def judged(self, resource: Resource) -> Iterator[None]:
        """The body sends the creation: a refusal in so many words means that nothing was made."""
        try:
            yield
        except OutcomeUnknown:
            raise
        except RuntimeFailure:
            noted = resource.annotations.get(INTENT_ANNOTATION)
            if noted is not None:
                self._refused[resource.uid] = noted
            raise
        self._refused.pop(resource.uid, None)
