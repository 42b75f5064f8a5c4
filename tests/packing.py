"""Bytes packed as partners pack them, by the standard library's writers."""

import bz2
import gzip
import io
import sys
import warnings
import zipfile

from flatfile_sync.domain.layers import Layer

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def zip_of(members, *, method=zipfile.ZIP_DEFLATED, mode=0o100644):
    """Return a zip of name -> bytes."""
    target = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w", method) as archive:
        warnings.simplefilter("ignore", UserWarning)  # a name that stands there twice
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, (2026, 8, 1, 4, 0, 0))
            entry.create_system, entry.external_attr, entry.compress_type = 3, mode << 16, method
            archive.writestr(entry, data)
    return target.getvalue()


def checked_zstd(data):
    """Return a zstd frame with its checksum, as the zstd program writes it."""
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


PACK = {
    Layer.GZIP: lambda data: gzip.compress(data, mtime=0),
    Layer.ZIP: lambda data: zip_of({"export.csv": data}),
    Layer.ZSTD: checked_zstd,
    Layer.BZIP2: bz2.compress,
}
__all__ = ["PACK", "checked_zstd", "zip_of", "zstd"]
