import base64
import hashlib
import hmac

import pytest

from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.wallets.apple.tokens import TokenKeys

OLD, NEW = b"o" * 32, b"n" * 32


def test_a_token_is_the_hmac_of_the_serial_number_and_long_enough_for_wallet():
    token = TokenKeys({"2026": OLD}).issue("pass-1")
    expected = hmac.new(OLD, b"pass-1", hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(token.text + "=") == expected
    assert (token.key_id, len(token.text)) == ("2026", 43)


def test_a_new_key_is_for_new_passes_and_old_tokens_stay_as_they_were():
    before = TokenKeys({"2026": OLD})
    after = TokenKeys({"2026": OLD, "2027": NEW})
    assert after.token("2026", "pass-1") == before.issue("pass-1")
    assert after.issue("pass-2").key_id == "2027"
    assert after.fits(before.issue("pass-1").text, key_id="2026", serial="pass-1")


@pytest.mark.parametrize(
    ("text", "key_id", "serial"),
    [
        (None, "2026", "pass-2"),
        (None, "2027", "pass-1"),
        (None, "gone", "pass-1"),
        ("", "2026", "pass-1"),
        ("é\udcff", "2026", "pass-1"),
    ],
)
def test_a_token_fits_its_own_pass_and_key_only(text, key_id, serial):
    keys = TokenKeys({"2026": OLD, "2027": NEW})
    right = keys.token("2026", "pass-1").text
    assert keys.fits(right, key_id="2026", serial="pass-1")
    assert not keys.fits(right if text is None else text, key_id=key_id, serial=serial)


def test_a_token_of_the_newest_key_does_not_fit_a_pass_whose_key_is_gone():
    keys = TokenKeys({"2027": NEW})
    assert not keys.fits(keys.issue("pass-1").text, key_id="2026", serial="pass-1")
    with pytest.raises(ConfigurationError, match="has no key '2026'"):
        keys.token("2026", "pass-1")


@pytest.mark.parametrize(("keys", "told"), [({}, "names no key"), ({"a": b"x" * 31}, "key 'a' has 31 bytes")])
def test_no_key_and_a_short_key_are_refused(keys, told):
    with pytest.raises(ConfigurationError, match=told):
        TokenKeys(keys)


def test_neither_key_nor_token_is_in_what_is_printed():
    keys = TokenKeys({"2026": OLD})
    assert repr(keys) == "TokenKeys(2026)"
    assert repr(keys.issue("pass-1")) == "Token('2026')"
