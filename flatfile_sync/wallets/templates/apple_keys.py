"""The keys of a `pass.json`, as Apple documents them, for the styles storeCard, eventTicket, coupon and generic.

Source: Apple, Wallet Passes, the objects `Pass`, `PassFields`, `PassFieldContent` and `SemanticTags`. Wallet ignores
keys that it does not know, so a typing error would pass in silence: every table is closed.
"""

from typing import Final

from flatfile_sync.wallets.templates.shapes import Kind, Many, Shape, Table, Value

STYLES: Final = ("storeCard", "eventTicket", "coupon", "generic")
GROUPS: Final = (
    "headerFields",
    "primaryFields",
    "secondaryFields",
    "auxiliaryFields",
    "backFields",
    "additionalInfoFields",
    "footerFields",
)

MOST_CODE: Final = 2900
"""Bytes that a QR code holds at most, with the lowest correction (ISO/IEC 18004, version 40-L: 2,953)."""
MOST_NFC: Final = 64

TEXT: Final = Value()
CODE: Final = Value(Kind.CODE, most=MOST_CODE)
FLAG: Final = Value(Kind.BOOLEAN)
NUMBER: Final = Value(Kind.NUMBER)
MOMENT: Final = Value(Kind.MOMENT)
URL: Final = Value(Kind.URL)
COUNT: Final = Value(Kind.COUNT)
_DATE_STYLE: Final = Value(
    allowed=(
        "PKDateStyleNone",
        "PKDateStyleShort",
        "PKDateStyleMedium",
        "PKDateStyleLong",
        "PKDateStyleFull",
    )
)


def _texts(*names: str) -> dict[str, Shape]:
    return dict.fromkeys(names, TEXT)


def _moments(*names: str) -> dict[str, Shape]:
    return dict.fromkeys(names, MOMENT)


_MONEY: Final = Table({"amount": TEXT, "currencyCode": TEXT})
_PLACE: Final = Table({"latitude": NUMBER, "longitude": NUMBER}, ("latitude", "longitude"))
_SEAT: Final = Table(
    _texts(
        "seatAisle",
        "seatDescription",
        "seatIdentifier",
        "seatLevel",
        "seatNumber",
        "seatRow",
        "seatSection",
        "seatSectionColor",
        "seatType",
    )
)
_DATE_INFORMATION: Final = Table(
    {
        "date": MOMENT,
        "timeZone": TEXT,
        "isAllDay": FLAG,
        "isUnannounced": FLAG,
        "isUndetermined": FLAG,
        "ignoreTimeComponents": FLAG,
    },
    ("date",),
)
SEMANTICS: Final = Table(
    {
        **_texts(
            "additionalTicketAttributes",
            "admissionLevel",
            "admissionLevelAbbreviation",
            "attendeeName",
            "awayTeamAbbreviation",
            "awayTeamLocation",
            "awayTeamName",
            "confirmationNumber",
            "entranceDescription",
            "eventLiveMessage",
            "eventName",
            "genre",
            "homeTeamAbbreviation",
            "homeTeamLocation",
            "homeTeamName",
            "leagueAbbreviation",
            "leagueName",
            "membershipProgramName",
            "membershipProgramNumber",
            "membershipProgramStatus",
            "priorityStatus",
            "securityScreening",
            "sportName",
            "venueEntrance",
            "venueEntranceDoor",
            "venueEntranceGate",
            "venueEntrancePortal",
            "venueName",
            "venuePhoneNumber",
            "venueRegionName",
            "venueRoom",
        ),
        **_moments(
            "eventEndDate",
            "eventStartDate",
            "venueBoxOfficeOpenDate",
            "venueCloseDate",
            "venueDoorsOpenDate",
            "venueFanZoneOpenDate",
            "venueGatesOpenDate",
            "venueOpenDate",
            "venueParkingLotsOpenDate",
        ),
        "eventType": Value(
            allowed=tuple(
                f"PKEventType{word}"
                for word in (
                    "Generic",
                    "LivePerformance",
                    "Movie",
                    "Sports",
                    "Conference",
                    "Convention",
                    "Workshop",
                    "SocialGathering",
                )
            )
        ),
        "albumIDs": Many(TEXT),
        "artistIDs": Many(TEXT),
        "performerNames": Many(TEXT),
        "playlistIDs": Many(TEXT),
        "airplay": Many(Table({"airPlayDeviceGroupToken": TEXT}, ("airPlayDeviceGroupToken",))),
        "balance": _MONEY,
        "totalPrice": _MONEY,
        "duration": NUMBER,
        "eventStartDateInfo": _DATE_INFORMATION,
        "seats": Many(_SEAT),
        "silenceRequested": FLAG,
        "tailgatingAllowed": FLAG,
        "venueLocation": _PLACE,
        "wifiAccess": Many(Table({"password": TEXT, "ssid": TEXT}, ("password", "ssid"))),
    }
)

_FIELD: Final[dict[str, Shape]] = {
    "key": TEXT,
    "value": Value(Kind.FIELD_VALUE),
    "label": TEXT,
    "attributedValue": Value(Kind.HTML),
    "changeMessage": TEXT,
    "textAlignment": Value(
        allowed=(
            "PKTextAlignmentLeft",
            "PKTextAlignmentCenter",
            "PKTextAlignmentRight",
            "PKTextAlignmentNatural",
        )
    ),
    "dataDetectorTypes": Many(
        Value(
            allowed=(
                "PKDataDetectorTypePhoneNumber",
                "PKDataDetectorTypeLink",
                "PKDataDetectorTypeAddress",
                "PKDataDetectorTypeCalendarEvent",
            )
        )
    ),
    "dateStyle": _DATE_STYLE,
    "timeStyle": _DATE_STYLE,
    "isRelative": FLAG,
    "ignoresTimeZone": FLAG,
    "numberStyle": Value(
        allowed=(
            "PKNumberStyleDecimal",
            "PKNumberStylePercent",
            "PKNumberStyleScientific",
            "PKNumberStyleSpellOut",
        )
    ),
    "currencyCode": TEXT,
    "semantics": SEMANTICS,
}
_REQUIRED: Final = ("key", "value")
_UNALIGNED: Final = {"textAlignment": "Apple does not align primary and back fields"}


def _group(name: str) -> Shape:
    if name == "auxiliaryFields":
        return Many(Table({**_FIELD, "row": COUNT}, _REQUIRED))
    if name in {"primaryFields", "backFields"}:
        rest = {key: shape for key, shape in _FIELD.items() if key != "textAlignment"}
        return Many(Table(rest, _REQUIRED, _UNALIGNED))
    return Many(Table(_FIELD, _REQUIRED))


def _style(name: str) -> Table:
    """Return the groups of a style; additional information is shown on poster event tickets only."""
    return Table({group: _group(group) for group in GROUPS if group != "additionalInfoFields" or name == "eventTicket"})


_BARCODE: Final = Table(
    {
        "format": Value(
            allowed=tuple(
                f"PKBarcodeFormat{word}"
                for word in ("QR", "PDF417", "Aztec", "Code128", "Code39", "Codabar", "EAN13", "I2of5")
            )
        ),
        "message": CODE,
        "messageEncoding": TEXT,
        "altText": TEXT,
    },
    ("format", "message", "messageEncoding"),
)
_POSTER_URLS: Final = tuple(
    f"{word}URL"
    for word in (
        "bagPolicy",
        "orderFood",
        "parkingInformation",
        "directionsInformation",
        "purchaseParking",
        "merchandise",
        "transitInformation",
        "accessibility",
        "addOn",
        "transfer",
        "sell",
    )
)
_POSTER_CONTACTS: Final = ("contactVenueEmail", "contactVenuePhoneNumber")
_IMAGE_LIST: Final = Table(
    {
        "URLs": Many(Table({"URL": URL, "SHA256": TEXT, "scale": NUMBER, "size": COUNT}, ("URL", "SHA256"))),
        "reuseExisting": FLAG,
    }
)
_UPCOMING: Final = Table(
    {
        "type": Value(allowed=("event",)),
        "identifier": TEXT,
        "name": TEXT,
        "isActive": FLAG,
        "dateInformation": _DATE_INFORMATION,
        "semantics": SEMANTICS,
        "images": Table({"headerImage": _IMAGE_LIST, "venueMap": _IMAGE_LIST}),
        "URLs": Table(
            {
                **dict.fromkeys((*_POSTER_URLS, "contactVenueWebsite"), URL),
                **dict.fromkeys(_POSTER_CONTACTS, TEXT),
            }
        ),
        "additionalInfoFields": Many(Table(_FIELD, _REQUIRED)),
        "backFields": Many(Table(_FIELD, _REQUIRED)),
        "auxiliaryStoreIdentifiers": Many(NUMBER),
    },
    ("type", "identifier", "name"),
)

OURS: Final = "is set by flatfile-sync"
_REFUSED: Final = {
    "passTypeIdentifier": f"{OURS}, from the certificate",
    "teamIdentifier": f"{OURS}, from the certificate",
    "serialNumber": f"{OURS}, and never changes",
    "webServiceURL": OURS,
    "authenticationToken": f"{OURS}, and never changes",
    "voided": f"{OURS}, from the status of the pass",
    "barcode": "was replaced by `barcodes`",
    "relevantDate": "was replaced by `relevantDates`",
    "boardingPass": "is a style that comes later",
    "posterGeneric": "is a style that comes later",
}

PASS: Final = Table(
    {
        "formatVersion": Value(Kind.COUNT),
        "organizationName": TEXT,
        "description": TEXT,
        **{style: _style(style) for style in STYLES},
        "locations": Many(
            Table(
                {"latitude": NUMBER, "longitude": NUMBER, "altitude": NUMBER, "relevantText": TEXT},
                ("latitude", "longitude"),
            ),
            10,
        ),
        "maxDistance": NUMBER,
        "beacons": Many(
            Table({"proximityUUID": TEXT, "major": COUNT, "minor": COUNT, "relevantText": TEXT}, ("proximityUUID",))
        ),
        "relevantDates": Many(Table(_moments("date", "relevantDate", "startDate", "endDate"))),
        "expirationDate": MOMENT,
        "barcodes": Many(_BARCODE),
        "associatedStoreIdentifiers": Many(NUMBER),
        "auxiliaryStoreIdentifiers": Many(NUMBER),
        "appLaunchURL": Value(Kind.APP),
        "userInfo": Value(Kind.ANY),
        **dict.fromkeys(
            ("backgroundColor", "foregroundColor", "labelColor", "stripColor", "footerBackgroundColor"),
            Value(Kind.COLOUR),
        ),
        "logoText": TEXT,
        "suppressStripShine": FLAG,
        "groupingIdentifier": TEXT,
        "sharingProhibited": FLAG,
        "nfc": Table(
            {"message": Value(Kind.CODE, most=MOST_NFC), "encryptionPublicKey": TEXT, "requiresAuthentication": FLAG},
            ("message", "encryptionPublicKey"),
        ),
        "semantics": SEMANTICS,
        "preferredStyleSchemes": Many(Value(allowed=("posterEventTicket", "eventTicket"))),
        "eventLogoText": TEXT,
        "suppressHeaderDarkening": FLAG,
        "useAutomaticColors": FLAG,
        **dict.fromkeys((*_POSTER_URLS, "contactVenueWebsite"), URL),
        **dict.fromkeys(_POSTER_CONTACTS, TEXT),
        "upcomingPassInformation": Many(_UPCOMING),
        "featuredActions": Many(
            Table({"identifier": TEXT, "type": TEXT, "url": URL, "placeIdentifier": TEXT}, ("identifier", "type")), 2
        ),
    },
    ("formatVersion", "organizationName", "description"),
    _REFUSED,
)
