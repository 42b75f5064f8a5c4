"""What a record asks of a pass, and what really changes: pure, shared by apply and the dry run.

A pass document is one flat mapping from document key (`additionalData.points`) to a canonical JSON value: text,
integer, boolean; numbers stand as canonical decimal text (`12.5`), so that equality is equality of value.
"""

from collections.abc import Mapping
from typing import TypeAlias

Value: TypeAlias = str | int | bool
Document: TypeAlias = dict[str, Value]

_ABSENT = object()


def equal(left: Mapping[str, Value], right: Mapping[str, Value]) -> bool:
    """Return whether two documents say the same; `True` and `1` differ."""
    return left == right and all(right[key].__class__ is value.__class__ for key, value in left.items())


def merge(document: Document, patch: Mapping[str, Value | None]) -> tuple[str, ...]:
    """Write the patch into the document, key by key, and return the keys whose value really changed, sorted.

    None removes a key. The document is changed in place; an equal value is no change. `True` and `1` differ.
    """
    changed = []
    for key, value in patch.items():
        old = document.get(key, _ABSENT)
        if value is None:
            if old is not _ABSENT:
                del document[key]
                changed.append(key)
        elif old is _ABSENT or old != value or old.__class__ is not value.__class__:
            document[key] = value
            changed.append(key)
    changed.sort()
    return tuple(changed)
