"""The rights that ship are the ones that the operator needs: it is refused nothing, and leaves none unused.

The audit log decides: an operator that is refused something may go on without it, and nobody would see.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from tests.harness import planes
from tests.harness.planes import Plane
from tests.harness.polling import eventually
from tests.harness.process import free_port
from tests.harness.rights import (
    CLUSTER_IDENTITY,
    CLUSTER_WIDE,
    LEADER_ELECTION,
    NAMESPACED,
    TENANT_SECRETS,
    Right,
    rights,
)
from tests.harness.stage import CLUSTER_ID, Stage, manifest
from tests.harness.tenants import agent, cluster_runtime, own_runtime, secret_manifest

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def control_plane() -> Iterator[Plane]:
    """One of its own: a cluster-wide operator would serve other tests' resources too."""
    with planes.real_plane() as plane:
        yield plane


@pytest.mark.parametrize("cluster_id", [CLUSTER_ID, None], ids=["cluster id set", "cluster id read"])
@pytest.mark.parametrize("cluster_wide", [False, True], ids=["namespaced", "cluster-wide"])
def test_the_operator_is_never_refused_and_uses_every_right(
    stage: Stage, cluster_wide: bool, cluster_id: str | None
) -> None:
    stage.plane.lend_secrets(stage.namespace, stage.namespace)
    stage.operator.start(
        cluster_wide=cluster_wide,
        liveness_port=free_port(),
        AOS_CLUSTER_ID=cluster_id,
        AOS_DRIFT_INTERVAL="1",
        AOS_ALLOWED_ENDPOINTS=urlsplit(stage.foundry.base_url).netloc,
    )
    _live_on_runtimes(stage, cluster_wide=cluster_wide)
    _live_a_whole_life(stage)

    wanted = rights(
        NAMESPACED,
        LEADER_ELECTION,
        TENANT_SECRETS,
        *([CLUSTER_WIDE] if cluster_wide else []),
        *([] if cluster_id else [CLUSTER_IDENTITY]),
    )
    # The audit log may be a moment behind.
    eventually(
        lambda: wanted - _used(stage), lambda unused: not unused, what="every right is used", every=0.5
    )
    assert _used(stage) == wanted
    assert [str(one) for one in stage.requests() if one.code in (401, 403)] == []


def test_the_cluster_is_named_by_the_uid_of_kube_system(stage: Stage) -> None:
    stage.operator.start(cluster_wide=True, AOS_CLUSTER_ID=None)
    stage.kubectl.apply(manifest("ceo"))
    item = stage.ready("ceo")
    cluster = stage.agent("ceo").metadata["aos_cluster"]
    system = stage.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}").stdout
    assert cluster == system
    assert item["status"]["runtime"]["agentId"] == "ceo"


def _used(stage: Stage) -> set[Right]:
    return {one.right for one in stage.requests()}


def _live_on_runtimes(stage: Stage, *, cluster_wide: bool) -> None:
    """A runtime of each kind that is served, with an agent; the cluster's is lent by labels."""
    agents, runtimes = ["own"], ["art/own"]
    stage.kubectl.apply(
        secret_manifest("of-no-use"),
        own_runtime("own", stage.foundry.endpoint, "team"),
        agent("own", "own"),
    )
    if cluster_wide:
        name = stage.namespace
        stage.kubectl.apply(cluster_runtime(name, stage.foundry.endpoint), agent("lent", name, shared=True))
        agents, runtimes = [*agents, "lent"], [*runtimes, f"cart/{name}"]
    for name in agents:
        stage.ready(name)
    stage.kubectl("delete", "--wait=false", *runtimes)
    stage.kubectl("delete", "pda", *agents)
    stage.kubectl("wait", "--for=delete", "--timeout=60s", *runtimes)


def _live_a_whole_life(stage: Stage) -> None:
    """Everything that can happen to a resource."""
    stage.kubectl.apply(manifest("kept", deletionPolicy="Orphan"), manifest("ceo"))
    stage.ready("kept")
    stage.ready("ceo")
    stage.kubectl.apply(manifest("ceo", purpose="Another purpose", adapterName="ceo"))
    stage.ready("ceo")
    stage.kubectl.apply(manifest("ceo", enabled=False))
    stage.reason("ceo", "Disabled")
    stage.kubectl.apply(manifest("ceo", adapterName="unknown"))
    stage.reason("ceo", "ModelNotFound")
    stage.foundry.remove_agent("kept")
    eventually(lambda: stage.versions("kept"), what="the agent is made again")
    stage.kubectl("delete", "pda", "kept", "ceo")
    assert stage.operator.stop() == 0
