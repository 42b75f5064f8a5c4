"""What a pass type shows of a pass, on Apple and on Google."""

import hashlib

import pytest

from flatfile_sync.domain.project import PassType
from flatfile_sync.domain.states import PassStatus, Purpose
from flatfile_sync.wallets.templates.cleaning import MOST_CHARACTERS, clean
from flatfile_sync.wallets.templates.images import png_size
from flatfile_sync.wallets.templates.rendering import (
    apple_images,
    apple_pass,
    apple_strings,
    google_class,
    google_object,
)
from flatfile_sync.wallets.templates.showing import Message
from flatfile_sync.wallets.templates.strings import read_strings, write_strings
from tests.pass_types import APPLE, CLASS, OBJECT, made, png, showing, with_

POINTS = ("storeCard", "headerFields", 0)
TIER = ("storeCard", "secondaryFields", 0)
NEWS = ("storeCard", "backFields", 0)
SHOP = ("storeCard", "backFields", 1)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def url(digest):
    return f"https://www.example.com/i/{digest[:8]}"


def value(tree, path):
    for part in path:
        tree = tree[part]
    return tree


def apple(path, template, **document):
    """Return what stands at a path of an Apple pass, and what was lost."""
    shown = showing({f"additionalData.{key}": said for key, said in document.items()})
    return apple_pass(made(with_(APPLE, path, template)), shown)


def test_an_apple_pass_shows_values_as_what_they_are():
    """A number style wants a number, a text stays text, an empty moment is left out."""
    found = apple_pass(made(), showing())
    assert value(found.tree, POINTS) == {
        "key": "points",
        "label": "Points",
        "value": 120,
        "numberStyle": "PKNumberStyleDecimal",
        "changeMessage": "You now have %@ points",
    }
    assert value(found.tree, (*TIER, "value")) == "Gold"
    assert value(found.tree, ("barcodes", 0, "message")) == "M000042"
    assert "expirationDate" not in found.tree
    assert "voided" not in found.tree
    assert found.lost == []


@pytest.mark.parametrize("status", [PassStatus.VOIDED, PassStatus.EXPIRED])
def test_a_pass_that_is_over_looks_so_on_both_platforms(status):
    """The status alone decides."""
    states = {PassStatus.VOIDED: "INACTIVE", PassStatus.EXPIRED: "EXPIRED"}
    assert apple_pass(made(), showing(status=status)).tree["voided"] is True
    assert google_object(made(), showing(status=status), image_url=url).tree["state"] == states[status]


def test_an_active_object_is_active_unless_the_template_says_otherwise():
    """A used ticket is COMPLETED; a word that Google does not know falls back and is reported."""
    completed = made(APPLE, CLASS, OBJECT | {"state": "{{ additionalData.tier }}"})
    assert google_object(made(), showing(), image_url=url).tree["state"] == "ACTIVE"
    used = google_object(completed, showing({"additionalData.tier": "COMPLETED"}), image_url=url)
    assert used.tree["state"] == "COMPLETED"
    odd = google_object(completed, showing({"additionalData.tier": "Gold"}), image_url=url)
    assert (odd.tree["state"], "state" in odd.lost) == ("ACTIVE", True)


def test_a_day_on_which_something_ends_lasts_to_its_end_in_the_time_zone():
    """A date alone is 23:59 for an end, and midnight for any other moment."""
    ends = apple_pass(made(), showing(expires_at="2026-08-31")).tree["expirationDate"]
    dated = with_(APPLE, TIER, {"key": "d", "value": "{{ additionalData.until }}"} | _STYLES)
    begins = apple_pass(made(dated), showing({"additionalData.until": "2026-01-31"}))
    assert ends == "2026-08-31T23:59:00+02:00"
    assert value(begins.tree, (*TIER, "value")) == "2026-01-31T00:00:00+01:00"


_STYLES = {"dateStyle": "PKDateStyleShort", "timeStyle": "PKDateStyleNone"}


@pytest.mark.parametrize(
    ("source", "moment", "expected"),
    [
        ("{{ additionalData.doorsAt | date: '%d.%m. %H:%M' }}", "2026-08-31T18:30:00Z", "31.08. 20:30"),
        ("{{ additionalData.doorsAt | date: '%H:%M' }}", "2026-08-31T18:30:00", "18:30"),
        ("{{ additionalData.doorsAt | date: '%H:%M' }}", "18:30:00", "18:30"),
        ("{{ additionalData.doorsAt | date: '%d %m' }}", "2026-08-31", "31 08"),
        ("{{ additionalData.doorsAt | date: '%d %m' }}", "soon", "soon"),
    ],
)
def test_dates_are_written_in_the_zone_and_never_depend_on_today(source, moment, expected):
    """What has a zone is shown in the project's; what is no date is shown as it is."""
    assert value(apple((*TIER, "value"), source, doorsAt=moment).tree, (*TIER, "value")) == expected


def test_a_field_whose_value_is_no_number_is_left_out_and_reported():
    """Half a field would be a broken pass."""
    found = apple_pass(made(), showing({"additionalData.points": "many"}))
    assert value(found.tree, ("storeCard", "headerFields")) == []
    assert found.lost == ["storeCard.headerFields[0].value"]


@pytest.mark.parametrize("number", ["1e999999", "-1e999999", "NaN", "Infinity", "9" * 400])
def test_numbers_beyond_reason_are_reported_at_once(number):
    """Nothing is expanded into a million digits."""
    found = apple_pass(made(), showing({"additionalData.points": number}))
    assert found.lost == ["storeCard.headerFields[0].value"]


@pytest.mark.parametrize(("balance", "kept"), [("2147483647", True), ("2147483648", False), ("1.5", False)])
def test_an_int32_overflow_never_leaves(balance, kept):
    """Google would refuse the object; it goes without the points."""
    found = google_object(made(), showing({"additionalData.points": balance}), image_url=url)
    assert ("loyaltyPoints" in found.tree and "balance" in found.tree["loyaltyPoints"]) is kept
    assert (found.lost == ["heroImage.sourceUri.uri", "loyaltyPoints.balance.int"]) is not kept


def test_a_balance_in_micros_is_text():
    """Google's int64 travel as text."""
    money = {"money": {"micros": "{{ additionalData.balance | times: 1000000 }}", "currencyCode": "EUR"}}
    pass_type = made(APPLE, CLASS, with_(OBJECT, ("loyaltyPoints", "balance"), money))
    found = google_object(pass_type, showing({"additionalData.balance": "12.5"}), image_url=url)
    assert found.tree["loyaltyPoints"]["balance"]["money"]["micros"] == "12500000"


def test_names_with_dots_are_single_keys():
    """`metadata.store.city` is one key, and so is `crm.contactId`."""
    shown = showing({"metadata.store.city": "Lyon"}, identifiers={"crm.contactId": "c1"})
    pass_type = made(
        with_(APPLE, (*TIER, "value"), "{{ metadata.store.city }} {{ identifiers.crm.contactId | upcase }}")
    )
    assert value(apple_pass(pass_type, shown).tree, (*TIER, "value")) == "Lyon C1"


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("a\x00b\x1bc\x7f", "abc"),
        ("one\r\ntwo\rthree\u2028four\x85five", "one\ntwo\nthree\nfour\nfive"),
        ("a\tb", "a b"),
        ("\u202eevil\u202c", "evil"),
        ("\u2067שלם", "\u2067שלם\u2069"),
        ("x\u2069y\u202c", "xy"),
        ("\u2067a\u2067b\u2069", "\u2067a\u2067b\u2069\u2069"),
        ("\ufeffa\ufffe", "a"),
        ("👩‍👩‍👧 שלם é", "👩‍👩‍👧 שלם é"),
    ],
)
def test_text_of_a_row_is_cleaned(dirty, expected):
    """Control characters go, line ends become one kind, changes of direction are closed and overrides go."""
    assert value(apple((*TIER, "value"), "{{ additionalData.seat }}", seat=dirty).tree, (*TIER, "value")) == expected


def test_a_text_of_10_kb_is_cut_and_reported():
    """A field is no novel."""
    found = apple((*TIER, "value"), "{{ additionalData.seat }}", seat="ab" * 5000)
    text = value(found.tree, (*TIER, "value"))
    assert (len(text), text[-1]) == (MOST_CHARACTERS, "…")
    assert found.lost == ["storeCard.secondaryFields[0].value"]
    assert clean(clean("\u2067" + "a" * 5000)) == clean("\u2067" + "a" * 5000)


def test_a_barcode_stays_as_it_is_or_goes():
    """A scanner would read another number: what is too long is left out, control characters of GS1 stay."""
    gs1 = showing(identifiers={"memberId": "\x1d01095"})
    assert apple_pass(made(), gs1).tree["barcodes"][0]["message"] == "\x1d01095"
    long = apple_pass(made(), showing(identifiers={"memberId": "9" * 2901}))
    assert (long.tree["barcodes"], long.lost) == ([], ["barcodes[0].message"])


@pytest.mark.parametrize("filters", ["", " | upcase | downcase"])
def test_markup_of_a_row_is_shown_not_read(filters):
    """A value is escaped where Wallet reads markup, and only there."""
    template = f'{{{{ additionalData.seat{filters} }}}} <a href="https://www.example.com/">x</a>'
    hostile = '<a href="https://evil.test">&</a>'
    found = apple((*SHOP, "attributedValue"), template, seat=hostile)
    assert value(found.tree, (*SHOP, "attributedValue")) == (
        "&lt;a href="
        + ("&quot;" if not filters else "&#34;")
        + "https://evil.test"
        + ("&quot;" if not filters else "&#34;")
        + '&gt;&amp;&lt;/a&gt; <a href="https://www.example.com/">x</a>'
    )
    assert value(apple((*TIER, "value"), "{{ additionalData.seat }}", seat=hostile).tree, (*TIER, "value")) == hostile


@pytest.mark.parametrize(
    ("link", "kept"),
    [
        ("https://www.example.com/x", True),
        ("https://shop.example.org", True),
        ("tel:+33123456789", True),
        ("https://example.org", False),
        ("https://evil.test/", False),
        ("http://www.example.com/", False),
        ("javascript:alert(1)", False),
        ("https://www.example.com\\@evil.test", False),
        ("https://www.example.com@evil.test", False),
        ("HTTPS://WWW.EXAMPLE.COM", True),
        ("https:/www.example.com", False),
        ("//www.example.com", False),
        ("https://www.example.com:x/", False),
    ],
)
def test_a_url_of_a_row_leads_where_it_may(link, kept):
    """Of a link that leads elsewhere the words stay, of a URL nothing; both are reported."""
    found = apple((*SHOP, "attributedValue"), '<a href="{{ additionalData.url }}">go</a>', url=link)
    assert ("href" in value(found.tree, (*SHOP, "attributedValue"))) is kept
    assert "go" in value(found.tree, (*SHOP, "attributedValue"))
    assert (found.lost == []) is kept
    uris = {"uris": [{"uri": "{{ additionalData.url }}", "id": "a"}]}
    pass_type = made(APPLE, CLASS, OBJECT | {"linksModuleData": uris})
    object_ = google_object(pass_type, showing({"additionalData.url": link}), image_url=url)
    assert bool(object_.tree["linksModuleData"]["uris"]) is kept


def test_a_colour_of_a_row_is_a_colour():
    """A row that says something else leaves the colour out."""
    assert apple(("backgroundColor",), "{{ additionalData.colour }}", colour="rgb(1,2,3)").tree["backgroundColor"]
    odd = apple(("backgroundColor",), "{{ additionalData.colour }}", colour="red; x")
    assert ("backgroundColor" in odd.tree, odd.lost) == (False, ["backgroundColor"])


def test_a_class_is_rendered_without_a_pass():
    """Its images are URLs of ours."""
    found = google_class(made(), image_url=url)
    assert found.tree["programLogo"]["sourceUri"]["uri"] == url(sha256(png(3)))
    assert found.tree["reviewStatus"] == "UNDER_REVIEW"


def test_an_image_is_chosen_by_name_or_digest_and_never_fetched():
    """A name that is not there is reported, and so is a digest that the image store does not know."""
    hero = ("heroImage", "sourceUri", "uri")
    named = google_object(made(), showing({"additionalData.picture": "gold"}), image_url=url)
    assert value(named.tree, hero) == url(sha256(png(4)))
    digests = made(APPLE, CLASS, with_(OBJECT, hero, "image:{{ additionalData.picture }}"))
    digest = showing({"additionalData.picture": "a" * 64})
    assert value(google_object(digests, digest, image_url=url).tree, hero) == url("a" * 64)
    for found in (
        google_object(made(), showing({"additionalData.picture": "../../x"}), image_url=url),
        google_object(digests, digest, image_url=lambda _: None),
    ):
        assert ("heroImage" in found.tree, found.lost) == (False, ["heroImage.sourceUri.uri"])


def test_images_of_an_apple_pass_are_those_of_its_roles():
    """What a row chooses takes the place of the folder's own, in every scale."""
    more = {"images/strip.png": png(5), "images/strip@2x.png": png(6), "images/strip-gold@2x.png": png(7)}
    pass_type = made(more=more, images={"strip": "strip-{{ additionalData.tier | downcase }}"})
    silver = apple_images(pass_type, showing({"additionalData.tier": "Silver"}))
    gold = apple_images(pass_type, showing())
    assert {name: silver[name] for name in silver if "strip" in name} == {
        "strip.png": sha256(png(5)),
        "strip@2x.png": sha256(png(6)),
    }
    assert {name: gold[name] for name in gold if "strip" in name} == {"strip@2x.png": sha256(png(7))}
    assert gold["icon.png"] == sha256(png())
    by_digest = made(images={"icon": "{{ additionalData.picture }}"})
    assert apple_images(by_digest, showing({"additionalData.picture": "b" * 64}))["icon.png"] == sha256(png())
    assert apple_images(by_digest, showing({"additionalData.picture": "b" * 64}))["icon@2x.png"] == "b" * 64


FRENCH = {"fr.lproj/pass.strings": '"Points" = "Vos \\"points\\"";\n/* x */ "%@" = "%@";'.encode("utf-16")}


def test_texts_of_each_language_travel_with_the_pass():
    """The message stands in the fallback language, and its translation under that text."""
    pass_type = made(more=FRENCH, languages=("en", "fr"))
    shown = showing(message=Message({"en": "New hours", "fr": "Nouveaux horaires"}))
    tree = apple_pass(pass_type, shown).tree
    text = value(tree, (*NEWS, "value"))
    assert text.strip("\u200b") == "New hours"
    strings = apple_strings(pass_type, shown)
    assert strings["fr"]["Points"] == 'Vos "points"'
    assert strings["fr"][text].strip("\u200b") == "Nouveaux horaires"
    assert apple_strings(pass_type, showing()) == {"fr": {"Points": 'Vos "points"', "%@": "%@"}}


def test_an_equal_message_is_another_value_and_the_same_to_read():
    """A device tells only of a value that changed."""
    first, second = (
        value(apple_pass(made(), showing(message=Message({"": "Sale"}, number=number))).tree, (*NEWS, "value"))
        for number in (1, 2)
    )
    assert first != second
    assert first.strip("\u200b") == second.strip("\u200b") == "Sale"


def test_what_notifies_of_marketing_is_not_in_the_pass_of_who_did_not_agree():
    """No changeMessage and no notifyPreference without consent."""
    purposes = {"points": Purpose.MARKETING, "notifyPreference": Purpose.MARKETING}
    pass_type = made(APPLE, CLASS, OBJECT | {"notifyPreference": "NOTIFY_ON_UPDATE"}, purposes=purposes)
    for agreed in (True, False):
        shown = showing(marketing=agreed)
        assert ("changeMessage" in value(apple_pass(pass_type, shown).tree, POINTS)) is agreed
        assert ("notifyPreference" in google_object(pass_type, shown, image_url=url).tree) is agreed
        assert "changeMessage" in value(apple_pass(pass_type, shown).tree, NEWS)


def test_a_value_that_does_not_suit_a_filter_is_reported():
    """A row cannot break a pass."""
    found = apple((*TIER, "value"), "{{ additionalData.points | divided_by: additionalData.seat }}", seat="0")
    assert found.lost == ["storeCard.secondaryFields[0].value"]
    assert value(found.tree, ("storeCard", "secondaryFields")) == []


def test_a_loop_that_grows_without_end_is_reported():
    """Neither time nor memory is spent on it."""
    grows = (
        "{% assign x = additionalData.tier %}{% for i in (1..900) %}{% assign x = x | append: x %}{% endfor %}{{ x }}"
    )
    assert apple((*TIER, "value"), grows).lost == ["storeCard.secondaryFields[0].value"]


def test_what_a_platform_shows_is_known_without_rendering():
    """Names of texts, images and conditions; the status always; a message never."""
    condition = "{% if additionalData.vip %}{{ metadata.store.city }}{% endif %}"
    pass_type = made(with_(APPLE, (*TIER, "value"), condition), images={"strip": "{{ additionalData.picture }}"})
    assert dict(pass_type.shown) == {
        "apple": (
            "additionalData.picture",
            "additionalData.points",
            "additionalData.vip",
            "expires_at",
            "id.memberId",
            "metadata.store.city",
            "status",
        ),
        "google": ("additionalData.picture", "additionalData.points", "id.memberId", "status"),
    }
    assert "*" in dict(made(with_(APPLE, (*TIER, "value"), "{{ pass.revision }}")).shown)["apple"]


def test_a_pass_type_without_templates_shows_nothing():
    """Projects of old have none, and nothing breaks."""
    assert apple_pass(PassType(name="old"), showing()).tree == {}
    assert google_object(PassType(name="old"), showing(), image_url=url).tree == {"state": "ACTIVE"}


def test_texts_written_are_texts_read():
    """Quotes, line ends, backslashes and other planes survive."""
    texts = {'a "quoted" key': "line\nline", "back\\slash": "😀", "": "é"}
    assert read_strings(write_strings(texts)) == texts
    assert read_strings(b'// c\n"a"="\\U00e9";') == {"a": "é"}


def test_the_size_of_an_image_stands_in_its_head():
    """And other files have none."""
    assert png_size(png(3, 5)) == (3, 5)
    assert png_size(b"\x89PNG") is None
