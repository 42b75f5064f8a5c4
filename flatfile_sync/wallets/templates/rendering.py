"""Templates of a pass type compiled once, then rendered for each pass.

What Liquid gives as text becomes what the platform wants: number, flag, moment, colour. A value that comes out as
none of these has its key left out, and so has the table around it if it cannot be without; `Rendered.lost` names it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import orjson
from liquid.exceptions import LiquidError

from flatfile_sync.domain.project import PassType
from flatfile_sync.domain.states import PassStatus, Purpose
from flatfile_sync.wallets.templates import apple_keys, google_keys
from flatfile_sync.wallets.templates.images import HASH, IMAGE, chosen_image
from flatfile_sync.wallets.templates.links import url_problem
from flatfile_sync.wallets.templates.liquid import Names, Text, has_liquid, parse
from flatfile_sync.wallets.templates.shapes import Kind, Shape, Table, Value
from flatfile_sync.wallets.templates.showing import CARRIED, Showing
from flatfile_sync.wallets.templates.values import ABSENT, Converter, converter
from flatfile_sync.wallets.templates.walking import Node, children

ENDS: Final = frozenset({"expirationDate", "end"})
"""Keys of moments at which something ends: a mere date means the end of that day."""
NOTIFYING: Final = "changeMessage"
_STATES: Final = {PassStatus.ACTIVE: "ACTIVE", PassStatus.VOIDED: "INACTIVE", PassStatus.EXPIRED: "EXPIRED"}

ImageUrl = Callable[[str], str | None]
"""sha256 of an image -> the URL under which the platform fetches it, None of an image that is not there."""


@dataclass(slots=True)
class Rendered:
    """A rendered document, and the key paths of values that are not, or not wholly, what the row said."""

    tree: dict[str, Any]
    lost: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Around:
    """What a part is rendered with; `marketing` is whether the holder agreed to be told such things."""

    names: Names
    lost: list[str]
    image_url: ImageUrl
    files: Mapping[str, str]
    marketing: bool = False


_Part = Callable[[_Around], Any]


@dataclass(frozen=True, slots=True)
class _Fixed:
    """What is the same in every pass; whoever gets it must not change it."""

    value: Any

    def __call__(self, _: _Around) -> Any:
        return self.value


@dataclass(frozen=True, slots=True)
class _Leaf:
    text: Text
    convert: Converter
    path: str
    zone: str

    def __call__(self, around: _Around) -> Any:
        try:
            text = self.text.render(around.names, zone=self.zone)
        except LiquidError:
            around.lost.append(self.path)
            return ABSENT
        value, lost = self.convert(text)
        if lost:
            around.lost.append(self.path)
        return value


@dataclass(frozen=True, slots=True)
class _Carried:
    """The value of the field that carries messages: the next one differs although it may say the same."""

    part: _Part

    def __call__(self, around: _Around) -> Any:
        value = self.part(around)
        return value if value is ABSENT else f"{value}{around.names.get(CARRIED, '')}"


@dataclass(frozen=True, slots=True)
class _Agreed:
    """What notifies of marketing: it is not even in the pass of a holder who has not agreed."""

    part: _Part

    def __call__(self, around: _Around) -> Any:
        return self.part(around) if around.marketing else ABSENT


@dataclass(frozen=True, slots=True)
class _Picture:
    """An image by its name or digest, else a URL."""

    read: _Part
    path: str
    hosts: tuple[str, ...]

    def __call__(self, around: _Around) -> Any:
        text = self.read(around)
        if text is ABSENT or not text:
            return ABSENT
        name = text.removeprefix(IMAGE)
        if name == text:
            found = text if url_problem(text, Kind.URL, self.hosts) is None else None
        else:
            sha256 = name if HASH.fullmatch(name) else around.files.get(name)
            found = around.image_url(sha256) if sha256 is not None else None
        if found is None:
            around.lost.append(self.path)
            return ABSENT
        return found


@dataclass(frozen=True, slots=True)
class _Table:
    parts: tuple[tuple[str, _Part], ...]
    required: frozenset[str]

    def __call__(self, around: _Around) -> Any:
        found = {key: value for key, part in self.parts if (value := part(around)) is not ABSENT}
        return found if found and found.keys() >= self.required else ABSENT


@dataclass(frozen=True, slots=True)
class _Row:
    parts: tuple[_Part, ...]

    def __call__(self, around: _Around) -> Any:
        return [value for part in self.parts if (value := part(around)) is not ABSENT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """The templates of a pass type, ready to render."""

    apple: _Part | None
    google_class: _Part | None
    google_object: _Part | None
    carrier: Text | None
    images: tuple[tuple[str, Text], ...]
    files: Mapping[str, str]


@lru_cache(maxsize=512)
def compiled(pass_type: PassType) -> Compiled:
    """Return the templates of a pass type, compiled when they are first asked for; equal pass types share them."""
    google = pass_type.google_type
    carrier = _carrier(pass_type)
    return Compiled(
        apple=_compile(pass_type.apple, apple_keys.PASS, pass_type) if pass_type.apple else None,
        google_class=_compile(pass_type.google_class, google_keys.shape(f"{google}Class"), pass_type)
        if pass_type.google_class
        else None,
        google_object=_compile(pass_type.google_object, google_keys.shape(f"{google}Object"), pass_type)
        if pass_type.google_object
        else None,
        carrier=parse(carrier) if carrier else None,
        images=tuple((name, parse(source)) for name, source in pass_type.images),
        files=dict(pass_type.files),
    )


def apple_pass(pass_type: PassType, showing: Showing, *, language: str = "") -> Rendered:
    """Return the `pass.json` without what only the signer knows (identifiers, web service).

    The tree shares what is the same in every pass with other trees: add to it at the top only.
    """
    rendered = _render(compiled(pass_type).apple, pass_type, showing, language=language)
    if showing.status is not PassStatus.ACTIVE:
        rendered.tree["voided"] = True
    return rendered


def apple_strings(pass_type: PassType, showing: Showing) -> dict[str, dict[str, str]]:
    """Return the texts of each language's `pass.strings`: the folder's, and the message where it is translated.

    The carrier field holds the message in the fallback language, which is the key of its translations.
    """
    found = {language: dict(texts) for language, texts in pass_type.strings}
    message, fallback = showing.message, pass_type.fallback_language
    if message is None or not pass_type.carrier:
        return found
    key = carrier_value(pass_type, showing, fallback)
    for language in pass_type.languages:
        if language != fallback and message.texts.get(language):
            found.setdefault(language, {})[key] = carrier_value(pass_type, showing, language)
    return found


def carrier_value(pass_type: PassType, showing: Showing, language: str) -> str:
    """Return what the field that carries messages shows in a language ("" if there is none)."""
    text = compiled(pass_type).carrier
    if text is None:
        return ""
    names = showing.names(language, pass_type.fallback_language)
    try:
        found, _ = converter(Value())(text.render(names, zone=pass_type.timezone))
    except LiquidError:
        return ""
    return f"{found}{names.get(CARRIED, '')}"


def apple_images(pass_type: PassType, showing: Showing) -> dict[str, str]:
    """Return the sha256 of each image of an Apple pass by its name in the bundle.

    An image that data chooses and that is not there leaves the folder's own in place.
    """
    made = compiled(pass_type)
    names = showing.names("", pass_type.fallback_language)
    chosen: dict[str, str] = {}
    for role, text in made.images:
        try:
            chosen[role] = text.render(names, zone=pass_type.timezone)
        except LiquidError:
            continue
    return chosen_image(made.files, chosen)


def google_class(pass_type: PassType, *, image_url: ImageUrl) -> Rendered:
    """Return the class without its id."""
    return _render(compiled(pass_type).google_class, pass_type, None, image_url=image_url)


def google_object(pass_type: PassType, showing: Showing, *, image_url: ImageUrl) -> Rendered:
    """Return the object without its id and the id of its class; its state follows the status of the pass."""
    rendered = _render(compiled(pass_type).google_object, pass_type, showing, image_url=image_url)
    if showing.status is not PassStatus.ACTIVE or "state" not in rendered.tree:
        rendered.tree["state"] = _STATES[showing.status]
    return rendered


def _render(
    part: _Part | None,
    pass_type: PassType,
    showing: Showing | None,
    *,
    language: str = "",
    image_url: ImageUrl = lambda sha256: sha256,
) -> Rendered:
    if part is None:
        return Rendered({})
    fallback = pass_type.fallback_language
    names = {} if showing is None else showing.names(language or fallback, fallback)
    lost: list[str] = []
    marketing = showing is not None and showing.marketing
    tree = part(_Around(names, lost, image_url, compiled(pass_type).files, marketing))
    return Rendered({} if tree is ABSENT else dict(tree), lost)


def _carrier(pass_type: PassType) -> str:
    fields = orjson.loads(pass_type.apple).get(pass_type.style, {}) if pass_type.apple and pass_type.carrier else {}
    return next((str(entry["value"]) for entry in entries(fields) if entry["key"] == pass_type.carrier), "")


def entries(groups: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Yield the fields of an Apple style."""
    for group in groups.values():
        yield from group


def _compile(text: str, shape: Table, pass_type: PassType) -> _Part:
    return _part(Node("", "", orjson.loads(text), shape, {}), pass_type)


def _part(node: Node, pass_type: PassType) -> _Part:
    value, shape = node.value, node.shape
    if isinstance(value, str):
        return _text_part(node, shape, pass_type)
    if not isinstance(value, dict | list):
        return _Fixed(value)
    parts = [(inner.key, _part(inner, pass_type)) for inner in children(node)]
    if all(isinstance(part, _Fixed) for _, part in parts):
        return _Fixed(value)
    if isinstance(value, list):
        return _Row(tuple(part for _, part in parts))
    # The root is never left out: what it must have is looked at when the project is loaded.
    required = shape.required if isinstance(shape, Table) and node.path else ()
    return _Table(tuple(parts), frozenset(required) & value.keys())


def _text_part(node: Node, shape: Shape | None, pass_type: PassType) -> _Part:
    found = _written_part(node, shape if isinstance(shape, Value) else Value(), pass_type)
    if node.key == "value" and pass_type.carrier and node.owner.get("key") == pass_type.carrier:
        return _Carried(found)
    return _Agreed(found) if _purpose(node, pass_type) is Purpose.MARKETING else found


def _written_part(node: Node, shape: Value, pass_type: PassType) -> _Part:
    kind, zone, end = shape.kind, pass_type.timezone, node.key in ENDS
    if kind is Kind.PICTURE:
        text = parse(node.value)
        return _Picture(
            _Leaf(text, lambda found: (found.strip(), False), node.path, zone), node.path, _hosts(pass_type)
        )
    if has_liquid(node.value):
        convert = converter(shape, zone=zone, end_of_day=end, hosts=_hosts(pass_type))
        return _Leaf(parse(node.value, html=kind is Kind.HTML), convert, node.path, zone)
    if kind is Kind.MOMENT:
        return _Fixed(converter(shape, zone=zone, end_of_day=end)(node.value)[0])
    return _Fixed(node.value)


def _purpose(node: Node, pass_type: PassType) -> Purpose | None:
    if node.key == NOTIFYING:
        return dict(pass_type.purposes).get(str(node.owner.get("key")))
    return dict(pass_type.purposes).get(node.key) if node.key == google_keys.NOTIFY else None


def _hosts(pass_type: PassType) -> tuple[str, ...]:
    return pass_type.url_hosts
