"""What may stand around the expression of a CEL rule: its message, its reason, the field that it blames."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .errors import FieldError, invalid_value, not_supported, required
from .structural import child

Schema = dict[str, Any]

REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_STEP = re.compile(r"\.(?P<field>[^.\[\]]+)|\['(?P<key>[^']+)'\]")


def check_words(rule: dict[str, Any], schema: Schema, path: str) -> Iterator[FieldError]:
    """What is wrong with a rule before its expressions are read; `path` is where it is in the definition."""
    source, message = str(rule.get("rule", "")), str(rule.get("message", ""))
    expression, blamed = str(rule.get("messageExpression", "")), str(rule.get("fieldPath", ""))
    if not source.strip():
        yield required(f"{path}.rule", "rule is not specified")
    elif message and not message.strip():
        yield invalid_value(f"{path}.message", message, "must be non-empty if specified")
    elif _has_lines(message):
        yield invalid_value(f"{path}.message", message, "must not contain line breaks")
    elif _has_lines(source) and not message:
        yield required(f"{path}.message", "message must be specified if rule contains line breaks")
    if expression and not expression.strip():
        yield required(f"{path}.messageExpression", "messageExpression must be non-empty if specified")
    if "reason" in rule and rule["reason"] not in REASONS:
        yield not_supported(f"{path}.reason", rule["reason"], REASONS)
    if blamed and not _leads_somewhere(blamed, schema):
        yield invalid_value(f"{path}.fieldPath", blamed, "must be a valid path")


def _has_lines(text: str) -> bool:
    return "\n" in text.strip() or "\r" in text.strip()


def _leads_somewhere(path: str, schema: Schema) -> bool:
    """Whether every step of the path is a field that the schema names or a key of a map."""
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        below = child(schema, step["field"] or step["key"]) if step else None
        if step is None or below is None:
            return False
        schema, at = below, step.end()
    return True
