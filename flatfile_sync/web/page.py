"""The add-to-wallet page as HTML: complete in itself, no script, nothing fetched from anybody else."""

import base64
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from importlib import resources
from typing import Any, Final

import segno
from liquid import Environment, Markup
from starlette.responses import HTMLResponse

from flatfile_sync.web.languages import TEXTS

_ENVIRONMENT: Final = Environment(autoescape=True)
_TEMPLATE: Final = _ENVIRONMENT.from_string(
    resources.files("flatfile_sync.web").joinpath("page.html").read_text("utf-8")
)
_STYLE: Final = resources.files("flatfile_sync.web").joinpath("page.css").read_text("utf-8")
_NEUTRAL: Final = "#e7e5df"
_COLOUR: Final = re.compile(r"#[0-9a-f]{6}|rgb\( *(\d{1,3}) *, *(\d{1,3}) *, *(\d{1,3}) *\)", re.IGNORECASE)
_Button = dict[str, str | None]
_DARK, _LIGHT = "#000000", "#ffffff"


class Visitor(Enum):
    """What somebody looks at the page with."""

    IPHONE = "iphone"
    ANDROID = "android"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A pass that can be added, as the page tells of it; `colour` is that of the pass, as CSS writes it."""

    issuer: str
    name: str
    colour: str = ""
    apple: bool = False
    google: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page shows. `url` is where the QR code leads, "" for none; `badges` are addresses of images by wallet.

    Of what the template may leave out, None says so: to Liquid an empty text is as true as any.
    """

    language: str
    offers: Sequence[Offer]
    visitor: Visitor
    apple_href: str
    google_hrefs: Sequence[str]
    url: str = ""
    badges: dict[str, str] = field(default_factory=dict)


def visitor(user_agent: str) -> Visitor:
    """Return what a browser says it runs on; an iPad says that it is a Mac, and gets what a Mac gets."""
    if re.search(r"\b(iPhone|iPod|iPad)\b", user_agent):
        return Visitor.IPHONE
    return Visitor.ANDROID if "Android" in user_agent else Visitor.OTHER


def add_page(page: Page) -> HTMLResponse:
    """Return the page that offers passes: the button of the visitor's phone, or both and a QR code."""
    texts, count = TEXTS[page.language], len(page.offers)
    heading = texts["heading"] if count == 1 else texts["heading_many"].format(count=count)
    buttons = [*_buttons(page, texts)]
    hint = None if buttons else texts["none"]
    if page.visitor is Visitor.IPHONE and any(button["wallet"] == "apple" for button in buttons):
        hint = texts["safari"]
    issuer = page.offers[0].issuer
    told = {
        "title": f"{issuer}: {heading}",
        "issuer": issuer,
        "passes": [offer.name for offer in page.offers],
        "heading": heading,
        "lead": texts["lead"],
        "buttons": buttons,
        "hint": hint,
        "qr": _qr(page.url) if page.url and page.visitor is Visitor.OTHER else None,
    }
    return _answer(page.language, told, colour=page.offers[0].colour)


def notice_page(language: str, what: str, *, status: int) -> HTMLResponse:
    """Return a page that only says something: `gone` or `busy`."""
    texts = TEXTS[language]
    told = {"title": texts[what], "heading": texts[what], "lead": texts[f"{what}_why"], "buttons": []}
    return _answer(language, told, status=status)


def _buttons(page: Page, texts: Mapping[str, str]) -> Iterator[_Button]:
    """Yield one button for all passes at Apple, and one for each at Google, which takes one at a time."""
    if page.visitor is not Visitor.ANDROID and all(offer.apple for offer in page.offers):
        yield _button("apple", page.apple_href, texts, page)
    if page.visitor is not Visitor.IPHONE:
        for offer, href in zip(page.offers, page.google_hrefs, strict=True):
            if offer.google:
                yield _button("google", href, texts, page, name=offer.name if len(page.offers) > 1 else None)


def _button(wallet: str, href: str, texts: Mapping[str, str], page: Page, *, name: str | None = None) -> _Button:
    return {"wallet": wallet, "href": href, "text": texts[wallet], "name": name, "badge": page.badges.get(wallet)}


def _answer(language: str, told: dict[str, Any], *, colour: str = "", status: int = 200) -> HTMLResponse:
    brand = _hex(colour)
    style = f":root{{--brand:{brand};--brand-ink:{readable_on(brand)}}}\n{_STYLE}"
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    html = _TEMPLATE.render(language=language, texts=TEXTS[language], style=Markup(style), **told)
    headers = {
        # The style by its hash: markup that somebody slipped in can neither run nor dress up.
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self' data:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        "Content-Language": language,
        "Vary": "Accept-Language, User-Agent",
        "X-Robots-Tag": "noindex, nofollow",
    }
    return HTMLResponse(html, status, headers)


def readable_on(colour: str) -> str:
    """Return the dark or the light ink, whichever has more contrast on a colour; it is always above 4.5 (WCAG AA)."""
    return max((_DARK, _LIGHT), key=lambda ink: contrast(ink, colour))


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours `#rrggbb` (WCAG 2.2, contrast ratio)."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)  # noqa: PLR2004 - sRGB
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _hex(colour: str) -> str:
    """Return a colour of a pass as `#rrggbb`; a neutral one if it is none."""
    found = _COLOUR.fullmatch(colour.strip())
    if found is None:
        return _NEUTRAL
    if found[1] is None:
        return found[0].lower()
    return "#" + "".join(f"{min(int(part), 255):02x}" for part in found.groups())


def _qr(url: str) -> Markup:
    out = io.BytesIO()
    code = segno.make_qr(url, error="m")
    code.save(out, kind="svg", border=2, xmldecl=False, svgns=False, omitsize=True, svgclass=None, lineclass=None)
    return Markup(out.getvalue().decode())
