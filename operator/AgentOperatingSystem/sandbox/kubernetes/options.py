"""The options of a request that are the same for every kind, checked before the body is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .errors import FieldError, FieldErrors, invalid_value, not_supported, too_long

_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
_MANAGER_LIMIT = 128


def check_options(kind: str, query: Mapping[str, str], dry_run: Sequence[str] = ()) -> None:
    """422 for an option that there is not; `kind` is CreateOptions and so on, `dry_run` stood in the body."""
    asked = [*dry_run, *([query["dryRun"]] if query.get("dryRun") else [])]
    errors = list(_wrong(query, asked))
    if errors:
        raise FieldErrors("meta.k8s.io", kind, "", errors)


def _wrong(query: Mapping[str, str], dry_run: Sequence[str]) -> Iterator[FieldError]:
    manager = query.get("fieldManager", "")
    if len(manager) > _MANAGER_LIMIT:
        yield too_long("fieldManager", _MANAGER_LIMIT)
    for at, letter in enumerate(manager):
        if not letter.isprintable():
            why = f"invalid character U+{ord(letter):04X} (at position {at})"
            yield invalid_value("fieldManager", manager, why)
    if any(value != "All" for value in dry_run):
        yield not_supported("dryRun", list(dry_run), ("All",))
    if query.get("fieldValidation", "") not in _VALIDATIONS:
        yield not_supported("fieldValidation", query["fieldValidation"], _VALIDATIONS)
