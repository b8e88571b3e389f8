"""Every signal ends in the metric that is for it, and the number of series is bounded by words of ours."""

from __future__ import annotations

import http.client
import logging
import socket
import struct
import time

import pytest
from prometheus_client import CollectorRegistry
from tests.harness.process import free_port

from AgentOperatingSystem.model.errors import ConfigurationError
from AgentOperatingSystem.model.signals import (
    CallEnded,
    DriftFound,
    PassBegan,
    PassEnded,
    PassKind,
    PassResult,
    ReadySeen,
    ResourceGone,
    Signal,
    tell,
)
from AgentOperatingSystem.telemetry.metrics import READY_VALUES, Metrics, served_metrics


class Board:
    """Metrics in a registry of their own, read as Prometheus would."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._metrics = Metrics(self._registry)

    def heed(self, *signals: Signal) -> None:
        for signal in signals:
            self._metrics.heed(signal)

    def __call__(self, name: str, **labels: str) -> float | None:
        return self._registry.get_sample_value(name, labels)

    @property
    def agents(self) -> dict[str, float | None]:
        """`aos_agents` by its label, zeros left out."""
        counts = {ready: self("aos_agents", ready=ready) for ready in READY_VALUES}
        return {ready: count for ready, count in counts.items() if count}

    @property
    def series(self) -> int:
        return sum(len(family.samples) for family in self._registry.collect())


@pytest.fixture
def board() -> Board:
    return Board()


def call(name: str, error: BaseException | None = None, seconds: float = 0.3) -> CallEnded:
    return CallEnded(name, 0, seconds, error)


def test_passes_are_counted_by_result_and_timed(board: Board) -> None:
    board.heed(
        PassBegan("1", PassKind.RECONCILE, "boardroom", "ceo"),
        PassEnded("1", PassResult.SETTLED, 0.2),
        PassEnded("2", PassResult.SETTLED, 0.2),
        PassEnded("3", PassResult.CRASHED, 7.0),
    )
    assert board("aos_reconcile_total", result="settled") == 2
    assert board("aos_reconcile_total", result="crashed") == 1
    assert board("aos_reconcile_duration_seconds_count") == 3
    assert board("aos_reconcile_duration_seconds_sum") == pytest.approx(7.4)
    assert board("aos_reconcile_duration_seconds_bucket", le="0.25") == 2


def test_every_result_is_there_from_the_start_so_that_an_alert_sees_the_first(board: Board) -> None:
    assert all(board("aos_reconcile_total", result=result) == 0 for result in PassResult)
    assert board("aos_drift_total") == 0


def test_calls_are_counted_by_where_they_went(board: Board) -> None:
    board.heed(
        call("runtime.create_version"),
        call("runtime.create_version", TimeoutError()),
        call("cluster.patch_status"),
    )
    assert board("aos_runtime_requests_total", operation="create_version", code="ok") == 1
    assert board("aos_runtime_requests_total", operation="create_version", code="TimeoutError") == 1
    assert board("aos_runtime_request_duration_seconds_count", operation="create_version") == 2
    assert board("aos_runtime_request_duration_seconds_sum", operation="create_version") == pytest.approx(0.6)
    assert board("aos_kubernetes_requests_total", operation="patch_status", code="ok") == 1
    assert board("aos_runtime_requests_total", operation="patch_status", code="ok") is None


def test_drift_adds_up(board: Board) -> None:
    board.heed(DriftFound(1), DriftFound(3))
    assert board("aos_drift_total") == 4


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        pytest.param([], {}, id="nothing seen: three zeros"),
        pytest.param([ReadySeen("a", "Unknown")], {"Unknown": 1}, id="a new resource"),
        pytest.param([ReadySeen("a", "True"), ReadySeen("a", "True")], {"True": 1}, id="seen again: one"),
        pytest.param([ReadySeen("a", "Unknown"), ReadySeen("a", "True")], {"True": 1}, id="a flip moves it"),
        pytest.param([ReadySeen("a", "True"), ReadySeen("b", "False")], {"True": 1, "False": 1}, id="two"),
        pytest.param([ReadySeen("a", "True"), ResourceGone("a")], {}, id="gone"),
        pytest.param([ResourceGone("a")], {}, id="gone before it was seen"),
        pytest.param(
            [ReadySeen("a", "True"), ReadySeen("b", "Unknown"), ResourceGone("a")],
            {"Unknown": 1},
            id="made anew under its name before the end of the old one was heard",
        ),
    ],
)
def test_agents_are_counted_by_what_ready_says(
    board: Board, signals: list[Signal], expected: dict[str, float]
) -> None:
    board.heed(*signals)
    assert board.agents == expected


def test_a_thousand_resources_make_no_more_series_than_one(board: Board) -> None:
    board.heed(ReadySeen("0", "True"), PassEnded("0", PassResult.SETTLED, 0.1), call("runtime.get_agent"))
    before = board.series
    for number in range(1000):
        uid = str(number)
        board.heed(ReadySeen(uid, "True"), PassEnded(uid, PassResult.SETTLED, 0.1), call("runtime.get_agent"))
    assert board.series == before


def scrape(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    assert answer.status == 200
    text = answer.read().decode()
    connection.close()
    return text


def test_metrics_are_served_while_the_body_runs_and_not_afterwards() -> None:
    port = free_port()
    with served_metrics(port):
        tell(PassEnded("1", PassResult.SETTLED, 0.1))
        text = scrape(port)
    assert 'aos_reconcile_total{result="settled"} 1.0' in text
    assert "process_resident_memory_bytes" in text
    assert "_created" not in text
    with pytest.raises(ConnectionRefusedError):
        scrape(port)


def test_a_port_that_is_taken_is_told_by_the_name_of_its_setting() -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:  # noqa: S104 - what the metrics listen on
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match="AOS_METRICS_PORT"), served_metrics(port):
            pass


def test_a_scraper_that_hangs_up_leaves_no_traceback(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    port = free_port()
    with served_metrics(port):
        reset = socket.create_connection(("127.0.0.1", port))
        reset.sendall(b"GET /metr")
        reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        reset.close()
        deadline = time.monotonic() + 5
        while "broke off" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "aos_agents" in scrape(port)
    assert "broke off" in caplog.text
    assert "Traceback" not in "".join(capfd.readouterr())
