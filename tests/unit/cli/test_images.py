"""`images add`: pictures that rows choose by their digest."""

import hashlib
import json

from flatfile_sync.spool.images import Images
from tests.pass_types import png


def test_images_are_kept_under_their_digests(place, tmp_path):
    """The digest is what a row writes."""
    file = tmp_path / "summer.png"
    file.write_bytes(png(5))
    digest = hashlib.sha256(png(5)).hexdigest()
    assert place.run("images", "add", file).stdout == f"{digest}  {file}\n"
    assert Images(place.data / "images").get(digest) == png(5)


def test_what_is_no_png_is_refused_and_the_rest_is_kept(place, tmp_path):
    """Each file has its own answer."""
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(png())
    bad.write_bytes(b"GIF89a")
    shown = place.run("images", "add", good, bad, "--json")
    assert shown.exit_code == 1
    found = json.loads(shown.stdout)
    assert (list(found["kept"]), found["problems"]) == ([str(good)], [f"{bad} is no PNG image."])
    assert f"{bad} is no PNG image." in place.run("images", "add", bad).stderr
