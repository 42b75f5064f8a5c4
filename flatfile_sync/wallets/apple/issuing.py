"""From a pass type and a pass to the pkpass that a device takes."""

from dataclasses import dataclass, field

from flatfile_sync.domain.failures import PermanentFailure
from flatfile_sync.domain.project import PassType
from flatfile_sync.wallets.apple.bundle import build
from flatfile_sync.wallets.apple.certificates import PassCertificate
from flatfile_sync.wallets.apple.making import Content, Maker, ReadImage
from flatfile_sync.wallets.apple.tokens import TokenKeys
from flatfile_sync.wallets.templates.showing import Showing


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Signs passes with one certificate; `image` returns the bytes of an image by its sha256, None if it is gone."""

    certificate: PassCertificate
    tokens: TokenKeys
    web_service_url: str
    image: ReadImage
    _maker: Maker = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_maker", Maker(self.image))

    def issue(self, pass_type: PassType, showing: Showing, *, key_id: str) -> bytes:
        """Return the pkpass; blocks for a millisecond or two.

        Raises `PermanentFailure` for a pass type that has no Apple pass, `ConfigurationError` if the token's key is
        gone.
        """
        return self.sign(self.make(pass_type, showing, key_id=key_id))

    def make(self, pass_type: PassType, showing: Showing, *, key_id: str) -> Content:
        """Return what is to be signed. Raises what `issue` raises."""
        if not pass_type.apple:
            raise PermanentFailure(f"The pass type {pass_type.name!r} has no Apple pass.")
        told = {
            "passTypeIdentifier": self.certificate.pass_type_identifier,
            "teamIdentifier": self.certificate.team_identifier,
            "serialNumber": showing.pass_id,
            "webServiceURL": self.web_service_url,
            "authenticationToken": self.tokens.token(key_id, showing.pass_id).text,
        }
        return self._maker.make(pass_type, showing, told)

    def sign(self, content: Content) -> bytes:
        """Return the pkpass of a content."""
        return build(content.pass_json, content.files, by=self.certificate)
