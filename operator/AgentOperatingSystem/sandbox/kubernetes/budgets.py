"""The budgets that the CEL rules of a custom resource definition must keep.

The API server refuses a definition whose rules could take too long on the largest object that fits into a
request: one expression may cost so much, and all rules of a schema together may.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .cel import Rule, RuleTree
from .costs import BOUNDLESS, Shape, estimate, most_children, most_occurrences, shape_of
from .errors import FieldError, forbidden_field
from .expressions import Fold, Node, read_expression

Schema = dict[str, Any]

EXPRESSION_LIMIT = 10_000_000
SCHEMA_LIMIT = 100_000_000
_BLAMED = 4


@dataclass(frozen=True)
class Cost:
    """What one expression of a definition may cost for a whole object; `title` is how the server calls it."""

    path: str
    title: str
    units: int


def check_budgets(tree: RuleTree | None, path: str) -> list[FieldError]:
    """What is too expensive among the rules of a schema; `path` is where it is in the definition."""
    costs = list(_costs(tree, path, often=1, root=True)) if tree is not None else []
    errors = [
        forbidden_field(cost.path, _over(cost.title, cost.units, EXPRESSION_LIMIT))
        for cost in costs
        if cost.units > EXPRESSION_LIMIT
    ]
    total = min(sum(cost.units for cost in costs), BOUNDLESS)
    if total > SCHEMA_LIMIT:
        contributed = (
            "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        )
        errors += [forbidden_field(cost.path, contributed) for cost in _most_expensive(costs)]
        title = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        errors.append(forbidden_field(path, _over(title, total, SCHEMA_LIMIT)))
    return errors


def _costs(tree: RuleTree, path: str, *, often: int | None, root: bool = False) -> Iterator[Cost]:
    """`often` is how many values of the node one object may hold; None when the schema sets no limit."""
    shape = shape_of(tree.schema, root=root)
    if shape is not None:
        times = most_occurrences(shape) if often is None else often
        for index, rule in enumerate(tree.rules):
            yield from _costs_of(rule, shape, f"{path}.x-kubernetes-validations[{index}]", times)
    inside = most_children(tree.schema)
    children = None if often is None or inside is None else often * inside
    for name, below in tree.properties.items():
        yield from _costs(below, f"{path}.properties[{name}]", often=children)
    if tree.items is not None:
        yield from _costs(tree.items, f"{path}.items", often=children)
    if tree.additional is not None:
        yield from _costs(tree.additional, f"{path}.additionalProperties", often=children)


def _costs_of(rule: Rule, shape: Shape, path: str, times: int) -> Iterator[Cost]:
    old = Shape("optional") if rule.optional_old else shape
    units = estimate(_written(rule.expression.serialize(), rule), shape, old)
    yield Cost(f"{path}.rule", "estimated rule cost", min(units * times, BOUNDLESS))
    if rule.message_expression is not None:
        units = estimate(_written(rule.message_expression.serialize(), rule), shape, old)
        yield Cost(f"{path}.messageExpression", "estimated messageExpression cost", units)


def _written(serialized: bytes, rule: Rule) -> Node:
    """The expression as its author wrote it: an optional oldSelf is bound around it."""
    node = read_expression(serialized)
    return node.result if rule.optional_old and isinstance(node, Fold) else node


def _most_expensive(costs: Iterable[Cost]) -> list[Cost]:
    heavy = [cost for cost in costs if cost.units >= SCHEMA_LIMIT // 100]
    return sorted(heavy, key=lambda cost: -cost.units)[:_BLAMED]


def _over(title: str, units: int, limit: int) -> str:
    times = units / limit
    factor = "more than 100x" if times > 100 else f"{times:.6f}x" if times < 1.5 else f"{times:.1f}x"
    return (
        f"{title} exceeds budget by factor of {factor} (try simplifying the rule, or adding maxItems, "
        "maxProperties, and maxLength where arrays, maps, and strings are declared)"
    )
