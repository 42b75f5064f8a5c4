"""Barcodes as pictures: QR by segno, Code 128 by its table; of others only the place is shown."""

from typing import Final

import segno
from PIL import Image, ImageDraw

from flatfile_sync.wallets.preview.canvas import BLACK, GREY, WHITE

# ISO/IEC 15417: bars and spaces of the characters 0 to 102, of the start of set B, and of the stop, in modules.
_TABLE: Final = (
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 113222 "
    "123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 212321 "
    "232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 133121 "
    "313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 "
    "111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 241112 134111 "
    "111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 114113 "
    "114311 411113 411311 113141 114131 311141 411131"
)
_WIDTHS: Final = tuple(_TABLE.split(" "))
_START_B: Final = ("211214", 104)
_STOP: Final = "2331112"
_FIRST, _LAST = " ", "~"
_MOST_LINEAR: Final = 60
_QUIET: Final = 10


def barcode(kind: str, message: str, encoding: str = "iso-8859-1") -> Image.Image:
    """Return a barcode; `kind` is Apple's or Google's word for it."""
    word = kind.removeprefix("PKBarcodeFormat").replace("_", "").upper()
    if word in {"QR", "QRCODE"}:
        return _qr(message, encoding) or _place(kind, square=True)
    if word == "CODE128" and message and len(message) <= _MOST_LINEAR and all(_FIRST <= c <= _LAST for c in message):
        return _code128(message)
    return _place(kind, square=word in {"AZTEC", "DATAMATRIX"})


def _qr(message: str, encoding: str) -> Image.Image | None:
    try:
        code = segno.make(message, encoding=encoding, micro=False)
    except (ValueError, LookupError):
        try:
            code = segno.make(message, encoding="utf-8", micro=False)
        except ValueError:
            return None
    rows = [bytes(255 * (1 - bit) for bit in row) for row in code.matrix]
    small = Image.frombytes("L", (len(rows), len(rows)), b"".join(rows))
    scale = max(1, 560 // len(rows))
    return small.resize((len(rows) * scale, len(rows) * scale), Image.Resampling.NEAREST)


def _code128(message: str) -> Image.Image:
    values = [ord(character) - ord(_FIRST) for character in message]
    check = (_START_B[1] + sum(place * value for place, value in enumerate(values, start=1))) % len(_WIDTHS)
    runs = "".join((_START_B[0], *(_WIDTHS[value] for value in values), _WIDTHS[check], _STOP))
    modules = "".join(("1" if place % 2 == 0 else "0") * int(width) for place, width in enumerate(runs))
    line = bytes(255 * (bit == "0") for bit in "0" * _QUIET + modules + "0" * _QUIET)
    scale = max(1, 600 // len(line))
    return Image.frombytes("L", (len(line), 1), line).resize((len(line) * scale, 150), Image.Resampling.NEAREST)


def _place(kind: str, *, square: bool) -> Image.Image:
    """Return the place of a barcode that is not drawn."""
    image = Image.new("RGB", (280, 280) if square else (600, 150), WHITE)
    draw = ImageDraw.Draw(image)
    step = 20
    for x in range(0, image.width + image.height, step):
        draw.line((x, 0, x - image.height, image.height), fill=(226, 226, 230), width=6)
    draw.rectangle((0, 0, image.width - 1, image.height - 1), outline=GREY, width=2)
    draw.text(
        (image.width / 2, image.height / 2), kind.removeprefix("PKBarcodeFormat"), fill=BLACK, anchor="mm", font_size=26
    )
    return image
