"""Each broken template is refused with its file, its key and the reason; nothing else is said about it."""

import base64

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flatfile_sync.domain.states import Purpose
from tests.pass_types import APPLE, CLASS, OBJECT, folder, png, read, with_, without

POINTS = ("storeCard", "headerFields", 0)
NEWS = ("storeCard", "backFields", 0)
SHOP = ("storeCard", "backFields", 1)
TIER = ("storeCard", "secondaryFields", 0)
PLACE = {"latitude": 48.85, "longitude": 2.35}


def public_key(curve):
    key = generate_private_key(curve).public_key()
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def apple(path, value):
    return folder(with_(APPLE, path, value))


def class_(path, value):
    return folder(google_class=with_(CLASS, path, value))


def object_(path, value):
    return folder(google_object=with_(OBJECT, path, value))


# Folder, file, key path, what the sentence says.
REFUSED = {
    "unknown key": (
        apple(("backgroundColour",), "rgb(1,2,3)"),
        "apple.json",
        "backgroundColour",
        "unknown key. Did you mean `backgroundColor`?",
    ),
    "unknown key of a field": (
        apple((*POINTS, "lable"), "x"),
        "apple.json",
        "storeCard.headerFields[0].lable",
        "Did you mean `label`?",
    ),
    "missing required": (folder(without(APPLE, ("description",))), "apple.json", "description", "is missing."),
    "field without a value": (
        folder(without(APPLE, (*TIER, "value"))),
        "apple.json",
        "storeCard.secondaryFields[0].value",
        "is missing.",
    ),
    "no style": (folder(without(APPLE, ("storeCard",)), carrier="", purposes={}), "apple.json", "", "has no style"),
    "two styles": (apple(("coupon",), {"headerFields": []}), "apple.json", "coupon", "second style beside storeCard"),
    "boarding pass": (apple(("boardingPass",), {}), "apple.json", "boardingPass", "a style that comes later"),
    "no icon": (folder(without=("images/icon.png",)), "apple.json", "", "images/icon.png"),
    "icon no PNG": (folder(more={"images/icon.png": b"GIF89a"}), "images/icon.png", "", "is no PNG image."),
    "heavy image": (
        folder(more={"images/logo.png": png() + b"0" * 1_000_000}),
        "images/logo.png",
        "",
        "expected at most 1,000,000",
    ),
    "duplicate field key": (
        apple((*TIER, "key"), "points"),
        "apple.json",
        "storeCard.headerFields[0].key",
        "stands 2 times",
    ),
    "Liquid in a key": (
        apple((*TIER, "key"), "{{ additionalData.tier }}"),
        "apple.json",
        "storeCard.secondaryFields[0].key",
        "the same in every pass",
    ),
    "changeMessage without escape": (
        apple((*POINTS, "changeMessage"), "Your points changed"),
        "apple.json",
        "storeCard.headerFields[0].changeMessage",
        "expected %@ in it",
    ),
    "changeMessage without a purpose": (
        apple((*TIER, "changeMessage"), "Tier %@"),
        "apple.json",
        "storeCard.secondaryFields[0].changeMessage",
        'tier = "transactional" or "marketing"',
    ),
    "translated changeMessage without escape": (
        folder(
            more={"fr.lproj/pass.strings": b'"You now have %@ points" = "Vos points ont change";'},
            languages=("en", "fr"),
        ),
        "apple.json",
        "storeCard.headerFields[0].changeMessage",
        "translation in fr.lproj/pass.strings has no %@",
    ),
    "eleven locations": (
        apple(("locations",), [PLACE] * 11),
        "apple.json",
        "locations",
        "found 11 entries, expected at most 10.",
    ),
    "nfc over 64 bytes": (
        apple(("nfc",), {"message": "é" * 33, "encryptionPublicKey": public_key(SECP256R1())}),
        "apple.json",
        "nfc.message",
        "has 66 bytes, expected at most 64.",
    ),
    "nfc with another curve": (
        apple(("nfc",), {"message": "x", "encryptionPublicKey": public_key(SECP384R1())}),
        "apple.json",
        "nfc.encryptionPublicKey",
        "expected a P-256 key",
    ),
    "nfc without a key": (
        apple(("nfc",), {"message": "x", "encryptionPublicKey": "not base64!"}),
        "apple.json",
        "nfc.encryptionPublicKey",
        "expected a P-256 key",
    ),
    "store ids as text": (
        apple(("associatedStoreIdentifiers",), ["123"]),
        "apple.json",
        "associatedStoreIdentifiers[0]",
        "found '123', expected a number.",
    ),
    "appLaunchURL alone": (
        apple(("appLaunchURL",), "example://x"),
        "apple.json",
        "appLaunchURL",
        "associatedStoreIdentifiers",
    ),
    "webServiceURL alone": (
        apple(("webServiceURL",), "https://www.example.com"),
        "apple.json",
        "webServiceURL",
        "set by flatfile-sync",
    ),
    "authenticationToken alone": (
        apple(("authenticationToken",), "x" * 16),
        "apple.json",
        "authenticationToken",
        "set by flatfile-sync",
    ),
    "serial number": (apple(("serialNumber",), "{{ pass.id }}"), "apple.json", "serialNumber", "never changes"),
    "http URL": (
        apple((*SHOP, "attributedValue"), '<a href="http://www.example.com">x</a>'),
        "apple.json",
        "storeCard.backFields[1].attributedValue",
        "it is not https",
    ),
    "foreign host": (
        apple((*SHOP, "attributedValue"), '<a href="https://evil.test/">x</a>'),
        "apple.json",
        "storeCard.backFields[1].attributedValue",
        "the host 'evil.test' is not among `url_hosts`",
    ),
    "host that only looks like ours": (
        apple((*SHOP, "attributedValue"), '<a href="https://www.example.com.evil.test/">x</a>'),
        "apple.json",
        "storeCard.backFields[1].attributedValue",
        "is not among `url_hosts`",
    ),
    "user name in a URL": (
        apple((*SHOP, "attributedValue"), '<a href="https://x@www.example.com/">x</a>'),
        "apple.json",
        "storeCard.backFields[1].attributedValue",
        "has a user name",
    ),
    "other markup": (
        apple((*SHOP, "attributedValue"), "<b>shop</b>"),
        "apple.json",
        "storeCard.backFields[1].attributedValue",
        "found '<b>', expected text with links",
    ),
    "date without time style": (
        apple(TIER, {"key": "t", "value": "2026-08-31", "dateStyle": "PKDateStyleShort"}),
        "apple.json",
        "storeCard.secondaryFields[0].timeStyle",
        "goes together with `dateStyle`",
    ),
    "number style and text": (
        apple((*POINTS, "value"), "{{ additionalData.points }} points"),
        "apple.json",
        "storeCard.headerFields[0].value",
        "exactly one output",
    ),
    "number style and currency": (
        apple((*POINTS, "currencyCode"), "EUR"),
        "apple.json",
        "storeCard.headerFields[0]",
        "Wallet takes one",
    ),
    "alignment of a back field": (
        apple((*SHOP, "textAlignment"), "PKTextAlignmentLeft"),
        "apple.json",
        "storeCard.backFields[1].textAlignment",
        "does not align primary and back fields",
    ),
    "unknown word": (
        apple((*POINTS, "numberStyle"), "PKNumberStyleDecimals"),
        "apple.json",
        "storeCard.headerFields[0].numberStyle",
        "Did you mean `PKNumberStyleDecimal`?",
    ),
    "barcode, deprecated": (apple(("barcode",), {}), "apple.json", "barcode", "was replaced by `barcodes`"),
    "barcode format": (
        apple(("barcodes", 0, "format"), "QR"),
        "apple.json",
        "barcodes[0].format",
        "found 'QR', expected one of PKBarcodeFormatQR",
    ),
    "barcode encoding": (
        apple(("barcodes", 0, "messageEncoding"), "iso-8859-1x"),
        "apple.json",
        "barcodes[0].messageEncoding",
        "expected iso-8859-1 or utf-8",
    ),
    "colour": (apple(("labelColor",), "#ffffff"), "apple.json", "labelColor", "expected a colour like rgb(12, 34, 56)"),
    "colour beyond 255": (apple(("labelColor",), "rgb(256,0,0)"), "apple.json", "labelColor", "expected a colour"),
    "beacon": (
        apple(("beacons",), [{"proximityUUID": "x", "major": 65_536}]),
        "apple.json",
        "beacons[0].major",
        "expected at most 65535",
    ),
    "relevance over a day": (
        apple(("relevantDates",), [{"startDate": "2026-08-31T10:00:00Z", "endDate": "2026-09-01T11:00:00Z"}]),
        "apple.json",
        "relevantDates[0]",
        "more than 24 hours",
    ),
    "relevance of nothing": (
        apple(("relevantDates",), [{}]),
        "apple.json",
        "relevantDates[0]",
        "has neither `date` nor",
    ),
    "grouping": (apple(("groupingIdentifier",), "x"), "apple.json", "groupingIdentifier", "not there for storeCard"),
    "format version": (apple(("formatVersion",), 2), "apple.json", "formatVersion", "found 2, expected 1."),
    "a number instead of text": (apple(("logoText",), 7), "apple.json", "logoText", "found 7, expected text."),
    "an object instead of a list": (apple(("locations",), {}), "apple.json", "locations", "found {}, expected a list."),
    "a list instead of an object": (apple(("nfc",), []), "apple.json", "nfc", "found [], expected an object."),
    "unknown name": (
        apple((*TIER, "value"), "{{ additionalData.teir }}"),
        "apple.json",
        "storeCard.secondaryFields[0].value",
        "`additionalData.teir` is no name that a template knows. Did you mean `additionalData.tier`?",
    ),
    "name of one word": (
        apple((*TIER, "value"), "{{ tier }}"),
        "apple.json",
        "storeCard.secondaryFields[0].value",
        "`tier` is no name",
    ),
    "name chosen by a value": (
        apple((*TIER, "value"), "{{ additionalData[additionalData.tier] }}"),
        "apple.json",
        "storeCard.secondaryFields[0].value",
        "write the name out",
    ),
    "unknown filter": (
        apple((*TIER, "value"), "{{ additionalData.tier | shout }}"),
        "apple.json",
        "storeCard.secondaryFields[0].value",
        "unknown filter 'shout'",
    ),
    "unknown tag": (
        apple((*TIER, "value"), "{% include 'x' %}"),
        "apple.json",
        "storeCard.secondaryFields[0].value",
        "include",
    ),
    "Liquid that does not end": (
        apple((*TIER, "value"), "{{ additionalData.tier"),
        "apple.json",
        "storeCard.secondaryFields[0].value",
        "found '{{ additionalData.tier'",
    ),
    "time of rendering": (
        apple((*TIER, "value"), "{{ 'now' | date: '%Y' }}"),
        "apple.json",
        "storeCard.secondaryFields[0].value",
        "must not depend on when it is rendered",
    ),
    "message outside the carrier": (
        apple((*TIER, "value"), "{{ message.text }}"),
        "apple.json",
        "storeCard.secondaryFields[0].value",
        "`message.text` is for the value of the field that `carrier` names",
    ),
    "carrier is no field": (folder(carrier="nwes"), "apple.json", "", "Did you mean `news`?"),
    "carrier that does not notify": (
        folder(without(APPLE, (*NEWS, "changeMessage"))),
        "apple.json",
        "storeCard.backFields[0].changeMessage",
        "the field carries messages",
    ),
    "carrier without the message": (
        apple((*NEWS, "value"), "-"),
        "apple.json",
        "storeCard.backFields[0].value",
        "shows no `message.text`",
    ),
    "key twice in an object": (
        folder(more={"apple.json": orjson.dumps(APPLE)[:-1] + b',"formatVersion":1}'}),
        "apple.json",
        "formatVersion",
        "stands twice in one object.",
    ),
    "no JSON": (folder(None, more={"apple.json": b"{,}"}, purposes={}), "apple.json", "", "cannot be read: "),
    "JSON of another kind": (
        folder(None, more={"apple.json": b"[]"}, purposes={}),
        "apple.json",
        "",
        "expected an object",
    ),
    "number that is none": (
        folder(None, more={"apple.json": b'{"a": NaN}'}, purposes={}),
        "apple.json",
        "",
        "NaN is no JSON",
    ),
    "unknown Google key": (object_(("acountId",), "x"), "google_object.json", "acountId", "Did you mean `accountId`?"),
    "DRAFT class": (
        class_(("reviewStatus",), "DRAFT"),
        "google_class.json",
        "reviewStatus",
        "found 'DRAFT', expected one of UNDER_REVIEW",
    ),
    "deprecated enum": (
        object_(("state",), "active"),
        "google_object.json",
        "state",
        "found 'active', expected one of ACTIVE, COMPLETED, EXPIRED, INACTIVE",
    ),
    "deprecated key": (object_(("version",), "1"), "google_object.json", "version", "is deprecated by Google."),
    "missing in a class": (
        folder(google_class=without(CLASS, ("programLogo",))),
        "google_class.json",
        "programLogo",
        "is missing.",
    ),
    "missing in an object": (
        folder(
            google_type="giftCard",
            google_class={"issuerName": "x", "reviewStatus": "UNDER_REVIEW"},
            google_object={"pin": "1"},
        ),
        "google_object.json",
        "cardNumber",
        "is missing.",
    ),
    "int32 overflow": (
        object_(("loyaltyPoints", "balance"), {"int": 2**31}),
        "google_object.json",
        "loyaltyPoints.balance.int",
        "found 2147483648, expected an integer of 32 bits.",
    ),
    "two balances": (
        object_(("loyaltyPoints", "balance"), {"int": 1, "string": "1"}),
        "google_object.json",
        "loyaltyPoints.balance",
        "found string and int, expected one of",
    ),
    "no balance": (
        object_(("loyaltyPoints", "balance"), {}),
        "google_object.json",
        "loyaltyPoints.balance",
        "found none, expected one of",
    ),
    "micros as a number": (
        object_(("loyaltyPoints", "balance"), {"money": {"micros": 5, "currencyCode": "EUR"}}),
        "google_object.json",
        "loyaltyPoints.balance.money.micros",
        "an integer of 64 bits as text",
    ),
    "51 linked ids": (
        object_(("linkedObjectIds",), [f"3388.n{number}" for number in range(51)]),
        "google_object.json",
        "linkedObjectIds",
        "found 51 entries, expected at most 50.",
    ),
    "linked to itself": (
        object_(("linkedObjectIds",), ["3388.{{ pass.id }}"]),
        "google_object.json",
        "linkedObjectIds[0]",
        "links the pass to itself",
    ),
    "linked to no id": (
        object_(("linkedObjectIds",), ["a b"]),
        "google_object.json",
        "linkedObjectIds[0]",
        "found 'a b', expected an id like",
    ),
    "eleven places of a merchant": (
        object_(("merchantLocations",), [PLACE] * 11),
        "google_object.json",
        "merchantLocations",
        "found 11 entries, expected at most 10.",
    ),
    "messages": (
        object_(("messages",), [{"messageType": "EXPIRATION_NOTIFICATION"}]),
        "google_object.json",
        "messages",
        "a message is sent on its own",
    ),
    "message in an object": (
        object_(("accountName",), "{{ message.text }}"),
        "google_object.json",
        "accountName",
        "a message goes to Google on its own",
    ),
    "notifyPreference without a purpose": (
        object_(("notifyPreference",), "NOTIFY_ON_UPDATE"),
        "google_object.json",
        "notifyPreference",
        'notifyPreference = "transactional" or "marketing"',
    ),
    "generic and notifyPreference": (
        folder(
            google_type="generic",
            google_class={},
            google_object={
                "cardTitle": {"defaultValue": {"language": "en", "value": "x"}},
                "header": {"defaultValue": {"language": "en", "value": "x"}},
                "notifyPreference": "NOTIFY_ON_UPDATE",
            },
            purposes={"points": Purpose.TRANSACTIONAL, "notifyPreference": Purpose.TRANSACTIONAL},
        ),
        "google_object.json",
        "notifyPreference",
        "only a message can notify",
    ),
    "both notices of a generic pass": (
        folder(
            google_type="generic",
            google_class={},
            google_object={
                "cardTitle": {"defaultValue": {"language": "en", "value": "x"}},
                "header": {"defaultValue": {"language": "en", "value": "x"}},
                "notifications": {"expiryNotification": {}, "upcomingNotification": {}},
            },
        ),
        "google_object.json",
        "notifications",
        "Google takes one",
    ),
    "Liquid in a class": (
        class_(("programName",), "{{ additionalData.tier }}"),
        "google_class.json",
        "programName",
        "Liquid is not for this place",
    ),
    "image that is not there": (
        class_(("programLogo", "sourceUri", "uri"), "image:lgoo.png"),
        "google_class.json",
        "programLogo.sourceUri.uri",
        "Did you mean `logo.png`?",
    ),
    "image from a row": (
        object_(("heroImage", "sourceUri", "uri"), "{{ additionalData.url }}"),
        "google_object.json",
        "heroImage.sourceUri.uri",
        "no image is fetched for a row",
    ),
    "host from a row": (
        object_(("linksModuleData",), {"uris": [{"uri": "https://{{ additionalData.url }}/x"}]}),
        "google_object.json",
        "linksModuleData.uris[0].uri",
        "expected its host written out",
    ),
    "layout that shows no key": (
        class_(
            ("classTemplateInfo",),
            {
                "listTemplateOverride": {
                    "firstRowOption": {"fieldOption": {"fields": [{"fieldPath": "object.acountId"}]}}
                }
            },
        ),
        "google_class.json",
        "classTemplateInfo.listTemplateOverride.firstRowOption.fieldOption.fields[0].fieldPath",
        "Did you mean `accountId`?",
    ),
    "layout that shows no module": (
        class_(
            ("classTemplateInfo",),
            {
                "listTemplateOverride": {
                    "firstRowOption": {"fieldOption": {"fields": [{"fieldPath": "object.textModulesData['x']"}]}}
                }
            },
        ),
        "google_class.json",
        "classTemplateInfo.listTemplateOverride.firstRowOption.fieldOption.fields[0].fieldPath",
        "no entry of textModulesData has the id 'x'",
    ),
    "id of a module twice": (
        object_(("textModulesData",), [{"id": "a"}, {"id": "a"}]),
        "google_object.json",
        "textModulesData",
        "the id 'a' stands 2 times",
    ),
    "object without a class": (
        folder(google_class=None),
        "google_class.json",
        "",
        "is missing beside google_object.json.",
    ),
    "no type": (folder(google_type=""), "pass_type.toml", "google_type", "is missing, expected one of loyalty"),
    "unknown type": (folder(google_type="giftcard"), "pass_type.toml", "google_type", "Did you mean `giftCard`?"),
    "type without documents": (
        folder(google_class=None, google_object=None),
        "pass_type.toml",
        "google_type",
        "there is no google_object.json",
    ),
    "no document at all": (
        folder(None, None, None, google_type="", carrier="", purposes={}),
        "pass_type.toml",
        "",
        "has neither apple.json nor google_class.json",
    ),
    "purpose of nothing": (
        folder(purposes={"points": Purpose.TRANSACTIONAL, "tier": Purpose.TRANSACTIONAL}),
        "pass_type.toml",
        "purposes.tier",
        "names nothing that can notify",
    ),
    "purpose of the carrier": (
        folder(purposes={"points": Purpose.TRANSACTIONAL, "news": Purpose.MARKETING}),
        "pass_type.toml",
        "purposes.news",
        "each has its own purpose",
    ),
    "identifier that is none": (
        folder(required_identifiers=("memberID",)),
        "pass_type.toml",
        "required_identifiers[0]",
        "Did you mean `memberId`?",
    ),
    "fallback that is no language": (
        folder(languages=("fr", "de")),
        "pass_type.toml",
        "fallback_language",
        "found 'en', which is not among `languages`",
    ),
    "folder of no language": (
        folder(more={"fr.lproj/pass.strings": b""}),
        "pass_type.toml",
        "languages",
        "lacks 'fr'",
    ),
    "texts that do not end": (
        folder(more={"fr.lproj/pass.strings": b'"a" = "b"\n"c" = "d";'}, languages=("en", "fr")),
        "fr.lproj/pass.strings",
        "",
        "line 1: expected",
    ),
    "text twice": (
        folder(more={"fr.lproj/pass.strings": b'"a" = "b";\n"a" = "d";'}, languages=("en", "fr")),
        "fr.lproj/pass.strings",
        "",
        "line 2: 'a' stands twice.",
    ),
    "image of data that is none": (
        folder(images={"srtip": "x"}),
        "pass_type.toml",
        "images.srtip",
        "Did you mean `strip`?",
    ),
    "unknown name for an image": (
        folder(images={"strip": "strip-{{ additionalData.teir }}"}),
        "pass_type.toml",
        "images.strip",
        "Did you mean `additionalData.tier`?",
    ),
    "unknown file": (
        folder(more={"aple.json": b"{}"}),
        "aple.json",
        "",
        "is no file of a pass type. Did you mean `apple.json`?",
    ),
}


@pytest.mark.parametrize(("found", "file", "path", "text"), REFUSED.values(), ids=REFUSED)
def test_a_broken_template_is_refused_with_file_key_and_reason(found, file, path, text):
    """One thing is wrong, and one thing is said."""
    _, remarks = read(found)
    errors = [remark for remark in remarks if not remark.warning]
    assert [(remark.file, remark.path) for remark in errors] == [(file, path)], errors
    assert text in errors[0].text


# Folder, file, what the sentence says.
DOUBTFUL = {
    "two fields can notify": (
        folder(
            with_(APPLE, (*TIER, "changeMessage"), "%@"),
            purposes={"points": Purpose.TRANSACTIONAL, "tier": Purpose.TRANSACTIONAL},
        ),
        "apple.json",
        "2 fields can notify (points, tier)",
    ),
    "more fields than are shown": (
        apple(("storeCard", "auxiliaryFields"), [{"key": f"k{number}", "value": "x"} for number in range(5)]),
        "apple.json",
        "has 5 fields, and Wallet shows 4.",
    ),
    "image that is not shown": (
        folder(more={"images/thumbnail.png": png()}),
        "pass_type.toml",
        "thumbnail is not shown by storeCard",
    ),
    "text of one language only": (
        folder(
            more={"en.lproj/pass.strings": b'"Tier" = "Tier";', "fr.lproj/pass.strings": b""}, languages=("en", "fr")
        ),
        "pass_type.toml",
        "fr.lproj/pass.strings has no text for 'Tier'",
    ),
    "eleven modules": (
        object_(("textModulesData",), [{"id": str(number)} for number in range(11)]),
        "google_object.json",
        "has 11 entries, of which Google shows 10.",
    ),
    "expiry notice of a card": (
        object_(("disableExpirationNotification",), True),
        "google_object.json",
        "works for offers only",
    ),
}


@pytest.mark.parametrize(("found", "file", "text"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_what_is_doubtful_is_said_and_taken(found, file, text):
    """A warning names its file and does not stand in the way."""
    _, remarks = read(found)
    assert [(remark.file, remark.warning) for remark in remarks] == [(file, True)], remarks
    assert text in remarks[0].text


def test_all_that_is_wrong_is_said_at_once():
    """Two mistakes in two files are two remarks."""
    _, remarks = read(folder(with_(APPLE, ("logoTxt",), "x"), google_object=with_(OBJECT, ("pin",), "1")))
    assert [(remark.file, remark.path) for remark in remarks] == [
        ("apple.json", "logoTxt"),
        ("google_object.json", "pin"),
    ]
