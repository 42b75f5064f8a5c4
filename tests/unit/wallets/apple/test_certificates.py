from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.wallets.apple.certificates import Source, load_certificate
from tests.apple_keys import NOT_AFTER, PASS_TYPE_IDENTIFIER, TEAM_IDENTIFIER, apple_keys, authority
from tests.doubles import START

CARD = {"pass_type_identifier": PASS_TYPE_IDENTIFIER, "team_identifier": TEAM_IDENTIFIER, "now": START}


def load(keys, **changes):
    sources = {
        "certificate": Source("pass.pem", keys.leaf_pem),
        "key": Source("pass.key", keys.key_pem()),
        "wwdr": Source("wwdr.pem", keys.wwdr_pem),
    }
    values = sources | CARD | changes
    return load_certificate(values.pop("certificate"), **values)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"certificate": lambda keys: keys.leaf.public_bytes(Encoding.DER)},
        {"wwdr": lambda keys: keys.wwdr.public_bytes(Encoding.DER)},
        {"wwdr": lambda keys: keys.root_pem + keys.wwdr_pem},
        {"certificate": lambda keys: keys.key_pem() + keys.leaf_pem, "key": None},
        {"certificate": lambda keys: keys.leaf_pem + keys.wwdr_pem, "wwdr": None},
        {"key": lambda keys: keys.key_pem("secret"), "password": "secret"},
        {"password": "for nothing"},
        {"certificate": lambda keys: keys.pkcs12("secret"), "key": None, "password": "secret"},
        {"certificate": lambda keys: keys.pkcs12(), "key": None},
        {"certificate": lambda keys: keys.pkcs12(chain=True), "key": None, "wwdr": None},
    ],
)
def test_pem_der_and_pkcs12_bring_the_same_certificate(given):
    keys = apple_keys()
    changes = {name: Source(name, make(keys)) if callable(make) else make for name, make in given.items()}
    found = load(keys, **changes)
    assert (found.leaf, found.chain) == (keys.leaf, (keys.wwdr,))
    assert found.key.public_key() == keys.key.public_key()


def test_the_root_is_not_carried_along():
    keys = apple_keys()
    found = load(keys, wwdr=Source("all.pem", keys.wwdr_pem + keys.root_pem))
    assert found.chain == (keys.wwdr,)


def ed25519():
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def other_authority():
    return authority("G1")[2].public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("keys", "changes", "told"),
    [
        ({"identifier": "pass.other"}, {}, "pass.pem: its pass type identifier (UID) is 'pass.other', apple.pass_type"),
        ({"team": "OTHER"}, {}, "pass.pem: its team identifier (OU) is 'OTHER', apple.team_identifier says 'EXAMPLE"),
        ({"extension": "pass.x"}, {}, "pass.pem: its extension 1.2.840.113635.100.6.1.16 names 'pass.x', apple."),
        ({"usages": (ExtendedKeyUsageOID.CLIENT_AUTH,)}, {}, "not for signing passes (1.2.840.113635.100.4.14); give"),
        ({}, {"key": lambda: apple_keys(identifier="pass.other").key_pem()}, "pass.key: the key is not that of the"),
        (
            {},
            {"key": lambda: apple_keys().key_pem("secret")},
            "pass.key: holds no private key that can be read ",
        ),
        ({}, {"key": ed25519}, "pass.key: is a Ed25519PrivateKey; Apple signs RSA"),
        ({}, {"key": lambda: b"no key"}, "pass.key: holds no private key"),
        ({}, {"certificate": lambda: b"nothing"}, "pass.pem: holds no certificate, neither PEM nor DER."),
        ({}, {"wwdr": lambda: b""}, "wwdr.pem: holds no certificate"),
        ({}, {"wwdr": other_authority}, "wwdr.pem has another issuer: C=US,O=Apple Inc.,OU=G1,CN=Apple Worldwide"),
        ({}, {"wwdr": lambda: apple_keys().root_pem}, "Give the Worldwide Developer Relations certificate of that"),
        ({}, {"wwdr": None}, "pass.pem has another issuer: none"),
        ({"not_after": START - timedelta(days=1)}, {}, "and it is 2026-08-01 04:03:12Z; renew it."),
        ({"not_before": START + timedelta(days=1)}, {}, "and it is 2026-08-01 04:03:12Z; look at the clock."),
    ],
)
def test_what_wallet_would_refuse_in_silence_names_file_finding_and_remedy(keys, changes, told):
    given = {
        name: Source({"certificate": "pass.pem", "key": "pass.key", "wwdr": "wwdr.pem"}[name], make()) if make else make
        for name, make in changes.items()
    }
    with pytest.raises(ConfigurationError) as found:
        load(apple_keys(**keys), **given)
    assert told in str(found.value)
    assert str(found.value).startswith(("pass.pem: ", "pass.key: ", "wwdr.pem: "))


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_pkcs12_file_that_cannot_be_opened_says_so_without_the_password(password):
    with pytest.raises(ConfigurationError) as found:
        load(apple_keys(), certificate=Source("pass.p12", apple_keys().pkcs12("secret")), key=None, password=password)
    assert str(found.value).startswith("pass.p12: cannot be read as PKCS#12 with")
    assert "wrong" not in str(found.value)


def test_no_key_is_in_what_is_printed():
    found = load(apple_keys())
    assert "PrivateKey" not in repr(found)
    assert repr(Source("pass.key", b"secret")) == "Source('pass.key', 6 bytes)"


@pytest.mark.parametrize(
    ("left", "days", "step"),
    [
        (timedelta(days=60, seconds=1), None, None),
        (timedelta(days=60), 60, 60),
        (timedelta(days=30), 30, 30),
        (timedelta(days=29, hours=23), 29, 30),
        (timedelta(days=7), 7, 7),
        (timedelta(hours=1), 0, 7),
        (timedelta(seconds=-1), 0, 0),
    ],
)
def test_the_end_of_a_certificate_is_announced_at_60_30_and_7_days(left, days, step):
    end = datetime(2026, 12, 1, tzinfo=UTC)
    found = load(apple_keys(not_after=end)).expiry_warnings(end - left)
    expected = [] if step is None else [("Pass Type ID: pass.example.card", end, days, step)]
    assert list(found) == expected


def test_the_end_of_the_certificate_above_it_is_announced_too():
    found = load(apple_keys()).expiry_warnings(NOT_AFTER - timedelta(days=10))
    assert [(warning.name.split()[0], warning.step) for warning in found] == [("Pass", 30), ("Apple", 30)]
