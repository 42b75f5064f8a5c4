"""How commands print: a table for people, JSON with stable keys for programs."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from flatfile_sync.domain.clock import iso

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# A table in a pipe is as wide as its longest row, so that a line stays a line for grep.
_UNFOLDED: Final = 10_000


def console() -> "Console":
    """Return the console of standard output; in a pipe it has no colour and folds nothing."""
    from rich.console import Console

    free = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(width=_UNFOLDED if free else None, highlight=False, markup=False, soft_wrap=False)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, nothing: str = "Nothing.") -> None:
    """Print rows under headings; None is shown as a dash, a moment to the second. `nothing` stands for no rows."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(value)) for value in row))
    if table.row_count:
        _print(table)
    else:
        print(nothing)


def print_pairs(pairs: Mapping[str, object]) -> None:
    """Print names and values, one a line."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in pairs.items():
        table.add_row(name, Text(plain(value)))
    _print(table)


def print_json(value: object) -> None:
    """Print a value as JSON; moments as RFC 3339 in UTC."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=_encode))


def plain(value: object) -> str:
    """Return a cell's text."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%SZ}"
    if isinstance(value, int):
        return f"{value:,}"
    return _visible(str(value))


def _print(table: "Table") -> None:
    """Print a table; rich fills the last column up with spaces, which nobody wants in a pipe."""
    target = console()
    with target.capture() as captured:
        target.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())


def _visible(text: str) -> str:
    """Return text without control characters: a file's name must not steer the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    return str(value)
