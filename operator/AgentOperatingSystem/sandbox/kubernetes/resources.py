"""What kinds of objects the server serves: the built-in few, and what custom resource definitions add.

A `Resource` is one kind in one group and version; a `Catalogue` is the present set, replaced by the
custom resource definitions as they come and go. Nothing here holds objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Column:
    """One column of `kubectl get`; `json_path` is a kubectl JSONPath, priority 0 is always shown."""

    name: str
    json_path: str
    kind: str = "string"
    priority: int = 0
    description: str = ""
    format: str = ""


@dataclass(frozen=True)
class Resource:
    """One served kind. `schema` is the object's OpenAPI v3 schema; built-in kinds are open where it is."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    has_status: bool = False
    custom: bool = False
    verbs: tuple[str, ...] = VERBS
    columns: tuple[Column, ...] = ()
    schema: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    storage: tuple[str, str] | None = None

    @property
    def api_version(self) -> str:
        """`v1` for the core group, `group/version` otherwise."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`plural.group`, the way messages name a resource."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def key(self) -> tuple[str, str]:
        """Where the objects live: versions (and the two event groups) share one place."""
        return self.storage or (self.group, self.plural)

    @property
    def item_list_kind(self) -> str:
        """The kind of a list of these."""
        return self.list_kind or f"{self.kind}List"


class Catalogue:
    """The resources that are served now, by group, version and plural."""

    def __init__(self, builtins: tuple[Resource, ...]) -> None:
        self._builtins = builtins
        self._custom: dict[str, tuple[Resource, ...]] = {}
        self._index: dict[tuple[str, str, str], Resource] = {}
        self.generation = 0
        self._rebuild()

    def define(self, name: str, resources: tuple[Resource, ...]) -> None:
        """Serve the versions of the custom resource definition `name`, instead of what it defined before."""
        self._custom[name] = resources
        self._rebuild()

    def withdraw(self, name: str) -> None:
        """Stop serving what the custom resource definition `name` defined."""
        self._custom.pop(name, None)
        self._rebuild()

    def defined_by(self, name: str) -> tuple[Resource, ...]:
        """The resources of one custom resource definition, none when it is not served."""
        return self._custom.get(name, ())

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource at `/apis/{group}/{version}/{plural}`, if it is served."""
        return self._index.get((group, version, plural))

    def find_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource of a kind, as an owner reference names it."""
        group, _, version = api_version.rpartition("/")
        for resource in self:
            if (resource.group, resource.version, resource.kind) == (group, version, kind):
                return resource
        return None

    def group_versions(self) -> dict[str, list[str]]:
        """Each served group (the core group is the empty name) and its versions, preferred first."""
        groups: dict[str, list[str]] = {}
        for resource in self:
            versions = groups.setdefault(resource.group, [])
            if resource.version not in versions:
                versions.append(resource.version)
        return groups

    def of(self, group: str, version: str) -> list[Resource]:
        """The resources of one group and version."""
        return [item for item in self if (item.group, item.version) == (group, version)]

    def storages(self) -> list[Resource]:
        """One resource for each place that objects live in."""
        return list({resource.key: resource for resource in reversed(list(self))}.values())

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._index.values())

    def _rebuild(self) -> None:
        everything = [*self._builtins, *(item for items in self._custom.values() for item in items)]
        self._index = {(item.group, item.version, item.plural): item for item in everything}
        self.generation += 1
