"""Where kopf keeps its notes: nowhere, as far as that is possible.

kopf copies an object's whole spec into an annotation, to know later what changed. Passes are not
interested in what changed, only in whether the status speaks of the present spec, and that is what
`status.observedGeneration` already says. So nothing is written, and a wiped status is a reason to pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import kopf

from AgentOperatingSystem.api.v1alpha1 import GROUP

# The one thing kopf writes: it wakes itself up for another try of a deletion.
TOUCH_ANNOTATION = f"{GROUP}/touched-at"


class ObservedGeneration(kopf.DiffBaseStorage):
    """A diff-base that is the generation: the last handled one is the status's own."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:  # noqa: ARG002
        return _essence(body["metadata"].get("generation", 0))

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        observed = (body.get("status") or {}).get("observedGeneration")
        return None if observed is None else _essence(observed)

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing to store: the pass has written the status."""


class MemoryProgress(kopf.ProgressStorage):
    """How far kopf's handlers came, kept in memory: after a restart any of them may begin anew."""

    def __init__(self) -> None:
        super().__init__()
        self._records: dict[tuple[str, str], Any] = {}

    def fetch(self, *, key: Any, body: kopf.Body) -> Any:
        return self._records.get((body["metadata"]["uid"], key))

    def store(self, *, key: Any, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:  # noqa: ARG002
        self._records[body["metadata"]["uid"], key] = record

    def purge(self, *, key: Any, body: kopf.Body, patch: kopf.Patch) -> None:  # noqa: ARG002
        self._records.pop((body["metadata"]["uid"], key), None)

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        if body["metadata"].get("annotations", {}).get(TOUCH_ANNOTATION) != value:
            patch.metadata.annotations[TOUCH_ANNOTATION] = value

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


def _essence(generation: int) -> kopf.BodyEssence:
    return {"spec": {"generation": generation}}
