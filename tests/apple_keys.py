"""A certificate authority that looks like Apple's, and pass type certificates it signed, made at run time.

The leaf is as real ones are: UID and OU in the subject, digitalSignature, clientAuth and Apple's own usage, the pass
type identifier in an extension, and the mark that APNs wants. `apple_keys()` is made once per process and arguments.
"""

import functools
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PASS_TYPE_IDENTIFIER = "pass.example.card"
TEAM_IDENTIFIER = "EXAMPLE123"
NOT_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2049, 12, 31, tzinfo=UTC)

PASS_SIGNING = x509.ObjectIdentifier("1.2.840.113635.100.4.14")
PASS_TYPE = x509.ObjectIdentifier("1.2.840.113635.100.6.1.16")
APNS_PRODUCTION = x509.ObjectIdentifier("1.2.840.113635.100.6.3.2")
_NULL = b"\x05\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppleKeys:
    """What a brand holds: its certificate and key, and Apple's certificates above it."""

    key: RSAPrivateKey
    leaf: x509.Certificate
    wwdr: x509.Certificate
    root: x509.Certificate

    @property
    def leaf_pem(self) -> bytes:
        return self.leaf.public_bytes(Encoding.PEM)

    @property
    def wwdr_pem(self) -> bytes:
        return self.wwdr.public_bytes(Encoding.PEM)

    @property
    def root_pem(self) -> bytes:
        return self.root.public_bytes(Encoding.PEM)

    def key_pem(self, password: str | None = None) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption(password))

    def pkcs12(self, password: str | None = None, *, chain: bool = False) -> bytes:
        above = [self.wwdr] if chain else None
        return serialize_key_and_certificates(b"pass", self.key, self.leaf, above, _encryption(password))


@functools.cache
def apple_keys(
    *,
    identifier: str = PASS_TYPE_IDENTIFIER,
    team: str = TEAM_IDENTIFIER,
    extension: str | None = None,
    usages: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.CLIENT_AUTH, PASS_SIGNING),
    not_before: datetime = NOT_BEFORE,
    not_after: datetime = NOT_AFTER,
) -> AppleKeys:
    """Make a leaf below the process's authority; `extension` is the identifier in it, else that of the subject."""
    root, wwdr_key, wwdr = authority()
    key = private_key(f"leaf {identifier}")
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.USER_ID, identifier),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Pass Type ID: {identifier}"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, team),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Stores"),
            x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
        ]
    )
    named = (extension or identifier).encode()
    builder = _builder(subject, wwdr.subject, key, not_before, not_after)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(_authority_of(wwdr_key), critical=False)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=True)
    # A UTF8String: tag 12, length, bytes.
    builder = builder.add_extension(x509.UnrecognizedExtension(PASS_TYPE, bytes([12, len(named)]) + named), False)
    builder = builder.add_extension(x509.UnrecognizedExtension(APNS_PRODUCTION, _NULL), False)
    return AppleKeys(key=key, leaf=builder.sign(wwdr_key, SHA256()), wwdr=wwdr, root=root)


@functools.cache
def authority(generation: str = "G4") -> tuple[x509.Certificate, RSAPrivateKey, x509.Certificate]:
    """Return root, and key and certificate of the intermediate that signs leaves."""
    root_key, wwdr_key = private_key(f"root {generation}"), private_key(f"wwdr {generation}")
    root_name = _apple("Apple Root CA", "Apple Certification Authority")
    name = _apple("Apple Worldwide Developer Relations Certification Authority", generation)
    root = _authority(root_name, root_name, root_key, root_key, path_length=None)
    return root, wwdr_key, _authority(name, root_name, wwdr_key, root_key, path_length=0)


@functools.cache
def private_key(name: str) -> RSAPrivateKey:  # noqa: ARG001 - the name is what the cache tells keys apart by
    """Return this process's key of that name; one takes a tenth of a second to make."""
    return generate_private_key(65537, 2048)


def _authority(
    name: x509.Name, issuer: x509.Name, key: RSAPrivateKey, by: RSAPrivateKey, *, path_length: int | None
) -> x509.Certificate:
    builder = _builder(name, issuer, key, NOT_BEFORE, NOT_AFTER)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
    return builder.add_extension(_authority_of(by), critical=False).sign(by, SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: RSAPrivateKey, not_before: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _apple(name: str, unit: str) -> x509.Name:
    parts = ((NameOID.COMMON_NAME, name), (NameOID.ORGANIZATIONAL_UNIT_NAME, unit))
    rest = ((NameOID.ORGANIZATION_NAME, "Apple Inc."), (NameOID.COUNTRY_NAME, "US"))
    return x509.Name([x509.NameAttribute(*part) for part in (*parts, *rest)])


def _authority_of(key: RSAPrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _encryption(password: str | None) -> KeySerializationEncryption:
    return NoEncryption() if password is None else BestAvailableEncryption(password.encode())
