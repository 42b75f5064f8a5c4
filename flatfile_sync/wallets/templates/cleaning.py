"""Text as it may stand in a pass, whatever a row brought: no control characters, no disorder of direction, an end."""

import re
from typing import Final

MOST_CHARACTERS: Final = 4000
"""More than a screen shows; what is longer is cut."""

_ELLIPSIS: Final = "…"
_DIRT: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)
_LINE_END: Final = re.compile("\r\n?|\x85|\u2028|\u2029")
# Overrides make text say something else than it shows; embeddings and isolates are fine once they are closed.
_GONE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202d\u202e\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]")
_DIRECTION: Final = re.compile("[\u202a\u202b\u202c\u2066-\u2069]")
_CLOSED_BY: Final = {
    "\u202a": "\u202c",
    "\u202b": "\u202c",
    "\u2066": "\u2069",
    "\u2067": "\u2069",
    "\u2068": "\u2069",
}


def clean(text: str) -> str:
    """Return a text without what no screen shows; most texts come back as they are."""
    if _DIRT.search(text):
        text = _GONE.sub("", _LINE_END.sub("\n", text).replace("\t", " "))
        text = _balanced(text)
    return text if len(text) <= MOST_CHARACTERS else _balanced(text[: MOST_CHARACTERS - 1]) + _ELLIPSIS


def _balanced(text: str) -> str:
    """Return a text in which each change of direction ends where it began (Unicode UAX 9, section 2)."""
    waiting: list[str] = []

    def judged(found: re.Match[str]) -> str:
        mark = found[0]
        closing = _CLOSED_BY.get(mark)
        if closing is not None:
            waiting.append(closing)
            return mark
        if waiting and waiting[-1] == mark:
            waiting.pop()
            return mark
        return ""

    return _DIRECTION.sub(judged, text) + "".join(reversed(waiting))
