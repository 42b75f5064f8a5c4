"""The page by itself: contrast, escaping, and every text in every language."""

import re
from importlib import resources

import pytest

from flatfile_sync.web.languages import TEXTS
from flatfile_sync.web.page import Offer, Page, Visitor, add_page, contrast, notice_page, readable_on, visitor

AA = 4.5
"""WCAG 2.2, 1.4.3 Contrast (Minimum), level AA, for text of any size."""


def page(**changes):
    values = {
        "language": "en",
        "offers": [
            Offer(issuer="Example Stores", name="Loyalty card", colour="rgb(16, 56, 58)", apple=True, google=True)
        ],
        "visitor": Visitor.OTHER,
        "apple_href": "t/pass.pkpass",
        "google_hrefs": ["t/google/0"],
        "url": "https://passes.example.com/p/t",
    }
    return add_page(Page(**(values | changes))).body.decode()


def colours():
    """Return the colours of the light and of the dark page by their names."""
    css = resources.files("flatfile_sync.web").joinpath("page.css").read_text()
    light, dark = css.split("prefers-color-scheme: dark")
    found = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part)) for part in (light, dark)]
    assert all({"ground", "paper", "ink", "quiet", "button", "button-ink", "focus"} <= set(one) for one in found)
    return found


@pytest.mark.parametrize("scheme", [0, 1])
def test_all_text_can_be_read(scheme):
    """Ink and quiet ink on paper, the words on a button, the ring around what has the focus."""
    found = colours()[scheme]
    for ink, ground in (("ink", "paper"), ("quiet", "paper"), ("button-ink", "button")):
        assert contrast(found[ink], found[ground]) >= AA
    assert contrast(found["focus"], found["paper"]) >= 3
    # A button that points at something while the pointer is over it.
    assert contrast("#ffffff", "#2a2a2e") >= AA


def test_a_brands_colour_gets_ink_that_can_be_read_on_it():
    """Whatever a brand chooses: dark or light ink, the better of both is always enough."""
    steps = range(0, 256, 15)
    worst = min(
        contrast(readable_on(colour), colour)
        for red in steps
        for green in steps
        for blue in steps
        if (colour := f"#{red:02x}{green:02x}{blue:02x}")
    )
    assert worst >= AA


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ("rgb(16, 56, 58)", "#10383a"),
        ("#ABCDEF", "#abcdef"),
        ("rgb(999,0,0)", "#ff0000"),
        ("", "#e7e5df"),
        ("red}body{display:none", "#e7e5df"),
        ("</style><script>", "#e7e5df"),
    ],
)
def test_a_colour_is_a_colour_or_the_neutral_one(colour, expected):
    """Nothing else of a pass gets into the style."""
    offer = Offer(issuer="I", name="N", colour=colour, apple=True)
    assert f":root{{--brand:{expected};" in page(offers=[offer])


def test_what_a_pass_says_is_text_and_nothing_else():
    """Markup in a brand's or a holder's text is shown as it is written."""
    bad = '"><script>alert(1)</script>&amp;{{ 1 }}{% raw %}'
    text = page(offers=[Offer(issuer=bad, name=bad, apple=True, google=True)], apple_href=bad)
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;{{ 1 }}{% raw %}") == 5


def test_every_language_says_everything():
    """No key is missing, none is left over, each page has a heading of its own."""
    assert len({frozenset(texts) for texts in TEXTS.values()}) == 1
    assert len({texts["heading"] for texts in TEXTS.values()}) == len(TEXTS)
    offers = [Offer(issuer="I", name=f"N{number}", apple=True, google=True) for number in range(3)]
    for language in TEXTS:
        several = page(language=language, offers=offers, google_hrefs=["a", "b", "c"])
        assert "{count}" not in several
        assert re.search(r"<h1>[^<]*3[^<]*</h1>", several)
        assert notice_page(language, "gone", status=404).status_code == 404
        assert notice_page(language, "busy", status=503).status_code == 503


def test_a_page_without_a_button_says_why():
    """A pass that is only for the other wallet is not made for this phone."""
    only = Offer(issuer="I", name="N", google=True)
    assert TEXTS["en"]["none"] in page(offers=[only], visitor=Visitor.IPHONE)
    assert 'class="button' not in page(offers=[only], visitor=Visitor.IPHONE)
    assert "QR" not in page(url="")


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X)", Visitor.IPHONE),
        ("Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X)", Visitor.IPHONE),
        ("Mozilla/5.0 (Linux; Android 16; Pixel 10)", Visitor.ANDROID),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", Visitor.OTHER),
        ("curl/8.5", Visitor.OTHER),
        ("", Visitor.OTHER),
    ],
)
def test_a_visitor_is_known_by_what_the_browser_says(agent, expected):
    """An iPad that says it is a Mac gets what a Mac gets: both buttons and the code."""
    assert visitor(agent) is expected
