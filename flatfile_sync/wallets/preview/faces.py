"""The font of a picture: the one that comes with Pillow where it has every letter, else one of the system.

Pillow's own has the letters of ASCII only. Where the system has none of the usual fonts, letters lose their accents.
"""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from PIL import ImageFont

_USUAL: Final = ("NotoSans-Regular.ttf", "DejaVuSans.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "arial.ttf")
_UNSEEN: Final = frozenset({"Cf", "Cc", "Cs", "Co", "Cn"})
_INSTEAD: Final = {
    "\u20ac": "EUR",
    "\u2019": "'",
    "\u2018": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u2026": "...",
    "\u2013": "-",
}


class Face:
    """A font in every size; `name` is its file, "" = the one of Pillow."""

    def __init__(self, name: str) -> None:
        self.name = name

    def font(self, size: int) -> ImageFont.FreeTypeFont:
        """Return the font in a size."""
        return _font(self.name, size)

    def line(self, text: str) -> str:
        """Return a line as it can be written: nothing that has no shape, spaces as one kind."""
        return _seen(text) if self.name else _spelt(_seen(text))


def face_for(texts: Iterable[str]) -> Face:
    """Return the font that has the letters of all texts, if there is one."""
    own = Face("")
    if all(_seen(text).isascii() for text in texts):
        return own
    return next((Face(name) for name in _USUAL if _is_there(name)), own)


@lru_cache(maxsize=128)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    found = ImageFont.truetype(name, size) if name else ImageFont.load_default(size)
    # Without FreeType the default would be a bitmap of one size; no wheel of Pillow is without.
    if not isinstance(found, ImageFont.FreeTypeFont):
        raise OSError("Pillow was built without FreeType; install it from its wheel.")
    return found


@lru_cache(maxsize=16)
def _is_there(name: str) -> bool:
    try:
        ImageFont.truetype(name, 20)
    except OSError:
        return False
    return True


def _seen(text: str) -> str:
    return "".join(c for c in " ".join(text.split()) if unicodedata.category(c) not in _UNSEEN)


def _spelt(text: str) -> str:
    """Return a text in ASCII: letters without their accents, what is no letter as a question mark."""
    plain = "".join(_INSTEAD.get(character, character) for character in text)
    apart = unicodedata.normalize("NFKD", plain)
    return "".join(c for c in apart if not unicodedata.combining(c)).encode("ascii", "replace").decode()
