"""What the tests of the operator's telemetry stand on: a place that traces are sent to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.kopf.collector import Collector


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector of traces on loopback."""
    with Collector() as started:
        yield started
