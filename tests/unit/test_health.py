"""What a probe is told, and by whom: a thread that does not need the loop that it judges."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from AgentOperatingSystem.kube.beside import SideLoop
from AgentOperatingSystem.kube.health import STALE_SECONDS, Health, Pulse, served_health
from AgentOperatingSystem.model.errors import ConfigurationError


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def get(port: int, path: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)


def test_a_probe_names_the_check_that_fails() -> None:
    health = Health(live={"loop": lambda: "", "watch": lambda: "silent"}, ready={"lease": lambda: ""})
    port = free_port()
    with served_health(port, health):
        assert get(port, "/healthz") == (
            503,
            {"status": "failing", "role": "starting", "checks": {"loop": "ok", "watch": "silent"}},
        )
        assert get(port, "/readyz?verbose")[0] == 200
        assert get(port, "/metrics")[0] == 404


def test_before_it_is_connected_it_is_alive_and_not_ready() -> None:
    assert Health().answer("/healthz")[0] == 200
    assert Health().answer("/readyz")[0] == 503


def test_a_prober_that_hangs_up_disturbs_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    with served_health(port, Health()):
        with socket.create_connection(("127.0.0.1", port)) as rude:
            rude.sendall(b"GET /healthz HT")
        assert get(port, "/healthz")[0] == 200
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken_is_told_with_its_setting() -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match="AOS_LIVENESS_PORT"), served_health(port, Health()):
            pass


def test_no_port_serves_nothing() -> None:
    with served_health(None, Health()):
        pass


def test_a_loop_that_is_stuck_has_no_pulse() -> None:
    now = 0.0
    with SideLoop() as side:
        pulse = Pulse(side.loop, clock=lambda: now)
        now = STALE_SECONDS + 1
        side.loop.call_soon_threadsafe(lambda: None)
        deadline = time.monotonic() + 5
        while pulse.problem() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert pulse.problem() == ""
        now += STALE_SECONDS - 1
        assert pulse.problem() == ""
        now += 2
        assert pulse.problem() == f"stuck for {STALE_SECONDS + 1:.0f} s"


async def test_what_runs_beside_ends_with_the_loop() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    with SideLoop() as side:
        running = side.begin(work())
        await side.call(asyncio.sleep(0.01))
    assert ended == ["cancelled"]
    assert running.cancelled()
