"""Pictures of passes: there is one whatever the pass holds, and what it shows is in it."""

import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from flatfile_sync.daemon.projects import open_projects
from flatfile_sync.domain.states import PassStatus
from flatfile_sync.wallets.preview.apple import draw_pass
from flatfile_sync.wallets.preview.codes import barcode
from flatfile_sync.wallets.preview.faces import Face, face_for
from flatfile_sync.wallets.preview.formats import field_text, money_text
from flatfile_sync.wallets.preview.google import draw_object
from flatfile_sync.wallets.templates.rendering import (
    apple_images,
    apple_pass,
    apple_strings,
    google_class,
    google_object,
)
from flatfile_sync.wallets.templates.showing import Showing

SCHEMAS = Path(__file__).parents[4] / "schemas"
IMAGES = {}
PROJECTS = open_projects(SCHEMAS, keep_image=lambda data: IMAGES.__setitem__(hashlib.sha256(data).hexdigest(), data))


def pictures(project, pass_type, *, language="en", **changes):
    """Return the pictures of a pass on both platforms."""
    known = PROJECTS.current(project).pass_type(pass_type)
    told = {
        "identifiers": {"memberId": "M1", "ticketNumber": "T1"},
        "document": {},
        "status": PassStatus.ACTIVE,
    } | changes
    shown = Showing(pass_id="p", pass_type=pass_type, revision=1, expires_at=None, **told)
    images = {name: IMAGES[sha256] for name, sha256 in apple_images(known, shown).items()}
    texts = apple_strings(known, shown).get(language, {})
    apple = draw_pass(apple_pass(known, shown).tree, images, texts, language=language)
    classes, objects = (
        google_class(known, image_url=lambda sha256: sha256).tree,
        google_object(known, shown, image_url=lambda sha256: sha256).tree,
    )
    return opened(apple), opened(draw_object(classes, objects, IMAGES.get, language=language))


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.format == "PNG"
    return image


@pytest.mark.parametrize(
    ("project", "pass_type", "ground"),
    [
        ("loyalty", "loyalty_card", (16, 56, 58)),
        ("loyalty", "gift_card", (122, 28, 48)),
        ("events", "ticket", (24, 22, 48)),
    ],
)
def test_every_pass_type_of_the_examples_has_its_pictures(project, pass_type, ground):
    """In the colour of the pass, both of them."""
    for picture in pictures(project, pass_type):
        assert picture.convert("RGB").getpixel((picture.width // 4, 60)) == ground


def test_values_language_and_status_are_seen():
    """Another value, another language and a voided pass are other pictures."""
    plain, other, french, voided = (
        pictures("loyalty", "loyalty_card", **changes)[0].tobytes()
        for changes in (
            {},
            {"document": {"additionalData.points": 5}},
            {"language": "fr"},
            {"status": PassStatus.VOIDED},
        )
    )
    assert len({plain, other, french, voided}) == 4


@pytest.mark.parametrize(
    ("field", "language", "expected"),
    [
        ({"value": 11541, "numberStyle": "PKNumberStyleDecimal"}, "en", "11,541"),
        ({"value": 0.5, "numberStyle": "PKNumberStylePercent"}, "en", "50%"),
        ({"value": 12.5, "currencyCode": "EUR"}, "en", "€12.50"),
        ({"value": 12.5, "currencyCode": "EUR"}, "fr", "12,50\xa0€"),
        (
            {"value": "2026-08-31T18:30:00+02:00", "dateStyle": "PKDateStyleMedium", "timeStyle": "PKDateStyleNone"},
            "en",
            "Aug 31, 2026",
        ),
        (
            {"value": "2026-08-31T18:30:00+02:00", "dateStyle": "PKDateStyleShort", "timeStyle": "PKDateStyleShort"},
            "fr",
            "31/08/2026, 18:30",
        ),
        ({"value": "soon", "dateStyle": "PKDateStyleShort", "timeStyle": "PKDateStyleNone"}, "en", "soon"),
        ({"value": "Gold"}, "fr", "Or"),
        ({"value": 7}, "no such language", "7"),
    ],
)
def test_values_are_written_as_the_language_writes_them(field, language, expected):
    """Numbers, money, dates; and a text by its translation."""
    assert field_text(field, {"Gold": "Or"} if language == "fr" else {}, language) == expected


def test_money_of_google_is_in_micros():
    """12.50 is 12500000."""
    assert money_text({"micros": "12500000", "currencyCode": "EUR"}, "en") == "€12.50"


def test_a_code_128_has_the_bars_of_its_standard():
    """Start B, A, the check character, stop: 11 modules each, 13 for the stop (ISO/IEC 15417)."""
    image = barcode("CODE_128", "A").convert("L")
    step = image.width // (10 + 11 * 3 + 13 + 10)
    row = [image.getpixel((x * step, 0)) == 0 for x in range(image.width // step)]
    bars = "".join("1" if dark else "0" for dark in row)
    assert bars == "0" * 10 + "11010010000" + "10100011000" + "10001011000" + "1100011101011" + "0" * 10


@pytest.mark.parametrize("kind", ["PKBarcodeFormatQR", "QR_CODE", "PKBarcodeFormatPDF417", "AZTEC", "CODE_128", "?"])
@pytest.mark.parametrize("message", ["", "M1", "é😀", "9" * 5000])
def test_there_is_a_picture_of_any_barcode(kind, message):
    """Also of one that cannot be drawn."""
    assert min(barcode(kind, message).size) > 20


def test_letters_that_no_font_has_are_spelt_without_accents():
    """The system's font is taken where it has one; without, nothing is a box."""
    assert face_for(["plain", "6:30\u202fPM\u200b"]).name == ""
    assert Face("").line("Inès, 5 € \u2013 “œ”\u200b") == 'Ines, 5 EUR - "?"'
    assert Face("DejaVuSans.ttf").line("Inès\u200b") == "Inès"


_TEXT = st.text(max_size=60)
_FIELDS = st.lists(
    st.fixed_dictionaries(
        {"key": _TEXT, "value": _TEXT | st.integers() | st.floats(allow_nan=False, allow_infinity=False)},
        optional={"label": _TEXT, "attributedValue": _TEXT, "textAlignment": _TEXT, "currencyCode": _TEXT},
    ),
    max_size=6,
)


@settings(max_examples=15, deadline=None)
@given(
    groups=st.dictionaries(
        st.sampled_from(["headerFields", "primaryFields", "secondaryFields", "backFields"]), _FIELDS
    ),
    style=st.sampled_from(["storeCard", "eventTicket", "coupon", "generic"]),
    image=st.binary(max_size=40),
    text=_TEXT,
)
def test_any_pass_has_a_picture(groups, style, image, text):
    """Long texts are cut, strange letters replaced, images that are none left out."""
    tree = {
        style: groups,
        "logoText": text,
        "backgroundColor": text,
        "barcodes": [{"format": "PKBarcodeFormatQR", "message": text}],
    }
    opened(draw_pass(tree, {"logo.png": image, "strip.png": image, "thumbnail.png": image}, {}))
    localised = {"defaultValue": {"language": "en", "value": text}}
    modules = [{"id": "a", "localizedHeader": localised, "body": text}]
    objects = {"cardTitle": localised, "textModulesData": modules, "barcode": {"type": text, "value": text}}
    opened(draw_object({"hexBackgroundColor": text, "issuerName": text}, objects, lambda _: image))
