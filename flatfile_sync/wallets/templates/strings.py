"""`pass.strings`: the texts of one language, as `"key" = "value";`. Read in UTF-8 or UTF-16, written in UTF-16.

Source: Apple, Wallet Developer Guide, Localization; Resource Programming Guide, String Resources.
"""

import codecs
import re
from collections.abc import Mapping
from typing import Final

_ENTRY: Final = re.compile(
    r"""\s*(?:/\*.*?\*/\s*|//[^\n]*\n\s*)*"(?P<key>(?:[^"\\]|\\.)*)"\s*=\s*"(?P<value>(?:[^"\\]|\\.)*)"\s*;""",
    re.DOTALL,
)
_REST: Final = re.compile(r"\s*(?:/\*.*?\*/\s*|//[^\n]*(?:\n|\Z)\s*)*", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(?:[Uu]([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_NAMED: Final = {"n": "\n", "t": "\t", "r": "\r"}


class StringsError(ValueError):
    """A file of texts cannot be read; the text says where and why."""


def read_strings(data: bytes) -> dict[str, str]:
    """Return the texts of a file by their keys. Raises `StringsError`."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise StringsError(f"is neither UTF-8 nor UTF-16 at byte {error.start}.") from None
    found: dict[str, str] = {}
    position = 0
    while entry := _ENTRY.match(text, position):
        key = _unescaped(entry["key"])
        if key in found:
            raise StringsError(f"line {_line(text, entry.start('key'))}: {key!r} stands twice.")
        found[key] = _unescaped(entry["value"])
        position = entry.end()
    rest = _REST.match(text, position)
    end = rest.end() if rest else position
    if end != len(text):
        raise StringsError(f'line {_line(text, end)}: expected "key" = "value"; with both quotes and the semicolon.')
    return found


def write_strings(texts: Mapping[str, str]) -> bytes:
    """Return a file of texts, as Wallet reads it."""
    lines = "".join(f'"{_escaped(key)}" = "{_escaped(value)}";\n' for key, value in texts.items())
    return codecs.BOM_UTF16_LE + lines.encode("utf-16-le", "replace")


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else _NAMED.get(found[2], found[2]), text)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
