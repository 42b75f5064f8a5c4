"""Where URLs in a pass may lead: over https to hosts that the project names, or to a telephone or a mail program."""

import re
from collections.abc import Iterable, Sequence
from html import unescape
from typing import Final
from urllib.parse import urlsplit

from flatfile_sync.wallets.templates.shapes import Kind

LINKED: Final = frozenset({Kind.URL, Kind.LINK, Kind.APP})

_OTHERS: Final = frozenset({"mailto", "tel", "sms", "geo"})
# What browsers read otherwise than `urlsplit` does, or do not show as it is.
_DECEPTIVE: Final = re.compile(r"[\s\\\x00-\x20\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_LINK: Final = re.compile(r"""<a\s+href=(?P<quote>["'])(?P<url>[^"'<>]*)(?P=quote)\s*>(?P<text>[^<>]*)</a>""")
_MARKUP: Final = re.compile(r"<[^<>]*>?|>")


def host_problem(host: str, hosts: Sequence[str]) -> str | None:
    """Return why a URL must not lead to a host, or None; `*.example.com` allows every host below `example.com`."""
    found = host.lower().rstrip(".")
    for allowed in hosts:
        if found == allowed or (allowed.startswith("*.") and found.endswith(allowed[1:])):
            return None
    return f"the host {host!r} is not among `url_hosts` of project.toml"


def url_problem(url: str, kind: Kind, hosts: Sequence[str]) -> str | None:
    """Return why a URL of a template or a row is not to be used, as the end of a sentence, or None."""
    if _DECEPTIVE.search(url):
        return "it has a space, a backslash or a character that is not shown"
    scheme = _SCHEME.match(url)
    name = scheme[1].lower() if scheme else ""
    if name == "http":
        return "it is not https"
    if (kind is Kind.LINK and name in _OTHERS) or (kind is Kind.APP and name and name != "https"):
        return None
    return _address_problem(url, hosts) if name == "https" else "it does not begin with https://"


def _address_problem(url: str, hosts: Sequence[str]) -> str | None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
        parts.port  # noqa: B018 - raises where the port is no number
    except ValueError:
        return "it is no URL"
    if not host:
        return "it has no host"
    return host_problem(host, hosts) if "@" not in parts.netloc else "it has a user name"


def markup_problems(html: str) -> list[str]:
    """Return the markup in a text that is no plain link, which is all that Wallet knows."""
    return _MARKUP.findall(_LINK.sub("", html))


def links(html: str) -> Iterable[str]:
    """Return the URLs that a text links to."""
    return [unescape(found["url"]) for found in _LINK.finditer(html)]


def without_bad_links(html: str, hosts: Sequence[str]) -> tuple[str, bool]:
    """Return a text whose links all lead where they may; of the others the words stay. And whether there were any."""
    lost = False

    def judged(found: re.Match[str]) -> str:
        nonlocal lost
        if url_problem(unescape(found["url"]), Kind.LINK, hosts) is None:
            return found[0]
        lost = True
        return found["text"]

    return _LINK.sub(judged, html), lost
