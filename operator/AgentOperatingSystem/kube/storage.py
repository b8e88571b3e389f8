"""Where kopf keeps its notes: nowhere, as far as that is possible.

kopf copies an object's whole spec into an annotation, to know later what changed. Passes are not
interested in what changed, only in whether the status speaks of the present spec, and that is what
`status.observedGeneration` already says. So nothing is written, and a wiped status is a reason to pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import kopf


class ObservedGeneration(kopf.DiffBaseStorage):
    """A diff-base that is the generation: the last handled one is the status's own."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:  # noqa: ARG002
        return _essence(body["metadata"].get("generation", 0))

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        observed = (body.get("status") or {}).get("observedGeneration")
        return None if observed is None else _essence(observed)

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing to store: the pass has written the status."""


def _essence(generation: int) -> kopf.BodyEssence:
    return {"spec": {"generation": generation}}
