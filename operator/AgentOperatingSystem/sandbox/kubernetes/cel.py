"""`x-kubernetes-validations`: compile a schema's CEL rules once, then check objects against them.

A compiled schema is a tree shaped like the schema, holding only the nodes that have rules below them. The
expressions see values as plain maps, so unknown fields are looked for by a check of our own at compile time.
What the rules may cost is checked in `budgets`.
"""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_optional, ext_strings

from .errors import OMITTED, FieldError, duplicate, forbidden_field, invalid_value, required
from .structural import ABSENT, correlated, key_of, list_keys
from .wording import check_words

Schema = dict[str, Any]

_RESERVED = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_LITERAL = re.compile(r"""r?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
_CHAIN = re.compile(r"(?<![\w.])(self|oldSelf)((?:\s*\.\s*[A-Za-z_]\w*(?!\w|\s*\())+)")
_OLD = re.compile(r"(?<![\w.])oldSelf\b")
_OPTIONAL_OLD = "cel.bind(oldSelf, hasOld__ ? optional.of(old__) : optional.none(), (%s))"


@dataclass(frozen=True)
class Rule:
    """One compiled rule."""

    source: str
    expression: cel.Expression
    message: str
    message_expression: cel.Expression | None
    field_path: str
    reason: str
    uses_old: bool
    optional_old: bool


@dataclass(frozen=True)
class RuleTree:
    """The rules of one schema node and of the nodes below it."""

    schema: Schema
    rules: tuple[Rule, ...]
    properties: dict[str, RuleTree]
    items: RuleTree | None
    additional: RuleTree | None


@functools.cache
def _environment(*, bindings: bool = False) -> cel.Env:
    """What rules may use; `bindings` adds cel.bind, of which only our optional oldSelf is made."""
    dyn, text, flag, items = cel.Type.DYN, cel.Type.STRING, cel.Type.BOOL, cel.Type.LIST
    functions = [
        cel.FunctionDecl("isSorted", [cel.Overload("list_is_sorted", flag, [items], True, _is_sorted)]),
        cel.FunctionDecl("sum", [cel.Overload("list_sum", dyn, [items], True, _total)]),
        cel.FunctionDecl("min", [cel.Overload("list_min", dyn, [items], True, _least)]),
        cel.FunctionDecl("max", [cel.Overload("list_max", dyn, [items], True, _most)]),
        cel.FunctionDecl("find", [cel.Overload("string_find", text, [text, text], True, _find)]),
        cel.FunctionDecl("findAll", [cel.Overload("string_find_all", items, [text, text], True, _find_all)]),
    ]
    extensions = [
        *([ext_bindings.ExtBindings()] if bindings else []),
        ext_optional.ExtOptional(),
        ext_strings.ExtStrings(),
    ]
    variables = {"self": dyn, "oldSelf": dyn, "old__": dyn, "hasOld__": flag}
    return cel.NewEnv(variables=variables, extensions=extensions, functions=functions)


def _plain(items: list[Any]) -> list[Any]:
    return [item.plain_value() if isinstance(item, cel.Value) else item for item in items]


def _is_sorted(items: list[Any]) -> bool:
    values = _plain(items)
    return all(first <= second for first, second in pairwise(values))


def _total(items: list[Any]) -> Any:
    return sum(_plain(items))


def _least(items: list[Any]) -> Any:
    return min(_plain(items))


def _most(items: list[Any]) -> Any:
    return max(_plain(items))


def _find(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    return found.group(0) if found else ""


def _find_all(text: str, pattern: str) -> list[str]:
    return [found.group(0) for found in re.finditer(pattern, text)]


# --- compiling -------------------------------------------------------------------------------------


def compile_rules(schema: Schema, path: str) -> tuple[RuleTree | None, list[FieldError]]:
    """The rules of a whole object's schema, None when there are none; `path` is where it is in the CRD."""
    errors: list[FieldError] = []
    tree = _compile_node(schema, path, root=True, correlatable=True, errors=errors)
    return tree, errors


def _compile_node(
    schema: Schema, path: str, *, root: bool, correlatable: bool, errors: list[FieldError]
) -> RuleTree | None:
    rules = []
    for index, raw in enumerate(schema.get("x-kubernetes-validations") or ()):
        here = f"{path}.x-kubernetes-validations[{index}]"
        rule = _compile_rule(raw, schema, here, root=root, correlatable=correlatable, errors=errors)
        if rule is not None:
            rules.append(rule)
    properties = {}
    for name, below in (schema.get("properties") or {}).items():
        here = f"{path}.properties[{name}]"
        node = _compile_node(below, here, root=False, correlatable=correlatable, errors=errors)
        if node is not None:
            properties[name] = node
    items = additional = None
    if isinstance(schema.get("items"), dict):
        known = correlatable and bool(list_keys(schema))
        items = _compile_node(schema["items"], f"{path}.items", root=False, correlatable=known, errors=errors)
    if isinstance(schema.get("additionalProperties"), dict):
        additional = _compile_node(
            schema["additionalProperties"],
            f"{path}.additionalProperties",
            root=False,
            correlatable=correlatable,
            errors=errors,
        )
    if not (rules or properties or items or additional):
        return None
    return RuleTree(schema, tuple(rules), properties, items, additional)


def _compile_rule(
    raw: dict[str, Any],
    schema: Schema,
    path: str,
    *,
    root: bool,
    correlatable: bool,
    errors: list[FieldError],
) -> Rule | None:
    source = str(raw.get("rule", ""))
    uses_old = bool(_OLD.search(_without_literals(source)))
    if mistakes := list(check_words(raw, schema, path)):
        errors += mistakes
        return None
    if uses_old and not correlatable:
        where = "oldSelf cannot be used on the uncorrelatable portion of the schema"
        errors.append(invalid_value(f"{path}.rule", source, where))
        return None
    if "optionalOldSelf" in raw and not uses_old:
        unused = "may not be set if oldSelf is not used in rule"
        errors.append(invalid_value(f"{path}.optionalOldSelf", raw["optionalOldSelf"], unused))
    optional_old = bool(raw.get("optionalOldSelf")) and uses_old
    try:
        expression = _compile(source, optional_old=optional_old)
        _refuse_unknown_fields(source, schema, root=root, skip_old=optional_old)
    except (RuntimeError, ValueError) as error:
        errors.append(invalid_value(f"{path}.rule", _as_sent(raw), f"compilation failed: {error}"))
        return None
    if expression.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        errors.append(invalid_value(f"{path}.rule", _as_sent(raw), "cel expression must evaluate to a bool"))
        return None
    message_expression = _compile_message(raw, f"{path}.messageExpression", errors, optional_old=optional_old)
    return Rule(
        source=source,
        expression=expression,
        message=str(raw.get("message", "")).strip(),
        message_expression=message_expression,
        field_path=str(raw.get("fieldPath", "")),
        reason=str(raw.get("reason", "FieldValueInvalid")),
        uses_old=uses_old,
        optional_old=optional_old,
    )


def _compile_message(
    raw: dict[str, Any], path: str, errors: list[FieldError], *, optional_old: bool
) -> cel.Expression | None:
    source = raw.get("messageExpression")
    if not source:
        return None
    try:
        expression = _compile(source, optional_old=optional_old)
    except (RuntimeError, ValueError) as error:
        errors.append(invalid_value(path, _as_sent(raw), f"messageExpression compilation failed: {error}"))
        return None
    if expression.return_type() not in (cel.Type.STRING, cel.Type.DYN):
        errors.append(invalid_value(path, _as_sent(raw), "messageExpression must evaluate to a string"))
        return None
    return expression


def _as_sent(raw: dict[str, Any]) -> dict[str, Any]:
    """A rule in the words in which the server repeats it."""
    names = ("rule", "message", "messageExpression", "reason", "fieldPath", "optionalOldSelf")
    texts = {"rule", "message", "messageExpression", "fieldPath"}
    return {name[0].upper() + name[1:]: raw.get(name, "" if name in texts else None) for name in names}


def _compile(source: str, *, optional_old: bool) -> cel.Expression:
    expression = _environment().compile(source)
    return _environment(bindings=True).compile(_OPTIONAL_OLD % source) if optional_old else expression


def _without_literals(source: str) -> str:
    return _LITERAL.sub('""', source)


def _refuse_unknown_fields(source: str, schema: Schema, *, root: bool, skip_old: bool) -> None:
    """Raises ValueError when `self.a.b` names a field that the schema does not have."""
    for variable, chain in _CHAIN.findall(_without_literals(source)):
        if variable == "oldSelf" and skip_old:
            continue
        node: Schema | None = schema
        for depth, name in enumerate(part.strip() for part in chain.split(".")[1:]):
            if root and depth == 0 and name in {"apiVersion", "kind", "metadata"}:
                break
            node = _field(node or {}, name)
            if node is None:
                raise ValueError(f"undefined field '{name}'")
            if not node:
                break


def _field(schema: Schema, escaped: str) -> Schema | None:
    """The schema of a field; empty when anything may be there, None when nothing can."""
    properties = schema.get("properties") or {}
    for name, below in properties.items():
        if escape(name) == escaped:
            found: Schema = below
            return found
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("additionalProperties")
    return {} if is_open or not schema.get("type") or schema.get("x-kubernetes-int-or-string") else None


def escape(name: str) -> str:
    """A property's name as CEL sees it: `namespace` is `__namespace__`, `a-b` is `a__dash__b`."""
    if name in _RESERVED:
        return f"__{name}__"
    text = name.replace("__", "__underscores__")
    return text.replace(".", "__dot__").replace("-", "__dash__").replace("/", "__slash__")


# --- checking --------------------------------------------------------------------------------------


def check_rules(tree: RuleTree | None, value: Any, old: Any = ABSENT, path: str = "") -> list[FieldError]:
    """The rules that a value breaks; `old` is its state before an update, if it can be told."""
    if tree is None or value is None:
        return []
    errors = [error for rule in tree.rules for error in _check_rule(rule, tree.schema, value, old, path)]
    if isinstance(value, dict):
        before = old if isinstance(old, dict) else {}
        for name, item in value.items():
            below = tree.properties.get(name, tree.additional)
            here = f"{path}.{name}" if path else name
            errors += check_rules(below, item, before.get(name, ABSENT), here)
    elif isinstance(value, list) and tree.items is not None:
        known, keys = correlated(tree.schema, old), list_keys(tree.schema)
        for index, item in enumerate(value):
            was = known.get(key_of(item, keys, tree.schema), ABSENT) if keys else ABSENT
            errors += check_rules(tree.items, item, was, f"{path}[{index}]")
    return errors


def _check_rule(rule: Rule, schema: Schema, value: Any, old: Any, path: str) -> Iterator[FieldError]:
    if rule.uses_old and old is ABSENT and not rule.optional_old:
        return
    if not rule.uses_old and old is not ABSENT and old == value:
        return  # ratcheting: an update may keep what was wrong before
    data: dict[str, Any] = {"self": to_cel(value, schema)}
    if rule.uses_old:
        before = None if old is ABSENT else to_cel(old, schema)
        data |= {"old__": before, "hasOld__": old is not ABSENT} if rule.optional_old else {"oldSelf": before}
    result = rule.expression.eval(data=data)
    where = (path or "<nil>") + rule.field_path
    kind = str(schema.get("type", "object"))
    shown = OMITTED if kind in {"array", "object"} else value
    if result.type() == cel.Type.ERROR:
        text = f"{result.plain_value()} evaluating rule: {rule.message or rule.source}"
        yield invalid_value(where, kind, text)
    elif result.plain_value() is not True:
        yield _broken(rule, where.removeprefix("<nil>.") or "<nil>", shown, _message(rule, data))


def _message(rule: Rule, data: dict[str, Any]) -> str:
    if rule.message_expression is not None:
        result = rule.message_expression.eval(data=data)
        text = result.plain_value()
        if result.type() == cel.Type.STRING and isinstance(text, str) and text.strip():
            return text.strip()
    return rule.message or f"failed rule: {rule.source}"


def _broken(rule: Rule, path: str, shown: Any, message: str) -> FieldError:
    if rule.reason == "FieldValueForbidden":
        return forbidden_field(path, message)
    if rule.reason == "FieldValueRequired":
        return required(path, message)
    if rule.reason == "FieldValueDuplicate":
        return duplicate(path, shown)
    return invalid_value(path, shown, message)


def to_cel(value: Any, schema: Schema) -> Any:
    """A JSON value as CEL sees it under its schema: bytes, doubles, escaped names."""
    if isinstance(value, dict):
        properties = schema.get("properties")
        additional = schema.get("additionalProperties")
        rest = additional if isinstance(additional, dict) else {}
        if not properties:
            return {name: to_cel(item, rest) for name, item in value.items()}
        return {escape(name): to_cel(item, properties.get(name, rest)) for name, item in value.items()}
    if isinstance(value, list):
        items = schema.get("items") or {}
        return [to_cel(item, items) for item in value]
    if isinstance(value, str):
        return _text_to_cel(value, schema.get("format"))
    if isinstance(value, int) and not isinstance(value, bool) and schema.get("type") == "number":
        return float(value)
    return value


def _text_to_cel(value: str, form: str | None) -> Any:
    """Bytes as bytes. A time or a duration stays text: the library takes no such value from Python."""
    if form != "byte":
        return value
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        return value
