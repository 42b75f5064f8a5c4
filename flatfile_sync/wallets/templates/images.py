"""Images of a pass: which files a folder may have, which of them go into an Apple pass, and whether they are PNG."""

import re
import struct
from collections.abc import Mapping
from typing import Final, NamedTuple

IMAGE: Final = "image:"
HASH: Final = re.compile(r"[0-9a-f]{64}")
# Apple: Creating the visual design of a pass. What each style shows; other images would travel for nothing.
ROLES: Final = ("icon", "logo", "strip", "thumbnail", "background", "footer", "personalizationLogo")
SHOWN_BY: Final[Mapping[str, frozenset[str]]] = {
    "storeCard": frozenset({"icon", "logo", "strip"}),
    "coupon": frozenset({"icon", "logo", "strip"}),
    "eventTicket": frozenset({"icon", "logo", "strip", "background", "thumbnail"}),
    "generic": frozenset({"icon", "logo", "thumbnail"}),
}
MOST_BYTES: Final = 1_000_000
MOST_PIXELS: Final = 4096

_SCALES: Final = ("", "@2x", "@3x")
_BUNDLED: Final = re.compile(rf"(?:[A-Za-z-]+\.lproj/)?({'|'.join(ROLES)})(@[23]x)?\.png")
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_HEAD: Final = struct.Struct(">8sI4sII")


class Size(NamedTuple):
    """Pixels."""

    width: int
    height: int


def png_size(data: bytes) -> Size | None:
    """Return the size of a PNG image (W3C PNG, 11.2.1 IHDR), None of anything else."""
    if len(data) < _HEAD.size:
        return None
    signature, _, kind, width, height = _HEAD.unpack_from(data)
    return Size(width, height) if (signature, kind) == (_SIGNATURE, b"IHDR") and width and height else None


def png_problem(data: bytes) -> str | None:
    """Return why an image cannot be used, as a sentence, or None."""
    size = png_size(data)
    if size is None:
        return "is no PNG image."
    if len(data) > MOST_BYTES:
        return f"has {len(data):,} bytes, expected at most {MOST_BYTES:,}: it travels in every pass."
    if max(size) > MOST_PIXELS:
        return f"is {size.width} x {size.height}, expected at most {MOST_PIXELS} pixels a side."
    return None


def role(path: str) -> str | None:
    """Return which image of an Apple pass a file is (`icon@2x.png`, `fr.lproj/logo.png`), None of any other."""
    found = _BUNDLED.fullmatch(path)
    return found[1] if found else None


def chosen_image(files: Mapping[str, str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Return name in the bundle -> sha256: the files that are there for a role, or those chosen in their place.

    `chosen` is by role: a digest, or the name of files without scale and ending (`strip-gold`).
    """
    found = {path: sha256 for path, sha256 in files.items() if role(path)}
    for wanted, name in chosen.items():
        if HASH.fullmatch(name):
            put = {f"{wanted}@2x.png": name}
        else:
            scales = ((scale, files.get(f"{name}{scale}.png")) for scale in _SCALES)
            put = {f"{wanted}{scale}.png": sha256 for scale, sha256 in scales if sha256 is not None}
        if put:
            # A device takes the best scale there is: none of the folder's own may stay beside the chosen ones. Without
            # an icon of scale 1 no pass opens.
            own = {path for path in found if role(path) == wanted and path != "icon.png"}
            found = {path: sha256 for path, sha256 in found.items() if path not in own} | put
    return found
