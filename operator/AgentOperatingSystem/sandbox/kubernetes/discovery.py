"""What the server says it serves: versions, the aggregated discovery and the older one."""

from __future__ import annotations

from typing import Any

from .resources import Catalogue, Resource

Json = dict[str, Any]

VERSION: Json = {
    "major": "1",
    "minor": "37",
    "gitVersion": "v1.37.0+aos-sandbox",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-08-26T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}


def core_versions() -> Json:
    """`/api`."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def group_list(catalogue: Catalogue) -> Json:
    """`/apis`, the older form."""
    groups = [group(catalogue, name) for name in catalogue.group_versions() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(catalogue: Catalogue, name: str) -> Json:
    """One group: `/apis/{group}`, and an element of `/apis`."""
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version}
        for version in catalogue.group_versions()[name]
    ]
    return {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": name,
        "versions": versions,
        "preferredVersion": versions[0],
    }


def resource_list(catalogue: Catalogue, group_name: str, version: str) -> Json:
    """`/api/v1` and `/apis/{group}/{version}`."""
    resources: list[Json] = []
    for resource in catalogue.of(group_name, version):
        entry: Json = {
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": list(resource.verbs),
        }
        if resource.short_names:
            entry["shortNames"] = list(resource.short_names)
        if resource.categories:
            entry["categories"] = list(resource.categories)
        resources.append(entry)
        if resource.has_status:
            verbs = ["get", "patch", "update"]
            status = {"name": f"{resource.plural}/status", "singularName": "", "kind": resource.kind}
            resources.append({**status, "namespaced": resource.namespaced, "verbs": verbs})
    group_version = f"{group_name}/{version}" if group_name else version
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    }


def aggregated(catalogue: Catalogue, *, core: bool) -> Json:
    """`/api` (core) and `/apis` in the aggregated form of apidiscovery.k8s.io/v2."""
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None},
            "versions": [_version(catalogue, name, version) for version in versions],
        }
        for name, versions in catalogue.group_versions().items()
        if core is (not name)
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _version(catalogue: Catalogue, group_name: str, version: str) -> Json:
    resources = [_discovered(resource) for resource in catalogue.of(group_name, version)]
    return {"version": version, "resources": resources, "freshness": "Current"}


def _discovered(resource: Resource) -> Json:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    entry: Json = {
        "resource": resource.plural,
        "responseKind": kind,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.has_status:
        verbs = ["get", "patch", "update"]
        entry["subresources"] = [{"subresource": "status", "responseKind": kind, "verbs": verbs}]
    return entry
