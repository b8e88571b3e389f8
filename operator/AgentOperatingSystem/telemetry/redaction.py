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
_IN_NAMES = ("key", "sig", "secret", "assertion", "token", "passw", "pwd")
_NOT_YET = r"(?!\[redacted\])"
# A quote, as text or escaped in a text within a text.
_QUOTE = r"\\?[\"']"


class _Rule:
    """Replaces what `pattern` finds. Only a text that holds one of `hints`, in small letters, is searched."""

    def __init__(self, hints: tuple[str, ...], pattern: str, replacement: str = HIDDEN) -> None:
        self._hints = hints
        self._pattern = re.compile(pattern, re.IGNORECASE | re.DOTALL)
        self._replacement = replacement

    def __call__(self, text: str, lowered: str) -> str:
        if any(hint in lowered for hint in self._hints):
            return self._pattern.sub(self._replacement, text)
        return text


_KEPT = rf"\1{HIDDEN}"
_RULES = (
    _Rule(
        ("private key",),
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    ),
    _Rule(("bearer",), r"\b(bearer\s+)[\w\-.~+/]{6,}=*", _KEPT),
    _Rule(
        ("authorization",),
        rf"(authorization(?:{_QUOTE})?\s*[:=,]\s*(?:b?{_QUOTE})?(?:basic\s+|key\s+)?)"
        r"(?!bearer\b)[\w\-.~+/]{6,}=*",
        _KEPT,
    ),
    # name="value" and 'name': 'value', and the pairs in which clients keep headers: (b'name', b'value').
    _Rule(_IN_NAMES, rf"({_NAMES}(?:{_QUOTE})?\s*[:=,]\s*b?({_QUOTE}))[^\"'\\]+", _KEPT),
    _Rule(_IN_NAMES, rf"({_NAMES}=){_NOT_YET}[^\s\"'&;,)}}\]]+", _KEPT),
    # After a colon an ordinary sentence may follow: only what is too long for a word is taken.
    _Rule(_IN_NAMES, rf"({_NAMES}\s?:\s*){_NOT_YET}[^\s\"'&;,)}}\]]{{8,}}", _KEPT),
    _Rule(("eyj",), r"\b(?-i:eyJ)[\w-]{10,}(?:\.[\w-]*)*"),
    _Rule(("://",), r"(://[^\s/:@]*:)[^\s/@]+(?=@)", _KEPT),
    _Rule(("sk-",), r"\bsk-[\w-]{16,}"),
)


def redact(text: str) -> str:
    """`text` with `[redacted]` in place of what looks like a secret; names and the rest stay."""
    lowered = text.lower()
    for rule in _RULES:
        text = rule(text, lowered)
    return text
