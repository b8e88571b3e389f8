"""Structural schemas: what a custom resource loses (pruning), gains (defaults) and must satisfy (validation).

The three passes run in the API server's order: prune unknown fields, fill defaults, validate. Messages are
those of the real server. An update tolerates a wrong value that it does not touch ("ratcheting").
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from .errors import (
    FieldError,
    duplicate,
    invalid_value,
    not_supported,
    required,
    too_long,
    too_many,
    wrong_type,
)
from .formats import FORMATS
from .store import clone

Schema = dict[str, Any]
ABSENT: Any = object()
_BLOCKING = {
    "FieldValueNotSupported",
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
}


def keeps_unknown(schema: Schema) -> bool:
    """Whether fields that the schema does not name are kept."""
    return bool(schema.get("x-kubernetes-preserve-unknown-fields"))


def list_keys(schema: Schema) -> tuple[str, ...]:
    """The keys of a `map` list; empty for every other list."""
    if schema.get("x-kubernetes-list-type") != "map":
        return ()
    return tuple(schema.get("x-kubernetes-list-map-keys") or ())


def key_of(item: Any, keys: tuple[str, ...], schema: Schema) -> str:
    """The identity of an item in a `map` list, as canonical JSON; defaults of keys count."""
    properties = (schema.get("items") or {}).get("properties") or {}
    found = {}
    for key in sorted(keys):
        value = item.get(key, (properties.get(key) or {}).get("default")) if isinstance(item, dict) else None
        if value is not None:
            found[key] = value
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


def child(schema: Schema, name: str) -> Schema | None:
    """The schema of a field of an object, or None when the schema does not name it."""
    found = (schema.get("properties") or {}).get(name)
    if found is None:
        found = schema.get("additionalProperties")
    if isinstance(found, dict):
        return found
    return {} if found is True else None


# --- pruning ---------------------------------------------------------------------------------------


def prune(value: Any, schema: Schema, path: str = "") -> tuple[Any, list[str]]:
    """The value without the fields that the schema does not know, and the paths of those."""
    if isinstance(value, dict):
        return _prune_object(value, schema, path)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        kept, unknown = [], []
        for index, item in enumerate(value):
            clean, lost = prune(item, schema["items"], f"{path}[{index}]")
            kept.append(clean)
            unknown += lost
        return kept, unknown
    return value, []


def _prune_object(value: dict[str, Any], schema: Schema, path: str) -> tuple[dict[str, Any], list[str]]:
    kept: dict[str, Any] = {}
    unknown: list[str] = []
    for name, item in value.items():
        here = f"{path}.{name}" if path else name
        known = child(schema, name)
        if known is not None:
            kept[name], lost = prune(item, known, here)
            unknown += lost
        elif keeps_unknown(schema):
            kept[name] = item
        else:
            unknown.append(here)
    return kept, unknown


def mistyped(value: Any, schema: Schema, path: str = "") -> list[str]:
    """The scalars of another type than the schema's, in the words of server-side apply."""
    if isinstance(value, dict):
        fields = [(item, child(schema, name) or {}, f"{path}.{name}") for name, item in value.items()]
        return [line for item, known, here in fields for line in mistyped(item, known, here)]
    if isinstance(value, list) and (wrong := _misnamed(value, schema, path)):
        return [wrong]
    if isinstance(value, list):
        items = schema.get("items") or {}
        return [line for i, item in enumerate(value) for line in mistyped(item, items, f"{path}[{i}]")]
    wanted = schema.get("type")
    types: dict[str, tuple[type, ...]] = {"string": (str,), "boolean": (bool,), "integer": (int,)}
    types["number"] = (int, float)
    if value is None or wanted not in types or isinstance(value, types[wanted]):
        return []
    shown = json.dumps(value) if isinstance(value, bool | int | float) else value
    return [f"{path}: expected {wanted}, got &value.valueUnstructured{{Value:{shown}}}"]


def _misnamed(items: list[Any], schema: Schema, path: str) -> str:
    """Why the items of a `map` list cannot be told apart; empty when they can."""
    keys = list_keys(schema)
    seen = set()
    for index, item in enumerate(items if keys else ()):
        key = key_of(item, keys, schema)
        if key == "{}":
            names = " ".join(json.dumps(name) for name in keys)
            return (
                f"{path}: element {index}: associative list with keys has an element that omits all key "
                f"fields [{names}] (and doesn't have default values for any key fields)"
            )
        if key in seen:
            shown = ",".join(f"{name}={json.dumps(value)}" for name, value in json.loads(key).items())
            return f"{path}: duplicate entries for key [{shown}]"
        seen.add(key)
    return ""


# --- defaults --------------------------------------------------------------------------------------


def fill_defaults(value: Any, schema: Schema) -> Any:
    """The value with the schema's defaults; a null where none is allowed counts as absent."""
    if isinstance(value, dict):
        filled = {name: item for name, item in value.items() if not _absent(item, child(schema, name))}
        for name, known in (schema.get("properties") or {}).items():
            if name not in filled and "default" in known:
                filled[name] = clone(known["default"])
        return {name: fill_defaults(item, child(schema, name) or {}) for name, item in filled.items()}
    if isinstance(value, list):
        items = schema.get("items") or {}
        return [fill_defaults(item, items) for item in value]
    return value


def _absent(value: Any, schema: Schema | None) -> bool:
    return value is None and schema is not None and not schema.get("nullable")


# --- validation ------------------------------------------------------------------------------------


def validate(value: Any, schema: Schema, old: Any = ABSENT) -> list[FieldError]:
    """Everything that is wrong with a whole object; `old` is its state before an update."""
    errors = list(_check(value, schema, "", old))
    errors += _check_lists(value, schema, "", old)
    return errors


def blocks_rules(errors: Iterable[FieldError]) -> bool:
    """Whether the errors are of the sort after which CEL rules are not evaluated."""
    return any(error.cause in _BLOCKING for error in errors)


def _check(value: Any, schema: Schema, path: str, old: Any = ABSENT) -> Iterator[FieldError]:
    if old is not ABSENT and old == value:
        return
    wrong = _check_type(value, schema, path)
    if wrong is not None:
        yield wrong
        return
    if value is None:
        return
    yield from _check_enum(value, schema, path)
    if isinstance(value, str):
        yield from _check_text(value, schema, path)
    elif isinstance(value, dict):
        yield from _check_object(value, schema, path, old)
    elif isinstance(value, list):
        yield from _check_list(value, schema, path, old)
    elif not isinstance(value, bool):
        yield from _check_number(value, schema, path)
    yield from _check_combinations(value, schema, path)


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    names = {str: "string", dict: "object", list: "array", type(None): "null"}
    return names[type(value)]


def _check_type(value: Any, schema: Schema, path: str) -> FieldError | None:
    actual = _type_of(value)
    if actual == "null" and (schema.get("nullable") or not schema.get("type")):
        return None
    wanted = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        if actual in {"integer", "string"}:
            return None
        wanted = "integer,string"
    if not wanted or actual == wanted or (actual == "integer" and wanted == "number"):
        return None
    return wrong_type(path or "<nil>", actual, f'{path} in body must be of type {wanted}: "{actual}"')


def _check_enum(value: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    allowed = schema.get("enum")
    if allowed and not any(_same(value, item) for item in allowed):
        yield not_supported(path, value, allowed)


def _same(first: Any, second: Any) -> bool:
    return first == second and isinstance(first, bool) is isinstance(second, bool)


def _check_text(value: str, schema: Schema, path: str) -> Iterator[FieldError]:
    limit = schema.get("maxLength")
    if limit is not None and len(value) > limit:
        yield too_long(path, limit)
    least = schema.get("minLength")
    if least is not None and len(value) < least:
        yield invalid_value(path, value, f"{path} in body should be at least {least} chars long")
    pattern = schema.get("pattern")
    if pattern and not compiled(pattern).search(value):
        yield invalid_value(path, value, f"{path} in body should match '{pattern}'")
    check = FORMATS.get(schema.get("format", ""))
    if check is not None and not check(value):
        wanted = schema["format"]
        yield wrong_type(path, value, f'{path} in body must be of type {wanted}: "{value}"')


def _check_number(value: float, schema: Schema, path: str) -> Iterator[FieldError]:
    highest, lowest = schema.get("maximum"), schema.get("minimum")
    if highest is not None:
        words = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        if value > highest or (schema.get("exclusiveMaximum") and value == highest):
            yield invalid_value(path, value, f"{path} in body should be {words} {highest}")
    if lowest is not None:
        words = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        if value < lowest or (schema.get("exclusiveMinimum") and value == lowest):
            yield invalid_value(path, value, f"{path} in body should be {words} {lowest}")
    step = schema.get("multipleOf")
    if step and value % step:
        yield invalid_value(path, value, f"{path} in body should be a multiple of {step}")


def _check_object(value: dict[str, Any], schema: Schema, path: str, old: Any) -> Iterator[FieldError]:
    most, least = schema.get("maxProperties"), schema.get("minProperties")
    if most is not None and len(value) > most:
        yield too_many(path, len(value), most)
    if least is not None and len(value) < least:
        yield invalid_value(path, len(value), f"{path} in body should have at least {least} properties")
    for name in schema.get("required") or ():
        if name not in value:
            yield required(f"{path}.{name}" if path else name)
    before = old if isinstance(old, dict) else {}
    for name, item in value.items():
        known = child(schema, name)
        if known:
            yield from _check(item, known, f"{path}.{name}" if path else name, before.get(name, ABSENT))


def _check_list(value: list[Any], schema: Schema, path: str, old: Any) -> Iterator[FieldError]:
    most, least = schema.get("maxItems"), schema.get("minItems")
    if most is not None and len(value) > most:
        yield too_many(path, len(value), most)
    if least is not None and len(value) < least:
        yield invalid_value(path, len(value), f"{path} in body should have at least {least} items")
    items = schema.get("items")
    if isinstance(items, dict):
        before = correlated(schema, old)
        keys = list_keys(schema)
        for index, item in enumerate(value):
            was = before.get(key_of(item, keys, schema), ABSENT) if keys else ABSENT
            yield from _check(item, items, f"{path}[{index}]", was)


def correlated(schema: Schema, old: Any) -> dict[str, Any]:
    """The former items of a `map` list by their key: the only lists whose items can be told apart."""
    keys = list_keys(schema)
    if not keys or not isinstance(old, list):
        return {}
    return {key_of(item, keys, schema): item for item in old}


def _check_combinations(value: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    for part in schema.get("allOf") or ():
        yield from _check(value, part, path)
    if any_of := schema.get("anyOf"):
        outcomes = [list(_check(value, part, path)) for part in any_of]
        if all(outcomes):
            yield invalid_value(path, "", f'"{path}" must validate at least one schema (anyOf)')
            yield from min(outcomes, key=len)
    if one_of := schema.get("oneOf"):
        outcomes = [list(_check(value, part, path)) for part in one_of]
        valid = sum(not outcome for outcome in outcomes)
        if valid != 1:
            found = "Found none valid" if not valid else f"Found {valid} valid alternatives"
            yield invalid_value(path, "", f'"{path}" must validate one and only one schema (oneOf). {found}')
            if not valid:
                yield from min(outcomes, key=len)
    forbidden = schema.get("not")
    if forbidden and not list(_check(value, forbidden, path)):
        yield invalid_value(path, "", f'"{path}" must not validate the schema (not)')


def _check_lists(value: Any, schema: Schema, path: str, old: Any) -> list[FieldError]:
    """Duplicates in `map` and `set` lists, anywhere in the object."""
    if old is not ABSENT and old == value:
        return []
    errors: list[FieldError] = []
    if isinstance(value, dict):
        before = old if isinstance(old, dict) else {}
        for name, item in value.items():
            here = f"{path}.{name}" if path else name
            errors += _check_lists(item, child(schema, name) or {}, here, before.get(name, ABSENT))
    elif isinstance(value, list):
        errors += _duplicates(value, schema, path)
        for index, item in enumerate(value):
            errors += _check_lists(item, schema.get("items") or {}, f"{path}[{index}]", ABSENT)
    return errors


def _duplicates(value: list[Any], schema: Schema, path: str) -> list[FieldError]:
    kind = schema.get("x-kubernetes-list-type")
    keys = list_keys(schema)
    if kind not in {"map", "set"}:
        return []
    seen: set[str] = set()
    errors = []
    for index, item in enumerate(value):
        identity = key_of(item, keys, schema) if keys else json.dumps(item, sort_keys=True)
        if identity in seen:
            errors.append(duplicate(f"{path}[{index}]", json.loads(identity)))
        seen.add(identity)
    return errors


@functools.lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """A schema's RE2 pattern as a Python one: `$` and `\\z` mean the very end, classes are ASCII.

    Raises re.error when the pattern cannot be read.
    """
    parts: list[str] = []
    in_class = False
    position = 0
    while position < len(pattern):
        letter = pattern[position]
        if letter == "\\":
            escaped = pattern[position : position + 2]
            parts.append(r"\Z" if escaped == r"\z" else escaped)
            position += 2
            continue
        in_class = letter == "[" or (in_class and letter != "]")
        parts.append(r"\Z" if letter == "$" and not in_class else letter)
        position += 1
    return re.compile("".join(parts), re.ASCII)
