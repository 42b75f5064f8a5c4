"""A pass as devices take it: a zip of `pass.json`, localised strings, images, the manifest and its signature."""

from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from flatfile_sync.domain.failures import PermanentFailure, Refused
from flatfile_sync.wallets.apple.archive import File, archive
from flatfile_sync.wallets.apple.certificates import PassCertificate
from flatfile_sync.wallets.apple.signing import sign

PKPASS: Final = "application/vnd.apple.pkpass"
PKPASSES: Final = "application/vnd.apple.pkpasses"
MOST_PASSES: Final = 10
MOST_BYTES: Final = 150_000_000

_ICON: Final = "icon.png"
_OURS: Final = frozenset({"pass.json", "manifest.json", "signature"})


def build(pass_json: bytes, files: Iterable[File] = (), *, by: PassCertificate) -> bytes:
    """Return the signed pkpass; but for the signature, equal input gives equal bytes.

    `files` are images and `<language>.lproj/pass.strings`, made once and used for many passes. Raises
    `PermanentFailure` for what no device opens: no icon, or a path twice.
    """
    content = sorted((File("pass.json", pass_json), *files), key=lambda file: file.path)
    digests = {file.path: file.sha1 for file in content}
    if _ICON not in digests:
        raise PermanentFailure(f"the pass type has no {_ICON}, and without it no device opens the pass")
    if len(digests) < len(content) or len(_OURS & digests.keys()) > 1:
        twice = sorted({file.path for file in content if file.path in _OURS or _count(content, file.path) > 1})
        raise PermanentFailure(f"the pass has files that stand twice or in the place of ours: {', '.join(twice)}")
    manifest = orjson.dumps(digests)
    return archive((*content, File("manifest.json", manifest), File("signature", sign(manifest, by=by))))


def bundle(passes: Sequence[bytes]) -> bytes:
    """Return a `.pkpasses` file of pkpass files. Raises `Refused` for more than Wallet takes at a time."""
    size = sum(map(len, passes))
    if not 1 <= len(passes) <= MOST_PASSES or size > MOST_BYTES:
        raise Refused(
            f"{len(passes)} passes of {size:,} bytes do not go into one bundle; it holds 1 to {MOST_PASSES} passes and "
            f"at most {MOST_BYTES:,} bytes."
        )
    return archive(File(f"{number:02}.pkpass", data) for number, data in enumerate(passes, start=1))


def _count(content: Sequence[File], path: str) -> int:
    return sum(file.path == path for file in content)
