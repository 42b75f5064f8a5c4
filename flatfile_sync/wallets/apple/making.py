"""The content of an Apple pass: templates rendered, images and texts in their places, not signed yet.

Images are read and digested once, however many passes show them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import orjson

from flatfile_sync.domain.project import PassType
from flatfile_sync.wallets.apple.archive import File
from flatfile_sync.wallets.templates.rendering import apple_images, apple_pass, apple_strings
from flatfile_sync.wallets.templates.showing import Showing
from flatfile_sync.wallets.templates.strings import write_strings

ReadImage = Callable[[str], bytes | None]
"""sha256 -> the bytes of an image, None of one that is not there."""

# An image has at most a megabyte, most have a few thousand bytes; a programme has tens of them.
_IMAGES_KEPT: Final = 256
_LANGUAGES_KEPT: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """`pass.json`, and the files beside it. `lost` names what did not come out as the row said, or is not there."""

    pass_json: bytes
    files: tuple[File, ...]
    lost: tuple[str, ...]


class Maker:
    """Makes contents; images come from `image`."""

    def __init__(self, image: ReadImage) -> None:
        self._read = image
        self._image = lru_cache(maxsize=_IMAGES_KEPT)(self._load)

    def make(self, pass_type: PassType, showing: Showing, told: Mapping[str, str]) -> Content:
        """Return the content of a pass; `told` is what the issuer alone knows of it, as `serialNumber`."""
        rendered = apple_pass(pass_type, showing)
        files, lost = [], list(rendered.lost)
        for path, sha256 in apple_images(pass_type, showing).items():
            # An image that is gone is looked for again next time; a pass without it is better than none.
            try:
                files.append(self._image(path, sha256))
            except LookupError:
                lost.append(path)
        for language, texts in apple_strings(pass_type, showing).items():
            if texts:
                files.append(_texts(language, tuple(texts.items())))
        return Content(pass_json=orjson.dumps(rendered.tree | dict(told)), files=tuple(files), lost=tuple(lost))

    def _load(self, path: str, sha256: str) -> File:
        data = self._read(sha256)
        if data is None:
            raise LookupError(sha256)
        return File(path, data)


@lru_cache(maxsize=_LANGUAGES_KEPT)
def _texts(language: str, texts: tuple[tuple[str, str], ...]) -> File:
    return File(f"{language}.lproj/pass.strings", write_strings(dict(texts)))
