"""A picture of a Google pass: its card, and beside it the details below the card."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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
from flatfile_sync.wallets.preview.formats import moment_text, money_text

FindImage = Callable[[str], bytes | None]
"""The URI of an image, as it was rendered -> its bytes, None if it is not ours."""

_WIDTH: Final = 750
_EDGE: Final = 40
_PAD: Final = 36
_ROUND: Final = 36
_HERO: Final = 244
_HEX: Final = re.compile(r"#([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})")
_PATH: Final = re.compile(r"(class|object)\.([A-Za-z]+)(?:\['([^']+)'\])?((?:\.[A-Za-z]+)*)")
_DEFAULT: Final[Colour] = (60, 64, 72)
# The keys that name a pass, in the order in which they are looked for: in its object, then in its class.
_TITLES: Final = (
    "localizedProgramName",
    "programName",
    "eventName",
    "localizedTitle",
    "title",
    "merchantName",
    "header",
)
_LOGOS: Final = ("programLogo", "logo", "titleImage")

Item = tuple[str, str]
"""Label and value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """A class and an object in one language."""

    classes: Mapping[str, Any]
    objects: Mapping[str, Any]
    find_image: FindImage
    language: str

    def text(self, value: Any) -> str:
        """Return plain text, a localised string, money or a moment as text."""
        if not isinstance(value, Mapping):
            return "" if isinstance(value, list) or value is None else str(value)
        if "micros" in value:
            return money_text(value, self.language)
        if "date" in value:
            return moment_text(str(value["date"]), "medium", None, self.language)
        if "defaultValue" in value:
            told: list[Any] = [*(value.get("translatedValues") or ()), value["defaultValue"]]
            fits: list[Any] = [
                entry for entry in told if isinstance(entry, Mapping) and entry.get("language") == self.language
            ]
            chosen = (fits or [value["defaultValue"]])[0]
            return str(chosen.get("value", "")) if isinstance(chosen, Mapping) else ""
        return ""

    @property
    def issuer(self) -> str:
        """Whose pass it is."""
        return self.text(self.either("cardTitle", "localizedIssuerName", "issuerName"))

    @property
    def title(self) -> str:
        """What the pass is called."""
        return self.text(self.either(*_TITLES))

    def either(self, *keys: str) -> Any:
        """Return the first of some keys that the object or else the class has."""
        return next((tree[key] for key in keys for tree in (self.objects, self.classes) if key in tree), None)

    def picture(self, *keys: str) -> Image.Image | None:
        found = self.either(*keys)
        source = found.get("sourceUri") if isinstance(found, dict) else None
        uri = source.get("uri") if isinstance(source, dict) else None
        return open_image(self.find_image(str(uri)))


def draw_object(
    classes: Mapping[str, Any], objects: Mapping[str, Any], find_image: FindImage, *, language: str = "en"
) -> bytes:
    """Return a PNG of a rendered class and object."""
    look = _Look(classes=classes, objects=objects, find_image=find_image, language=language)
    details = list(_details(look))
    hero = look.picture("heroImage")
    rows = _rows(look)
    front = 250 + 96 * len(rows) + (430 if "barcode" in objects else 20) + (_HERO if hero is not None else 0)
    barcode_text = look.text((objects.get("barcode") or {}).get("alternateText"))
    items = (*details, *(item for row in rows for item in row), (look.issuer, look.title), (barcode_text, ""))
    face = face_for(text for item in items for text in item)
    height = max(front, _height_of(details, face), 700)
    canvas = Canvas(2 * _WIDTH + 3 * _EDGE, height + 2 * _EDGE, face)
    _card(canvas, look, rows, hero, front)
    _below(canvas, details, height)
    return canvas.png()


def _card(canvas: Canvas, look: _Look, rows: list[list[Item]], hero: Image.Image | None, height: int) -> None:
    left, top = _EDGE, _EDGE
    box = (left, top, left + _WIDTH, top + height)
    ground = _colour(look.either("hexBackgroundColor")) or _DEFAULT
    ink = readable_on(ground)
    canvas.rounded(box, _ROUND, ground)
    x, logo = left + _PAD, look.picture(*_LOGOS)
    if logo is not None:
        canvas.circle(logo, (x, top + 28, x + 84, top + 112))
        x += 104
    canvas.text((x, top + 54), look.issuer, 30, ink, width=left + _WIDTH - _PAD - x)
    canvas.line((left, top + 138, left + _WIDTH, top + 138), mixed(ground, ink, 0.18))
    canvas.text((left + _PAD, top + 164), look.title, 46, ink, width=_WIDTH - 2 * _PAD)
    y = top + 248
    for row in rows:
        columns = canvas.columns([((label, 22), (value, 34)) for label, value in row], _WIDTH - 2 * _PAD, 24)
        for place, ((label, value), (edge, room)) in enumerate(zip(row, columns, strict=True)):
            end = place == len(row) - 1 and place > 0
            align, at = ("right", left + _WIDTH - _PAD) if end else ("left", left + _PAD + edge)
            canvas.text((at, y), label, 22, mixed(ink, ground, 0.25), width=room, align=align)
            canvas.text((at, y + 32), value, 34, ink, width=room, align=align)
        y += 96
    if "barcode" in look.objects:
        _code(canvas, look.objects["barcode"], left, y)
    if hero is not None:
        canvas.cover(hero, (left, box[3] - _HERO, box[2], box[3]))
    canvas.corners(box, _ROUND)


def _code(canvas: Canvas, told: Any, left: int, top: int) -> None:
    if not isinstance(told, Mapping):
        return
    picture = barcode(str(told.get("type", "")), str(told.get("value", "")), "utf-8")
    square = picture.height * 2 > picture.width
    width, height = (270, 270) if square else (560, 150)
    words, middle = str(told.get("alternateText", "")), left + _WIDTH // 2
    y = top + 20 + (270 - height) // 2
    canvas.rounded((middle - width // 2 - 28, y, middle + width // 2 + 28, y + height + 56), 24, WHITE)
    sized = picture.resize((width, height), Image.Resampling.NEAREST if square else Image.Resampling.LANCZOS)
    canvas.paste(sized, (middle - width // 2, y + 28))
    if words:
        canvas.text((middle, y + height + 66), words, 26, WHITE, width=600, align="centre")


def _rows(look: _Look) -> list[list[Item]]:
    """Return what stands on the card, row by row: as the class lays it out, else as Google does."""
    override = look.classes.get("classTemplateInfo", {}).get("cardTemplateOverride", {})
    told = override.get("cardRowTemplateInfos") if isinstance(override, Mapping) else None
    if told:
        rows = [[_item(look, item) for item in _items(row)] for row in told]
    else:
        usual = list(_usual(look))
        rows = [usual[place : place + 3] for place in range(0, min(len(usual), 6), 3)]
    return [[item for item in row if item[1]] for row in rows if any(value for _, value in row)]


def _items(row: Any) -> Iterator[Mapping[str, Any]]:
    for layout in row.values() if isinstance(row, Mapping) else ():
        for key in ("item", "startItem", "middleItem", "endItem"):
            if isinstance(layout, Mapping) and key in layout:
                yield layout[key]


def _item(look: _Look, item: Mapping[str, Any]) -> Item:
    fields = item.get("firstValue", {}).get("fields") or [{}]
    found = _PATH.fullmatch(str(fields[0].get("fieldPath", "")))
    if found is None:
        return "", ""
    value: Any = (look.classes if found[1] == "class" else look.objects).get(found[2])
    if found[3] is not None:
        return next((_module(look, entry) for entry in value or () if entry.get("id") == found[3]), ("", ""))
    last = found[2]
    for key in found[4].split(".")[1:]:
        value, last = (value.get(key) if isinstance(value, Mapping) else None), key
    return _humane(last), look.text(value)


def _usual(look: _Look) -> Iterator[Item]:
    objects = look.objects
    for key in ("loyaltyPoints", "secondaryLoyaltyPoints"):
        points = objects.get(key)
        if isinstance(points, Mapping):
            balance = points.get("balance") or {}
            label = look.text(points.get("localizedLabel") or points.get("label")) or "Points"
            yield label, look.text(next(iter(balance.values()), ""))
    if "balance" in objects:
        yield "Balance", look.text(objects["balance"])
    for key, name in (("seatInfo", "Seat"), ("venue", "Venue")):
        for part, value in (look.either(key) or {}).items():
            yield (_humane(part) if key == "seatInfo" else name), look.text(value)
    for module in (objects.get("textModulesData") or ())[:3]:
        yield _module(look, module)
    if "validTimeInterval" in objects:
        yield "Valid until", look.text(objects["validTimeInterval"].get("end"))


def _details(look: _Look) -> Iterator[Item]:
    for key in ("accountName", "accountId", "cardNumber", "ticketHolderName", "ticketNumber", "details", "finePrint"):
        value = look.text(look.either(key))
        if value:
            yield (
                look.text(look.either(f"localized{key[0].upper()}{key[1:]}Label", f"{key}Label")) or _humane(key),
                value,
            )
    for tree in (look.objects, look.classes):
        for module in tree.get("textModulesData") or ():
            yield _module(look, module)
        for link in (tree.get("linksModuleData") or {}).get("uris") or ():
            yield look.text(link.get("localizedDescription") or link.get("description")), str(link.get("uri", ""))
    end = (look.objects.get("validTimeInterval") or {}).get("end")
    if end:
        yield "Valid until", look.text(end)
    homepage = look.classes.get("homepageUri")
    if isinstance(homepage, Mapping):
        yield (
            look.text(homepage.get("localizedDescription") or homepage.get("description")),
            str(homepage.get("uri", "")),
        )


def _module(look: _Look, module: Mapping[str, Any]) -> Item:
    header, body = (module.get(f"localized{key.title()}") or module.get(key) for key in ("header", "body"))
    return look.text(header), look.text(body)


def _height_of(details: list[Item], face: Face) -> int:
    return 60 + sum(64 + line_height(28) * len(wrapped(value, 28, _WIDTH - 2 * _PAD, face)) for _, value in details)


def _below(canvas: Canvas, details: list[Item], height: int) -> None:
    left, top = 2 * _EDGE + _WIDTH, _EDGE
    canvas.rounded((left, top, left + _WIDTH, top + height), _ROUND, WHITE)
    y = top + 30
    for label, value in details:
        canvas.text((left + _PAD, y), label, 24, GREY, width=_WIDTH - 2 * _PAD)
        y = canvas.paragraph((left + _PAD, y + 36), wrapped(value, 28, _WIDTH - 2 * _PAD, canvas.face), 28, BLACK) + 28


def _humane(key: str) -> str:
    """Return `accountName` as `Account name`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key).lower()
    return words[:1].upper() + words[1:]


def _colour(text: Any) -> Colour | None:
    found = _HEX.fullmatch(str(text))
    return (int(found[1], 16), int(found[2], 16), int(found[3], 16)) if found else None
