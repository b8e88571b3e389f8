"""What was said on a thread, in a form that both generations of the service can hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that was said: `role` is `user` or `assistant`.

    `lost` says in words what of it no text can hold, such as an image; empty when nothing.
    """

    role: str
    text: str
    lost: str = ""
