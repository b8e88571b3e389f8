"""A log line says what, when, about which object and in which pass, for a person and for a machine."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import datetime
from typing import Any

import pytest

from AgentOperatingSystem.model.errors import ConfigurationError
from AgentOperatingSystem.model.signals import PassKind
from AgentOperatingSystem.telemetry.current import one_pass
from AgentOperatingSystem.telemetry.logs import JsonFormatter, TextFormatter, log_to_stderr

SECRET = "hunter2Hunter2HUNTER2abc"


def record(message: str, *arguments: object, error: BaseException | None = None, **extra: Any) -> Any:
    trace = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("aos.test", logging.WARNING, __file__, 1, message, arguments, trace)
    for name, value in extra.items():
        setattr(made, name, value)
    return made


def line(message: str, *arguments: object, **details: Any) -> dict[str, Any]:
    written = JsonFormatter().format(record(message, *arguments, **details))
    assert "\n" not in written
    parsed: dict[str, Any] = json.loads(written)
    return parsed


def raised(message: str) -> BaseException:
    """An error with a traceback."""
    with pytest.raises(ValueError, match=message) as caught:
        raise ValueError(message)
    return caught.value


def test_a_json_line_has_time_level_logger_and_message() -> None:
    seen = line("%s: %d versions\npruned", "ceo", 3)
    moment = datetime.fromisoformat(seen.pop("time"))
    assert moment.utcoffset() is not None
    assert seen == {"level": "warning", "logger": "aos.test", "message": "ceo: 3 versions\npruned"}


def test_a_json_line_of_a_pass_names_object_and_pass() -> None:
    with one_pass(PassKind.RECONCILE, "boardroom", "ceo") as current:
        seen = line("Created")
    assert (seen["object"], seen["pass"]) == ("boardroom/ceo", current.id)


def test_a_line_of_kopf_about_an_object_names_it_without_a_pass() -> None:
    seen = line("Handler failed", k8s_ref={"namespace": "boardroom", "name": "ceo"})
    assert seen["object"] == "boardroom/ceo"
    assert "pass" not in seen


def test_a_json_line_holds_the_traceback() -> None:
    seen = line("ended badly", error=raised("no"))
    assert seen["exception"].startswith("Traceback")
    assert seen["exception"].endswith("ValueError: no")


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda: record(f"sent Bearer {SECRET}"), id="in the message"),
        pytest.param(lambda: record("sent %s", {"api-key": SECRET}), id="in an argument"),
        pytest.param(lambda: record("api_key=%s", SECRET), id="split over both"),
        pytest.param(lambda: record("failed", error=raised(f"AccountKey={SECRET}")), id="in a traceback"),
    ],
)
def test_no_secret_is_written(formatter: logging.Formatter, made: Any) -> None:
    written = formatter.format(made())
    assert SECRET not in written
    assert "[redacted]" in written


def test_a_text_line_shows_object_and_pass_where_there_is_one() -> None:
    formatter = TextFormatter()
    assert formatter.format(record("idle")).endswith("WARNING aos.test: idle")
    with one_pass(PassKind.RECONCILE, "boardroom", "ceo") as current:
        assert formatter.format(record("busy")).endswith(
            f"WARNING aos.test [boardroom/ceo {current.id}]: busy"
        )


@pytest.mark.parametrize(
    ("level", "log_format", "setting"),
    [("loud", "text", "AOS_LOG_LEVEL"), ("info", "xml", "AOS_LOG_FORMAT")],
)
def test_an_unknown_word_is_told_by_the_name_of_its_setting(
    level: str, log_format: str, setting: str
) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        log_to_stderr(level, log_format)


def test_whatever_goes_to_standard_error_is_a_json_line() -> None:
    program = f"""
import logging, threading, warnings
from AgentOperatingSystem.telemetry.logs import log_to_stderr
log_to_stderr("info", "json")
logging.getLogger("azure.core").info("a request, headers and all")
logging.getLogger("aos").info("an ordinary line")
warnings.warn("a warning of Python")
def fail(): raise ValueError("Bearer {SECRET}")
thread = threading.Thread(target=fail); thread.start(); thread.join()
fail()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = [json.loads(text) for text in done.stderr.splitlines()]
    assert [seen["level"] for seen in lines] == ["info", "warning", "error", "critical"]
    assert SECRET not in done.stderr
    assert lines[-1]["exception"].endswith("ValueError: Bearer [redacted]")
