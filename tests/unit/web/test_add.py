"""The add-to-wallet page and what its buttons lead to, as a browser asks for them."""

import io
import re
import zipfile
from datetime import timedelta

import pytest

from flatfile_sync.daemon.link_key import LINK_KEY, linker, load_link_key
from flatfile_sync.domain.failures import ConfigurationError, PermanentFailure, Refused, TemporaryFailure
from flatfile_sync.pipeline.linking import link, revoke
from flatfile_sync.store import audit, links, memories
from tests.apple_keys import apple_keys
from tests.apple_oracle import complaints
from tests.marks import needs_openssl
from tests.web_line import Site, opened, settings, whole

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari"
ANDROID = "Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 Chrome/145.0.0.0 Mobile Safari/537.36"
DESKTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/145.0.0.0 Safari/537.36"


@pytest.fixture
def site(sqlite_store, clock):
    return Site(store=sqlite_store, clock=clock)


def gold(number=1):
    return {"memberId": f"M{number}"}, {"additionalData.points": 100, "additionalData.tier": "Gold"}, 0, 0


def make_link(site, folder, *pass_ids, **changes):
    """Return the path of a new link."""
    made = linker(settings(folder))
    url, _ = site.store.write_now(lambda conn: link(conn, pass_ids, linker=made, now=site.clock(), **changes))
    return url.removeprefix("https://passes.example.com")


class FakeGoogle:
    """Stands where Google's platform is wired: gives links, or fails as told."""

    class platform:  # noqa: N801 - as it is named there
        error = None

        @classmethod
        async def save_link(cls, parcel):
            if cls.error is not None:
                raise cls.error

            class Link:
                url = f"https://pay.google.com/gp/v/save/{parcel.delivery.pass_id}"
                memory = {"digest": "x"}  # noqa: RUF012 - one for this link

            return Link


async def test_each_phone_gets_its_button_and_a_desktop_gets_all(site, tmp_path):
    """An iPhone downloads the pass, Android goes to Google, anything else sees both and a QR code."""
    (serial,) = site.seed(gold())
    path = make_link(site, tmp_path, serial)
    token = path.rpartition("/")[2]
    async with opened(whole(site, tmp_path, google=FakeGoogle())) as client:
        shown = {}
        for agent in (IPHONE, ANDROID, DESKTOP, ""):
            answer = await client.get(path, headers={"User-Agent": agent})
            assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
            text = answer.text
            shown[agent] = (re.findall(r'href="([^"]+)"', text)[1:], "<svg" in text.partition('class="qr"')[2])
            assert "<script" not in text
            assert "http" not in re.sub(r"https?://www\.w3\.org/\S+", "", text)
    apple, google = f"{token}/pass.pkpass", f"{token}/google/0"
    assert shown[IPHONE] == ([apple], False)
    assert shown[ANDROID] == ([google], False)
    assert shown[DESKTOP] == shown[""] == ([apple, google], True)


@needs_openssl
async def test_the_file_for_apple_is_one_that_wallet_opens(site, tmp_path):
    """One pass is a pkpass, several are a bundle of them; what was handed out is remembered for its registration."""
    one, other = site.seed(gold(1), gold(2))
    async with opened(whole(site, tmp_path)) as client:
        answer = await client.get(f"{make_link(site, tmp_path, one)}/pass.pkpass")
        assert answer.headers["content-type"] == "application/vnd.apple.pkpass"
        assert answer.headers["content-disposition"] == 'attachment; filename="pass.pkpass"'
        assert answer.headers["cache-control"] == "no-store"
        assert complaints(answer.content, root=apple_keys().root_pem) == []
        both = await client.get(f"{make_link(site, tmp_path, other, one)}/passes.pkpasses")
        assert both.headers["content-type"] == "application/vnd.apple.pkpasses"
        with zipfile.ZipFile(io.BytesIO(both.content)) as bundle:
            assert bundle.namelist() == ["01.pkpass", "02.pkpass"]
            assert complaints(bundle.read("01.pkpass"), root=apple_keys().root_pem) == []
    kept = site.store.read_now(lambda conn: memories.of_passes(conn, "apple", [1, 2]))
    assert kept == {number: {"token_key": "2026", "handed": 1} for number in (1, 2)}


async def test_the_button_for_google_leads_on_and_is_remembered(site, tmp_path):
    """303 to Google's address; what Google's platform wants to be reminded of is kept."""
    one, other = site.seed(gold(1), gold(2))
    path = make_link(site, tmp_path, one, other)
    async with opened(whole(site, tmp_path, google=FakeGoogle())) as client:
        answer = await client.get(f"{path}/google/1")
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            f"https://pay.google.com/gp/v/save/{other}",
        )
        assert (await client.get(f"{path}/google/2")).status_code == 404
        assert (await client.get(f"{path}/google/99")).status_code == 400
    assert site.store.read_now(lambda conn: memories.of_passes(conn, "google", [1, 2])) == {2: {"digest": "x"}}


@pytest.mark.parametrize(("error", "status"), [(TemporaryFailure("busy"), 503), (PermanentFailure("no class"), 422)])
async def test_a_wallet_that_cannot_be_reached_is_told_in_words(site, tmp_path, monkeypatch, error, status):
    """A page says to try again; nothing of the error is on it."""
    (serial,) = site.seed(gold())
    monkeypatch.setattr(FakeGoogle.platform, "error", error)
    async with opened(whole(site, tmp_path, google=FakeGoogle())) as client:
        answer = await client.get(f"{make_link(site, tmp_path, serial)}/google/0")
    assert answer.status_code == status
    assert "This does not work right now" in answer.text
    assert "no class" not in answer.text


async def test_links_that_end_are_called_back_or_never_were_look_alike(site, tmp_path):
    """One page for all of them, on every address below the link."""
    (serial,) = site.seed(gold())
    made = linker(settings(tmp_path))
    short = make_link(site, tmp_path, serial, life=timedelta(hours=1))
    called_back = make_link(site, tmp_path, serial)
    by_pass = make_link(site, tmp_path, serial)
    async with opened(whole(site, tmp_path, google=FakeGoogle())) as client:
        for path in (short, called_back, by_pass):
            assert (await client.get(path)).status_code == 200

        def call_back(conn):
            assert revoke(conn, link=called_back, pass_id=None, linker=made, now=site.clock()) == 1
            assert revoke(conn, link=called_back, pass_id=None, linker=made, now=site.clock()) == 0

        site.store.write_now(call_back)
        site.clock.advance(timedelta(hours=1))
        assert (await client.get(by_pass)).status_code == 200
        site.store.write_now(lambda conn: revoke(conn, link=None, pass_id=serial, linker=made, now=site.clock()))
        token = short.rpartition("/")[2]
        forged = f"/p/{token[:-1]}{'A' if token[-1] != 'A' else 'B'}"
        texts = set()
        for path in (short, called_back, by_pass, forged, "/p/x", "/p/" + "A" * 32, "/p/" + "é" * 32):
            for below in ("", "/pass.pkpass", "/passes.pkpasses", "/google/0"):
                answer = await client.get(path + below)
                texts.add((answer.status_code, answer.text))
    assert len(texts) == 1
    status, text = texts.pop()
    assert status == 404
    assert "This link leads nowhere any more" in text
    assert [entry["open"] for entry in site.store.read_now(lambda conn: audit.events(conn, "links_revoked"))] == [
        1,
        0,
        1,
    ]
    site.clock.advance(timedelta(days=200))
    assert site.store.write_now(lambda conn: links.forget(conn, before=site.clock())) == 3


async def test_a_pass_that_is_no_longer_valid_is_not_offered(site, tmp_path):
    """Of several, the others still are."""
    from flatfile_sync.store.tables import passes  # noqa: PLC0415

    one, other = site.seed(gold(1), gold(2))
    both, only = make_link(site, tmp_path, one, other), make_link(site, tmp_path, one)
    site.store.write_now(lambda conn: conn.execute(passes.update().where(passes.c.id == one).values(status="voided")))
    async with opened(whole(site, tmp_path)) as client:
        assert (await client.get(only)).status_code == 404
        answer = await client.get(both)
        assert "pass.pkpass" in answer.text


async def test_the_page_speaks_the_visitors_language(site, tmp_path):
    """The first language that it knows; the document says which that is."""
    (serial,) = site.seed(gold())
    path = make_link(site, tmp_path, serial)
    async with opened(whole(site, tmp_path)) as client:
        for accept, language in (
            ("fr-FR,fr;q=0.9,en;q=0.8", "fr"),
            ("da, de-CH;q=0.7, en;q=0.9", "en"),
            ("xx", "en"),
            ("", "en"),
            ("de;q=abc, nl", "nl"),
            ("*;q=0.5," * 50, "en"),
            ("it;q=0", "en"),
        ):
            answer = await client.get(path, headers={"Accept-Language": accept})
            assert f'<html lang="{language}">' in answer.text, accept
            assert answer.headers["content-language"] == language


async def test_the_page_says_what_a_browser_may_do_with_it(site, tmp_path):
    """Styles by their hash and nothing else; no framing, no referrer, no index."""
    (serial,) = site.seed(gold())
    path = make_link(site, tmp_path, serial)
    async with opened(whole(site, tmp_path)) as client:
        headers = (await client.get(path)).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-robots-tag"] == "noindex, nofollow"
        assert headers["vary"] == "Accept-Language, User-Agent"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
        assert "strict-transport-security" not in headers
        behind = await client.get(path, headers={"X-Forwarded-Proto": "https"})
        assert "max-age" in behind.headers["strict-transport-security"]
        assert (await client.head(path)).status_code == 200


async def test_official_badges_take_the_place_of_plain_buttons(site, tmp_path):
    """By language where there is one; names that are none of theirs are not there."""
    badges = tmp_path / "badges"
    badges.mkdir()
    for name in ("apple.svg", "apple.fr.svg"):
        (badges / name).write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (badges / "notes.txt").write_text("not a badge")
    (serial,) = site.seed(gold())
    path = make_link(site, tmp_path, serial)
    parts = whole(site, tmp_path, google=FakeGoogle(), badges_folder=str(badges))
    async with opened(parts) as client:
        for language, name in (("fr", "apple.fr"), ("de", "apple")):
            text = (await client.get(path, headers={"Accept-Language": language})).text
            assert f'<img src="badges/{name}" alt="' in text
            assert text.count("<img") == 1
        answer = await client.get("/p/badges/apple.fr")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
        for name in ("notes", "google", "..%2flink_key", "apple.svg"):
            assert (await client.get(f"/p/badges/{name}")).status_code == 404
    with pytest.raises(ConfigurationError, match="badges_folder"):
        whole(site, tmp_path, badges_folder=str(tmp_path / "none"))


def test_a_link_is_for_passes_that_are_there_and_go_together(site, tmp_path):
    """One to ten passes of one project, and an address to put before it."""
    serials = site.seed(*(gold(number) for number in range(11)))
    for ids, why in ((serials, "1 to 10"), ((), "1 to 10"), (("nothing",), "There is no pass nothing")):
        with pytest.raises(Refused, match=why):
            make_link(site, tmp_path, *ids)
    nowhere = linker(settings(tmp_path, public_url=""))
    with pytest.raises(Refused, match=r"web\.public_url"):
        site.store.write_now(lambda conn: link(conn, serials[:1], linker=nowhere, now=site.clock()))


def test_the_key_of_links_is_made_once_and_kept_private(tmp_path):
    """Another key, and no link of before is ours; one that others can read is refused."""
    token = load_link_key(tmp_path).token("A" * 16)
    assert load_link_key(tmp_path).link_id(token) == "A" * 16
    assert (tmp_path / LINK_KEY).stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [tmp_path / LINK_KEY]
    other = tmp_path / "other"
    other.mkdir()
    assert load_link_key(other).link_id(token) is None
    (tmp_path / LINK_KEY).chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_link_key(tmp_path)
