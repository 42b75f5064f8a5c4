"""From a pass type and a pass to the pkpass that a device takes."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import orjson

from flatfile_sync.domain.failures import PermanentFailure
from flatfile_sync.domain.project import PassType
from flatfile_sync.wallets.apple.archive import File
from flatfile_sync.wallets.apple.bundle import build
from flatfile_sync.wallets.apple.certificates import PassCertificate
from flatfile_sync.wallets.apple.tokens import TokenKeys
from flatfile_sync.wallets.templates.rendering import apple_images, apple_pass, apple_strings
from flatfile_sync.wallets.templates.showing import Showing
from flatfile_sync.wallets.templates.strings import write_strings

# An image has at most a megabyte, most have a few thousand bytes; a programme has tens of them.
_IMAGES_KEPT: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Signs passes with one certificate; `image` returns the bytes of an image by its sha256, None if it is gone."""

    certificate: PassCertificate
    tokens: TokenKeys
    web_service_url: str
    image: Callable[[str], bytes | None]
    _files: Callable[[str, str], File] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_files", lru_cache(_IMAGES_KEPT)(self._file))

    def issue(self, pass_type: PassType, showing: Showing, *, key_id: str) -> bytes:
        """Return the pkpass; blocks for a millisecond or two.

        Raises `PermanentFailure` for a pass type that has no Apple pass, `ConfigurationError` if the token's key is
        gone.
        """
        if not pass_type.apple:
            raise PermanentFailure(f"The pass type {pass_type.name!r} has no Apple pass.")
        told = apple_pass(pass_type, showing).tree | {
            "passTypeIdentifier": self.certificate.pass_type_identifier,
            "teamIdentifier": self.certificate.team_identifier,
            "serialNumber": showing.pass_id,
            "webServiceURL": self.web_service_url,
            "authenticationToken": self.tokens.token(key_id, showing.pass_id).text,
        }
        return build(orjson.dumps(told), self._around(pass_type, showing), by=self.certificate)

    def _around(self, pass_type: PassType, showing: Showing) -> Iterator[File]:
        for path, sha256 in apple_images(pass_type, showing).items():
            # An image that is gone is looked for again next time; a pass without it is better than none.
            with suppress(LookupError):
                yield self._files(path, sha256)
        for language, texts in apple_strings(pass_type, showing).items():
            if texts:
                yield File(f"{language}.lproj/pass.strings", write_strings(texts))

    def _file(self, path: str, sha256: str) -> File:
        data = self.image(sha256)
        if data is None:
            raise LookupError(sha256)
        return File(path, data)
