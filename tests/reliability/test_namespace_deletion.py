"""A namespace that is being deleted waits for its agents, and never longer than their runtime needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from tests.harness.planes import Plane, create_namespace
from tests.harness.polling import eventually
from tests.harness.stage import FINALIZER
from tests.reliability.playground import LOOK_EVERY, WITHIN, Playground
from tests.reliability.subjects import settled
from tests.reliability.workbench import PLAIN


def test_a_namespace_goes_once_its_runtime_is_back_and_its_agents_are_gone(playground: Playground) -> None:
    subject = playground.subject(PLAIN)
    operator = playground.operator([subject.namespace], "namespace", interval=1)
    # The rights of an operator for this namespace alone would go with the namespace.
    home = f"{subject.namespace}-home"
    create_namespace(playground.plane, home)
    kubeconfig = playground.plane.admit_operator(home, cluster_wide=True, identity=False)
    operator = replace(operator, kubeconfig=kubeconfig)
    operator.start()
    try:
        subject.put({})
        eventually(lambda: settled(subject, {}), what="the agent runs", every=LOOK_EVERY)
        playground.foundry.down()
        try:
            client.CoreV1Api(playground.plane.api).delete_namespace(subject.namespace)
            item = eventually(subject.read, _is_going, what="the resource goes", within=WITHIN)
            eventually(_refusals(playground), lambda seen: seen >= 3, what="the runtime was asked in vain")
            item = subject.read()
            assert item is not None, "without proof it stays"
            assert item["metadata"]["finalizers"] == [FINALIZER]
        finally:
            playground.foundry.up()
        eventually(
            lambda: not _exists(playground.plane, subject.namespace),
            what="the namespace is gone",
            within=WITHIN,
            every=LOOK_EVERY,
        )
    finally:
        operator.kill()
    assert subject.name not in playground.foundry.agents()
    assert subject.see().conversations == frozenset()


def _refusals(playground: Playground) -> Any:
    before = len(playground.foundry.requests)
    return lambda: sum(one.fault == "down" for one in playground.foundry.requests[before:])


def _is_going(item: Any) -> bool:
    return item is not None and "deletionTimestamp" in item["metadata"]


def _exists(plane: Plane, namespace: str) -> bool:
    try:
        client.CoreV1Api(plane.api).read_namespace(namespace)
    except ApiException as error:
        if error.status == 404:
            return False
        raise
    return True
