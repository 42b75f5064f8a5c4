"""A picture of an Apple pass: its front, and beside it the text of its back."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from PIL import Image

from flatfile_sync.wallets.preview.canvas import (
    BLACK,
    GREY,
    WHITE,
    Canvas,
    Colour,
    line_height,
    mixed,
    open_image,
    readable_on,
    wrapped,
)
from flatfile_sync.wallets.preview.codes import barcode
from flatfile_sync.wallets.preview.faces import Face, face_for
from flatfile_sync.wallets.preview.formats import field_text, plain

STYLES: Final = ("storeCard", "eventTicket", "coupon", "generic")
_COLOUR: Final = re.compile(r"rgb\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)")
_WIDTH: Final = 750
_EDGE: Final = 40
_PAD: Final = 30
_ROUND: Final = 26
_LEAST_HEIGHT: Final = 900
_CODE: Final = 250
# Points of the strip at scale 2: Apple gives tickets a lower one.
_STRIP: Final = {"eventTicket": 196}
_BLUE: Final[Colour] = (20, 100, 200)
_RED: Final[Colour] = (190, 30, 40)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """Colours, words and images of one pass."""

    tree: Mapping[str, Any]
    images: Mapping[str, bytes]
    texts: Mapping[str, str]
    language: str
    ground: Colour
    ink: Colour
    label: Colour
    face: Face = field(default_factory=lambda: Face(""))

    def words(self, text: Any) -> str:
        return self.texts.get(str(text), str(text))

    def value(self, entry: Mapping[str, Any]) -> str:
        return field_text(entry, self.texts, self.language)

    def picture(self, role: str) -> Image.Image | None:
        for scale in ("@3x", "@2x", ""):
            found = open_image(self.images.get(f"{role}{scale}.png"))
            if found is not None:
                return found
        return None


def draw_pass(
    tree: Mapping[str, Any], images: Mapping[str, bytes], texts: Mapping[str, str], *, language: str = "en"
) -> bytes:
    """Return a PNG of a rendered `pass.json`; `images` by name in the bundle, `texts` of the language's strings."""
    ground = _colour(tree.get("backgroundColor")) or WHITE
    ink = _colour(tree.get("foregroundColor")) or readable_on(ground)
    label = _colour(tree.get("labelColor")) or mixed(ink, ground, 0.35)
    look = _Look(tree=tree, images=images, texts=texts, language=language, ground=ground, ink=ink, label=label)
    style = next((name for name in STYLES if name in tree), "")
    groups = tree.get(style) or {}
    look = replace(look, face=face_for(_texts(look, groups)))
    back = list(groups.get("backFields") or ())
    height = max(_LEAST_HEIGHT, _back_height(look, back))
    canvas = Canvas(2 * _WIDTH + 3 * _EDGE, height + 2 * _EDGE, look.face)
    _front(canvas, look, style, groups, height)
    _back(canvas, look, back, height)
    return canvas.png()


def _texts(look: _Look, groups: Mapping[str, Any]) -> Iterator[str]:
    """Yield every text of the picture."""
    yield look.words(look.tree.get("logoText", ""))
    yield from (str(code.get("altText", "")) for code in look.tree.get("barcodes") or () if isinstance(code, Mapping))
    for group in groups.values():
        for entry in group:
            yield look.words(entry.get("label", ""))
            yield plain(str(entry.get("attributedValue", ""))) or look.value(entry)


def _front(canvas: Canvas, look: _Look, style: str, groups: Mapping[str, Any], height: int) -> None:
    left, top = _EDGE, _EDGE
    box = (left, top, left + _WIDTH, top + height)
    canvas.rounded(box, _ROUND, look.ground)
    background = look.picture("background")
    if background is not None and style == "eventTicket":
        canvas.cover(background, box)
    _header(canvas, look, groups.get("headerFields") or (), left, top)
    y = _primary(canvas, look, style, list(groups.get("primaryFields") or ()), top=top + 118)
    for group in ("secondaryFields", "auxiliaryFields"):
        y = _row(canvas, look, list(groups.get(group) or ())[:4], left, y + 22)
    _code(canvas, look, left, top + height)
    if look.tree.get("voided"):
        middle, y = left + _WIDTH // 2, top + height - 240
        canvas.rounded((middle - 180, y, middle + 180, y + 84), 14, _RED)
        canvas.text((middle, y + 18), "VOIDED", 44, WHITE, width=320, align="centre")
    canvas.corners(box, _ROUND)


def _header(canvas: Canvas, look: _Look, fields: Sequence[Mapping[str, Any]], left: int, top: int) -> None:
    x, logo = left + _PAD, look.picture("logo")
    if logo is not None:
        x += canvas.contain(logo, (x, top + 18, x + 320, top + 100)) + 20
    right = left + _WIDTH - _PAD
    for entry in list(fields)[:3][::-1]:
        canvas.text(
            (right, top + 20), look.words(entry.get("label", "")).upper(), 20, look.label, width=150, align="right"
        )
        canvas.text((right, top + 50), look.value(entry), 36, look.ink, width=150, align="right")
        right -= 170
    if "logoText" in look.tree:
        canvas.text((x, top + 40), look.words(look.tree["logoText"]), 34, look.ink, width=max(40, right - x))


def _primary(canvas: Canvas, look: _Look, style: str, fields: Sequence[Mapping[str, Any]], *, top: int) -> int:
    """Draw strip, primary field and thumbnail, and return where the next row begins."""
    left = _EDGE
    strip, thumbnail = look.picture("strip"), look.picture("thumbnail")
    if strip is not None and style != "generic":
        height = _STRIP.get(style, 288)
        canvas.cover(strip, (left, top, left + _WIDTH, top + height))
        for entry in fields[:1]:
            size = 84 if style != "eventTicket" else 60
            y = top + height // 2 - size // 2 - 22
            canvas.text((left + _PAD, y), look.value(entry), size, look.ink, width=_WIDTH - 2 * _PAD)
            canvas.text(
                (left + _PAD, y + size + 14), look.words(entry.get("label", "")).upper(), 22, look.ink, width=500
            )
        return top + height
    room = _WIDTH - 2 * _PAD
    if thumbnail is not None and style in {"generic", "eventTicket"}:
        room -= (
            canvas.contain(thumbnail, (left + _WIDTH - _PAD - 180, top, left + _WIDTH - _PAD, top + 180), right=True)
            + 20
        )
    for entry in fields[:1]:
        canvas.text((left + _PAD, top + 10), look.words(entry.get("label", "")).upper(), 22, look.label, width=room)
        canvas.text((left + _PAD, top + 42), look.value(entry), 64, look.ink, width=room)
    return top + (180 if thumbnail is not None else 130 if fields else 0)


def _row(canvas: Canvas, look: _Look, fields: Sequence[Mapping[str, Any]], left: int, top: int) -> int:
    """Draw fields beside each other and return where the next row begins."""
    if not fields:
        return top - 22
    texts = [((look.words(entry.get("label", "")).upper(), 20), (look.value(entry), 34)) for entry in fields]
    columns = canvas.columns(texts, _WIDTH - 2 * _PAD, 24)
    for place, (entry, ((label, _), (value, _)), (edge, room)) in enumerate(zip(fields, texts, columns, strict=True)):
        aligned = str(entry.get("textAlignment", ""))
        last = len(fields) > 1 and place == len(fields) - 1
        align = "right" if aligned.endswith("Right") or (last and not aligned) else "left"
        x = left + _PAD + edge + (room if align == "right" else 0)
        canvas.text((x, top), label, 20, look.label, width=room, align=align)
        canvas.text((x, top + 30), value, 34, look.ink, width=room, align=align)
    return top + 78


def _code(canvas: Canvas, look: _Look, left: int, bottom: int) -> None:
    codes = [entry for entry in look.tree.get("barcodes") or () if isinstance(entry, Mapping)]
    if not codes:
        return
    told = codes[0]
    picture = barcode(str(told.get("format", "")), str(told.get("message", "")), str(told.get("messageEncoding", "")))
    square = picture.height * 2 > picture.width
    width, height = (_CODE, _CODE) if square else (560, 130)
    words = str(told.get("altText", ""))
    top = bottom - height - 90 - (34 if words else 0)
    middle = left + _WIDTH // 2
    canvas.rounded((middle - width // 2 - 24, top, middle + width // 2 + 24, bottom - 40), 14, WHITE)
    sized = picture.resize((width, height), Image.Resampling.NEAREST if square else Image.Resampling.LANCZOS)
    canvas.paste(sized, (middle - width // 2, top + 24))
    if words:
        canvas.text((middle, top + height + 32), words, 24, BLACK, width=width + 20, align="centre")


def _back_texts(look: _Look, entry: Mapping[str, Any]) -> tuple[str, list[str], Colour]:
    linked = "attributedValue" in entry
    text = plain(str(entry["attributedValue"])) if linked else look.value(entry)
    colour = _BLUE if linked else BLACK
    return look.words(entry.get("label", "")), wrapped(text, 28, _WIDTH - 2 * _PAD, look.face), colour


def _back_height(look: _Look, fields: Sequence[Mapping[str, Any]]) -> int:
    return 60 + sum(62 + line_height(28) * len(_back_texts(look, entry)[1]) + 20 for entry in fields)


def _back(canvas: Canvas, look: _Look, fields: Sequence[Mapping[str, Any]], height: int) -> None:
    left, top = 2 * _EDGE + _WIDTH, _EDGE
    canvas.rounded((left, top, left + _WIDTH, top + height), _ROUND, WHITE)
    y = top + 30
    for entry in fields:
        label, lines, colour = _back_texts(look, entry)
        canvas.text((left + _PAD, y), label, 24, GREY, width=_WIDTH - 2 * _PAD)
        y = canvas.paragraph((left + _PAD, y + 36), lines, 28, colour) + 14
        canvas.line((left + _PAD, y, left + _WIDTH - _PAD, y), (228, 228, 232))
        y += 14


def _colour(text: Any) -> Colour | None:
    found = _COLOUR.fullmatch(str(text))
    return (int(found[1]), int(found[2]), int(found[3])) if found else None
