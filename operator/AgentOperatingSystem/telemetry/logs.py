"""The operator's log on standard error: as text for a person, or as a JSON object a line for a machine.

A line says which object and which pass it belongs to. Secrets are taken out by the formatters and not by a
filter: a filter would change the record for every other handler, and a traceback is text only here.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType

from AgentOperatingSystem.model.errors import ConfigurationError
from AgentOperatingSystem.telemetry.current import current_pass
from AgentOperatingSystem.telemetry.redaction import redact

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
# These log each request, headers and all, and kopf every event of every object.
CHATTY = (
    "azure",
    "httpx",
    "httpx2",
    "httpcore",
    "openai",
    "kubernetes",
    "aiohttp",
    "urllib3",
    "kopf.objects",
)

logger = logging.getLogger(__name__)


class LogFormat(StrEnum):
    """How a line is written."""

    TEXT = "text"
    JSON = "json"


class TextFormatter(logging.Formatter):
    """A line for a person, with the object and the pass in brackets where there is one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s%(whereabouts)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        known = [word for word in _whereabouts(record) if word]
        record.whereabouts = f" [{' '.join(known)}]" if known else ""
        return redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """A JSON object: time, level, logger and message; object, pass and exception where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        where, pass_id = _whereabouts(record)
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
            "object": where,
            "pass": pass_id,
            "exception": redact(self._trace(record)),
        }
        return json.dumps({key: value for key, value in line.items() if value}, ensure_ascii=False)

    def _trace(self, record: logging.LogRecord) -> str:
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        return "\n".join(part for part in (trace, record.stack_info) if part)


def log_to_stderr(level: str, log_format: str) -> None:
    """Log from `level` on to standard error. Raises ConfigurationError for a word that is not known."""
    if level.lower() not in LEVELS:
        raise ConfigurationError("AOS_LOG_LEVEL", f"must be one of {', '.join(LEVELS)}, not {level!r}.")
    if log_format.lower() not in set(LogFormat):
        raise ConfigurationError(
            "AOS_LOG_FORMAT", f"must be one of {', '.join(LogFormat)}, not {log_format!r}."
        )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format.lower() == LogFormat.JSON else TextFormatter())
    logging.basicConfig(level=LEVELS[level.lower()], handlers=[handler])
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Everything that Python itself would print to standard error becomes a log line too.
    logging.captureWarnings(True)
    sys.excepthook = _on_uncaught
    threading.excepthook = _on_uncaught_in_thread


def _whereabouts(record: logging.LogRecord) -> tuple[str, str]:
    """The object and the id of the pass that `record` is about, empty where there is none."""
    current = current_pass()
    if current is not None:
        return current.object, current.id
    reference = getattr(record, "k8s_ref", None)  # kopf's own lines about an object
    if isinstance(reference, dict) and reference.get("name"):
        return f"{reference.get('namespace') or ''}/{reference['name']}", ""
    return "", ""


def _on_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logger.critical("ended by an error that nobody foresaw", exc_info=(kind, error, trace))


def _on_uncaught_in_thread(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_value is not None:
        trace = (failure.exc_type, failure.exc_value, failure.exc_traceback)
        logger.error("a thread ended by an error that nobody foresaw", exc_info=trace)
