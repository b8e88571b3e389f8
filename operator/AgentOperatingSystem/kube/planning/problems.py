"""What is wrong with a file, told so that its author can mend it: where, in which resource, which field."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`resource` and `field` are empty where the file as a whole is what is wrong."""

    file: str
    message: str
    resource: str = ""
    field: str = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.resource, self.field, self.message) if part)
