"""Each broken template is refused with its file, its key and the reason; nothing else is said about it."""

import pytest

from flatfile_sync.domain.states import Purpose
from tests.pass_types import APPLE, OBJECT, folder, png, read, with_
from tests.unit.wallets.templates.apple_refusals import APPLE_REFUSALS
from tests.unit.wallets.templates.breaking import TIER, apple, object_
from tests.unit.wallets.templates.google_refusals import GOOGLE_REFUSALS

REFUSED = APPLE_REFUSALS | GOOGLE_REFUSALS


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
