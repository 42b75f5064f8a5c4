"""Where a request comes from: the peer, or whom a trusted proxy speaks for."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv6Address
from typing import Any, Final

from flatfile_sync.domain.addresses import Address, Network, household, parse, within

__all__ = ["Address", "Network", "household", "origin", "parse", "peer", "within"]

_UNKNOWN: Final = IPv6Address("::")


def peer(scope: Mapping[str, Any]) -> Address:
    """Return the other end of the connection."""
    client = scope.get("client")
    return (parse(client[0]) if client else None) or _UNKNOWN


def origin(scope: Mapping[str, Any], trusted: Sequence[Network]) -> tuple[Address, bool]:
    """Return who asks, and whether by TLS, as the last proxy that is not ours saw it.

    Each proxy adds the address it saw at the end of X-Forwarded-For; what stands before the first that is not ours,
    anybody may have written.
    """
    address, secure = peer(scope), scope.get("scheme") == "https"
    if not within(address, trusted):
        return address, secure
    named = dict(scope["headers"])
    if b"x-forwarded-proto" in named:
        secure = named[b"x-forwarded-proto"].rsplit(b",", 1)[-1].strip().lower() == b"https"
    entries = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").split(b",")
    for entry in reversed(entries):
        told = parse(entry.decode("latin-1").strip())
        if told is None:
            break
        address = told
        if not within(told, trusted):
            break
    return address, secure
