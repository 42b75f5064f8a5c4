"""The oracle takes what we sign, and refuses each thing that Wallet refuses: else it would prove nothing."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

from flatfile_sync.domain.clock import utc_now
from flatfile_sync.wallets.apple.signing import sign
from tests.apple_keys import PASS_TYPE_IDENTIFIER, TEAM_IDENTIFIER, apple_keys
from tests.apple_oracle import signature_complaints
from tests.marks import needs_openssl
from tests.unit.wallets.apple.passes import certificate

pytestmark = needs_openssl

MANIFEST = b'{\n  "pass.json": "da39a3ee5e6b4b0d3255bfef95601890afd80709"\n}\n'
DETACHED, BINARY, PLAIN = PKCS7Options.DetachedSignature, PKCS7Options.Binary, PKCS7Options.NoCapabilities


def judged(signature, manifest=MANIFEST):
    names = {"identifier": PASS_TYPE_IDENTIFIER, "team": TEAM_IDENTIFIER}
    return signature_complaints(signature, manifest, root=apple_keys().root_pem, **names)


def signed(*options, keys=None, wwdr=True):
    """Sign as others do, with our own recipe spelled out so that a piece of it can be left out."""
    keys = keys or apple_keys()
    builder = PKCS7SignatureBuilder().set_data(MANIFEST).add_signer(keys.leaf, keys.key, SHA256())
    if wwdr:
        builder = builder.add_certificate(keys.wwdr)
    return builder.sign(Encoding.DER, options)


def test_what_we_sign_is_taken():
    assert judged(sign(MANIFEST, by=certificate())) == []


def test_the_recipe_of_the_mutants_is_taken_when_it_is_whole():
    assert judged(signed(DETACHED, BINARY, PLAIN)) == []


@pytest.mark.parametrize(
    ("mutant", "told"),
    [
        (lambda: signed(DETACHED, PLAIN), "openssl refuses the signature"),
        (lambda: signed(BINARY, PLAIN), "the signature is not detached"),
        (lambda: signed(DETACHED, BINARY, PKCS7Options.NoAttributes), "there are 0 signing times"),
        (lambda: signed(DETACHED, BINARY, PLAIN, wwdr=False), "openssl refuses the signature"),
        (lambda: signed(DETACHED, BINARY, PLAIN, PKCS7Options.NoCerts), "openssl refuses the signature"),
        (lambda: signed(DETACHED, BINARY, PLAIN, keys=apple_keys(team="OTHER")), "the OU of the signer is ['OTHER']"),
        (lambda: signed(DETACHED, BINARY, PLAIN, keys=apple_keys(identifier="pass.x")), "the UID of the signer is"),
        (
            lambda: signed(DETACHED, BINARY, PLAIN, keys=apple_keys(not_after=utc_now() - timedelta(days=1))),
            "openssl refuses the signature",
        ),
    ],
    ids=["no Binary", "attached", "no signing time", "no WWDR", "no certificates", "wrong OU", "wrong UID", "ended"],
)
def test_a_signature_that_wallet_refuses_is_refused(mutant, told):
    found = judged(mutant())
    assert len(found) == 1
    assert told in found[0]


def test_a_changed_byte_is_refused():
    found = judged(sign(MANIFEST, by=certificate()), MANIFEST.replace(b"da39", b"da38"))
    assert "openssl refuses the signature" in found[0]


def test_an_unknown_authority_is_refused():
    names = {"identifier": PASS_TYPE_IDENTIFIER, "team": TEAM_IDENTIFIER}
    found = signature_complaints(sign(MANIFEST, by=certificate()), MANIFEST, root=apple_keys().leaf_pem, **names)
    assert "openssl refuses the signature" in found[0]
