"""What evaluating a CEL rule may cost at worst, from the rule and the schema of what it reads.

Every step costs something, a loop costs its body times the list's `maxItems`, a text is as long as its
`maxLength`, and what is not bounded is as large as a request. This follows the real server's estimate for the
operators and functions that rules use; a function that it does not know costs 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .expressions import Call, Entries, Fold, Items, Literal, Name, Node, Select

Schema = dict[str, Any]

REQUEST_BYTES = 3 * 1024 * 1024
BOUNDLESS = 2**64 - 1

_TRAVERSAL = 0.1
_PATTERN = 0.25
_LIST_BASE, _MAP_BASE = 10, 30
_DATES = {"duration": (3, 32), "date": (12, 12), "date-time": (21, 32)}


@dataclass(frozen=True)
class Size:
    """Between how many and how many elements, characters or bytes a value has."""

    least: int
    most: int

    def union(self, other: Size) -> Size:
        """Either of two."""
        return Size(min(self.least, other.least), max(self.most, other.most))

    def plus(self, other: Size) -> Size:
        """One after the other."""
        return Size(_bounded(self.least + other.least), _bounded(self.most + other.most))

    def times(self, other: Size) -> Size:
        """One for each of the other."""
        return Size(_bounded(self.least * other.least), _bounded(self.most * other.most))

    def cost(self, factor: float = _TRAVERSAL) -> int:
        """What it costs at most to go through it."""
        return BOUNDLESS if self.most == BOUNDLESS else _bounded(math.ceil(self.most * factor))


_UNKNOWN = Size(0, BOUNDLESS)
_ONE = Size(1, 1)


@dataclass(frozen=True)
class Shape:
    """A value's CEL type and, where the schema tells, its greatest size; `smallest` is its least JSON."""

    kind: str
    most: int | None = None
    smallest: int = 1
    element: Shape | None = None
    key: Shape | None = None
    fields: Mapping[str, Shape] = field(default_factory=dict)

    def size(self) -> Size | None:
        """Its size, if anything is known of it."""
        if self.most is not None:
            return Size(0, self.most)
        return _ONE if self.kind in _SCALARS else None

    def unplaced(self) -> Shape:
        """The same type somewhere else than in the object, where the schema tells no size."""
        element = self.element.unplaced() if self.element else None
        fields = {name: shape.unplaced() for name, shape in self.fields.items()}
        return replace(self, most=None, element=element, fields=fields)


_SCALARS = frozenset({"bool", "double", "duration", "int", "timestamp", "uint"})
_DYN = Shape("dyn")
_TEXT = Shape("string")
_RESULTS: dict[str, Shape] = {
    **dict.fromkeys(("size", "int", "indexOf", "lastIndexOf", "_-_", "_*_", "_/_", "_%_"), Shape("int")),
    **dict.fromkeys(("string", "lowerAscii", "upperAscii", "trim", "replace", "substring"), _TEXT),
    **dict.fromkeys(("join", "format", "charAt", "find", "strings.quote", "reverse"), _TEXT),
    **dict.fromkeys(("split", "findAll"), Shape("list", element=_TEXT)),
    **dict.fromkeys(("timestamp", "duration", "double", "uint"), Shape("double")),
    **dict.fromkeys(("_&&_", "_||_", "!_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"), Shape("bool")),
    **dict.fromkeys(("@in", "@not_strictly_false", "startsWith", "endsWith", "contains"), Shape("bool")),
    **dict.fromkeys(("matches", "isSorted", "hasValue"), Shape("bool")),
    "bytes": Shape("bytes"),
}


# --- schemas ---------------------------------------------------------------------------------------


def shape_of(schema: Schema, *, root: bool = False) -> Shape | None:
    """What CEL sees of a schema's values; None when it sees nothing."""
    if schema.get("x-kubernetes-int-or-string"):
        longest = schema.get("maxLength")
        return Shape("dyn", REQUEST_BYTES - 2 if longest is None else longest * 4)
    match schema.get("type"):
        case "array":
            return _list_shape(schema)
        case "object":
            return _object_shape(schema, root=root)
        case "string":
            return _text_shape(schema)
        case "boolean":
            return Shape("bool", 0, 4)
        case "integer":
            return Shape("int", 0)
        case "number":
            return Shape("double", 0)
        case _:
            return None


def _list_shape(schema: Schema) -> Shape | None:
    element = shape_of(schema.get("items") or {})
    if element is None:
        return None
    most = schema.get("maxItems", (REQUEST_BYTES - 2) // (element.smallest + 1))
    return Shape("list", most, 2, element)


def _object_shape(schema: Schema, *, root: bool) -> Shape | None:
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        element = shape_of(additional)
        if element is None:
            return None
        most = schema.get("maxProperties", (REQUEST_BYTES - 2) // (element.smallest + 6))
        return Shape("map", most, 2, element, Shape("string", 0))
    # What the schema says of metadata is nothing to CEL: it sees the two names.
    known = {**(schema.get("properties") or {}), **(_HEAD if root else {})}
    fields = {name: shape for name, below in known.items() if (shape := shape_of(below)) is not None}
    needed = [name for name in schema.get("required") or () if "default" not in known.get(name, {})]
    smallest = 2 + sum(len(name) + fields[name].smallest + 4 for name in needed if name in fields)
    return Shape("object", 0, smallest, fields=fields)


_HEAD: Schema = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
    },
}


def _text_shape(schema: Schema) -> Shape:
    form, longest = schema.get("format", ""), schema.get("maxLength")
    if form in _DATES:
        smallest, most = _DATES[form]
        return Shape("duration" if form == "duration" else "timestamp", most, smallest)
    if form == "byte":
        return Shape("bytes", REQUEST_BYTES - 2 if longest is None else longest, 2)
    if longest is not None:
        return Shape("string", longest * 4, 2)
    if values := schema.get("enum"):
        return Shape("string", max(len(str(value).encode()) for value in values), 2)
    return Shape("string", REQUEST_BYTES - 2, 2)


def most_children(schema: Schema) -> int | None:
    """How many values a schema's children have for each of its own; None without a limit."""
    if schema.get("type") == "array":
        return schema.get("maxItems")
    if isinstance(schema.get("additionalProperties"), dict):
        return schema.get("maxProperties")
    return 1


def most_occurrences(shape: Shape) -> int:
    """How often a value of this shape fits into one request."""
    return REQUEST_BYTES // (shape.smallest + 1)


# --- expressions -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """What is known of a part of an expression: its cost, type, size and the size of its entries."""

    cost: int
    shape: Shape = _DYN
    known_size: Size | None = None
    entry: Size | None = None

    @property
    def size(self) -> Size:
        """Its size; nothing known of it is no bound."""
        return self.known_size or self.shape.size() or _UNKNOWN

    @property
    def entry_size(self) -> Size:
        """The size of what is in it, which is told by the schema alone."""
        return (self.shape.element.size() if self.shape.element else None) or _UNKNOWN


Scope = Mapping[str, Estimate]


def estimate(expression: Node, self_shape: Shape, old_shape: Shape) -> int:
    """What evaluating an expression once costs at most."""
    scope = {"self": Estimate(1, self_shape), "oldSelf": Estimate(1, old_shape)}
    return _Estimator(self_shape).estimate(expression, scope).cost


class _Estimator:
    """Walks one expression; `root` is the shape of `self`."""

    def __init__(self, root: Shape) -> None:
        self._root = root

    def estimate(self, node: Node, scope: Scope) -> Estimate:
        """What is known of a node."""
        match node:
            case Literal():
                return Estimate(0, Shape(node.kind), Size(node.length, node.length))
            case Name():
                # Of a name that is not in the object the real server takes the size of `self`.
                return scope.get(node.name, Estimate(1, Shape("type", self._root.most)))
            case Select():
                return self._select(node, scope)
            case Call():
                return self._call(node, scope)
            case Items():
                return self._items([self.estimate(item, scope) for item in node.items])
            case Entries():
                pairs = [self.estimate(part, scope) for pair in node.pairs for part in pair]
                count = len(node.pairs)
                return Estimate(_MAP_BASE + _sum(pairs), Shape("map"), Size(count, count))
            case Fold():
                return self._bind(node, scope) if node.binds else self._fold(node, scope)

    def _select(self, node: Select, scope: Scope) -> Estimate:
        operand = self.estimate(node.operand, scope)
        if node.test:
            return Estimate(operand.cost, Shape("bool"))
        reads = operand.shape.kind in {"map", "object"}
        shape = operand.shape.fields.get(node.field) or operand.shape.element or _DYN
        return Estimate(_bounded(operand.cost + reads), shape)

    def _items(self, items: list[Estimate]) -> Estimate:
        entry = Size(0, 0) if not items else items[0].size
        for item in items[1:]:
            entry = entry.union(item.size)
        element = items[0].shape.unplaced() if items else None
        count = Size(len(items), len(items))
        return Estimate(_LIST_BASE + _sum(items), Shape("list", element=element), count, entry)

    def _bind(self, node: Fold, scope: Scope) -> Estimate:
        value = self.estimate(node.start, scope)
        result = self.estimate(node.result, {**scope, node.total: replace(value, cost=1)})
        return replace(result, cost=_bounded(_LIST_BASE + value.cost + result.cost))

    def _fold(self, node: Fold, scope: Scope) -> Estimate:
        over, start = self.estimate(node.over, scope), self.estimate(node.start, scope)
        inside = {**scope, node.total: replace(start, cost=1), node.variable: self._each(over)}
        body = [self.estimate(part, inside) for part in (node.condition, node.step)]
        result = self.estimate(node.result, {**scope, node.total: replace(start, cost=1)})
        once = _bounded(over.cost + start.cost + result.cost)
        cost = _bounded(once + over.size.most * _sum(body))
        if start.shape.kind not in {"list", "map"}:
            return Estimate(cost, result.shape)
        return Estimate(cost, body[1].shape, over.size, body[1].entry)

    def _each(self, over: Estimate) -> Estimate:
        """The loop's variable: an item of a list, a key of a map."""
        shape = (over.shape.key if over.shape.kind == "map" else over.shape.element) or _DYN
        if over.shape.most is None and shape.most is None:
            # Of an item whose place in the object is lost the real server takes the size of `self`.
            shape = replace(shape, most=self._root.most)
        return Estimate(1, shape)

    def _call(self, node: Call, scope: Scope) -> Estimate:
        arguments = [self.estimate(part, scope) for part in node.arguments]
        target = self.estimate(node.target, scope) if node.target is not None else None
        subjects = arguments if target is None else [target, *arguments]
        if node.function == "_?_:_":
            return _conditional(*arguments)
        done = _call_result(node.function, subjects)
        return replace(done, cost=_bounded(done.cost + _sum(subjects)))


def _conditional(condition: Estimate, if_true: Estimate, if_false: Estimate) -> Estimate:
    cost = _bounded(condition.cost + max(if_true.cost, if_false.cost))
    entry = if_true.entry.union(if_false.entry) if if_true.entry and if_false.entry else None
    return Estimate(cost, if_true.shape.unplaced(), if_true.size.union(if_false.size), entry)


def _call_result(function: str, subjects: list[Estimate]) -> Estimate:
    """What a call costs beyond its arguments, and what comes out of it."""
    shape = _RESULTS.get(function, _DYN)
    if not subjects:
        return Estimate(1, shape)
    first, second = subjects[0], subjects[1] if len(subjects) > 1 else Estimate(0)
    if function in _OPERATORS:
        return _OPERATORS[function](first, second)
    if function == "replace" and len(subjects) > 2:
        return Estimate(first.size.cost(2 * _TRAVERSAL), _TEXT, _replaced(first.size, *subjects[1:3]))
    cost, size = _FUNCTIONS.get(function, _constant)(first, second)
    return Estimate(cost, shape, size)


def _nothing(_: Estimate, __: Estimate) -> Estimate:
    return Estimate(0, Shape("bool"))


def _index(container: Estimate, _: Estimate) -> Estimate:
    return Estimate(1, container.shape.element or _DYN, container.entry)


def _optional_field(_: Estimate, __: Estimate) -> Estimate:
    return Estimate(1)


def _unwrapped(inner: Estimate, _: Estimate) -> Estimate:
    return Estimate(1, inner.shape.unplaced())


def _equal(first: Estimate, second: Estimate) -> Estimate:
    return Estimate(Size(0, min(first.size.most, second.size.most)).cost(), Shape("bool"))


def _ordered(first: Estimate, second: Estimate) -> Estimate:
    is_text = {first.shape.kind, second.shape.kind} <= {"string", "bytes", "dyn"}
    return _equal(first, second) if is_text else Estimate(1, Shape("bool"))


def _contained(_: Estimate, container: Estimate) -> Estimate:
    cost = 1 if container.shape.kind == "map" else container.size.cost(1)
    return Estimate(cost, Shape("bool"))


def _sum_of(first: Estimate, second: Estimate) -> Estimate:
    kinds = {first.shape.kind, second.shape.kind}
    if kinds & _SCALARS:
        return Estimate(1, first.shape.unplaced())
    size = first.size.plus(second.size)
    entry = first.entry.union(second.entry) if first.entry and second.entry else None
    shape = second.shape if first.shape.element is None else first.shape
    return Estimate(1 if "list" in kinds else size.cost(), shape.unplaced(), size, entry)


def _constant(_: Estimate, __: Estimate) -> tuple[int, Size | None]:
    return 1, None


def _affix(_: Estimate, affix: Estimate) -> tuple[int, Size | None]:
    return affix.size.cost(), None


def _contains(text: Estimate, part: Estimate) -> tuple[int, Size | None]:
    return _bounded(text.size.cost() * part.size.cost()), None


def _matches(text: Estimate, pattern: Estimate) -> tuple[int, Size | None]:
    return _bounded(text.size.plus(_ONE).cost() * pattern.size.cost(_PATTERN)), None


def _finds(text: Estimate, pattern: Estimate) -> tuple[int, Size | None]:
    return _matches(text, pattern)[0], Size(0, text.size.most)


def _rewritten(text: Estimate, _: Estimate) -> tuple[int, Size | None]:
    return text.size.cost(), text.size


def _split(text: Estimate, _: Estimate) -> tuple[int, Size | None]:
    return text.size.cost(2 * _TRAVERSAL), Size(0, text.size.most)


def _joined(texts: Estimate, separator: Estimate) -> tuple[int, Size | None]:
    size = texts.size
    gaps = Size(max(size.least - 1, 0), max(size.most - 1, 0))
    between = separator.known_size or separator.shape.size() or Size(0, 0)
    joined = size.times(texts.entry_size).plus(gaps.times(between))
    return joined.cost(), joined


def _encoded(text: Estimate, _: Estimate) -> tuple[int, Size | None]:
    return text.size.cost(), Size(text.size.least, _bounded(text.size.most * 4))


def _search(subject: Estimate, _: Estimate) -> tuple[int, Size | None]:
    element = subject.shape.element
    if element is None:
        return subject.size.cost(), None
    each = 1 + (subject.entry_size.cost() if element.kind in {"string", "bytes"} else 0)
    return _bounded(subject.size.most * each), None


def _replaced(size: Size, old: Estimate, new: Estimate) -> Size:
    if old.size.least == 0:
        return Size(0, _bounded((size.most + 1) * new.size.most + size.most))
    if new.size.most <= old.size.least:
        return Size(0, size.most)
    return Size(0, _bounded(math.ceil(size.most / old.size.least) * new.size.most))


def _sum(parts: Iterable[Estimate]) -> int:
    return _bounded(sum(part.cost for part in parts))


def _bounded(number: int) -> int:
    return min(number, BOUNDLESS)


_OPERATORS: dict[str, Callable[[Estimate, Estimate], Estimate]] = {
    **dict.fromkeys(("_&&_", "_||_"), _nothing),
    **dict.fromkeys(("_==_", "_!=_"), _equal),
    **dict.fromkeys(("_<_", "_<=_", "_>_", "_>=_"), _ordered),
    **dict.fromkeys(("orValue", "value", "optional.of", "dyn"), _unwrapped),
    "_?._": _optional_field,
    "_[_]": _index,
    "_+_": _sum_of,
    "@in": _contained,
}
_FUNCTIONS: dict[str, Callable[[Estimate, Estimate], tuple[int, Size | None]]] = {
    **dict.fromkeys(("startsWith", "endsWith"), _affix),
    **dict.fromkeys(("lowerAscii", "upperAscii", "substring", "trim", "url"), _rewritten),
    **dict.fromkeys(("find", "findAll"), _finds),
    **dict.fromkeys(("isSorted", "sum", "min", "max", "indexOf", "lastIndexOf"), _search),
    "bytes": _encoded,
    "contains": _contains,
    "join": _joined,
    "matches": _matches,
    "split": _split,
}
