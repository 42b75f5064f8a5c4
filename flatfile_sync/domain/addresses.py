"""Addresses of clients: read, found in networks, and what stands for everybody behind one."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

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


def within(address: Address, networks: Iterable[Network]) -> bool:
    """Return whether an address is in one of the networks."""
    return any(address.version == network.version and address in network for network in networks)


def household(address: Address) -> int:
    """Return what stands for everybody behind an address: the address, of IPv6 its network."""
    return int(address) if address.version == 4 else (1 << 128) | int(address) >> (128 - _IPV6_HOUSEHOLD)  # noqa: PLR2004 - IPv4


def household_name(address: Address) -> str:
    """Return a household as people write it: `203.0.113.7`, `2001:db8:1:2::/64`."""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address), _IPV6_HOUSEHOLD), strict=False))
