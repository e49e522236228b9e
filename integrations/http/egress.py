"""Which URLs and addresses may be dialled. Pure: no lookups here.

Rules
- Addresses that are not globally routable (loopback, private, link-local, CGNAT, multicast, reserved, and IPv6 forms
  that embed such an IPv4 address) are refused unless a rule names them. RFC 6890 holds the registry.
- `allow` holds CIDRs and host names (`*.corp.example` for subdomains) from the integration's `egress.allow`.
- `origins` are origins that the configuration itself names: a URL in the config is an explicit permission.
- `declared` are origins of a document that lives in the configuration (a file or inline). They may be private, since
  such a document is reviewed with the config, but never link-local or a cloud metadata address.
- Plain http is refused unless the origin is spelled out or declared, or `allow` names its host.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from integrations.http.errors import EgressDenied

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_METADATA = (
    ipaddress.ip_network("169.254.0.0/16"),
    ipaddress.ip_network("fe80::/10"),
    ipaddress.ip_network("fd00:ec2::/32"),
    ipaddress.ip_network("100.100.100.200/32"),
    ipaddress.ip_network("0.0.0.0/8"),
)


@dataclass(frozen=True, slots=True)
class EgressRules:
    """What one integration may reach besides the public internet over https. See the module text."""

    allow: tuple[str, ...] = ()
    origins: frozenset[str] = frozenset()
    declared: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class HttpTarget:
    """The parts of a checked URL. `target` is the exact request target; nothing in it is normalised."""

    scheme: str
    host: str
    port: int
    target: bytes

    @property
    def origin(self) -> str:
        return _origin(self.scheme, self.host, self.port)

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse_target(url: str) -> HttpTarget:
    """Split an absolute http(s) URL without changing path or query. Raises `EgressDenied`.

    Refused: other schemes, user information, non-ASCII or control characters, a missing host.
    """
    if not url.isascii() or any(ord(c) <= 0x20 or c in '\x7f\\"<>^`{|}' for c in url):
        raise EgressDenied("the URL holds characters that no URL may hold (RFC 3986)")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise EgressDenied(f"not a usable URL: {error}") from None
    if parts.scheme not in _PORTS:
        raise EgressDenied(f"only http and https URLs can be called, not {parts.scheme or 'relative'} ones")
    if not host or "@" in parts.netloc:
        raise EgressDenied("the URL has no host, or user information in it")
    rest = url.split("#", 1)[0].split("://", 1)[1]
    target = rest[len(parts.netloc) :] or "/"
    if not target.startswith("/"):
        target = "/" + target
    return HttpTarget(
        parts.scheme, host.lower().rstrip("."), port or _PORTS[parts.scheme], target.encode("ascii")
    )


def origin_of(url: str) -> str:
    """`https://api.example.com:8443`-like origin of a URL (RFC 6454), default ports left out; "" when there is none."""
    try:
        target = parse_target(url)
    except EgressDenied:
        return ""
    return target.origin


def _origin(scheme: str, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" if port == _PORTS[scheme] else f"{scheme}://{shown}:{port}"


def check_scheme(target: HttpTarget, rules: EgressRules) -> None:
    """Plain http only where the config says so. Raises `EgressDenied`."""
    if target.scheme == "https" or target.origin in rules.origins or target.origin in rules.declared:
        return
    if not names_host(rules.allow, target.host):
        raise EgressDenied(f"{target.origin} is plain http, which the configuration does not spell out")


def names_host(allow: tuple[str, ...], host: str) -> bool:
    """Does an allow list name this host, as itself, as `*.suffix`, or as an address inside a CIDR?"""
    for entry in allow:
        entry = entry.lower()
        if entry == host or (entry.startswith("*.") and host.endswith(entry[1:])):
            return True
    literal = parse_address(host)
    return literal is not None and _in_allowed(allow, literal)


def parse_address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        return None


def _in_allowed(allow: tuple[str, ...], address: Address) -> bool:
    for entry in allow:
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            continue
        if network.version == address.version and address in network:
            return True
    return False


def embedded_addresses(address: Address) -> Iterator[Address]:
    """The address and every IPv4 address that its IPv6 form carries (mapped, NAT64, 6to4, Teredo)."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            yield address.ipv4_mapped
        if address.sixtofour:
            yield address.sixtofour
        if address.teredo:
            yield from address.teredo
        if address in _NAT64 or int(address) >> 32 == 0:
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def permits(address: Address, host: str, port: int, rules: EgressRules) -> bool:
    """May this resolved address be dialled for this host and port?"""
    seen = list(embedded_addresses(address))
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        seen = seen[1:]
    if all(face.is_global and not face.is_multicast for face in seen):
        return True
    if names_host(rules.allow, host) or any(_in_allowed(rules.allow, face) for face in seen):
        return True
    spelled = {_origin(scheme, host, port) for scheme in _PORTS}
    if spelled & rules.origins:
        return True
    hard = any(face.version == net.version and face in net for face in seen for net in _METADATA)
    return bool(spelled & rules.declared) and not hard
