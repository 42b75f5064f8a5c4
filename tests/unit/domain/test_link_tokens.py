"""Ids and tokens of add-to-wallet links."""

import secrets

from flatfile_sync.domain.links import LinkKey, new_link_id


def test_the_token_of_a_link_is_never_taken_for_an_option(monkeypatch):
    """A base64 of these bytes begins with a hyphen; somebody types `links revoke TOKEN`."""
    drawn = iter([b"\xfb" * 12, b"\xf8" * 12, b"a" * 12])
    monkeypatch.setattr(secrets, "token_bytes", lambda _count: next(drawn))
    link_id = new_link_id()
    assert link_id == "YWFhYWFhYWFhYWFh"
    assert LinkKey(b"k" * 32).token(link_id).startswith(link_id)
