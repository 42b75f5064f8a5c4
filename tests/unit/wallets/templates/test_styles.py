"""Each style of Apple and each type of Google has a template in which nothing is wrong, and which renders."""

import pytest

from flatfile_sync.domain.states import Purpose
from flatfile_sync.wallets.preview.apple import draw_pass
from flatfile_sync.wallets.preview.google import draw_object
from flatfile_sync.wallets.templates.rendering import apple_pass, google_class, google_object
from tests.pass_types import folder, png, read, showing

TOP = {"formatVersion": 1, "organizationName": "Example", "description": "A pass"}
EVENT = {
    "headerFields": [
        {"key": "gate", "label": "Gate", "value": "{{ additionalData.seat }}", "changeMessage": "Gate %@"}
    ],
    "primaryFields": [{"key": "event", "value": "{{ additionalData.tier }}"}],
    "auxiliaryFields": [{"key": "row", "value": "1", "row": 1}],
    "additionalInfoFields": [{"key": "info", "value": "Doors at 19:00"}],
}
STYLES = {
    "storeCard": {
        "storeCard": {"primaryFields": [{"key": "a", "value": "{{ additionalData.balance }}", "currencyCode": "EUR"}]}
    },
    "coupon": {
        "coupon": {
            "primaryFields": [
                {"key": "offer", "value": "{{ additionalData.points }}", "numberStyle": "PKNumberStylePercent"}
            ]
        },
        "expirationDate": "{{ additionalData.until }}",
    },
    "generic": {
        "generic": {
            "primaryFields": [{"key": "name", "label": "Name", "value": "{{ additionalData.tier }}"}],
            "secondaryFields": [
                {
                    "key": "until",
                    "value": "{{ additionalData.until }}",
                    "dateStyle": "PKDateStyleShort",
                    "timeStyle": "PKDateStyleNone",
                    "isRelative": True,
                }
            ],
        },
        "appLaunchURL": "example://pass/{{ pass.id }}",
        "associatedStoreIdentifiers": [1234567],
        "beacons": [{"proximityUUID": "1f6a", "major": 1, "minor": 65_535}],
        "userInfo": {"anything": ["{{ additionalData.tier }}", 1]},
    },
    "eventTicket": {
        "eventTicket": EVENT,
        "groupingIdentifier": "{{ additionalData.seat }}",
        "preferredStyleSchemes": ["posterEventTicket", "eventTicket"],
        "bagPolicyURL": "https://www.example.com/bags",
        "relevantDates": [{"startDate": "2026-08-31T18:00:00Z", "endDate": "2026-08-31T23:00:00Z"}],
        "semantics": {"eventName": "{{ additionalData.tier }}", "seats": [{"seatNumber": "{{ additionalData.seat }}"}]},
    },
}


def said(text):
    return {"defaultValue": {"language": "en", "value": text}}


IMAGE = {"sourceUri": {"uri": "image:logo.png"}}
MONEY = {"micros": "{{ additionalData.balance | times: 1000000 | round }}", "currencyCode": "EUR"}
TYPES = {
    "loyalty": (
        {"issuerName": "x", "programName": "y", "programLogo": IMAGE, "reviewStatus": "UNDER_REVIEW"},
        {"loyaltyPoints": {"balance": {"money": MONEY}}, "notifyPreference": "NOTIFY_ON_UPDATE"},
    ),
    "giftCard": ({"issuerName": "x", "reviewStatus": "UNDER_REVIEW"}, {"cardNumber": "1", "balance": MONEY}),
    "eventTicket": (
        {"issuerName": "x", "eventName": said("y"), "reviewStatus": "UNDER_REVIEW"},
        {"seatInfo": {"seat": said("{{ additionalData.seat }}")}, "faceValue": MONEY},
    ),
    "offer": (
        {"issuerName": "x", "provider": "y", "title": "z", "redemptionChannel": "BOTH", "reviewStatus": "UNDER_REVIEW"},
        {"validTimeInterval": {"end": {"date": "{{ additionalData.until }}"}}, "disableExpirationNotification": True},
    ),
    "generic": (
        {"multipleDevicesAndHoldersAllowedStatus": "ONE_USER_ALL_DEVICES"},
        {
            "cardTitle": said("x"),
            "header": said("{{ additionalData.tier }}"),
            "genericType": "GENERIC_MEMBERSHIP_CARD",
            "notifications": {"expiryNotification": {"enableNotification": True}},
            "hexBackgroundColor": "#0c2238",
        },
    ),
}
SHOWN = showing(
    {
        "additionalData.seat": "A12",
        "additionalData.balance": "12.5",
        "additionalData.until": "2026-08-31",
        "additionalData.points": "0.2",
    }
)


@pytest.mark.parametrize("style", STYLES)
def test_each_style_of_apple_has_a_right_template(style):
    """Nothing is said about it, everything of it is shown."""
    purposes = {"gate": Purpose.TRANSACTIONAL} if style == "eventTicket" else {}
    found = folder(TOP | STYLES[style], None, None, google_type="", carrier="", purposes=purposes)
    pass_type, remarks = read(found)
    assert (remarks, pass_type.style, pass_type.platforms) == ([], style, ("apple",))
    rendered = apple_pass(pass_type, SHOWN)
    assert rendered.lost == []
    assert rendered.tree.keys() == (TOP | STYLES[style]).keys()
    assert draw_pass(rendered.tree, {"logo.png": png(9), "thumbnail.png": png(9)}, {})


@pytest.mark.parametrize("google_type", TYPES)
def test_each_type_of_google_has_a_right_template(google_type):
    """Nothing is said about it, everything of it is shown."""
    classes, objects = TYPES[google_type]
    purposes = {"notifyPreference": Purpose.TRANSACTIONAL} if "notifyPreference" in objects else {}
    pass_type, remarks = read(folder(None, classes, objects, google_type=google_type, carrier="", purposes=purposes))
    assert (remarks, pass_type.google_type, pass_type.platforms) == ([], google_type, ("google",))
    rendered = google_object(pass_type, SHOWN, image_url=lambda digest: f"https://www.example.com/{digest}")
    assert rendered.lost == []
    assert rendered.tree.keys() == objects.keys() | {"state"}
    assert draw_object(google_class(pass_type, image_url=str).tree, rendered.tree, lambda _: None)
