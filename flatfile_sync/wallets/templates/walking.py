"""A JSON tree and the shape it should have, walked side by side: each table, list and value with its key path."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flatfile_sync.wallets.templates.shapes import Kind, Many, Shape, Table, Value

_ANY = Value(Kind.ANY)
_DATED = ("dateStyle", "timeStyle", "isRelative", "ignoresTimeZone")
_NUMBERED = ("numberStyle", "currencyCode")


class Node(NamedTuple):
    """One value of a tree with its shape; `key` is the last part of its `path`, `shape` None for an unknown key."""

    path: str
    key: str
    value: Any
    shape: Shape | None
    owner: Mapping[str, Any]


def below(path: str, part: str | int) -> str:
    """Return `storeCard.headerFields[0]` and the like."""
    return f"{path}[{part}]" if isinstance(part, int) else f"{path}.{part}" if path else part


def children(node: Node) -> Iterator[Node]:
    """Yield what is directly inside a table or a list."""
    if isinstance(node.value, dict):
        for key, value in node.value.items():
            yield Node(below(node.path, key), key, value, _shape_below(node, key), node.value)
    elif isinstance(node.value, list):
        inner = node.shape.item if isinstance(node.shape, Many) else _loose(node)
        for place, value in enumerate(node.value):
            yield Node(below(node.path, place), node.key, value, inner, node.owner)


def walk(tree: Any, shape: Shape) -> Iterator[Node]:
    """Yield the tree and everything in it, outside first; what is below an unknown key has no shape either."""
    waiting = [Node("", "", tree, shape, {})]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(list(children(node)))


def _shape_below(node: Node, key: str) -> Shape | None:
    if not isinstance(node.shape, Table):
        return _loose(node)
    found = node.shape.keys.get(key)
    if isinstance(found, Value) and found.kind is Kind.FIELD_VALUE:
        return field_value(node.value)
    return found


def _loose(node: Node) -> Shape | None:
    return _ANY if isinstance(node.shape, Value) and node.shape.kind is Kind.ANY else None


def field_value(field: Mapping[str, Any]) -> Value:
    """Return the shape of an Apple field's value: the keys beside it say how Wallet formats it."""
    if any(key in field for key in _DATED):
        return Value(Kind.MOMENT)
    return Value(Kind.NUMBER if any(key in field for key in _NUMBERED) else Kind.FIELD_VALUE)
