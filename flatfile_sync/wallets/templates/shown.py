"""Which changes of a pass a platform shows, found by looking into the templates, not by rendering them."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from liquid.exceptions import LiquidError

from flatfile_sync.wallets.templates.liquid import has_liquid, parse
from flatfile_sync.wallets.templates.showing import document_key

ALWAYS = "status"
"""A pass that is voided or expired looks so on every platform."""


def shown_keys(documents: Iterable[str], texts: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the keys whose change shows in documents (JSON text) or single texts, sorted; see `PassType.shown`."""
    found = {ALWAYS}
    for source in (*texts, *(text for document in documents for text in _texts(orjson.loads(document)))):
        try:
            names = parse(source).names
        except LiquidError:
            continue
        found.update(key for name in names if (key := document_key(name)) is not None)
    return tuple(sorted(found))


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str) and has_liquid(tree):
        yield tree
    elif isinstance(tree, dict | list):
        for value in tree.values() if isinstance(tree, dict) else tree:
            yield from _texts(value)
