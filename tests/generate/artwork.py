"""The images of the example projects, drawn: an icon and a logo for each brand, strips and heroes for what passes show.

They are drawn four times as large and made smaller, then given a small palette: a few kilobytes each.
"""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

SCHEMAS: Final = Path(__file__).parents[2] / "schemas"
_ROOM: Final = 4
_COLOURS: Final = 64

Colour = tuple[int, int, int]
Painter = Callable[[ImageDraw.ImageDraw, int, int], None]

CREAM: Final[Colour] = (250, 243, 224)
PINE: Final[Colour] = (16, 56, 58)
AMBER: Final[Colour] = (240, 178, 62)
WINE: Final[Colour] = (122, 28, 48)
INK: Final[Colour] = (24, 22, 48)
ROSE: Final[Colour] = (236, 92, 112)
# From the dark side, where the value stands, to the light one.
TIERS: Final[dict[str, tuple[Colour, Colour]]] = {
    "bronze": ((70, 40, 24), (186, 118, 66)),
    "silver": ((48, 58, 66), (152, 168, 178)),
    "gold": ((84, 58, 12), (222, 172, 64)),
    "platinum": ((22, 26, 40), (120, 134, 170)),
}


def files() -> dict[Path, bytes]:
    """Return every image by its path."""
    card, gift, ticket = ("loyalty/pass_types/loyalty_card", "loyalty/pass_types/gift_card", "events/pass_types/ticket")
    found: dict[str, bytes] = {}
    for folder, mark, words, ground in (
        (card, _bars, "Example Stores", PINE),
        (gift, _bars, "Example Stores", WINE),
        (ticket, _arches, "Example Hall", INK),
    ):
        for scale, name in ((1, ""), (2, "@2x"), (3, "@3x")):
            found[f"{folder}/images/icon{name}.png"] = _paint(29 * scale, 29 * scale, partial(_sign, mark=mark), ground)
        for scale, name in ((1, ""), (2, "@2x")):
            logo = partial(_wordmark, mark=mark, words=words)
            found[f"{folder}/images/logo{name}.png"] = _paint(160 * scale, 50 * scale, logo, None)
        found[f"{folder}/images/sign.png"] = _paint(660, 660, partial(_sign, mark=mark, room=0.26), ground)
    for tier, (dark, light) in TIERS.items():
        waves = partial(_waves, dark=dark, light=light)
        found[f"{card}/images/strip-{tier}@2x.png"] = _paint(750, 288, waves, dark)
        found[f"{card}/images/hero-{tier}.png"] = _paint(1032, 336, waves, dark)
    found[f"{gift}/images/strip@2x.png"] = _paint(750, 288, _ribbon, WINE)
    found[f"{gift}/images/hero.png"] = _paint(1032, 336, partial(_ribbon, at=0.55), WINE)
    found[f"{ticket}/images/strip@2x.png"] = _paint(750, 196, _lights, INK)
    found[f"{ticket}/images/hero.png"] = _paint(1032, 336, _lights, INK)
    return {SCHEMAS / path: data for path, data in found.items()}


def _paint(width: int, height: int, painter: Painter, ground: Colour | None) -> bytes:
    """Return a PNG; without a ground it is transparent."""
    wide, high = width * _ROOM, height * _ROOM
    image = Image.new("RGBA", (wide, high), (*CREAM, 0)) if ground is None else Image.new("RGB", (wide, high), ground)
    painter(ImageDraw.Draw(image), wide, high)
    small = image.resize((width, height), Image.Resampling.LANCZOS)
    few = small.quantize(_COLOURS, method=Image.Quantize.FASTOCTREE if ground is None else Image.Quantize.MEDIANCUT)
    buffer = io.BytesIO()
    few.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _sign(draw: ImageDraw.ImageDraw, width: int, height: int, *, mark: Painter, room: float = 0.22) -> None:
    """Draw a mark in the middle."""
    edge = int(width * room)
    _within(draw, mark, (edge, edge), width - 2 * edge, height - 2 * edge)


def _within(draw: ImageDraw.ImageDraw, mark: Painter, corner: tuple[int, int], width: int, height: int) -> None:
    mark(_Moved(draw, *corner), width, height)  # type: ignore[arg-type]


class _Moved:
    """Draws somewhere else what draws from the corner."""

    def __init__(self, draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
        self.draw, self.x, self.y = draw, x, y

    def rounded_rectangle(self, box: tuple[float, ...], radius: float, fill: Colour) -> None:
        self.draw.rounded_rectangle(self._box(box), radius, fill=fill)

    def pieslice(self, box: tuple[float, ...], start: float, end: float, fill: Colour) -> None:
        self.draw.pieslice(self._box(box), start, end, fill=fill)

    def _box(self, box: tuple[float, ...]) -> list[float]:
        left, top, right, bottom = box
        return [left + self.x, top + self.y, right + self.x, bottom + self.y]


def _bars(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    """Draw the E of the stores: three bars, the middle one short and amber."""
    thick = height * 0.22
    for place, (length, colour) in enumerate(((1.0, CREAM), (0.68, AMBER), (1.0, CREAM))):
        top = place * (height - thick) / 2
        draw.rounded_rectangle((0, top, width * length, top + thick), thick / 2, fill=colour)


def _arches(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    """Draw the front of the hall: an arch within an arch."""
    for inset, colour in ((0.0, CREAM), (0.2, ROSE), (0.36, INK)):
        left, right = width * inset, width * (1 - inset)
        top = height * inset
        draw.pieslice((left, top, right, top + (right - left)), 180, 360, fill=colour)
        draw.rounded_rectangle((left, top + (right - left) / 2 - 1, right, height), 0, fill=colour)


def _wordmark(draw: ImageDraw.ImageDraw, width: int, height: int, *, mark: Painter, words: str) -> None:
    """Draw the mark, and the name beside it."""
    side = int(height * 0.56)
    top = (height - side) // 2
    _within(draw, mark, (0, top), side, side)
    font = ImageFont.load_default(height * 0.36)
    room = width - side * 1.3
    while draw.textlength(words, font) > room:
        font = ImageFont.load_default(font.size * 0.95)  # type: ignore[union-attr]
    draw.text((side * 1.3, height / 2), words, font=font, fill=CREAM, anchor="lm")


def _waves(draw: ImageDraw.ImageDraw, width: int, height: int, *, dark: Colour, light: Colour) -> None:
    """Draw hills that get lighter towards the right edge."""
    for step in range(9):
        share = step / 8
        colour = tuple(round(a + (b - a) * share * 0.8) for a, b in zip(dark, light, strict=True))
        radius = width * (0.78 - 0.085 * step)
        x, y = width * 1.02, height * (1.15 - 0.05 * step)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _ribbon(draw: ImageDraw.ImageDraw, width: int, height: int, *, at: float = 0.8) -> None:
    """Draw the ribbon and the bow of a present at the right, so far down."""
    x, y, thick = width * 0.8, height * at, height * 0.09
    light, shade = (226, 170, 84), (190, 130, 52)
    draw.rectangle((0, y - thick / 2, width, y + thick / 2), fill=shade)
    draw.rectangle((x - thick / 2, 0, x + thick / 2, height), fill=light)
    for side in (-1, 1):
        loop = [(x, y), (x + side * thick * 3.4, y - thick * 2.2), (x + side * thick * 3.0, y + thick * 0.9)]
        draw.polygon(loop, fill=light)
        tail = [(x, y), (x + side * thick * 2.4, y + thick * 3.2), (x + side * thick * 1.0, y + thick * 3.4)]
        draw.polygon(tail, fill=shade)
    draw.ellipse((x - thick, y - thick, x + thick, y + thick), fill=CREAM)


def _lights(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    """Draw the beams of a stage, from the top to the floor."""
    for place, (colour, lean) in enumerate(
        (((52, 46, 104), -0.2), ((88, 44, 106), 0.1), ((142, 52, 100), -0.05), ((196, 74, 104), 0.18))
    ):
        x = width * (0.3 + 0.2 * place)
        foot = x + lean * width
        draw.polygon([(x, -height * 0.1), (foot - width * 0.14, height), (foot + width * 0.14, height)], fill=colour)
    draw.rectangle((0, height * 0.9, width, height), fill=(14, 12, 30))
    for seat in range(40):
        x = width * (seat + 0.5) / 40
        radius = height * 0.045
        draw.ellipse((x - radius, height * 0.9 - radius, x + radius, height * 0.9 + radius), fill=(14, 12, 30))
