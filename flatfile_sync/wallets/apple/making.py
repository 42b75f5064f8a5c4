"""A pass as it leaves us: its templates rendered, what only the issuer knows added, every file in its place.

What was made is signed by `bundle.build`. Images are read and digested once, however many passes show them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import orjson

from flatfile_sync.domain.project import PassType
from flatfile_sync.wallets.apple.archive import File
from flatfile_sync.wallets.templates.rendering import apple_images, apple_pass, apple_strings
from flatfile_sync.wallets.templates.showing import Showing
from flatfile_sync.wallets.templates.strings import write_strings

ReadImage = Callable[[str], bytes | None]
"""sha256 -> the bytes of an image, None of one that is not there."""


class Issuer(NamedTuple):
    """Who issues passes: what the certificate says, and where devices ask for updates."""

    pass_type_identifier: str
    team_identifier: str
    web_service_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePass:
    """The content of a pass: `pass.json`, and images and texts. `lost` names what did not come out as the row said."""

    pass_json: bytes
    files: tuple[File, ...]
    lost: tuple[str, ...]


class PassMaker:
    """Makes the content of passes; images come from `read_image`."""

    def __init__(self, read_image: ReadImage, *, issuer: Issuer | None = None, most_images: int = 512) -> None:
        self._read_image, self._issuer = read_image, issuer
        self._image = lru_cache(maxsize=most_images)(self._load)

    def make(self, pass_type: PassType, showing: Showing, *, token: str | None = None) -> MadePass:
        """Return a pass; with a token, devices ask for its updates. What nobody issues has no identifiers."""
        rendered = apple_pass(pass_type, showing)
        tree, lost = rendered.tree, rendered.lost
        tree["serialNumber"] = showing.pass_id
        if self._issuer is not None:
            tree["passTypeIdentifier"] = self._issuer.pass_type_identifier
            tree["teamIdentifier"] = self._issuer.team_identifier
            if token is not None:
                # Apple: both or none; neither may change while the pass lives.
                tree["webServiceURL"], tree["authenticationToken"] = self._issuer.web_service_url, token
        files = [_texts(path, tuple(texts.items())) for path, texts in apple_strings(pass_type, showing).items()]
        for path, sha256 in apple_images(pass_type, showing).items():
            try:
                files.append(self._image(path, sha256))
            except LookupError:
                lost.append(path)
        return MadePass(pass_json=orjson.dumps(tree), files=tuple(files), lost=tuple(lost))

    def _load(self, path: str, sha256: str) -> File:
        """Return an image under its name in the bundle. Raises `LookupError` if it is not there (yet)."""
        data = self._read_image(sha256)
        if data is None:
            raise LookupError(sha256)
        return File(path, data)


@lru_cache(maxsize=512)
def _texts(language: str, texts: tuple[tuple[str, str], ...]) -> File:
    return File(f"{language}.lproj/pass.strings", write_strings(dict(texts)))
