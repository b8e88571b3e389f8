"""What looks like a secret is taken out of every log line.

A safety net: nothing of ours logs a secret, but libraries log what they like, and an exception may quote
a header or a connection string. It rather hides a harmless word than shows a key, and its patterns never
look back over what they have passed, so that a huge line cannot stall the operator.
"""

from __future__ import annotations

import re

HIDDEN = "[redacted]"

# Names whose value is a secret, wherever they stand in a longer name (AZURE_CLIENT_SECRET, x-api-key).
_NAMES = (
    r"(?:shared[_-]?access[_-]?(?:key|signature)|account[_-]?key|instrumentation[_-]?key|api[_-]?key"
    r"|subscription[_-]?key|client[_-]?secret|client[_-]?assertion|(?:access|refresh|id)[_-]?token"
    r"|password|passwd|(?<![a-z])pwd|(?<![a-z])sig)"
)
_NOT_YET = r"(?!\[redacted\])"
# A quote, as text or escaped in a text within a text.
_QUOTE = r"\\?[\"']"

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        HIDDEN,
    ),
    (re.compile(r"(?i)\b(bearer\s+)[\w\-.~+/]{6,}=*"), rf"\1{HIDDEN}"),
    (
        re.compile(
            rf"(?i)(authorization(?:{_QUOTE})?\s*[:=,]\s*(?:b?{_QUOTE})?(?:basic\s+|key\s+)?)"
            r"(?!bearer\b)[\w\-.~+/]{6,}=*"
        ),
        rf"\1{HIDDEN}",
    ),
    # name="value" and 'name': 'value', and the pairs in which clients keep headers: (b'name', b'value').
    (
        re.compile(rf"(?i)({_NAMES}(?:{_QUOTE})?\s*[:=,]\s*b?({_QUOTE}))[^\"'\\]+"),
        rf"\1{HIDDEN}",
    ),
    (re.compile(rf"(?i)({_NAMES}=){_NOT_YET}[^\s\"'&;,)}}\]]+"), rf"\1{HIDDEN}"),
    # After a colon an ordinary sentence may follow: only what is too long for a word is taken.
    (re.compile(rf"(?i)({_NAMES}\s?:\s*){_NOT_YET}[^\s\"'&;,)}}\]]{{8,}}"), rf"\1{HIDDEN}"),
    (re.compile(r"\beyJ[\w-]{10,}(?:\.[\w-]*)*"), HIDDEN),
    (re.compile(r"(://[^\s/:@]*:)[^\s/@]+(?=@)"), rf"\1{HIDDEN}"),
    (re.compile(r"\bsk-[\w-]{16,}"), HIDDEN),
)


def redact(text: str) -> str:
    """`text` with `[redacted]` in place of what looks like a secret; names and the rest stay."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
