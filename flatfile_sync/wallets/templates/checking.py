"""A template against the shape its platform wants: keys, values, names, links and images, each with its path."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from liquid.exceptions import LiquidError

from flatfile_sync.domain.spelling import did_you_mean, near_miss
from flatfile_sync.wallets.templates.images import HASH, IMAGE
from flatfile_sync.wallets.templates.links import LINKED, links, markup_problems, url_problem
from flatfile_sync.wallets.templates.liquid import Text, fault, has_liquid, parse
from flatfile_sync.wallets.templates.shapes import Kind, Many, Shape, Table, Value
from flatfile_sync.wallets.templates.values import fits, needs_single_output, wanted
from flatfile_sync.wallets.templates.walking import Node, below, walk

_OUTPUT: Final = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_TAG: Final = re.compile(r"\{%.*?%\}", re.DOTALL)
_HOST: Final = re.compile(r"https://[^/?#{]+[/?#]", re.IGNORECASE)
_LONG: Final = 60


class Finding(NamedTuple):
    """Something about a template: `path` is the key path in its file ("" = the whole)."""

    path: str
    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What a template may refer to. Without `names` it is no place for Liquid; `images` are files of the folder."""

    names: Sequence[str] = ()
    hosts: Sequence[str] = ()
    images: Sequence[str] = ()


def tree_findings(tree: Any, shape: Shape, *, allowed: Allowed) -> Iterator[Finding]:
    """Yield everything in which a document is not of its shape."""
    for node in walk(tree, shape):
        if isinstance(node.shape, Table):
            yield from _table_findings(node, node.shape)
        elif isinstance(node.shape, Many):
            yield from _list_findings(node, node.shape)
        elif isinstance(node.shape, Value):
            yield from _value_findings(node, node.shape, allowed)


def text_findings(path: str, source: str, *, allowed: Allowed, html: bool = False) -> Iterator[Finding]:
    """Yield what is wrong with the Liquid of a text."""
    _, found = _parsed(Node(path, "", source, None, {}), allowed, html=html)
    yield from found


def brief(value: Any) -> str:
    """Return a value as a sentence quotes it."""
    text = repr(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."


def _table_findings(node: Node, shape: Table) -> Iterator[Finding]:
    if not isinstance(node.value, dict):
        yield Finding(node.path, f"found {brief(node.value)}, expected an object.")
        return
    refused = shape.refused or {}
    for key in node.value:
        if key in refused:
            yield Finding(below(node.path, key), f"{refused[key]}.")
        elif key not in shape.keys:
            yield Finding(below(node.path, key), f"unknown key.{did_you_mean(key, list(shape.keys))}")
    for key in shape.required:
        if key not in node.value:
            yield Finding(below(node.path, key), "is missing.")


def _list_findings(node: Node, shape: Many) -> Iterator[Finding]:
    if not isinstance(node.value, list):
        yield Finding(node.path, f"found {brief(node.value)}, expected a list.")
    elif shape.most is not None and len(node.value) > shape.most:
        yield Finding(node.path, f"found {len(node.value)} entries, expected at most {shape.most}.")


def _value_findings(node: Node, shape: Value, allowed: Allowed) -> Iterator[Finding]:
    value = node.value
    if isinstance(value, str) and has_liquid(value) and shape.kind is not Kind.ANY:
        yield from _liquid_findings(node, shape, allowed)
    elif isinstance(value, dict | list) and shape.kind is Kind.ANY:
        return
    elif isinstance(value, str) and has_liquid(value):
        yield from text_findings(node.path, value, allowed=allowed)
    elif not fits(shape, value):
        guess = near_miss(str(value), shape.allowed) if shape.allowed else ""
        yield Finding(node.path, f"found {brief(value)}, expected {wanted(shape)}.{guess}")
    elif isinstance(value, str):
        yield from _literal_findings(node, shape, value, allowed)


def _literal_findings(node: Node, shape: Value, value: str, allowed: Allowed) -> Iterator[Finding]:
    size = len(value.encode("utf-8", "surrogatepass"))
    if shape.most is not None and size > shape.most:
        yield Finding(node.path, f"has {size:,} bytes, expected at most {shape.most:,}.")
    if shape.kind in LINKED:
        yield from _url_findings(node.path, value, shape.kind, allowed)
    elif shape.kind is Kind.PICTURE:
        yield from _picture_findings(node.path, value, allowed)
    elif shape.kind is Kind.HTML:
        yield from _html_findings(node.path, value, allowed)


def _liquid_findings(node: Node, shape: Value, allowed: Allowed) -> Iterator[Finding]:
    html = shape.kind is Kind.HTML
    text, found = _parsed(node, allowed, html=html)
    yield from found
    if text is None:
        return
    start, whole = text.literal_start(), _TAG.sub("", _OUTPUT.sub("x", text.source))
    if needs_single_output(shape) and not text.single:
        yield Finding(
            node.path, f"found {brief(node.value)}, expected {wanted(shape)}, or exactly one output: {{{{ ... }}}}."
        )
    elif shape.kind is Kind.PICTURE and not start.startswith(IMAGE):
        yield Finding(
            node.path, f"found {brief(node.value)}, expected {IMAGE} and a name: no image is fetched for a row."
        )
    elif shape.kind in LINKED and start and not _HOST.match(start) and shape.kind is not Kind.APP:
        if shape.kind is Kind.URL or start.lower().startswith("http"):
            yield Finding(node.path, f"found {brief(node.value)}, expected its host written out, or one output.")
    elif shape.kind in LINKED and start:
        yield from _url_findings(node.path, whole, shape.kind, allowed)
    elif html:
        yield from _html_findings(node.path, whole, allowed)


def _parsed(node: Node, allowed: Allowed, *, html: bool) -> tuple[Text | None, list[Finding]]:
    """Return the text of a node if it can be read, and what is wrong with its Liquid."""
    if not allowed.names:
        return None, [Finding(node.path, f"found {brief(node.value)}, but Liquid is not for this place.")]
    try:
        text = parse(node.value, html=html)
    except LiquidError as error:
        return None, [Finding(node.path, f"found {brief(node.value)}: {fault(error).rstrip('.')}.")]
    return text, [Finding(node.path, _unknown(name, allowed)) for name in text.names if name not in allowed.names]


def _unknown(name: str, allowed: Allowed) -> str:
    if "[*]" in name:
        return f"`{name}` is chosen by a value; write the name out, so that it is known what the pass shows."
    return f"`{name}` is no name that a template knows.{did_you_mean(name, allowed.names)}"


def _url_findings(path: str, url: str, kind: Kind, allowed: Allowed) -> Iterator[Finding]:
    problem = url_problem(url, kind, allowed.hosts)
    if problem is not None:
        yield Finding(path, f"found {brief(url)}: {problem}.")


def _picture_findings(path: str, value: str, allowed: Allowed) -> Iterator[Finding]:
    name = value.removeprefix(IMAGE)
    if name == value:
        yield from _url_findings(path, value, Kind.URL, allowed)
    elif not HASH.fullmatch(name) and name not in allowed.images:
        yield Finding(path, f"there is no image {name!r} in the folder `images`.{near_miss(name, allowed.images)}")


def _html_findings(path: str, value: str, allowed: Allowed) -> Iterator[Finding]:
    for markup in markup_problems(value)[:1]:
        yield Finding(path, f'found {brief(markup)}, expected text with links like <a href="https://...">...</a> only.')
    for url in links(value):
        if url != "x":
            yield from _url_findings(path, url, Kind.LINK, allowed)
