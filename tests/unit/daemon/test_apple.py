"""Apple Wallet from the settings: what is missing or wrong is named, with its remedy."""

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from flatfile_sync.config.apple import AppleSettings
from flatfile_sync.daemon.apple import open_apple
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.wallets.apple.credentials import TokenCredential
from tests.apns_line import KEY_ID, team_key
from tests.apple_keys import PASS_TYPE_IDENTIFIER, TEAM_IDENTIFIER, apple_keys
from tests.doubles import ManualClock

ENVIRONMENT = {"TOKEN_KEY": "k" * 32, "PASSWORD": "opensesame"}


@pytest.fixture
def files(tmp_path):
    keys = apple_keys()
    (tmp_path / "pass.p12").write_bytes(keys.pkcs12("opensesame", chain=True))
    (tmp_path / "root.pem").write_bytes(keys.root_pem)
    return tmp_path


def settings(files, **changes):
    values = {
        "certificate_file": str(files / "pass.p12"),
        "password_env": "PASSWORD",
        "team_identifier": TEAM_IDENTIFIER,
        "pass_type_identifier": PASS_TYPE_IDENTIFIER,
        "web_service_url": "https://passes.example",
        "token_keys": ("2026=TOKEN_KEY",),
    }
    return AppleSettings(**values | changes)


def opened(found, store, environment=None):
    return open_apple(
        found, store=store, image=lambda _: None, clock=ManualClock(), environment=environment or ENVIRONMENT
    )


def test_without_a_certificate_there_is_no_apple_wallet(sqlite_store):
    assert opened(AppleSettings(), sqlite_store) is None


def test_a_certificate_with_its_password_opens_it(files, sqlite_store):
    found = opened(settings(files), sqlite_store)
    assert found.certificate.pass_type_identifier == PASS_TYPE_IDENTIFIER
    assert found.issuer.web_service_url == "https://passes.example"
    assert found.tokens.issue("serial").key_id == "2026"


def test_a_team_key_pushes_in_place_of_the_certificate(files, sqlite_store):
    pem = team_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (files / "AuthKey.p8").write_bytes(pem)
    found = opened(settings(files, apns_key_file=str(files / "AuthKey.p8"), apns_key_id=KEY_ID), sqlite_store)
    (pusher,) = found.platform._pushers.values()
    assert isinstance(pusher.credential, TokenCredential)


@pytest.mark.parametrize(
    ("changes", "environment", "words"),
    [
        ({"certificate_file": "nowhere.p12"}, ENVIRONMENT, "nowhere.p12: cannot be read: No such file"),
        ({}, {"TOKEN_KEY": "k" * 32}, "apple.password_env: the environment variable PASSWORD is not set"),
        ({}, {"PASSWORD": "opensesame"}, "apple.token_keys: the environment variable TOKEN_KEY is not set"),
        ({}, {"PASSWORD": "wrong", "TOKEN_KEY": "k" * 32}, "cannot be read as PKCS#12"),
        ({}, {"PASSWORD": "opensesame", "TOKEN_KEY": "short"}, "key '2026' has 5 bytes, expected at least"),
        ({"team_identifier": "OTHERTEAM1"}, ENVIRONMENT, "OTHERTEAM1"),
    ],
)
def test_what_is_wrong_is_named(files, sqlite_store, changes, environment, words):
    with pytest.raises(ConfigurationError, match=words.replace("(", r"\(")):
        opened(settings(files, **changes), sqlite_store, environment)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [({"apns_key_file": "AuthKey.p8"}, "apns_key_id"), ({"apns_key_id": KEY_ID}, "apns_key_file")],
)
def test_a_key_file_and_its_id_belong_together(files, changes, missing):
    assert list(settings(files, **changes).problems()) == [
        f"apple.{missing}: is missing; a key file and its key id belong together."
    ]
