"""Packed streams, one step of bounded output after the other: however small the input, memory stays flat.

What is wrong with a stream is the last value it yields. Every format allows streams one after the other (`cat a.gz
b.gz`, pzstd, bgzip); each is checked to its end, so that a file that was cut off is never taken for a shorter one.
"""

import bz2
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from flatfile_sync.domain.catalogue import issue
from flatfile_sync.domain.issues import Issue
from flatfile_sync.domain.layers import Layer
from flatfile_sync.files.tape import BLOCK, Tape

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_STEP: Final = 1 << 20
# Each stream costs a new decoder. bgzip packs 64 KiB a stream, so an honest file of 4 GiB has fewer.
_MAX_STREAMS: Final = 100_000
# What `zstd -d` takes without `--long`: 128 MiB, which is also the memory that a frame may ask for.
_WINDOW_LOG: Final = 27
_ERRORS: Final = (zlib.error, OSError, EOFError, ValueError, zstd.ZstdError)


class Decoder(Protocol):
    """What `bz2` and `zstd` offer: one stream, decoded in steps."""

    @property
    def eof(self) -> bool:
        """Whether the stream has come to its end."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether the next step wants bytes."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What was read beyond the end of the stream."""
        ...

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most `max_length` bytes."""
        ...


class Inflater:
    """zlib's decoder with the same face; `wbits` says which header and checksum the stream has."""

    def __init__(self, wbits: int) -> None:
        self._stream = zlib.decompressobj(wbits)
        self._full = False

    @property
    def eof(self) -> bool:
        """Whether the stream has come to its end."""
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        """Whether the next step wants bytes: a step that gave all it might has kept some back."""
        return not self._full

    @property
    def unused_data(self) -> bytes:
        """What was read beyond the end of the stream."""
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most `max_length` bytes."""
        found = self._stream.decompress(self._stream.unconsumed_tail + data, max_length)
        self._full = len(found) == max_length or bool(self._stream.unconsumed_tail)
        return found


def gzip_decoder() -> Decoder:
    """Return a decoder of one gzip member (RFC 1952)."""
    return Inflater(16 + zlib.MAX_WBITS)


def deflate_decoder() -> Decoder:
    """Return a decoder of raw deflate, as it stands in a zip (RFC 1951)."""
    return Inflater(-zlib.MAX_WBITS)


def zstd_decoder() -> Decoder:
    """Return a decoder of one zstd frame (RFC 8878)."""
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})


DECODERS: Final[dict[Layer, Callable[[], Decoder]]] = {
    Layer.GZIP: gzip_decoder,
    Layer.BZIP2: bz2.BZ2Decompressor,
    Layer.ZSTD: zstd_decoder,
}


def decoded(tape: Tape, make: Callable[[], Decoder], layer: Layer) -> Iterator[bytes | Issue]:
    """Yield what is packed in the streams on a tape, up to its end."""
    streams = 0
    while streams == 0 or _another(tape, layer):
        if streams == _MAX_STREAMS:
            yield issue("F14", layer=layer, offset=tape.position, reason=f"it is made of over {_MAX_STREAMS} streams")
            return
        streams += 1
        decoder, before = make(), tape.position
        while not decoder.eof:
            data = b""
            if decoder.needs_input:
                before = tape.position
                data = tape.read()
                if not data:
                    yield issue("F11", layer=layer, offset=tape.end)
                    return
            try:
                found = decoder.decompress(data, _STEP)
            except _ERRORS as error:
                yield _damaged(error, layer, before)
                return
            if found:
                yield found
        tape.put_back(decoder.unused_data)
    if tape.position < tape.end:
        yield issue("F10", layer=layer, offset=tape.position, reason="other bytes follow its end")


def _another(tape: Tape, layer: Layer) -> bool:
    """Return whether anything but padding follows; gzip(1) ignores zeros, which tapes and block copies leave."""
    rest = tape.read()
    while layer is Layer.GZIP and rest and not rest.strip(b"\0"):
        rest = tape.read()
    tape.put_back(rest)
    return begins(rest, layer)


def begins(head: bytes, layer: Layer) -> bool:
    """Return whether bytes begin a stream of a layer; ten bytes are enough to say so."""
    if layer is Layer.GZIP:
        return head.startswith(b"\x1f\x8b")  # RFC 1952 section 2.3.1
    if layer is Layer.BZIP2:
        # "BZh", a level, and the start of a block or of the empty stream's end: text does not begin so by chance.
        return head[:3] == b"BZh" and head[3:4] in b"123456789" and head[4:10] in {b"1AY&SY", b"\x17rE8P\x90"}
    if layer is Layer.ZSTD:
        # RFC 8878 sections 3.1.1 and 3.1.2: a frame, or one to be skipped.
        return head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F)  # noqa: PLR2004
    # APPNOTE.TXT section 4.3.6: a local file header, or the end record of an archive without any.
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"))


def _damaged(error: Exception, layer: Layer, offset: int) -> Issue:
    # The only one of libzstd's errors that is about us and not about the bytes.
    if "memory" in str(error).lower() or "window" in str(error).lower():
        reason = f"it asks for a window of over {1 << (_WINDOW_LOG - 20)} MiB (`zstd --long`)"
        return issue("F14", layer=layer, offset=offset, reason=reason)
    return issue(
        "F10",
        layer=layer,
        offset=offset,
        reason=f"the next {BLOCK >> 10} KiB are not {layer}, or a checksum does not fit",
    )
