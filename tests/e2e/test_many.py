"""Many at once: what it costs is read from the audit log, by object and verb."""

import time
from collections import Counter
from collections.abc import Callable

import pytest
from tests.harness.planes import Request
from tests.harness.polling import eventually
from tests.harness.stage import Stage, is_about, manifest

pytestmark = pytest.mark.timeout(1800)

COUNT = 300
WITHIN = 180.0
WRITES_ALLOWED = 5


def test_three_hundred_resources_at_once_become_ready(stage: Stage, report: Callable[[str], None]) -> None:
    names = [f"agent-{number:03}" for number in range(COUNT)]
    stage.operator.start()
    began = time.monotonic()
    stage.kubectl.apply(*(manifest(name, purpose=f"Be agent {name}.") for name in names))
    applied = time.monotonic() - began
    eventually(
        lambda: sum(is_about(item, "Running") for item in stage.read_all()),
        lambda ready: ready == COUNT,
        what=f"{COUNT} resources are Ready",
        within=WITHIN,
        every=0.5,
    )
    ready = time.monotonic() - began
    asked = eventually(
        stage.requests,
        lambda seen: Counter(str(one) for one in seen)["create events"] >= COUNT,
        what="the last Event is posted",
        every=1.0,
    )

    report(f"{COUNT} resources: applied in {applied:.1f} s, all Ready after {ready:.1f} s")
    _report_table(asked, report)
    _report_calls(stage, report)
    assert {name: len(agent.versions) for name, agent in stage.foundry.agents().items()} == dict.fromkeys(
        names, 1
    )
    assert len(stage.foundry.conversations()) == COUNT
    assert sum(one.writes for one in asked) <= WRITES_ALLOWED * COUNT
    # The Lease is looked for before it is made.
    refused = [str(one) for one in asked if one.code is not None and one.code >= 400]
    assert refused in ([], ["get leases"])


def _report_table(asked: list[Request], report: Callable[[str], None]) -> None:
    report(f"  {'request of the operator':<36}{'all':>6}{'each':>7}{'most for one':>14}")
    total = Counter(str(one) for one in asked)
    for what, count in sorted(total.items()):
        single = Counter(_object(one) for one in asked if str(one) == what and one.name)
        most = max(single.values(), default=0)
        report(f"  {what:<36}{count:>6}{count / COUNT:>7.2f}{most or '':>14}")
    report(f"  {'together':<36}{len(asked):>6}{len(asked) / COUNT:>7.2f}")


def _object(request: Request) -> str:
    """The resource that a request is about; an Event's name is that of its resource, a dot and a number."""
    return request.name.partition(".")[0]


def _report_calls(stage: Stage, report: Callable[[str], None]) -> None:
    calls = Counter(one.operation for one in stage.runtime_requests())
    report(f"  runtime: {', '.join(f'{name} {count}' for name, count in sorted(calls.items()))}")
