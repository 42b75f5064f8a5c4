"""Pass types for tests: folders that are right in every point, to be spoilt in one, and passes to show with them."""

import copy
import struct
import zlib
from dataclasses import replace

import orjson

from flatfile_sync.domain.project import Cardinality, DataModel, Field, IdentifierKind
from flatfile_sync.domain.states import PassStatus, Purpose
from flatfile_sync.domain.templates import PassTypeFolder
from flatfile_sync.wallets.templates.reading import read_pass_type
from flatfile_sync.wallets.templates.showing import Showing

HOSTS = ("www.example.com", "*.example.org")
MODEL = DataModel(
    fields=tuple(
        Field(name=name, target=name, type=kind)
        for name, kind in (
            ("additionalData.points", "integer"),
            ("additionalData.tier", "string"),
            ("additionalData.balance", "number"),
            ("additionalData.doorsAt", "datetime"),
            ("additionalData.seat", "string"),
            ("additionalData.vip", "boolean"),
            ("additionalData.until", "date"),
            ("additionalData.url", "string"),
            ("additionalData.colour", "string"),
            ("additionalData.picture", "string"),
            ("metadata.store.city", "string"),
        )
    ),
    identifiers=(
        IdentifierKind(name="memberId"),
        IdentifierKind(name="crm.contactId"),
        IdentifierKind(name="email", cardinality=Cardinality.SHARED, person=True, pii=True),
    ),
)

APPLE = {
    "formatVersion": 1,
    "organizationName": "Example Stores",
    "description": "Loyalty card",
    "logoText": "Example",
    "backgroundColor": "rgb(12, 34, 56)",
    "storeCard": {
        "headerFields": [
            {
                "key": "points",
                "label": "Points",
                "value": "{{ additionalData.points }}",
                "numberStyle": "PKNumberStyleDecimal",
                "changeMessage": "You now have %@ points",
            }
        ],
        "secondaryFields": [{"key": "tier", "label": "Tier", "value": "{{ additionalData.tier }}"}],
        "backFields": [
            {
                "key": "news",
                "label": "News",
                "value": "{{ message.text | default: '-' }}",
                "changeMessage": "%@",
            },
            {
                "key": "shop",
                "label": "Shop",
                "value": "www.example.com",
                "attributedValue": '<a href="https://www.example.com/{{ identifiers.memberId }}">the shop</a>',
            },
        ],
    },
    "barcodes": [
        {"format": "PKBarcodeFormatQR", "message": "{{ identifiers.memberId }}", "messageEncoding": "iso-8859-1"}
    ],
    "expirationDate": "{{ pass.expires_at }}",
}
CLASS = {
    "issuerName": "Example Stores",
    "programName": "Example Loyalty",
    "programLogo": {"sourceUri": {"uri": "image:logo.png"}},
    "reviewStatus": "UNDER_REVIEW",
}
OBJECT = {
    "accountId": "{{ identifiers.memberId }}",
    "loyaltyPoints": {"label": "Points", "balance": {"int": "{{ additionalData.points }}"}},
    "barcode": {"type": "QR_CODE", "value": "{{ identifiers.memberId }}"},
    "heroImage": {"sourceUri": {"uri": "image:{{ additionalData.picture }}.png"}},
}


def png(width=2, height=2):
    """Return a small grey PNG."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x80" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def folder(apple=APPLE, google_class=CLASS, google_object=OBJECT, *, more=None, without=(), **changes):
    """Return the folder of a loyalty card; None leaves a document out, `more` adds files or replaces them."""
    documents = {"apple.json": apple, "google_class.json": google_class, "google_object.json": google_object}
    files = {name: orjson.dumps(tree) for name, tree in documents.items() if tree is not None}
    files |= {"images/icon.png": png(), "images/logo.png": png(3), "images/gold.png": png(4)} | (more or {})
    for name in without:
        del files[name]
    told = {"google_type": "loyalty", "carrier": "news", "purposes": {"points": Purpose.TRANSACTIONAL}} | changes
    return PassTypeFolder(name="card", files=files, **told)


def read(found, *, hosts=HOSTS, timezone="Europe/Paris"):
    """Return the pass type of a folder and the remarks."""
    return read_pass_type(found, model=MODEL, url_hosts=hosts, timezone=timezone)


def made(*documents, **changes):
    """Return the pass type of a folder in which nothing is wrong."""
    pass_type, remarks = read(folder(*documents, **changes))
    assert [remark for remark in remarks if not remark.warning] == []
    return pass_type


def with_(tree, path, value):
    """Return a document with one value set; `path` is like ("storeCard", "headerFields", 0, "value")."""
    found = copy.deepcopy(tree)
    place = found
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return found


def without(tree, path):
    """Return a document with one value taken out."""
    found = copy.deepcopy(tree)
    place = found
    for part in path[:-1]:
        place = place[part]
    del place[path[-1]]
    return found


def showing(document=None, **changes):
    """Return a pass as templates see it."""
    told = {
        "pass_id": "pass-1",
        "pass_type": "card",
        "status": PassStatus.ACTIVE,
        "revision": 3,
        "expires_at": None,
        "identifiers": {"memberId": "M000042"},
        "document": {"additionalData.points": 120, "additionalData.tier": "Gold"} | (document or {}),
    }
    return replace(Showing(**told), **changes)
