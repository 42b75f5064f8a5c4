"""A certificate for servers of this machine, below the same root as the test's Apple."""

from datetime import datetime
from ipaddress import IPv4Address

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.apple_keys import NOT_AFTER, NOT_BEFORE, authority, private_key


def server_pem(*, not_after: datetime = NOT_AFTER, serial: int | None = None) -> bytes:
    """Return key and certificate for localhost and 127.0.0.1, as one PEM file."""
    root, _, _ = authority()
    key, root_key = private_key("server"), private_key("root G4")
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]))
        .issuer_name(root.subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(not_after)
        .add_extension(names, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + builder.sign(root_key, SHA256()).public_bytes(Encoding.PEM)
