"""What `aos plan` takes from the cluster, and as whom it looks: with one's own rights, as nobody else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.samples import SPEC, resource

from AgentOperatingSystem.api.v1alpha1 import RuntimeKind
from AgentOperatingSystem.kube.client import Forbidden
from AgentOperatingSystem.kube.planning.live import LAST_APPLIED, as_applied
from AgentOperatingSystem.kube.planning.lookouts import DraftReader, Nowhere, nothing_is_written
from AgentOperatingSystem.model.errors import ConfigurationError, NotAuthorized, ReferenceMissing
from AgentOperatingSystem.reconcile.offer import RuntimeResource
from AgentOperatingSystem.reconcile.ports import ClusterFailure
from AgentOperatingSystem.reconcile.resource import (
    ENDPOINT_ANNOTATION,
    POLICY_ANNOTATION,
    ObjectKey,
    Resource,
    RuntimeKey,
)

KEY = RuntimeKey(RuntimeKind.AGENT_RUNTIME, "team", "own")


class Cluster:
    """Answers from what it holds, and raises what it holds instead of an answer."""

    def __init__(
        self,
        resources: Mapping[ObjectKey, Resource | Exception] | None = None,
        objects: Mapping[str, Any] | None = None,
    ) -> None:
        self.resources, self.objects = resources or {}, objects or {}

    async def get(self, key: ObjectKey) -> Resource | None:
        found = self.resources.get(key)
        if isinstance(found, Exception):
            raise found
        return found

    async def read(self, operation: str, path: str) -> Any:
        found = self.objects.get(operation)
        if isinstance(found, Exception):
            raise found
        return found


def wanted(**annotations: str) -> Resource:
    """The resource of a file."""
    return replace(resource(), uid="", generation=0, finalizers=(), annotations=annotations)


def live(**annotations: str) -> Resource:
    """The same on the cluster, with the operator's note of where its agent is."""
    return resource(generation=3, annotations={ENDPOINT_ANNOTATION: "https://x", **annotations})


async def applied(asked: Resource, there: Resource | Exception) -> tuple[Resource, str]:
    cluster: Any = Cluster({asked.key: there})
    (told,), why = await as_applied([asked], cluster)
    return told, why


async def test_the_notes_of_the_live_resource_count() -> None:
    told, why = await applied(wanted(team="board"), live(team="old", note="x"))
    assert why == ""
    assert told.annotations == {ENDPOINT_ANNOTATION: "https://x", "note": "x", "team": "board"}
    assert (told.generation, told.uid) == (3, "uid-1"), "nothing of the spec changes"
    told, _ = await applied(replace(wanted(), spec={**SPEC, "purpose": "Lead."}), live())
    assert told.generation == 4


async def test_an_annotation_that_the_file_had_and_has_no_more_goes() -> None:
    before = json.dumps({"metadata": {"annotations": {POLICY_ANNOTATION: "skip"}}})
    there = live(**{POLICY_ANNOTATION: "skip", LAST_APPLIED: before})
    told, _ = await applied(wanted(), there)
    assert not told.paused
    by_hand, _ = await applied(wanted(), live(**{POLICY_ANNOTATION: "skip", LAST_APPLIED: "[1]"}))
    assert by_hand.paused, "what somebody set by hand stays"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConfigurationError("KUBECONFIG", "names no cluster"), ""),
        (ClusterFailure("get: away"), "get: away"),
        (Forbidden("get: 403"), "get: 403"),
    ],
)
async def test_without_the_cluster_the_file_counts(error: Exception, told: str) -> None:
    asked = wanted(team="board")
    assert await applied(asked, error) == (asked, told)


async def test_who_may_not_read_one_resource_reads_the_others() -> None:
    first, second = wanted(), replace(wanted(), key=ObjectKey("boardroom", "cfo"))
    cluster: Any = Cluster({first.key: Forbidden("403"), second.key: live()})
    (one, other), why = await as_applied([first, second], cluster)
    assert (one, why) == (first, "403")
    assert other.annotations == {ENDPOINT_ANNOTATION: "https://x"}


def reader(
    cluster: Any, *, as_me: bool = False, drafts: Mapping[RuntimeKey, Any] | None = None
) -> DraftReader:
    return DraftReader(cluster, lambda: 0.0, drafts=drafts or {}, as_me=as_me)


async def test_a_runtime_of_the_files_comes_before_the_clusters() -> None:
    body = {"metadata": {"namespace": "team", "name": "own", "uid": "u"}, "spec": {"endpoint": "b"}}
    draft = RuntimeResource.from_object(KEY.kind, {**body, "spec": {"endpoint": "a"}})
    cluster = Cluster(objects={"get_runtime": body})
    assert await reader(cluster, drafts={KEY: draft}).runtime(KEY, age=0.0) is draft
    found = await reader(cluster).runtime(KEY, age=0.0)
    assert found is not None
    assert found.spec == {"endpoint": "b"}


@pytest.mark.parametrize(
    ("cluster", "because"),
    [
        (Cluster(objects={"get_secret": Forbidden("403")}), "you may not"),
        (Nowhere(ConfigurationError("KUBECONFIG", "names no cluster.")), "KUBECONFIG names no cluster"),
    ],
)
async def test_a_secret_that_cannot_be_read_is_told_with_the_right_and_the_way_out(
    cluster: Any, because: str
) -> None:
    with pytest.raises(NotAuthorized) as told:
        await reader(cluster).secret("team", "principal", "clientSecret", age=0.0)
    for words in (because, "`get` secrets", "--as-me"):
        assert words in str(told.value)
    assert await reader(cluster, as_me=True).secret("team", "principal", "clientSecret", age=0.0) == ""


async def test_a_missing_secret_is_missed_by_everybody() -> None:
    for as_me in (False, True):
        with pytest.raises(ReferenceMissing):
            await reader(Cluster(), as_me=as_me).secret("team", "principal", "clientSecret", age=0.0)


async def test_a_namespace_that_may_not_be_read_is_told() -> None:
    with pytest.raises(NotAuthorized, match="`get` namespaces"):
        await reader(Cluster(objects={"get_namespace": Forbidden("403")})).labels("team", age=0.0)


def test_what_promised_not_to_write_cannot() -> None:
    with pytest.raises(AssertionError):
        nothing_is_written()
