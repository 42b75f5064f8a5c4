"""What the add-to-wallet page says of a pass, taken from the templates of its type."""

from collections.abc import Mapping
from typing import Any

from flatfile_sync.domain.project import PassType, Project
from flatfile_sync.wallets.templates.rendering import apple_pass, apple_strings, google_class
from flatfile_sync.wallets.templates.showing import Showing
from flatfile_sync.web.page import Offer


def offer(
    project: Project, pass_type: PassType, showing: Showing, language: str, *, apple: bool, google: bool
) -> Offer:
    """Return what the page says in a language; `apple` and `google` are whether these wallets are there at all."""
    if pass_type.apple:
        tree = apple_pass(pass_type, showing, language=language).tree
        issuer, name, colour = tree.get("organizationName"), tree.get("description"), tree.get("backgroundColor")
        name = apple_strings(pass_type, showing).get(language, {}).get(str(name), name)
    else:
        tree = google_class(pass_type, image_url=lambda _: None).tree
        issuer, name, colour = tree.get("issuerName"), _title(tree), tree.get("hexBackgroundColor")
    return Offer(
        issuer=str(issuer or project.title),
        name=str(name or project.title),
        colour=str(colour or ""),
        apple=apple and bool(pass_type.apple),
        google=google and bool(pass_type.google_object),
    )


def _title(tree: Mapping[str, Any]) -> str | None:
    """Return what a Google class calls its passes."""
    for key in ("programName", "title", "merchantName"):
        if tree.get(key):
            return str(tree[key])
    event = tree.get("eventName") or {}
    return (event.get("defaultValue") or {}).get("value") if isinstance(event, Mapping) else None
