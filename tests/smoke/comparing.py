"""Where the embedded Foundry answers otherwise than Azure did, over the same steps. Pure.

Only what both were asked in steps that both began is compared. A list that was empty on one side says nothing
about what would have been in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.smoke.shapes import Told

NOTHING = "-"
Shapes = dict[str, frozenset[str]]


@dataclass(frozen=True, order=True, slots=True)
class Difference:
    """One: `where` is the operation, `what` the status, header or place in the body."""

    where: str
    what: str
    azure: str
    embedded: str


def differences(azure: Iterable[Told], embedded: Iterable[Told], steps: Iterable[str]) -> list[Difference]:
    """All differences over the named steps."""
    names = frozenset(steps)
    there = [one for one in azure if one.step in names]
    here = [one for one in embedded if one.step in names]
    found = {*_courses(there, here), *_answers(there, here)}
    return sorted(found)


def _courses(azure: list[Told], embedded: list[Told]) -> Iterator[Difference]:
    """What the operator asked of one and not of the other, or another number of writes."""
    there, here = _counted(azure), _counted(embedded)
    for step, operation in sorted(there.keys() | here.keys()):
        one, other = there[step, operation], here[step, operation]
        read = operation.startswith("GET ")
        if one != other and not (read and one and other):
            yield Difference(operation, f"times, in {step}", str(one), str(other))


def _counted(told: list[Told]) -> defaultdict[tuple[str, str], int]:
    counts: defaultdict[tuple[str, str], int] = defaultdict(int)
    for one in told:
        counts[one.step, one.operation] += 1
    return counts


def _answers(azure: list[Told], embedded: list[Told]) -> Iterator[Difference]:
    there, here = _by_operation(azure), _by_operation(embedded)
    for operation in there.keys() & here.keys():
        yield from _statuses(operation, there[operation], here[operation])
        one, other = _by_status(there[operation]), _by_status(here[operation])
        for status in one.keys() & other.keys():
            where = f"{operation} {status}"
            yield from _headers(where, one[status], other[status])
            yield from _bodies(where, _merged(one[status]), _merged(other[status]))


def _statuses(operation: str, azure: list[Told], embedded: list[Told]) -> Iterator[Difference]:
    one, other = ({told.status for told in side} for side in (azure, embedded))
    if one != other:
        yield Difference(operation, "status", _status_words(one), _status_words(other))


def _headers(where: str, azure: list[Told], embedded: list[Told]) -> Iterator[Difference]:
    for name in sorted({name for told in (*azure, *embedded) for name in told.headers}):
        one, other = ({told.headers.get(name, NOTHING) for told in side} for side in (azure, embedded))
        if one != other:
            yield Difference(where, f"header {name}", _words(one), _words(other))


def _bodies(where: str, azure: Shapes, embedded: Shapes) -> Iterator[Difference]:
    for place in sorted(azure.keys() | embedded.keys()):
        one, other = azure.get(place), embedded.get(place)
        if one == other:
            continue
        if _is_told_above(place, azure, embedded) or _is_told_above(place, embedded, azure):
            continue
        what = place or "the body"
        yield Difference(where, what, _words(one or {NOTHING}), _words(other or {NOTHING}))


def _is_told_above(place: str, side: Shapes, other: Shapes) -> bool:
    """True when `side` cannot have the place: what would hold it is missing there, or is an empty list."""
    if place in side:
        return False
    for above in _above(place):
        if above not in side:
            return above in other
        if above + "[]" not in side and above + "[]" in other and (place + ".").startswith(above + "[]"):
            return True
        if "object" not in side[above] and "object" in other.get(above, frozenset()):
            return True
    return False


def _above(place: str) -> Iterator[str]:
    """What holds the place, the outermost first: `a[].b` is in `a[]`, which is in `a`."""
    if place:
        yield ""
    for end, sign in enumerate(place):
        if end and (sign == "." or place[end : end + 2] == "[]"):
            yield place[:end]


def _merged(told: list[Told]) -> Shapes:
    merged: defaultdict[str, set[str]] = defaultdict(set)
    for one in told:
        for place, kinds in one.body.items():
            merged[place].update(kinds)
    return {place: frozenset(kinds) for place, kinds in merged.items()}


def _by_operation(told: list[Told]) -> Mapping[str, list[Told]]:
    groups: defaultdict[str, list[Told]] = defaultdict(list)
    for one in told:
        groups[one.operation].append(one)
    return groups


def _by_status(told: list[Told]) -> Mapping[int, list[Told]]:
    groups: defaultdict[int, list[Told]] = defaultdict(list)
    for one in told:
        if one.status is not None:
            groups[one.status].append(one)
    return groups


def _status_words(statuses: Iterable[int | None]) -> str:
    return _words("no answer" if status is None else str(status) for status in statuses)


def _words(kinds: Iterable[str]) -> str:
    return " or ".join(sorted(kinds))
