"""Fresh looks at single agents, which share one look at all of them when very many are wanted at once.

A thousand new resources are a thousand questions whether an agent is there already. One listing answers them
all, and it is as fresh as a look at each, provided that it begins after the question.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")

# So many look for themselves before a listing is thought of: a few agents are quicker asked for one by one.
ALONE = 8


class Looks(Generic[T]):
    """Looks at what a key names: `one` asks for it alone, `everything` lists all, beginning after the call.

    `pages` is how many requests a listing takes by all that is known.
    """

    def __init__(
        self,
        one: Callable[[str], Awaitable[T | None]],
        everything: Callable[[], Awaitable[Mapping[str, T]]],
        *,
        pages: Callable[[], int],
    ) -> None:
        self._one = one
        self._everything = everything
        self._pages = pages
        self._asking = 0

    async def look(self, key: str) -> T | None:
        """What `key` names, as it is at some moment after this call; None when there is nothing."""
        self._asking += 1
        try:
            if self._asking > ALONE + self._pages():
                return (await self._everything()).get(key)
            return await self._one(key)
        finally:
            self._asking -= 1
