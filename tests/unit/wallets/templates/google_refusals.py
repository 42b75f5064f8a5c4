"""What is wrong with a Google template: (folder, file, key path, what the sentence says)."""

from flatfile_sync.domain.states import Purpose
from tests.pass_types import CLASS, folder, without
from tests.unit.wallets.templates.breaking import PLACE, class_, object_

GOOGLE_REFUSALS = {
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
}
