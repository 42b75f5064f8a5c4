"""The PROXY protocol: what a load balancer says about the client it speaks for, before the client's first byte.

Source: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, versions 1 (text) and 2 (binary).
"""

from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from flatfile_sync.domain.addresses import Address, parse

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_TEXT: Final = b"PROXY "
# Section 2.1: the longest line, with CRLF. Section 2.2: signature, version and command, family, length.
_LINE: Final = 107
_HEAD: Final = 16
# A proxy's extensions (TLVs) are skipped; none that says more is one of ours.
_MOST: Final = 1024
_ADDRESSES: Final = {0x11: 12, 0x21: 36}
_PORTS: Final = 65536


class Spoken(NamedTuple):
    """A whole header: its length in bytes, and the client; None where the proxy speaks for itself (a health check)."""

    length: int
    client: Address | None


def read(data: bytes) -> Spoken | None:
    """Return the header that begins `data`, None while it may still become one. Raises `ValueError` if it cannot."""
    if data.startswith(SIGNATURE):
        return _binary(data)
    if data.startswith(_TEXT):
        return _text(data)
    if SIGNATURE.startswith(data) or _TEXT.startswith(data):
        return None
    raise ValueError("no PROXY header")


def _text(data: bytes) -> Spoken | None:
    end = data.find(b"\r\n", 0, _LINE)
    if end < 0:
        if len(data) >= _LINE:
            raise ValueError("the line does not end")
        return None
    words = data[:end].decode("ascii").split(" ")
    if words[1] == "UNKNOWN":
        return Spoken(end + 2, None)
    kinds = {"TCP4": IPv4Address, "TCP6": IPv6Address}
    if len(words) != 6 or words[1] not in kinds:  # noqa: PLR2004 - PROXY, family, two addresses, two ports
        raise ValueError("not the six words of version 1")
    kind = kinds[words[1]]
    client, _ = kind(words[2]), kind(words[3])
    if not all(word.isascii() and word.isdigit() and int(word) < _PORTS for word in words[4:]):
        raise ValueError("not a port")
    return Spoken(end + 2, parse(str(client)))


def _binary(data: bytes) -> Spoken | None:
    if len(data) < _HEAD:
        return None
    version, command = data[12] >> 4, data[12] & 0x0F
    length = int.from_bytes(data[14:16], "big")
    if version != 2 or command > 1 or length > _MOST:  # noqa: PLR2004 - version 2
        raise ValueError("not version 2")
    if len(data) < _HEAD + length:
        return None
    if command == 0:
        return Spoken(_HEAD + length, None)
    family = data[13]
    if family not in _ADDRESSES or length < _ADDRESSES[family]:
        raise ValueError("not TCP over IPv4 or IPv6")
    packed = data[_HEAD : _HEAD + (4 if family == 0x11 else 16)]  # noqa: PLR2004 - TCP over IPv4
    client = IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)  # noqa: PLR2004 - bytes of IPv4
    return Spoken(_HEAD + length, parse(str(client)))
