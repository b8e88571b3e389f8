"""CEL expressions as trees: what the estimate of a rule's cost walks over.

The CEL library shows its syntax tree only as a serialized `cel.expr.CheckedExpr`, so this reads that message,
by the field numbers of the published .proto files. Macros are expanded there: `all` is a `Fold`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from .protobuf import as_bytes, read_fields


@dataclass(frozen=True)
class Literal:
    """A constant; `kind` is its CEL type, `length` that of a text or of bytes, 1 for everything else."""

    kind: str
    length: int


@dataclass(frozen=True)
class Name:
    """A variable."""

    name: str


@dataclass(frozen=True)
class Select:
    """`operand.field`; `test` for `has(operand.field)`."""

    operand: Node
    field: str
    test: bool


@dataclass(frozen=True)
class Call:
    """A function or an operator; operators are called `_&&_`, `_[_]` and so on."""

    function: str
    target: Node | None
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Items:
    """A list that is written out."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class Entries:
    """A map that is written out: keys and values."""

    pairs: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True)
class Fold:
    """A loop over a list or a map, which every macro becomes; `cel.bind` is one over nothing."""

    variable: str
    over: Node
    total: str
    start: Node
    condition: Node
    step: Node
    result: Node

    @property
    def binds(self) -> bool:
        """Whether it is `cel.bind`, which runs `result` once."""
        return self.over == Items(()) and self.condition == Literal("bool", 0)


Node: TypeAlias = Literal | Name | Select | Call | Items | Entries | Fold

_CONSTANTS = {1: "null", 2: "bool", 3: "int", 4: "uint", 5: "double", 6: "string", 7: "bytes"}


def read_expression(serialized: bytes) -> Node:
    """The tree of a compiled expression. Raises ValueError when it cannot be read."""
    checked = _fields(_one(_fields(serialized), 2))
    return _node(_one(checked, 4))


def _fields(data: bytes) -> dict[int, list[bytes | int]]:
    found = defaultdict(list)
    for number, value in read_fields(data):
        found[number].append(value)
    return found


def _one(fields: dict[int, list[bytes | int]], number: int) -> bytes:
    return as_bytes(fields[number][0]) if number in fields else b""


def _text(fields: dict[int, list[bytes | int]], number: int) -> str:
    return _one(fields, number).decode()


def _node(data: bytes) -> Node:
    for number, value in read_fields(data):
        if number in _READERS:
            return _READERS[number](as_bytes(value))
    raise ValueError("an expression of an unknown kind")


def _literal(data: bytes) -> Literal:
    for number, value in read_fields(data):
        kind = _CONSTANTS.get(number, "dyn")
        if kind == "string":
            return Literal(kind, len(as_bytes(value).decode()))
        if kind == "bytes":
            return Literal(kind, len(as_bytes(value)))
        # Of numbers nobody asks the length; that of false tells `cel.bind` from other loops.
        return Literal(kind, int(bool(value)) if kind == "bool" else 1)
    return Literal("null", 1)


def _name(data: bytes) -> Name:
    return Name(_text(_fields(data), 1))


def _select(data: bytes) -> Select:
    fields = _fields(data)
    return Select(_node(_one(fields, 1)), _text(fields, 2), 3 in fields)


def _call(data: bytes) -> Call:
    fields = _fields(data)
    target = _node(_one(fields, 1)) if 1 in fields else None
    arguments = tuple(_node(as_bytes(item)) for item in fields.get(3, ()))
    return Call(_text(fields, 2), target, arguments)


def _items(data: bytes) -> Items:
    return Items(tuple(_node(as_bytes(item)) for item in _fields(data).get(1, ())))


def _entries(data: bytes) -> Entries:
    entries = [_fields(as_bytes(item)) for item in _fields(data).get(2, ())]
    return Entries(tuple((_node(_one(entry, 3)), _node(_one(entry, 4))) for entry in entries))


def _fold(data: bytes) -> Fold:
    fields = _fields(data)
    over, start, condition, step, result = (_node(_one(fields, number)) for number in (2, 4, 5, 6, 7))
    return Fold(_text(fields, 1), over, _text(fields, 3), start, condition, step, result)


_READERS: dict[int, Callable[[bytes], Node]] = {
    3: _literal,
    4: _name,
    5: _select,
    6: _call,
    7: _items,
    8: _entries,
    9: _fold,
}
