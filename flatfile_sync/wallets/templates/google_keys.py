"""The keys of Google's classes and objects: `google_keys.json`, made of the discovery document, and what it omits.

Source: the Google Wallet API's discovery document and reference. Deprecated keys and words are left out.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from flatfile_sync.wallets.templates.apple_keys import MOST_CODE
from flatfile_sync.wallets.templates.shapes import Kind, Many, Shape, Table, Value

TYPES: Final = ("loyalty", "giftCard", "eventTicket", "offer", "generic")
NOTIFY: Final = "notifyPreference"

_FILE: Final = Path(__file__).with_name("google_keys.json")
_OURS: Final = "is set by flatfile-sync"
_PLATFORM: Final = "is set by Google"
_REFUSED: Final = {
    "id": _OURS,
    "classId": _OURS,
    "callbackOptions": _OURS,
    "classReference": _PLATFORM,
    "hasUsers": _PLATFORM,
    "hasLinkedDevice": _PLATFORM,
    "review": _PLATFORM,
    "messages": "is refused: a message is sent on its own, and a template would wipe the earlier ones",
}
# Of an object, `state` is required too; it follows the status of the pass where a template does not say it.
_REQUIRED: Final = {
    "loyaltyClass": ("issuerName", "programName", "programLogo", "reviewStatus"),
    "giftCardClass": ("issuerName", "reviewStatus"),
    "eventTicketClass": ("issuerName", "eventName", "reviewStatus"),
    "offerClass": ("issuerName", "provider", "title", "redemptionChannel", "reviewStatus"),
    "genericClass": (),
    "loyaltyObject": (),
    "giftCardObject": ("cardNumber",),
    "eventTicketObject": (),
    "offerObject": (),
    "genericObject": ("cardTitle", "header"),
}
_REQUIRED_INSIDE: Final = {
    "Image": ("sourceUri",),
    "ImageUri": ("uri",),
    "Uri": ("uri",),
    "LocalizedString": ("defaultValue",),
    "TranslatedString": ("language", "value"),
    "Money": ("micros", "currencyCode"),
    "MerchantLocation": ("latitude", "longitude"),
    "Barcode": ("type", "value"),
    "DateTime": ("date",),
}
# What the document calls plain text, or lets be what a template must not ask for.
_CLOSER: Final[dict[tuple[str, str], Shape]] = {
    ("ImageUri", "uri"): Value(Kind.PICTURE),
    ("Barcode", "value"): Value(Kind.CODE, most=MOST_CODE),
    ("Uri", "uri"): Value(Kind.LINK),
    ("ValueAddedModuleData", "uri"): Value(Kind.LINK),
    ("DateTime", "date"): Value(Kind.MOMENT),
    **{("EventDateTime", key): Value(Kind.MOMENT) for key in ("doorsOpen", "start", "end")},
}
_CLOSER_ANYWHERE: Final[dict[str, Shape]] = {
    "hexBackgroundColor": Value(Kind.HEX_COLOUR),
    # A class that is a draft cannot have objects; the other words are Google's answer.
    "reviewStatus": Value(allowed=("UNDER_REVIEW",)),
}
_MOST: Final = {"merchantLocations": 10, "valueAddedModuleData": 15, "linkedObjectIds": 50, "linkedOfferIds": 50}


@cache
def shape(name: str) -> Table:
    """Return the keys of `loyaltyClass`, `loyaltyObject` and so on."""
    found = _table(f"{name[0].upper()}{name[1:]}")
    refused = {**_REFUSED, **(found.refused or {})}
    if name.startswith("generic"):
        refused[NOTIFY] = "is not there for generic passes: only a message can notify"
    keys = {key: value for key, value in found.keys.items() if key not in refused}
    return Table(keys, _REQUIRED[name], refused)


@cache
def _tables() -> dict[str, dict[str, str]]:
    document: dict[str, Any] = orjson.loads(_FILE.read_bytes())
    found: dict[str, dict[str, str]] = document["tables"]
    return found


@cache
def _table(name: str) -> Table:
    keys: dict[str, Shape] = {}
    gone: dict[str, str] = {}
    for key, word in _tables()[name].items():
        if word == "deprecated":
            gone[key] = "is deprecated by Google"
        elif key in _CLOSER_ANYWHERE:
            keys[key] = _CLOSER_ANYWHERE[key]
        elif key not in _REFUSED or key == "id":
            keys[key] = _CLOSER.get((name, key)) or _shape(word, _MOST.get(key))
    return Table(keys, _REQUIRED_INSIDE.get(name, ()), gone)


def _shape(word: str, most: int | None = None) -> Shape:
    if word.endswith("[]"):
        return Many(_shape(word.removesuffix("[]")), most)
    if word.startswith("@"):
        return _table(word.removeprefix("@"))
    if "|" in word or word.isupper():
        return Value(allowed=tuple(word.split("|")))
    return Value(Kind(word))
