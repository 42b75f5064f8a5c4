"""A picture to draw on: text that fits, rounded boxes, images that cover a place."""

import io
from collections.abc import Sequence
from typing import Final, TypeAlias

from PIL import Image, ImageDraw, ImageFont

from flatfile_sync.wallets.preview.faces import Face

Colour: TypeAlias = tuple[int, int, int]
Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom."""

WHITE: Final[Colour] = (255, 255, 255)
BLACK: Final[Colour] = (20, 20, 24)
GREY: Final[Colour] = (120, 120, 128)
PAPER: Final[Colour] = (232, 233, 238)
_ELLIPSIS: Final = "..."
_SMALLEST: Final = 0.6
# A picture of this size is enough for anybody, whatever the data says.
_MOST_PIXELS: Final = 40_000_000


class Canvas:
    """A picture of a size; coordinates are pixels."""

    def __init__(self, width: int, height: int, face: Face, ground: Colour = PAPER) -> None:
        self.face = face
        self.image = Image.new("RGB", (width, height), ground)
        self._draw = ImageDraw.Draw(self.image)

    def png(self) -> bytes:
        """Return the picture as a PNG file."""
        buffer = io.BytesIO()
        self.image.save(buffer, "PNG")
        return buffer.getvalue()

    def rounded(self, box: Box, radius: int, fill: Colour) -> None:
        """Fill a box with round corners."""
        left, top, right, bottom = box
        # A box ends before its right and lower edge; Pillow draws them too.
        self._draw.rounded_rectangle((left, top, right - 1, bottom - 1), radius, fill=fill)

    def line(self, box: Box, fill: Colour) -> None:
        """Draw a thin line."""
        self._draw.line(box, fill=fill, width=2)

    def cover(self, picture: Image.Image, box: Box) -> None:
        """Fill a box with an image, cut where it does not fit."""
        left, top, right, bottom = box
        width, height = right - left, bottom - top
        scale = max(width / picture.width, height / picture.height)
        sized = picture.resize((max(width, round(picture.width * scale)), max(height, round(picture.height * scale))))
        x, y = (sized.width - width) // 2, (sized.height - height) // 2
        self.paste(sized.crop((x, y, x + width, y + height)), (left, top))

    def contain(self, picture: Image.Image, box: Box, *, right: bool = False) -> int:
        """Draw an image whole inside a box, at its left or right edge, and return the width it took."""
        width, height = box[2] - box[0], box[3] - box[1]
        scale = min(width / picture.width, height / picture.height)
        sized = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
        x = box[2] - sized.width if right else box[0]
        self.paste(sized, (x, box[1] + (height - sized.height) // 2))
        return sized.width

    def circle(self, picture: Image.Image, box: Box) -> None:
        """Draw an image in a circle."""
        side = box[2] - box[0]
        mask = Image.new("L", (side * 4, side * 4), 0)
        ImageDraw.Draw(mask).ellipse((0, 0, side * 4, side * 4), fill=255)
        self.image.paste(picture.convert("RGB").resize((side, side)), box[:2], mask.resize((side, side)))

    def paste(self, picture: Image.Image, place: tuple[int, int]) -> None:
        """Put an image down, its transparent parts unseen."""
        if picture.mode in {"RGBA", "LA", "P"}:
            seen = picture.convert("RGBA")
            self.image.paste(seen, place, seen)
        else:
            self.image.paste(picture, place)

    def corners(self, box: Box, radius: int, ground: Colour = PAPER) -> None:
        """Cut the corners of a box round after it was drawn on."""
        left, top, right, bottom = box
        mask = Image.new("L", (right - left, bottom - top), 255)
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, right - left - 1, bottom - top - 1), radius, fill=0)
        self.image.paste(ground, box, mask)

    def text(
        self, place: tuple[int, int], text: str, size: int, fill: Colour, *, width: int, align: str = "left"
    ) -> None:
        """Write one line, smaller or cut if it is longer than `width`; `place` is the corner it grows from."""
        line, font, y = self.face.line(text), self.face.font(size), place[1]
        if font.getlength(line) > width:
            smaller = max(int(size * _SMALLEST), int(size * width / font.getlength(line)))
            font, y = self.face.font(smaller), y + (size - smaller) // 2
            line = _cut(line, font, width)
        anchor = {"left": "la", "right": "ra", "centre": "ma"}[align]
        self._draw.text((place[0], y), line, font=font, fill=fill, anchor=anchor)

    def length(self, text: str, size: int) -> int:
        """Return how wide a line is."""
        return round(self.face.font(size).getlength(self.face.line(text)))

    def columns(self, texts: Sequence[Sequence[tuple[str, int]]], width: int, gap: int) -> list[tuple[int, int]]:
        """Return left edge and width of columns beside each other; each is given its lines with their sizes."""
        wanted = [max((self.length(*line) for line in lines), default=0) for lines in texts]
        room = width - gap * (len(texts) - 1)
        shares = [0] * len(texts)
        # The short ones get what they want; the long ones share what is left.
        for left, place in zip(
            range(len(texts), 0, -1), sorted(range(len(texts)), key=wanted.__getitem__), strict=True
        ):
            shares[place] = min(wanted[place], room // left)
            room -= shares[place]
        shares = [share + room // len(texts) for share in shares]
        edges = [sum(shares[:place]) + gap * place for place in range(len(shares))]
        return list(zip(edges, shares, strict=True))

    def paragraph(self, place: tuple[int, int], lines: Sequence[str], size: int, fill: Colour) -> int:
        """Write lines below each other and return where the next would begin."""
        x, y = place
        for line in lines:
            self._draw.text((x, y), line, font=self.face.font(size), fill=fill, anchor="la")
            y += line_height(size)
        return y


def line_height(size: int) -> int:
    """Return the distance of two lines."""
    return round(size * 1.35)


def wrapped(text: str, size: int, width: int, face: Face, *, most: int = 12) -> list[str]:
    """Return a text as lines that are no longer than a width; more than `most` are cut."""
    font, lines = face.font(size), list[str]()
    for paragraph in text.split("\n"):
        line = ""
        for word in face.line(paragraph).split(" "):
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                lines.append(line)
                longer = word
            line = longer if font.getlength(longer) <= width else _cut(longer, font, width)
            if len(lines) > most:
                break
        lines.append(line)
    return lines if len(lines) <= most else [*lines[: most - 1], _ELLIPSIS]


def open_image(data: bytes | None) -> Image.Image | None:
    """Return an image that can be drawn, None of anything else."""
    if data is None:
        return None
    try:
        found = Image.open(io.BytesIO(data))
        if found.width * found.height > _MOST_PIXELS:
            return None
        found.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    return found.convert("RGBA") if found.mode == "P" else found


def readable_on(ground: Colour) -> Colour:
    """Return black or white, whichever is read more easily (ITU-R BT.601 luma)."""
    red, green, blue = ground
    return BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 150 else WHITE  # noqa: PLR2004 - the middle, as seen


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """Return a colour between two, with so much of the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _cut(line: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(line) <= width:
        return line
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(line[:middle] + _ELLIPSIS) <= width:
            low = middle
        else:
            high = middle - 1
    return line[:low].rstrip() + _ELLIPSIS
