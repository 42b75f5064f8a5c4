"""The signature over a manifest: detached PKCS#7, as Wallet wants it."""

from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

from flatfile_sync.wallets.apple.certificates import PassCertificate

# Without Binary a line feed is signed as CR LF, and the manifest is not what was signed. The signing time is among the
# signed attributes that cryptography adds unless told NoAttributes; Wallet insists on it.
_OPTIONS: Final = (PKCS7Options.DetachedSignature, PKCS7Options.Binary, PKCS7Options.NoCapabilities)


def sign(manifest: bytes, *, by: PassCertificate) -> bytes:
    """Return the DER signature over exactly these bytes; the certificates up to Apple's root travel in it."""
    builder = PKCS7SignatureBuilder().set_data(manifest).add_signer(by.leaf, by.key, SHA256())
    for certificate in by.chain:
        builder = builder.add_certificate(certificate)
    return builder.sign(Encoding.DER, _OPTIONS)
