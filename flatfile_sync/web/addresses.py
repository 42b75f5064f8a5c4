"""Where a request comes from: the peer, or whom a trusted proxy speaks for."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_UNKNOWN: Final = IPv6Address("::")
_IPV6_HOUSEHOLD: Final = 64
"""Bits of an IPv6 address that name a customer; the rest is theirs to change (RFC 6177)."""


def parse(text: str) -> Address | None:
    """Return an address, one of IPv4 written as IPv6 as what it is; None of anything else."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def peer(scope: Mapping[str, Any]) -> Address:
    """Return the other end of the connection."""
    client = scope.get("client")
    return (parse(client[0]) if client else None) or _UNKNOWN


def within(address: Address, networks: Iterable[Network]) -> bool:
    """Return whether an address is in one of the networks."""
    return any(address.version == network.version and address in network for network in networks)


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


def household(address: Address) -> int:
    """Return what stands for everybody behind an address: the address, of IPv6 its network."""
    return int(address) if address.version == 4 else (1 << 128) | int(address) >> (128 - _IPV6_HOUSEHOLD)  # noqa: PLR2004 - IPv4
