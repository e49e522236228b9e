"""What counts as one address: whoever has one IPv6 address has a whole /64 of them (RFC 6177)."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

_PREFIX: Final = 64


@lru_cache(maxsize=4096)
def address_group(address: str) -> str:
    """The address that is counted: IPv4 as it is, also inside IPv6, and of IPv6 the /64. What is no address stays."""
    try:
        known = ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, IPv6Address):
        if known.ipv4_mapped is not None:
            return str(known.ipv4_mapped)
        return str(ip_network((known, _PREFIX), strict=False))
    return str(known)
