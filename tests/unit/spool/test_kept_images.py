"""Images by the digest of their bytes."""

import hashlib

import pytest

from flatfile_sync.spool.images import Images


def test_an_image_is_found_by_its_digest_and_put_twice_is_there_once(tmp_path):
    """Its name is what it is."""
    images = Images(tmp_path / "images")
    digest = images.put(b"png")
    assert digest == images.put(b"png") == hashlib.sha256(b"png").hexdigest()
    assert images.get(digest) == b"png"
    assert digest in images
    assert [path.name for path in images.root.rglob("*.png*")] == [f"{digest}.png"]


@pytest.mark.parametrize("name", ["", "0" * 64, "../../etc/passwd", "A" * 64, f"{'a' * 62}/."])
def test_what_is_not_here_or_no_digest_is_none(tmp_path, name):
    """No name leads out of the folder."""
    images = Images(tmp_path / "images")
    images.put(b"png")
    assert images.get(name) is None
    assert name not in images
