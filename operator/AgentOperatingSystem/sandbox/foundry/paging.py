"""Cursor pages as the service gives them: `after` and `before` name an id, `limit` is at most 100.

Why an empty page says `last_id: null`: the SDK's pager ignores `has_more` and asks until it reads that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from AgentOperatingSystem.sandbox.foundry.errors import Json, invalid

DEFAULT_LIMIT = 20
MAXIMUM_LIMIT = 100


@dataclass(frozen=True)
class Entry:
    """One element of a list: its place in the order of creation, its id and its body."""

    place: int
    id: str
    body: Json


@dataclass(frozen=True)
class PageQuery:
    """The paging part of a query string."""

    limit: int
    order: Literal["asc", "desc"]
    after: str | None
    before: str | None

    @classmethod
    def parse(
        cls, query: Mapping[str, str], *, default: int = DEFAULT_LIMIT, maximum: int = MAXIMUM_LIMIT
    ) -> PageQuery:
        """Raises ApiError 400 on a limit outside 1..maximum or an unknown order."""
        text = query.get("limit", str(default))
        if not text.isdigit() or not 1 <= int(text) <= maximum:
            raise invalid("limit", f"limit must be between 1 and {maximum}, got '{text}'")
        order = query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise invalid("order", f"order must be 'asc' or 'desc', got '{order}'")
        return cls(
            limit=int(text),
            order="asc" if order == "asc" else "desc",
            after=query.get("after"),
            before=query.get("before"),
        )


def page(entries: Sequence[Entry], query: PageQuery, place_of: Callable[[str], int | None]) -> Json:
    """The page that `query` asks for. `place_of` also knows ids that are gone, so that a cursor survives
    the deletion of what it names; an id that never was is a 400."""
    sign = 1 if query.order == "asc" else -1
    ordered = sorted(entries, key=lambda entry: sign * entry.place)
    if query.after is not None:
        start = sign * _place("after", query.after, place_of)
        ordered = [entry for entry in ordered if sign * entry.place > start]
    if query.before is not None:
        end = sign * _place("before", query.before, place_of)
        ordered = [entry for entry in ordered if sign * entry.place < end]
    backwards = query.before is not None and query.after is None
    chosen = ordered[-query.limit :] if backwards else ordered[: query.limit]
    return listing(
        [entry.body for entry in chosen], [entry.id for entry in chosen], len(ordered) > len(chosen)
    )


def listing(bodies: Sequence[Json], ids: Sequence[str], has_more: bool = False) -> Json:
    """The envelope of a list."""
    return {
        "object": "list",
        "data": list(bodies),
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
        "has_more": has_more,
    }


def _place(param: str, cursor: str, place_of: Callable[[str], int | None]) -> int:
    place = place_of(cursor)
    if place is None:
        raise invalid(param, f"no such object: '{cursor}'")
    return place
