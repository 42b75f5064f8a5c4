"""The add-to-wallet page in a real browser: its policy lets its style through, and it fits phone and desktop."""

import pytest

from tests.chromium import look, needs_chromium
from tests.unit.web.test_add import ANDROID, DESKTOP, IPHONE, FakeGoogle, gold, make_link
from tests.web_line import Site, opened, whole

pytestmark = needs_chromium

BRAND, PAPER, GROUND, DARK_GROUND, BUTTON = (12, 34, 56), (255, 255, 255), (244, 243, 240), (20, 20, 23), (0, 0, 0)


@pytest.fixture
def site(sqlite_store, clock):
    return Site(store=sqlite_store, clock=clock)


def runs(picture, colour, *, least):
    """Return the heights of bands of a colour: rows of which at least `least` pixels have it."""
    bands, rows = [], 0
    for y in range(picture.height):
        row = [picture.getpixel((x, y)) for x in range(0, picture.width, 2)]
        if row.count(colour) * 2 >= least:
            rows += 1
        elif rows:
            bands.append(rows)
            rows = 0
    return bands


@pytest.mark.parametrize(
    ("agent", "width", "buttons"),
    [
        pytest.param(IPHONE, 500, 1, id="iphone"),
        pytest.param(ANDROID, 500, 1, id="android"),
        pytest.param(DESKTOP, 1280, 2, id="desktop"),
    ],
)
async def test_the_page_is_laid_out_as_meant(site, tmp_path, agent, width, buttons):
    """The card in the brand's colour, buttons large enough for a thumb, nothing wider than the window."""
    (serial,) = site.seed(gold())
    path = make_link(site, tmp_path, serial)
    parts = whole(site, tmp_path, google=FakeGoogle())
    async with opened(parts):
        seen = await look(f"{parts.door.address}{path}", width=width, height=900, agent=agent)
    assert seen.complaints == []
    assert seen.picture.width == width
    edge = {seen.picture.getpixel((x, y)) for x in (0, width - 1) for y in range(0, seen.picture.height, 7)}
    assert edge == {GROUND}
    assert sum(runs(seen.picture, BRAND, least=200)) > 60
    heights = [height for height in runs(seen.picture, BUTTON, least=150) if height >= 44]
    # WCAG 2.2, 2.5.5: targets of at least 44 pixels.
    assert len(heights) == buttons
    assert seen.document.count('class="button ') == buttons
    assert ('class="qr"' in seen.document) is (agent == DESKTOP)
    assert "<h1>Add to your phone's wallet</h1>" in seen.document.replace("&#39;", "'")


async def test_a_dark_phone_gets_a_dark_page(site, tmp_path):
    """The visitor's scheme is kept to, without a script."""
    parts = whole(site, tmp_path)
    async with opened(parts):
        seen = await look(f"{parts.door.address}/p/nothing", width=500, height=600, agent=IPHONE, dark=True)
    assert seen.picture.getpixel((2, 2)) == DARK_GROUND
    assert "This link leads nowhere any more" in seen.document
