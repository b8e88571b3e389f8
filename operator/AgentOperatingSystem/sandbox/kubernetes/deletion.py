"""What a deletion sets in motion: finalizers, garbage collection, emptied namespaces, withdrawn definitions.

A real cluster does most of this in controllers, a moment later; here it is done before the request returns.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import FieldErrors, not_supported, precondition_failed
from .kinds import NAMESPACES
from .metadata import rfc3339
from .resources import Catalogue, Resource
from .store import Json, Key, Store, name_of, owner_uids, uid_of

CRDS: Key = ("apiextensions.k8s.io", "customresourcedefinitions")
FOREGROUND = "foregroundDeletion"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


@dataclass(frozen=True)
class DeleteOptions:
    """What a DELETE asks for."""

    policy: str = "Background"
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


def _with_metadata(item: Json, **changes: Any) -> Json:
    metadata = {**item["metadata"], **changes}
    return {**item, "metadata": {name: value for name, value in metadata.items() if value not in (None, [])}}


class Deletion:
    """Deletes objects the way the API server and its controllers do together."""

    def __init__(self, store: Store, catalogue: Catalogue, clock: Callable[[], dt.datetime]) -> None:
        self._store = store
        self._catalogue = catalogue
        self._clock = clock

    def delete(self, resource: Resource, item: Json, options: DeleteOptions) -> Json:
        """Delete one object; returns it while finalizers hold it, else a Status of success."""
        _check_preconditions(resource, item, options)
        if options.dry_run:
            return _success(resource, item)
        marked = self.begin(resource.key, item, options.policy)
        return _success(resource, item) if marked is None else marked

    def begin(self, key: Key, item: Json, policy: str = "Background") -> Json | None:
        """Mark or remove an object; returns the marked object, None when it is gone."""
        if policy == "Orphan":
            self._orphan(item)
        finalizers = list(item["metadata"].get("finalizers") or [])
        if policy == "Foreground" and FOREGROUND not in finalizers and self._store.dependents(uid_of(item)):
            finalizers.append(FOREGROUND)
        if key == CRDS and CLEANUP not in finalizers and self._instances(item):
            finalizers.append(CLEANUP)
        if not finalizers and key != NAMESPACES:
            self.remove(key, item)
            return None
        marked = self._mark(key, item, finalizers)
        self._follow_up(key, marked)
        return marked

    def remove(self, key: Key, item: Json) -> None:
        """Remove an object for good, and let happen what waited for that."""
        last = self._store.remove(key, item)
        if key == CRDS:
            self._catalogue.withdraw(item["metadata"]["name"])
        self._collect_dependents(last)
        self._release_owners(last)
        self.finish_namespace(last["metadata"].get("namespace", ""))
        self._finish_definition(key)

    def _mark(self, key: Key, item: Json, finalizers: list[str]) -> Json:
        metadata = item["metadata"]
        if "deletionTimestamp" in metadata:
            if finalizers == (metadata.get("finalizers") or []):
                return item
            return self._store.put(key, _with_metadata(item, finalizers=finalizers))
        changes: Json = {"finalizers": finalizers, "deletionTimestamp": rfc3339(self._clock())}
        changes["deletionGracePeriodSeconds"] = 0
        if "generation" in metadata:
            changes["generation"] = metadata["generation"] + 1
        marked = _with_metadata(item, **changes)
        if key == NAMESPACES:
            marked = {**marked, "status": {**(marked.get("status") or {}), "phase": "Terminating"}}
        if key == CRDS:
            marked = self._terminating(marked)
        return self._store.put(key, marked)

    def _terminating(self, crd: Json) -> Json:
        condition = {
            "type": "Terminating",
            "status": "True",
            "reason": "InstanceDeletionInProgress",
            "message": "CustomResource deletion is in progress",
            "lastTransitionTime": rfc3339(self._clock()),
        }
        status = crd.get("status") or {}
        return {**crd, "status": {**status, "conditions": [*(status.get("conditions") or []), condition]}}

    def _follow_up(self, key: Key, marked: Json) -> None:
        if key == NAMESPACES:
            self._empty_namespace(marked["metadata"]["name"])
        elif key == CRDS:
            for instance_key, instance in self._instances(marked):
                self.begin(instance_key, instance)
        if FOREGROUND in (marked["metadata"].get("finalizers") or []):
            for dependent_key, dependent in self._store.dependents(uid_of(marked)):
                self.begin(dependent_key, dependent, "Foreground")

    def _orphan(self, item: Json) -> None:
        uid = uid_of(item)
        for key, dependent in self._store.dependents(uid):
            self._drop_owner(key, dependent, {uid})

    def _drop_owner(self, key: Key, item: Json, uids: set[str]) -> None:
        owners = [owner for owner in item["metadata"]["ownerReferences"] if owner.get("uid") not in uids]
        self._store.put(key, _with_metadata(item, ownerReferences=owners))

    def _collect_dependents(self, gone: Json) -> None:
        for key, dependent in self._store.dependents(uid_of(gone)):
            self.collect(key, dependent)

    def collect(self, key: Key, item: Json) -> None:
        """Delete an object whose owners are all gone; else forget those that are."""
        uids = owner_uids(item)
        missing = {uid for uid in uids if self._store.by_uid(uid) is None}
        if missing and missing == uids:
            self.begin(key, item)
        elif missing:
            self._drop_owner(key, item, missing)

    def _release_owners(self, gone: Json) -> None:
        for uid in sorted(owner_uids(gone)):
            found = self._store.by_uid(uid)
            if found is None or self._store.dependents(uid):
                continue
            key, owner = found
            finalizers = owner["metadata"].get("finalizers") or []
            if FOREGROUND in finalizers:
                self._without_finalizer(key, owner, FOREGROUND)

    def _without_finalizer(self, key: Key, item: Json, finalizer: str) -> None:
        kept = [name for name in item["metadata"]["finalizers"] if name != finalizer]
        if kept:
            self._store.put(key, _with_metadata(item, finalizers=kept))
        else:
            self.remove(key, item)

    def _empty_namespace(self, namespace: str) -> None:
        for key, item in self._content(namespace):
            if self._store.get(key, *name_of(item)) is not None:
                self.begin(key, item)
        self.finish_namespace(namespace)

    def _content(self, namespace: str) -> list[tuple[Key, Json]]:
        kinds = [resource for resource in self._catalogue.storages() if resource.namespaced]
        return [(kind.key, item) for kind in kinds for item in self._store.select(kind.key, namespace)]

    def finish_namespace(self, namespace: str) -> None:
        """Remove a namespace that is being deleted once nothing is left in it."""
        item = self._store.get(NAMESPACES, "", namespace) if namespace else None
        if item is None or "deletionTimestamp" not in item["metadata"]:
            return
        if not item["metadata"].get("finalizers") and not self._content(namespace):
            self.remove(NAMESPACES, item)

    def _instances(self, crd: Json) -> list[tuple[Key, Json]]:
        key = (crd["spec"]["group"], crd["spec"]["names"]["plural"])
        return [(key, item) for item in self._store.select(key)]

    def _finish_definition(self, key: Key) -> None:
        crd = self._store.get(CRDS, "", f"{key[1]}.{key[0]}")
        if crd is None or CLEANUP not in (crd["metadata"].get("finalizers") or []):
            return
        if not self._instances(crd):
            self._without_finalizer(CRDS, crd, CLEANUP)


def _check_preconditions(resource: Resource, item: Json, options: DeleteOptions) -> None:
    version = item["metadata"]["resourceVersion"]
    for field, wanted, found, fate in (
        ("UID", options.uid, uid_of(item), "deleted and then recreated"),
        ("ResourceVersion", options.resource_version, version, "modified"),
    ):
        if wanted and wanted != found:
            raise precondition_failed(
                resource,
                item["metadata"]["name"],
                f"the {field} in the precondition ({wanted}) does not match the {field} in record ({found}). "
                f"The object might have been {fate}",
            )


def _success(resource: Resource, item: Json) -> Json:
    details = {"name": item["metadata"]["name"], "kind": resource.plural, "uid": uid_of(item)}
    if resource.group:
        details["group"] = resource.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def parse_options(body: Json, query: dict[str, str]) -> DeleteOptions:
    """The options of a DELETE, from its body and its query. Raises ApiError for an unknown policy."""
    policy = body.get("propagationPolicy") or query.get("propagationPolicy") or ""
    if body.get("orphanDependents") or query.get("orphanDependents") == "true":
        policy = policy or "Orphan"
    if policy not in {"", "Background", "Foreground", "Orphan"}:
        known = ("Foreground", "Background", "Orphan", "nil")
        error = not_supported("propagationPolicy", policy, known)
        raise FieldErrors("meta.k8s.io", "DeleteOptions", "", [error])
    preconditions = body.get("preconditions") or {}
    return DeleteOptions(
        policy=policy or "Background",
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        dry_run=bool(body.get("dryRun") or query.get("dryRun")),
    )
