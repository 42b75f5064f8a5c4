"""Liquid in the strings of a template: parsed strictly, looked into, and rendered with flat names.

Source: the Liquid reference; python-liquid. A name like `metadata.store.city` is one key of the pass document, dots
included. Tags that load files or keep a state between passes are not there, and nothing depends on the time of day.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from html import escape
from io import StringIO
from typing import Any, Final
from zoneinfo import ZoneInfo

import liquid
from liquid import RenderContext
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import Filter, FilteredExpression, Literal, Path, PositionalArgument
from liquid.builtin.output import OutputNode
from liquid.exceptions import FilterArgumentError, LiquidError
from liquid.filter import with_context
from liquid.undefined import UNDEFINED

from flatfile_sync.domain.spelling import near_miss

Names = Mapping[str, Any]
"""Flat name -> value of everything a template may show."""

_TEXT: Final = 0
_VALUE: Final = 1
_Part = tuple[str, int | str]
"""A text and `_TEXT`, a name and `_VALUE`, or a name and what stands where there is no value."""

_TAGS: Final = frozenset(
    {"#", "assign", "break", "capture", "case", "comment", "continue", "echo", "for", "if", "liquid", "unless"}
)
_INTERNAL: Final = frozenset({"content", "illegal", "output"})
# `date` is ours; `safe` would let a value's markup through.
_NO_FILTERS: Final = ("date", "safe")
_NOW: Final = re.compile(r"""['"](?:now|today)['"]""")
_MISSING: Final = object()
# What filters raise on values that they were not made for, where the library does not catch it.
_MISFITS: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)


class _Context(RenderContext):
    """Looks a whole path up as one name; `zone` is where times are shown."""

    __slots__ = ("names", "zone")

    def __init__(self, template: liquid.BoundTemplate, names: Names, zone: str) -> None:
        super().__init__(template, globals={})
        self.names, self.zone = names, zone

    def get(self, path: list[object], *, token: Any, default: object = UNDEFINED) -> object:
        if len(path) > 1:
            found: object = self.names.get(".".join(map(str, path)), _MISSING)
            if found is not _MISSING:
                return found
        return super().get(path, token=token, default=default)


@with_context
def _date(value: object, pattern: object = "%Y-%m-%d", *, context: _Context) -> object:
    """Write a date, a time or a moment by a pattern of strftime; what is none of these comes back as it is."""
    text = str(value)
    for read in (date.fromisoformat, datetime.fromisoformat, time.fromisoformat):
        try:
            found = read(text)
        except ValueError:
            continue
        if isinstance(found, datetime) and found.tzinfo is not None:
            found = found.astimezone(ZoneInfo(context.zone))
        return found.strftime(str(pattern))
    return value


class _Environment(liquid.Environment):
    loop_iteration_limit = 1000
    output_stream_limit = 65_536
    local_namespace_limit = 262_144

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        for name in self.tags.keys() - _TAGS - _INTERNAL:
            del self.tags[name]
        for name in _NO_FILTERS:
            self.filters.pop(name, None)
        self.filters["date"] = _date


_PLAIN: Final = _Environment()
_ESCAPING: Final = _Environment(autoescape=True)
FILTERS: Final = tuple(sorted(_PLAIN.filters))


class Text:
    """A string of a template, parsed. `names` are the names it uses that it does not make itself.

    `single` says whether it is exactly one output, so that it may stand for a value that is no text.
    """

    __slots__ = ("_html", "_parts", "_template", "names", "single", "source")

    def __init__(self, source: str, template: liquid.BoundTemplate, *, html: bool) -> None:
        found = template.analyze(include_partials=False)
        for name in found.filters:
            if name not in template.env.filters:
                raise LiquidError(f"unknown filter {name!r}{near_miss(name, FILTERS)}", token=None)
        nodes = template.nodes
        self.source = source
        self.names = tuple(dict.fromkeys(_name(used.segments) for each in found.globals.values() for used in each))
        self.single = len(nodes) == 1 and isinstance(nodes[0], OutputNode)
        self._template, self._html, self._parts = template, html, _simple(nodes)

    def render(self, names: Names, *, zone: str = "UTC") -> str:
        """Return the text for a pass. Raises `LiquidError` where a value does not suit a filter or a comparison."""
        if self._parts is not None:
            write = _written_escaped if self._html else _written
            return "".join([part if kind == _TEXT else _shown(part, kind, names, write) for part, kind in self._parts])
        buffer = StringIO()
        try:
            self._template.render_with_context(_Context(self._template, names, zone), buffer)
        except _MISFITS as error:
            raise FilterArgumentError(f"a value does not suit it: {type(error).__name__}", token=None) from error
        return buffer.getvalue()

    def literal_start(self) -> str:
        """Return the text before the first tag."""
        return re.split(r"\{\{|\{%", self.source, maxsplit=1)[0]


@lru_cache(maxsize=4096)
def parse(source: str, *, html: bool = False) -> Text:
    """Return a string parsed; as HTML, values are escaped. Raises `LiquidError`; `fault` says what is wrong."""
    if _NOW.search(source):
        raise LiquidError("'now' is not there: a pass must not depend on when it is rendered", token=None)
    environment = _ESCAPING if html else _PLAIN
    return Text(source, environment.from_string(source), html=html)


def has_liquid(text: str) -> bool:
    """Return whether a string of a template is more than itself."""
    return "{{" in text or "{%" in text


def fault(error: LiquidError) -> str:
    """Return what an error of the library says, on one line and without its picture of the source."""
    return str(error.args[0] if error.args else error).partition("\n")[0]


def _name(segments: list[Any]) -> str:
    """Return a name as it is written; `[*]` stands where a template chooses a part of it."""
    head, *rest = segments
    return str(head) + "".join("[*]" if isinstance(part, list) else f".{part}" for part in rest)


def _simple(nodes: list[Any]) -> tuple[_Part, ...] | None:
    """Return the parts of a template of texts and values with a default at most, which needs no interpreter."""
    parts = list(_parts(nodes))
    found = tuple(part for part in parts if part is not None)
    return found if len(found) == len(parts) else None


def _parts(nodes: list[Any]) -> Iterator[_Part | None]:
    for node in nodes:
        if isinstance(node, ContentNode):
            yield node.text, _TEXT
            continue
        expression = node.expression if isinstance(node, OutputNode) else None
        if not isinstance(expression, FilteredExpression):
            yield None
            continue
        path, default = expression.left, _default(expression.filters)
        named = isinstance(path, Path) and len(path.path) > 1 and not any(isinstance(part, Path) for part in path.path)
        yield (_name(list(path.path)), default) if isinstance(path, Path) and named and default is not None else None


def _default(filters: Sequence[Filter] | None) -> int | str | None:
    """Return `_VALUE` without a filter, the literal of a single `default`, None otherwise."""
    if not filters:
        return _VALUE
    told = filters[0].args
    if (
        len(filters) != 1
        or filters[0].name != "default"
        or len(told) != 1
        or not isinstance(told[0], PositionalArgument)
    ):
        return None
    value = told[0].value
    return _written(value.value) if isinstance(value, Literal) and isinstance(value.value, str | int) else None


def _shown(name: str, default: int | str, names: Names, write: Callable[[Any], str]) -> str:
    """Return a value, or its default: nothing, an empty text and `false` give way to one."""
    value = names.get(name)
    if isinstance(default, str) and (value is None or value is False or value == ""):
        return default
    return write(value)


def _written(value: Any) -> str:
    """Return a value as Liquid writes it."""
    if isinstance(value, str):
        return value
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _written_escaped(value: Any) -> str:
    return escape(_written(value))
