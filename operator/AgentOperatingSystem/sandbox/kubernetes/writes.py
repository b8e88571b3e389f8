"""Create, update and patch: what happens to an object between the request's body and the store.

The order is the API server's: read the body, set what only the server may set, prune, default, validate,
record who owns what, and write, unless nothing changed.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import crds, kinds, metadata, ownership, patches, structural
from .bodies import check_namespace, typed
from .cel import RuleTree, check_rules
from .deletion import CRDS, Deletion
from .errors import (
    ApiError,
    FieldError,
    FieldErrors,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid_value,
    not_found,
    required,
    stale,
    unsupported_media_type,
)
from .resources import Catalogue, Resource
from .store import Json, Store

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
APPLY_TYPES = (APPLY, "application/apply-patch+json")

_KNOWN_METADATA = frozenset(
    [
        "name",
        "generateName",
        "namespace",
        "selfLink",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "labels",
        "annotations",
        "ownerReferences",
        "finalizers",
        "managedFields",
    ]
)


@dataclass(frozen=True)
class WriteOptions:
    """What a write asks for; `repeated` fields stood twice in the body, `warnings` are for the answer."""

    manager: str = "unknown"
    dry_run: bool = False
    validation: str = "Warn"
    force: bool = False
    repeated: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    """The object that a request is about."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


class Writes:
    """The writing half of the API, over a store."""

    def __init__(
        self, store: Store, catalogue: Catalogue, deletion: Deletion, clock: Callable[[], dt.datetime]
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._deletion = deletion
        self._clock = clock
        self._rules: dict[tuple[str, str, str], RuleTree | None] = {}

    def current(self, target: Target) -> Json:
        """The stored object, or 404."""
        item = self._store.get(target.resource.key, target.namespace, target.name)
        if item is None:
            raise not_found(target.resource, target.name)
        return item

    def create(self, target: Target, body: Json, options: WriteOptions) -> Json:
        """POST: a new object."""
        resource = target.resource
        body = typed(resource, body)
        check_namespace(body, target.namespace)
        if resource.verbs == ("create",):
            return kinds.review(resource, body)
        if (body.get("metadata") or {}).get("resourceVersion") and not options.dry_run:
            # The store's own refusal, which the real server gives no better status.
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        item = self._new(target, body, options)
        item = ownership.record_update(None, item, resource.schema, self._writer(target, options, "Update"))
        return self._insert(target, item, options)

    def replace(self, target: Target, body: Json, options: WriteOptions) -> Json:
        """PUT: the whole object, against the resourceVersion in it."""
        resource = target.resource
        body = typed(resource, body)
        check_namespace(body, target.namespace)
        sent = body.get("metadata") or {}
        if sent.get("name") != target.name:
            named = f"the name of the object ({sent.get('name', '')})"
            raise bad_request(f"{named} does not match the name on the URL ({target.name})")
        old = self.current(target)
        if not sent.get("resourceVersion") and resource.custom:
            error = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
            raise FieldErrors(resource.group, resource.plural, target.name, [error])
        return self._update(target, old, body, options)

    def patch(self, target: Target, kind: str, patch: Any, options: WriteOptions) -> Json:
        """PATCH of every kind; server-side apply creates what is not there."""
        if options.force and kind not in APPLY_TYPES:
            raise _bad_option("force", "Forbidden", "may not be specified for non-apply patch")
        if kind in APPLY_TYPES:
            return self._apply(target, patch, options)
        if kind == STRATEGIC and target.resource.custom:
            raise unsupported_media_type((JSON_PATCH, MERGE, APPLY))
        old = self.current(target)
        shown = kinds.served_form(target.resource, old)
        patched = _patched(shown, kind, patch, target.resource)
        patched = typed(target.resource, patched)
        if (patched.get("metadata") or {}).get("name") != target.name:
            raise bad_request("the name of the object does not match the name on the URL")
        return self._update(target, old, patched, options, in_patch=True)

    def _update(
        self, target: Target, old: Json, body: Json, options: WriteOptions, *, in_patch: bool = False
    ) -> Json:
        resource = target.resource
        self._check_versions(target, old, body, in_patch=in_patch)
        body = kinds.stored_form(resource, body)
        item = self._decoded(resource, body, options, in_patch=in_patch)
        new = self._next_state(target, item, old)
        self._validate(target, new, old)
        writer = self._writer(target, options, "Update")
        return self._save(target, ownership.record_update(old, new, resource.schema, writer), old, options)

    def _check_versions(self, target: Target, old: Json, body: Json, *, in_patch: bool = False) -> None:
        resource, sent = target.resource, body.get("metadata") or {}
        if in_patch and sent.get("uid") and sent["uid"] != old["metadata"]["uid"]:
            error = invalid_value("metadata.uid", sent["uid"], "field is immutable")
            raise FieldErrors(resource.group, resource.kind, target.name, [error])
        if sent.get("uid") and sent["uid"] != old["metadata"]["uid"]:
            uids = f"UID in precondition: {sent['uid']}, UID in object meta: {old['metadata']['uid']}"
            why = f"Precondition failed: {uids}"
            raise conflict(resource, target.name, why)
        if sent.get("resourceVersion") and sent["resourceVersion"] != old["metadata"]["resourceVersion"]:
            raise stale(resource, target.name)

    def _apply(self, target: Target, config: Any, options: WriteOptions) -> Json:
        resource = target.resource
        config = self._apply_config(target, config, options)
        writer = self._writer(target, options, "Apply")
        live = self._store.get(resource.key, target.namespace, target.name)
        if live is None:
            if target.subresource:
                raise not_found(resource, target.name)
            created = self._new(target, config, options)
            owned = ownership.apply(None, config, resource.schema, writer, force=False)
            entries = owned["metadata"].get("managedFields") or []
            created = {**created, "metadata": {**created["metadata"], "managedFields": entries}}
            return self._insert(target, created, options)
        self._check_versions(target, live, config)
        merged = ownership.apply(live, config, resource.schema, writer, force=options.force)
        merged = self._decoded(resource, merged, options)
        new = self._next_state(target, merged, live)
        self._validate(target, new, live)
        return self._save(target, new, live, options)

    def _apply_config(self, target: Target, patch: Any, options: WriteOptions) -> Json:
        if not isinstance(patch, dict):
            raise bad_request("error decoding YAML: the patch is not an object")
        if not options.manager:
            raise _bad_option("fieldManager", "Required value", "is required for apply patch")
        config = typed(target.resource, patch)
        check_namespace(config, target.namespace)
        about = dict(config.get("metadata") or {})
        if about.get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        if about.setdefault("name", target.name) != target.name:
            raise bad_request("the name of the object does not match the name on the URL")
        config = kinds.stored_form(target.resource, {**config, "metadata": about})
        _refuse_undeclared(target, config)
        if target.subresource == "status":
            return {name: value for name, value in config.items() if name in {*_HEAD, "status"}}
        if target.resource.has_status:
            return {name: value for name, value in config.items() if name != "status"}
        return config

    def _new(self, target: Target, body: Json, options: WriteOptions) -> Json:
        resource = target.resource
        self._check_home(target, body)
        decoded = self._decoded(resource, kinds.stored_form(resource, body), options)
        item = metadata.stamped(decoded, resource, target.namespace, self._now())
        if resource.has_status:
            item.pop("status", None)
        item["metadata"].pop("managedFields", None)
        item = self._filled(resource, item)
        self._validate(Target(resource, target.namespace, item["metadata"].get("name", "")), item, None)
        return item

    def _insert(self, target: Target, item: Json, options: WriteOptions) -> Json:
        resource, name = target.resource, item["metadata"]["name"]
        present = self._store.get(resource.key, target.namespace, name)
        if present is not None:
            raise already_exists(resource, name, dying="deletionTimestamp" in present["metadata"])
        if options.dry_run:
            return item
        stored = self._store.put(resource.key, item)
        self._after_write(resource, stored)
        return stored

    def _save(self, target: Target, new: Json, old: Json, options: WriteOptions) -> Json:
        key = target.resource.key
        if new == old or options.dry_run:
            return new
        released = "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers")
        if released and key != kinds.NAMESPACES:
            self._deletion.remove(key, new)
            return new
        stored = self._store.put(key, new)
        self._after_write(target.resource, stored)
        return stored

    def _after_write(self, resource: Resource, stored: Json) -> None:
        if stored["metadata"].get("ownerReferences"):
            self._deletion.collect(resource.key, stored)
        if resource.key == CRDS:
            self.serve(stored)
        if resource.key == kinds.NAMESPACES:
            self._deletion.finish_namespace(stored["metadata"]["name"])

    def serve(self, crd: Json) -> None:
        """Serve what a stored definition defines, and say so in its status."""
        definition = crds.define(crd)
        self._catalogue.define(definition.name, definition.resources)
        for served in definition.resources:
            place = (served.group, served.version, served.plural)
            self._rules[place] = definition.rules[served.version]
        marked = crds.established(crd, self._now())
        if marked != crd:
            self._store.put(CRDS, marked)

    def _next_state(self, target: Target, body: Json, old: Json) -> Json:
        resource = target.resource
        new = metadata.carried(body, old)
        if target.subresource == "status":
            new = {**old, **({"status": body["status"]} if "status" in body else {})}
            if "status" not in body:
                new.pop("status", None)
            entries = body["metadata"].get("managedFields")
            new = {**new, "metadata": {**old["metadata"], **({"managedFields": entries} if entries else {})}}
        elif resource.has_status:
            new = {name: value for name, value in new.items() if name != "status"}
            if "status" in old:
                new["status"] = old["status"]
        new = self._filled(resource, new)
        if "generation" in old["metadata"] and _described(new, resource) != _described(old, resource):
            new = {**new, "metadata": {**new["metadata"], "generation": old["metadata"]["generation"] + 1}}
        return new

    def _filled(self, resource: Resource, item: Json) -> Json:
        if resource.custom:
            return _on_content(item, lambda content: structural.fill_defaults(content, resource.schema))
        if resource.key == CRDS:
            return crds.with_defaults(item)
        return kinds.prepared(resource, item)

    def _decoded(
        self, resource: Resource, body: Json, options: WriteOptions, *, in_patch: bool = False
    ) -> Json:
        """The body without unknown fields, which are an error, a warning or nothing, as the request asks."""
        about = body.get("metadata") or {}
        unknown = [f"metadata.{name}" for name in about if name not in _KNOWN_METADATA]
        kept = {name: value for name, value in about.items() if name in _KNOWN_METADATA}
        content = {name: value for name, value in body.items() if name not in _HEAD}
        if resource.custom:
            content, lost = structural.prune(content, resource.schema)
            unknown += lost
        complaints = [f'duplicate field "{path}"' for path in options.repeated]
        complaints += [f'unknown field "{path}"' for path in unknown]
        if complaints and options.validation == "Strict":
            raise _strict_error(resource, body, ", ".join(complaints), in_patch=in_patch)
        if options.validation == "Warn":
            options.warnings.extend(complaints)
        head = {"apiVersion": resource.api_version, "kind": resource.kind}
        return {**head, "metadata": kept, **content}

    def _validate(self, target: Target, item: Json, old: Json | None) -> None:
        resource = target.resource
        errors = metadata.check(item, resource)
        if old is not None:
            errors += metadata.check_update(item, old)
        errors += kinds.check(resource, item)
        if resource.key == CRDS and not errors:
            errors += crds.check(item, old)
        if resource.custom:
            errors = self._check_custom(resource, item, old, errors)
        if errors:
            raise FieldErrors(resource.group, resource.kind, item["metadata"].get("name", ""), errors)

    def _check_custom(
        self, resource: Resource, item: Json, old: Json | None, known: list[FieldError]
    ) -> list[FieldError]:
        """The mistakes in a custom object; `known` are those in its metadata."""
        before = structural.ABSENT if old is None else old
        errors = known + structural.validate(item, resource.schema, before)
        rules = self._rules.get((resource.group, resource.version, resource.plural))
        if rules is None:
            return errors
        if structural.blocks_rules(errors):
            text = (
                "some validation rules were not checked because the object was invalid; "
                "correct the existing errors to complete validation"
            )
            return [*errors, invalid_value("<nil>", None, text)]
        return errors + check_rules(rules, item, before)

    def _check_home(self, target: Target, body: Json) -> None:
        if not target.namespace:
            return
        home = self._store.get(kinds.NAMESPACES, "", target.namespace)
        if home is None:
            raise ApiError(
                404,
                "NotFound",
                f'namespaces "{target.namespace}" not found',
                {"name": target.namespace, "kind": "namespaces"},
            )
        if "deletionTimestamp" in home["metadata"]:
            why = (
                f"unable to create new content in namespace {target.namespace} because it is being terminated"
            )
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {target.namespace} is being terminated",
            }
            name = str((body.get("metadata") or {}).get("name", ""))
            raise forbidden(target.resource, name, why, [{**cause, "field": "metadata.namespace"}])

    def _writer(self, target: Target, options: WriteOptions, operation: str) -> ownership.Writer:
        api_version = target.resource.api_version
        return ownership.Writer(options.manager, operation, api_version, target.subresource, self._now())

    def _now(self) -> str:
        return metadata.rfc3339(self._clock())


_HEAD = ("apiVersion", "kind", "metadata")


def _on_content(item: Json, change: Callable[[Json], Json]) -> Json:
    head = {name: item[name] for name in _HEAD if name in item}
    return {**head, **change({name: value for name, value in item.items() if name not in _HEAD})}


def _described(item: Json, resource: Resource) -> Json:
    left_out = {*_HEAD, "status"} if resource.has_status else set(_HEAD)
    return {name: value for name, value in item.items() if name not in left_out}


def _patched(shown: Json, kind: str, patch: Any, resource: Resource) -> Json:
    if kind == JSON_PATCH:
        return patches.json_patch(shown, patch)
    if not isinstance(patch, dict):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
        )
    if kind == STRATEGIC:
        schema = ownership.with_metadata(resource.schema)
        return dict(patches.strategic_patch(shown, patch, schema))
    if kind == MERGE:
        return dict(patches.merge_patch(shown, patch))
    raise unsupported_media_type((JSON_PATCH, MERGE, STRATEGIC, APPLY))


def _strict_error(resource: Resource, body: Json, complaints: str, *, in_patch: bool) -> ApiError:
    if in_patch:
        text = json.dumps(body, separators=(",", ":"))
        return FieldErrors("", "", "", [invalid_value("patch", text, f"strict decoding error: {complaints}")])
    kind, version = resource.kind, resource.version
    return bad_request(
        f'{kind} in version "{version}" cannot be handled as a {kind}: strict decoding error: {complaints}'
    )


def _refuse_undeclared(target: Target, config: Json) -> None:
    if not target.resource.custom:
        return
    content = {name: value for name, value in config.items() if name not in _HEAD}
    unknown = structural.prune(content, target.resource.schema)[1]
    wrong = [f".{path}: field not declared in schema" for path in unknown]
    wrong += structural.mistyped(content, target.resource.schema)
    if wrong:
        home = config["metadata"].get("namespace", "")
        place = f"{home}/{target.name}; {target.resource.api_version}, Kind={target.resource.kind}"
        raise ApiError(500, "", f"failed to create typed patch object ({place}): {wrong[0]}")


def _bad_option(option: str, title: str, detail: str) -> ApiError:
    error = (
        required(option, detail)
        if title == "Required value"
        else FieldError(option, "FieldValueForbidden", f"{title}: {detail}")
    )
    return FieldErrors("meta.k8s.io", "PatchOptions", "", [error])
