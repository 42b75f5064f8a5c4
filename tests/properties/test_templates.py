"""Whatever a row holds, a template renders or reports, and renders no key that the platform does not know."""

import json
from html import unescape

import orjson
from hypothesis import given
from hypothesis import strategies as st

from flatfile_sync.domain.states import PassStatus, Purpose
from flatfile_sync.wallets.preview.apple import draw_pass
from flatfile_sync.wallets.preview.google import draw_object
from flatfile_sync.wallets.templates import apple_keys, google_keys
from flatfile_sync.wallets.templates.liquid import parse
from flatfile_sync.wallets.templates.rendering import (
    apple_images,
    apple_pass,
    apple_strings,
    google_class,
    google_object,
)
from flatfile_sync.wallets.templates.shapes import Value
from flatfile_sync.wallets.templates.showing import Message, Showing
from flatfile_sync.wallets.templates.strings import read_strings, write_strings
from flatfile_sync.wallets.templates.values import fits
from flatfile_sync.wallets.templates.walking import walk
from tests.pass_types import APPLE, CLASS, HOSTS, MODEL, OBJECT, folder, made, read, showing, with_

_TEXTS = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="<a href=\"'>&{}%|\u202e\u2067\u2069\x00\n\\/.", max_size=40),
    st.sampled_from(["1e999999", "-0", "2026-02-30", "2026-08-31", "rgb(1,2,3)", "image:x", "a" * 64, "9" * 5000]),
)
_VALUES = st.one_of(_TEXTS, st.integers(), st.booleans())
_MESSAGES = st.none() | st.builds(
    Message, st.dictionaries(st.sampled_from(["", "en", "fr"]), _TEXTS, min_size=1), st.integers(1, 9)
)


def rich():
    """Return a pass type in which every kind of value comes from a row."""
    apple = APPLE | {
        "backgroundColor": "{{ additionalData.colour }}",
        "logoText": "{% for c in (1..3) %}{{ additionalData.tier | upcase | slice: c }}{% endfor %}",
        "sharingProhibited": "{{ additionalData.vip }}",
        "maxDistance": "{{ additionalData.points | divided_by: 3 }}",
        "locations": [{"latitude": "{{ additionalData.balance }}", "longitude": 2}],
        "relevantDates": [{"date": "{{ additionalData.doorsAt }}"}],
    }
    apple["storeCard"] = APPLE["storeCard"] | {
        "auxiliaryFields": [
            {
                "key": "a",
                "label": "{{ additionalData.seat | date: '%H' }}",
                "value": "{{ additionalData.until }}",
                "dateStyle": "PKDateStyleShort",
                "timeStyle": "PKDateStyleNone",
                "changeMessage": "{{ additionalData.seat }} %@",
            },
            {
                "key": "b",
                "value": "x",
                "attributedValue": '{{ additionalData.seat }}<a href="{{ additionalData.url }}">{{ pass.id }}</a>',
            },
        ]
    }
    google = OBJECT | {
        "state": "{{ additionalData.tier }}",
        "secondaryLoyaltyPoints": {
            "balance": {"money": {"micros": "{{ additionalData.balance }}", "currencyCode": "EUR"}}
        },
        "linksModuleData": {"uris": [{"uri": "{{ additionalData.url }}"}]},
        "validTimeInterval": {"end": {"date": "{{ pass.expires_at }}"}},
        "disableExpirationNotification": "{{ additionalData.vip }}",
    }
    purposes = {"points": Purpose.TRANSACTIONAL, "a": Purpose.MARKETING}
    return made(
        apple,
        CLASS,
        google,
        purposes=purposes,
        languages=("en", "fr"),
        images={"strip": "{{ additionalData.picture }}"},
    )


RICH = rich()


_PASSES = st.builds(
    Showing,
    pass_id=st.text(),
    pass_type=st.just("card"),
    status=st.sampled_from(PassStatus),
    revision=st.integers(1),
    expires_at=st.none() | _TEXTS,
    identifiers=st.dictionaries(st.sampled_from(["memberId", "crm.contactId"]), _TEXTS),
    document=st.dictionaries(st.sampled_from([field.target for field in MODEL.fields]), _VALUES),
    message=_MESSAGES,
    marketing=st.booleans(),
)


def strays(tree, shape):
    """Return the paths of keys that the shape does not know, and of values that are not as it says."""
    return [
        node.path
        for node in walk(tree, shape)
        if node.shape is None or (isinstance(node.shape, Value) and not fits(node.shape, node.value))
    ]


@given(shown=_PASSES)
def test_any_pass_renders_or_reports_and_never_raises(shown):
    """The trees are JSON of the platforms' closed key sets, the texts can be written and read."""
    apple = apple_pass(RICH, shown)
    assert apple.tree.pop("voided", False) is (shown.status is not PassStatus.ACTIVE)
    google = google_object(RICH, shown, image_url=lambda digest: f"https://{HOSTS[0]}/{digest}")
    for tree, shape in ((apple.tree, apple_keys.PASS), (google.tree, google_keys.shape("loyaltyObject"))):
        assert json.loads(orjson.dumps(tree)) == tree
        assert strays(tree, shape) == []
    for texts in apple_strings(RICH, shown).values():
        assert read_strings(write_strings(texts)) == texts
    assert apple_images(RICH, shown)["icon.png"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*apple_keys.PASS.keys, "key", "value", "changeMessage", "id", "uri"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(tree=st.dictionaries(st.sampled_from([*apple_keys.PASS.keys, *google_keys.shape("loyaltyObject").keys]), _JSON))
def test_any_document_is_read_or_refused_and_never_raises(tree):
    """A folder that was written by a machine gone mad gives remarks; if it gives no error, it renders."""
    data = {"apple.json": json.dumps(tree).encode(), "google_object.json": json.dumps(tree).encode()}
    pass_type, remarks = read(folder(more=data))
    if all(remark.warning for remark in remarks):
        apple_pass(pass_type, showing())


def places(tree, path=()):
    """Yield the path of every value inside a document."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield (*path, key)
        yield from places(value, (*path, key))


@given(data=st.data())
def test_a_right_document_with_one_odd_value_is_read_or_refused(data):
    """What is taken can be rendered, and drawn."""
    which = data.draw(st.sampled_from(["apple", "google_class", "google_object"]))
    right = {"apple": APPLE, "google_class": CLASS, "google_object": OBJECT}
    spoilt = with_(right[which], data.draw(st.sampled_from(list(places(right[which])))), data.draw(_JSON))
    pass_type, remarks = read(folder(more={f"{which}.json": json.dumps(spoilt).encode()}))
    if any(not remark.warning for remark in remarks):
        return
    shown = showing()
    tree = apple_pass(pass_type, shown).tree
    assert strays({key: value for key, value in tree.items() if key != "voided"}, apple_keys.PASS) == []
    assert draw_pass(orjson.loads(orjson.dumps(tree)), {}, {})
    objects = google_object(pass_type, shown, image_url=str).tree
    assert draw_object(google_class(pass_type, image_url=str).tree, objects, lambda _: None)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_texts_of_a_language_or_a_remark(data):
    """A file of texts that cannot be read says so."""
    _, remarks = read(folder(more={"fr.lproj/pass.strings": data}, languages=("en", "fr")))
    assert all(remark.file.startswith("fr.lproj") or remark.warning for remark in remarks)


_NAMES = ("a.text", "a.flag", "a.number", "a.nothing", "a.missing")
_OUTPUTS = st.builds(
    "{{{{ {}{} }}}}".format,
    st.sampled_from(_NAMES),
    st.sampled_from(["", " | default: 'x'", " | default: 7", " | default: ''", ' | default: "<&>"']),
)
_TEMPLATES = st.lists(_OUTPUTS | st.text(alphabet="ab <&'\"", max_size=5), max_size=5).map("".join)


@given(
    source=_TEMPLATES,
    text=st.text(alphabet="<&'\" a", max_size=4),
    flag=st.booleans(),
    number=st.integers(-1, 1),
    html=st.booleans(),
)
def test_what_needs_no_interpreter_comes_out_as_the_interpreter_says(source, text, flag, number, html):
    """A filter at the end sends a template to the interpreter; `false` gives way to a default too."""
    names = {"a.text": text, "a.flag": flag, "a.number": number, "a.nothing": None}
    quick = parse(source, html=html)
    slow = parse(source + "{{ '' | upcase }}", html=html)
    assert unescape(quick.render(names)) == unescape(slow.render(names))
    assert not html or quick.render(names).count("<") == slow.render(names).count("<")
