"""What goes wrong in the runtime during chaos, before and after the effect.

Each kind has a name, so that the runtime's own log tells afterwards which answers were lost.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace

from AgentOperatingSystem.sandbox.foundry import Fault, RequestRecord

# Longer than RUNTIME_TIMEOUT below: the client has given up, and the effect takes place all the same.
SLOW_SECONDS = 2.5
TIMEOUT_SECONDS = 2
# Of every round of requests a burst is refused with 429, for as many rounds as there may be.
ROUND, BURST, ROUNDS = 200, 10, 60

THROTTLED, REFUSED, CUT = "throttled", "refused", "cut"
DONE_AND_REFUSED, DONE_AND_SLOW, DONE_AND_CUT, SLOW = (
    "done and refused",
    "done and slow",
    "done and cut",
    "slow and done",
)
_LOST_ANSWERS = frozenset({DONE_AND_REFUSED, DONE_AND_SLOW, DONE_AND_CUT, SLOW})


def chaos_faults(seed: int) -> list[Fault]:
    """5 % 429, 5 % 5xx, 2 % time-outs, 2 % cut connections; but for 429, half of each after the effect."""
    return [*_refusals_in_bursts(random.Random(seed)), *scattered_faults(seed)]  # noqa: S311 - foreseeable


def scattered_faults(seed: int, *, share: float = 1.0) -> list[Fault]:
    """All but the 429, each as likely as in chaos, or a `share` of that."""
    kinds = (
        Fault(name=REFUSED, status=503, probability=0.025),
        Fault(name=DONE_AND_REFUSED, status=500, lost=True, probability=0.025),
        Fault(name=SLOW, delay=SLOW_SECONDS, probability=0.01),
        Fault(name=DONE_AND_SLOW, delay_after=SLOW_SECONDS, probability=0.01),
        Fault(name=CUT, drop=True, probability=0.01),
        Fault(name=DONE_AND_CUT, lost=True, probability=0.01),
    )
    return [
        replace(kind, seed=seed * len(kinds) + number, probability=share * kind.probability)
        for number, kind in enumerate(kinds)
    ]


def lost_answers(requests: Iterable[RequestRecord], operation: str) -> int:
    """How many requests of that operation took effect without the client knowing."""
    return sum(one.operation == operation and one.fault in _LOST_ANSWERS for one in requests)


def _refusals_in_bursts(dice: random.Random) -> Iterator[Fault]:
    """429 as services give it: to everything for a moment, and then to nothing for a while; 5 % in all.

    Scattered ones would say that no rate is low enough, and the operator would rightly all but stop.
    """
    for number in range(ROUNDS):
        skip = number * ROUND + dice.randrange(ROUND - BURST)
        yield Fault(name=THROTTLED, status=429, retry_after=0.2, skip=skip, times=BURST)
