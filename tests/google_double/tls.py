"""TLS of this machine, with an authority made at run time."""

import functools
import ssl
import tempfile
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.apple_keys import NOT_AFTER, NOT_BEFORE, private_key


@functools.cache
def _authority() -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
    key = private_key("test authority")
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    usage = x509.KeyUsage(
        digital_signature=False,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = _builder(name, "test authority").add_extension(constraints, critical=True)
    return builder.add_extension(usage, critical=True).sign(key, SHA256())


def authorities() -> bytes:
    """Return what a client trusts, as PEM."""
    return _authority().public_bytes(Encoding.PEM)


def client_context() -> ssl.SSLContext:
    """Return TLS settings of a client that trusts nobody else."""
    return ssl.create_default_context(cadata=authorities().decode())


def server_context() -> ssl.SSLContext:
    """Return TLS settings of a server on `localhost`."""
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = _builder(name, "test server").add_extension(names, critical=False)
    signed = certificate.sign(private_key("test authority"), SHA256())
    private = private_key("test server").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "server.pem"
        file.write_bytes(private + signed.public_bytes(Encoding.PEM))
        context.load_cert_chain(file)
    return context


def _builder(name: x509.Name, key: str) -> x509.CertificateBuilder:
    authority = private_key("test authority").public_key()
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
    public = private_key(key).public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
    )
