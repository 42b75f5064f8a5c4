"""The pass type certificate with its key and the certificates above it, checked before anything is signed.

Wallet refuses a pass whose certificate is not the one its `pass.json` names, and says nothing about why. So everything
it compares is compared here, when the files are loaded, and a `ConfigurationError` names file, finding and remedy.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12
from cryptography.x509.oid import NameOID

from flatfile_sync.domain.failures import ConfigurationError

SigningKey: TypeAlias = RSAPrivateKey | EllipticCurvePrivateKey

WARNING_DAYS: Final = (60, 30, 7, 0)
"""Days before the end of a certificate at which a warning is due; 0 = it has ended."""

# Apple's own object identifiers: the usage "pass signing", and the extension that repeats the pass type identifier.
_PASS_SIGNING: Final = x509.ObjectIdentifier("1.2.840.113635.100.4.14")
_PASS_TYPE: Final = x509.ObjectIdentifier("1.2.840.113635.100.6.1.16")
_UTF8_STRING: Final = 0x0C
_LONG_FORM: Final = 0x80


class Source(NamedTuple):
    """A file's name, for messages, and its bytes."""

    name: str
    data: bytes

    def __repr__(self) -> str:
        return f"Source({self.name!r}, {len(self.data)} bytes)"


class ExpiryWarning(NamedTuple):
    """A certificate that ends soon: `step` is the entry of `WARNING_DAYS` that was passed last."""

    name: str
    not_after: datetime
    days: int
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PassCertificate:
    """What signs passes of one pass type identifier; `chain` is what stands between the leaf and Apple's root."""

    pass_type_identifier: str
    team_identifier: str
    leaf: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key: SigningKey = field(repr=False)

    def expiry_warnings(self, now: datetime) -> tuple[ExpiryWarning, ...]:
        """Return a warning per certificate that ends within 60 days."""
        warnings = []
        for certificate in (self.leaf, *self.chain):
            left = certificate.not_valid_after_utc - now
            passed = [step for step in WARNING_DAYS if left <= timedelta(days=step)]
            if passed:
                ends = certificate.not_valid_after_utc
                warnings.append(ExpiryWarning(_common_name(certificate), ends, max(left.days, 0), min(passed)))
        return tuple(warnings)


def load_certificate(
    certificate: Source,
    *,
    key: Source | None = None,
    password: str | None = None,
    wwdr: Source | None = None,
    pass_type_identifier: str,
    team_identifier: str,
    now: datetime,
) -> PassCertificate:
    """Return the certificate of a pass type, checked.

    `certificate` is PEM, DER or PKCS#12; a PKCS#12 file brings the key, and may bring the certificates above it too.
    `wwdr` holds Apple's intermediate, PEM or DER. Raises `ConfigurationError`.
    """
    leaf, found_key, above = _read(certificate, key, password)
    if wwdr is not None:
        above = _certificates(wwdr)
    name = certificate.name
    _check_subject(name, leaf, pass_type_identifier, team_identifier)
    _check_usage(name, leaf, pass_type_identifier)
    if found_key.public_key() != leaf.public_key():
        raise ConfigurationError(
            f"{key.name if key else name}: the key is not that of the certificate in {name}; give the key that its "
            "signing request was made with."
        )
    chain = _chain(name, leaf, above, wwdr.name if wwdr else name)
    for file, one in ((name, leaf), *((wwdr.name if wwdr else name, one) for one in chain)):
        _check_validity(file, one, now)
    return PassCertificate(
        pass_type_identifier=pass_type_identifier,
        team_identifier=team_identifier,
        leaf=leaf,
        chain=chain,
        key=found_key,
    )


def _read(
    certificate: Source, key: Source | None, password: str | None
) -> tuple[x509.Certificate, SigningKey, list[x509.Certificate]]:
    secret = password.encode() if password else None
    if certificate.data.lstrip().startswith(b"-----BEGIN") or key is not None:
        leaf, *above = _certificates(certificate)
        return leaf, _key(key or certificate, secret), above
    try:
        bag = load_pkcs12(certificate.data, secret)
    except ValueError:
        raise ConfigurationError(
            f"{certificate.name}: cannot be read as PKCS#12 {_with(secret)}; give the right password, or a PEM "
            "certificate with its key."
        ) from None
    if bag.cert is None or not isinstance(bag.key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise ConfigurationError(
            f"{certificate.name}: holds no certificate with its private key; export both together from the keychain."
        )
    return bag.cert.certificate, bag.key, [extra.certificate for extra in bag.additional_certs]


def _certificates(source: Source) -> list[x509.Certificate]:
    try:
        if b"-----BEGIN" in source.data:
            return x509.load_pem_x509_certificates(source.data)
        return [x509.load_der_x509_certificate(source.data)]
    except ValueError:
        raise ConfigurationError(f"{source.name}: holds no certificate, neither PEM nor DER.") from None


def _key(source: Source, secret: bytes | None) -> SigningKey:
    load = load_pem_private_key if b"-----BEGIN" in source.data else load_der_private_key
    try:
        try:
            found = load(source.data, secret)
        except TypeError:
            # A password was given for a key that has none: nothing is wrong with the key.
            found = load(source.data, None)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"{source.name}: holds no private key that can be read {_with(secret)}; give a PEM key and its password."
        ) from None
    if not isinstance(found, RSAPrivateKey | EllipticCurvePrivateKey):
        raise ConfigurationError(f"{source.name}: is a {type(found).__name__}; Apple signs RSA and EC keys only.")
    return found


def _check_subject(file: str, leaf: x509.Certificate, identifier: str, team: str) -> None:
    for oid, word, key, wanted in (
        (NameOID.USER_ID, "pass type identifier (UID)", "apple.pass_type_identifier", identifier),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "team identifier (OU)", "apple.team_identifier", team),
    ):
        found = [attribute.value for attribute in leaf.subject.get_attributes_for_oid(oid)]
        if found != [wanted]:
            told = " and ".join(repr(value) for value in found) or "none"
            raise ConfigurationError(
                f"{file}: its {word} is {told}, {key} says {wanted!r}; set the one or give the other certificate."
            )


def _check_usage(file: str, leaf: x509.Certificate, identifier: str) -> None:
    try:
        usages = list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        usages = [_PASS_SIGNING]
    if _PASS_SIGNING not in usages:
        told = ", ".join(usage.dotted_string for usage in usages)
        raise ConfigurationError(
            f"{file}: may be used for {told}, not for signing passes ({_PASS_SIGNING.dotted_string}); "
            "give a Pass Type ID certificate."
        )
    try:
        extension = leaf.extensions.get_extension_for_oid(_PASS_TYPE).value
    except x509.ExtensionNotFound:
        return
    named = _utf8(extension.public_bytes())
    if named != identifier:
        raise ConfigurationError(
            f"{file}: its extension {_PASS_TYPE.dotted_string} names {named!r}, apple.pass_type_identifier says "
            f"{identifier!r}; give the certificate of that identifier."
        )


def _utf8(der: bytes) -> str | None:
    """Return the text of a DER UTF8String of fewer than 128 bytes, or None."""
    head, text = der[:2], der[2:]
    whole = len(text) < _LONG_FORM and head == bytes([_UTF8_STRING, len(text)])
    return text.decode(errors="replace") if whole else None


def _chain(
    file: str, leaf: x509.Certificate, above: list[x509.Certificate], above_file: str
) -> tuple[x509.Certificate, ...]:
    """Return the issuer of the leaf and theirs, as far as they are there, without a self-signed root."""
    chain: list[x509.Certificate] = []
    below = leaf
    while (issuer := next((one for one in above if _issued(below, one)), None)) is not None and issuer not in chain:
        if _issued(issuer, issuer):
            break
        chain.append(issuer)
        below = issuer
    if not chain:
        told = "; ".join(_title(one) for one in above if one != leaf) or "none"
        raise ConfigurationError(
            f"{file}: was signed by {leaf.issuer.rfc4514_string()!r}; {above_file} has another issuer: {told}. Give "
            "the Worldwide Developer Relations certificate of that generation (OU) in apple.wwdr_file."
        )
    return tuple(chain)


def _issued(below: x509.Certificate, above: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(above)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _check_validity(file: str, certificate: x509.Certificate, now: datetime) -> None:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not start <= now <= end:
        remedy = "look at the clock" if now < start else "renew it"
        raise ConfigurationError(
            f"{file}: {_common_name(certificate)!r} is valid from {start:%Y-%m-%d %H:%M:%SZ} to "
            f"{end:%Y-%m-%d %H:%M:%SZ}, and it is {now:%Y-%m-%d %H:%M:%SZ}; {remedy}."
        )


def _title(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()


def _common_name(certificate: x509.Certificate) -> str:
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else _title(certificate)


def _with(secret: bytes | None) -> str:
    return "with the password given" if secret else "without a password"
