"""What Apple asks of a pass beyond its keys. Wallet says nothing of a breach: it shows less, or does not open the pass.

Source: Apple, Wallet Passes (`Pass`, `PassFieldContent`, `Pass.NFC`) and Human Interface Guidelines, Wallet.
"""

import base64
import binascii
import codecs
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from flatfile_sync.domain.spelling import did_you_mean
from flatfile_sync.domain.states import Purpose
from flatfile_sync.wallets.templates.apple_keys import GROUPS, STYLES
from flatfile_sync.wallets.templates.checking import Finding, brief
from flatfile_sync.wallets.templates.liquid import has_liquid
from flatfile_sync.wallets.templates.showing import MESSAGE_NAMES

ESCAPE: Final = "%@"
_UINT16: Final = 65_535
_LONGEST: Final = timedelta(hours=24)
# How many fields of a group a style has room for (Human Interface Guidelines); the rest is not shown.
_MOST: Final = {"headerFields": 3, "secondaryFields": 4, "auxiliaryFields": 4}


class Entry(NamedTuple):
    """A field of a pass, with its path."""

    path: str
    group: str
    field: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Its key, or nothing."""
        return str(self.field.get("key", ""))


def style_of(tree: Mapping[str, Any]) -> str:
    """Return the style of a pass, the first if it has several, or nothing."""
    return next((style for style in STYLES if style in tree), "")


def entries(tree: Mapping[str, Any]) -> list[Entry]:
    """Return every field of a pass that is one, in the order of the groups."""
    groups = tree.get(style_of(tree))
    found = []
    for group in GROUPS:
        fields = groups.get(group) if isinstance(groups, dict) else None
        for place, field in enumerate(fields if isinstance(fields, list) else ()):
            if isinstance(field, dict):
                found.append(Entry(f"{style_of(tree)}.{group}[{place}]", group, field))
    return found


def pass_findings(
    tree: Mapping[str, Any],
    *,
    carrier: str,
    purposes: Mapping[str, Purpose],
    languages: Mapping[str, Mapping[str, str]],
) -> Iterator[Finding]:
    """Yield what is wrong or doubtful in a `pass.json`; `languages` are the texts of the `.lproj` folders."""
    yield from _style_findings(tree)
    fields = entries(tree)
    for key, count in Counter(entry.key for entry in fields if "key" in entry.field).items():
        if count > 1:
            first = next(entry for entry in fields if entry.key == key)
            yield Finding(f"{first.path}.key", f"{key!r} stands {count} times; a key is unique in the whole pass.")
    # A carrier that is no field is said once, not again at the field that was meant.
    keys = [entry.key for entry in fields]
    meant = carrier if carrier in keys or not carrier else next((e.key for e in fields if _carries(e)), "")
    for entry in fields:
        yield from _field_findings(entry, meant)
    for group, most in _MOST.items():
        inside = [entry for entry in fields if entry.group == group]
        if len(inside) > most:
            yield Finding(f"{style_of(tree)}.{group}", f"has {len(inside)} fields, and Wallet shows {most}.", True)
    yield from _notice_findings(fields, meant, purposes, languages)
    yield from _carrier_findings(fields, carrier)
    yield from _detail_findings(tree)


def _style_findings(tree: Mapping[str, Any]) -> Iterator[Finding]:
    styles = [style for style in STYLES if style in tree]
    if not styles:
        yield Finding("", f"has no style; expected one of {', '.join(STYLES)}.")
    for style in styles[1:]:
        yield Finding(style, f"is a second style beside {styles[0]}; a pass has one.")
    if "groupingIdentifier" in tree and styles and styles[0] != "eventTicket":
        yield Finding("groupingIdentifier", f"is not there for {styles[0]}, only for eventTicket.")
    if "appLaunchURL" in tree and not tree.get("associatedStoreIdentifiers"):
        yield Finding("appLaunchURL", "needs `associatedStoreIdentifiers`, which say whose it is.")
    if tree.get("formatVersion", 1) != 1:
        yield Finding("formatVersion", f"found {brief(tree['formatVersion'])}, expected 1.")


def _field_findings(entry: Entry, carrier: str) -> Iterator[Finding]:
    field = entry.field
    if has_liquid(entry.key):
        yield Finding(f"{entry.path}.key", f"found {brief(entry.key)}, but a key is the same in every pass.")
    for one, other in (("dateStyle", "timeStyle"), ("timeStyle", "dateStyle")):
        if one in field and other not in field:
            yield Finding(f"{entry.path}.{other}", f"is missing, and goes together with `{one}`.")
    if ("dateStyle" in field or "timeStyle" in field) and ("numberStyle" in field or "currencyCode" in field):
        yield Finding(entry.path, "is formatted as a date and as a number; it can be one.")
    if "numberStyle" in field and "currencyCode" in field:
        yield Finding(entry.path, "has `numberStyle` and `currencyCode`; Wallet takes one.")
    if entry.key == carrier and "attributedValue" in field:
        yield Finding(f"{entry.path}.attributedValue", "hides the value of the field that carries messages.")
    for name, value in field.items():
        if isinstance(value, str) and (entry.key != carrier or name != "value"):
            used = next((word for word in MESSAGE_NAMES if word in value and has_liquid(value)), None)
            if used:
                yield Finding(f"{entry.path}.{name}", f"`{used}` is for the value of the field that `carrier` names.")


def _notice_findings(
    fields: list[Entry], carrier: str, purposes: Mapping[str, Purpose], languages: Mapping[str, Mapping[str, str]]
) -> Iterator[Finding]:
    notifying = notifying_fields(fields)
    for entry in notifying:
        text, path = entry.field["changeMessage"], f"{entry.path}.changeMessage"
        if isinstance(text, str) and ESCAPE not in text:
            yield Finding(
                path, f"found {brief(text)}, expected {ESCAPE} in it: without, Wallet says that it changed only."
            )
        for language, texts in languages.items():
            if isinstance(text, str) and ESCAPE not in texts.get(text, ESCAPE):
                yield Finding(path, f"its translation in {language}.lproj/pass.strings has no {ESCAPE}.")
        if entry.key != carrier and entry.key not in purposes:
            yield Finding(
                path,
                f"can notify, so `purposes` of pass_type.toml says why: {entry.key} = "
                f'"{Purpose.TRANSACTIONAL}" or "{Purpose.MARKETING}".',
            )
    names = [entry.key for entry in notifying if entry.key != carrier]
    if len(names) > 1:
        # Since iOS 9 several changed fields give one notice that names none of them.
        told = f"{len(names)} fields can notify ({', '.join(names)}); of several that change at once Wallet tells none."
        yield Finding("", told, True)


def notifying_fields(fields: list[Entry]) -> list[Entry]:
    """Return the fields of whose change Wallet tells the holder."""
    return [entry for entry in fields if "changeMessage" in entry.field]


def _carrier_findings(fields: list[Entry], carrier: str) -> Iterator[Finding]:
    keys = [entry.key for entry in fields]
    if carrier and carrier not in keys:
        yield Finding("", f"`carrier` names {carrier!r}, which is no field.{did_you_mean(carrier, keys)}")
    elif carrier:
        entry = fields[keys.index(carrier)]
        if "changeMessage" not in entry.field:
            yield Finding(f"{entry.path}.changeMessage", "is missing, and the field carries messages.")
        if not _carries(entry):
            yield Finding(f"{entry.path}.value", "shows no `message.text`, and the field carries messages.")


def _carries(entry: Entry) -> bool:
    return "message.text" in str(entry.field.get("value", ""))


def _detail_findings(tree: Mapping[str, Any]) -> Iterator[Finding]:
    for place, beacon in enumerate(_objects(tree.get("beacons"))):
        for key in ("major", "minor"):
            if isinstance(beacon.get(key), int) and beacon[key] > _UINT16:
                yield Finding(f"beacons[{place}].{key}", f"found {beacon[key]}, expected at most {_UINT16}.")
    for place, barcode in enumerate(_objects(tree.get("barcodes"))):
        name = barcode.get("messageEncoding")
        if isinstance(name, str) and not _is_encoding(name):
            yield Finding(f"barcodes[{place}].messageEncoding", f"found {name!r}, expected iso-8859-1 or utf-8.")
    for place, dates in enumerate(_objects(tree.get("relevantDates"))):
        yield from _relevant_findings(f"relevantDates[{place}]", dates)
    nfc = tree.get("nfc")
    public = nfc.get("encryptionPublicKey") if isinstance(nfc, dict) else None
    if isinstance(public, str) and not _is_p256(public):
        yield Finding("nfc.encryptionPublicKey", f"found {brief(public)}, expected a P-256 key as base64 of its SPKI.")


def _relevant_findings(path: str, dates: Mapping[str, Any]) -> Iterator[Finding]:
    if not ({"date", "relevantDate"} & dates.keys() or {"startDate", "endDate"} <= dates.keys()):
        yield Finding(path, "has neither `date` nor `startDate` and `endDate`.")
    try:
        start, end = (datetime.fromisoformat(str(dates.get(key))) for key in ("startDate", "endDate"))
        too_long = end - start > _LONGEST
    except (ValueError, TypeError):
        return
    if too_long:
        yield Finding(path, "spans more than 24 hours, which Wallet does not take.")


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [entry if isinstance(entry, dict) else {} for entry in value] if isinstance(value, list) else []


def _is_encoding(name: str) -> bool:
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True


def _is_p256(key: str) -> bool:
    try:
        found = load_der_public_key(base64.b64decode(key, validate=True))
    except (ValueError, TypeError, binascii.Error):
        return False
    return isinstance(found, EllipticCurvePublicKey) and isinstance(found.curve, SECP256R1)
