"""Which `Host` and `Origin` headers are answered: the defence against DNS rebinding (T35) and forged hosts (T33).

A page on the internet can make a browser resolve its own name to 127.0.0.1. The request then carries that
name in `Host`, so a server that listens on loopback answers only loopback names and the host of `public_url`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Protocol
from urllib.parse import urlsplit

from proxy.serving.http.asgi import HttpRequest
from proxy.serving.http.errors import RequestRefusal

_PORTS = {"http": 80, "https": 443}


class OriginRules(Protocol):
    """What the config says about believing a request's headers. Called once per request."""

    def check(self, request: HttpRequest) -> str | None:
        """The origin to allow in CORS answers, or None when there is none. Raises `RequestRefusal` (421, 403)."""
        ...

    def client_ip(self, request: HttpRequest) -> str:
        """The address of whoever sent it: the socket's, or what trusted proxies say."""
        ...


@dataclass(frozen=True, slots=True)
class Networks:
    """Those of `server.trusted_proxies`."""

    all: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Networks:
        return cls(tuple(ip_network(one) for one in texts))

    def have(self, address: str) -> bool:
        """Whether this address is in one of them; an IPv4 address inside IPv6 is the IPv4 address."""
        if not self.all or not _is_address(address):
            return False
        known = ip_address(address.strip("[]"))
        mapped = known.ipv4_mapped if isinstance(known, IPv6Address) else None
        return any((mapped or known) in network for network in self.all)


@dataclass(frozen=True, slots=True)
class HostRules:
    """`hosts` are the names we are known by (`name` or `name:port`); empty together with `loopback=False` means that
    nobody told us, and any host is answered (such a listener needs a bearer, which a rebinding page has not)."""

    loopback: bool
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    proxies: Networks = Networks()

    @classmethod
    def build(
        cls,
        listen_host: str,
        public_url: str | None,
        trusted: Iterable[str],
        origins: Iterable[str],
        proxies: Iterable[str] = (),
    ) -> HostRules:
        """From `server.listen`, `server.public_url`, `server.hosts`, the configured CORS origins, and the
        networks of `server.trusted_proxies`."""
        hosts = {host.lower() for host in trusted}
        allowed = {origin.rstrip("/").lower() for origin in origins}
        if public_url:
            parts = urlsplit(public_url)
            hosts.add(parts.netloc.lower().rpartition("@")[2])
            allowed.add(f"{parts.scheme}://{parts.netloc}".lower())
        return cls(is_loopback(listen_host), frozenset(hosts), frozenset(allowed), Networks.of(proxies))

    def client_ip(self, request: HttpRequest) -> str:
        """The last address of X-Forwarded-For that no trusted proxy of ours has; the socket's without one.

        Anybody may write that header, so it is read from its end, and only as far as trusted hands wrote it.
        """
        client = request.peer_ip
        hops = request.headers.get("x-forwarded-for", "").split(",")
        while hops and self.proxies.have(client):
            hop = hops.pop().strip()
            if not _is_address(hop):
                break
            client = hop
        return client

    def check(self, request: HttpRequest) -> str | None:
        """The origin to allow in CORS answers, or None when there is none. Raises `RequestRefusal` (421, 403)."""
        host = request.headers.get("host", "").lower()
        if not self._knows(host):
            raise RequestRefusal(
                "wrong_host",
                "This server is not known by the name in the Host header. "
                "Whoever runs it adds the name to `server.hosts`.",
            )
        origin = request.headers.get("origin")
        if origin is None:
            return None
        if not self._admits(origin.lower(), host):
            raise RequestRefusal("bad_origin", "Requests from this origin are not allowed.")
        return origin

    def _knows(self, host: str) -> bool:
        name = split_port(host)[0]
        if not name:
            return False
        if host in self.hosts or name in self.hosts:
            return True
        if self.loopback:
            return is_loopback(name)
        return not self.hosts or _is_address(name)

    def _admits(self, origin: str, host: str) -> bool:
        if origin in self.origins:
            return True
        parts = urlsplit(origin)
        if parts.scheme not in _PORTS or not parts.netloc:
            return False
        if _with_port(parts.netloc, parts.scheme) == _with_port(host, parts.scheme):
            return True
        return self.loopback and is_loopback(split_port(parts.netloc)[0])


def split_port(host: str) -> tuple[str, str]:
    """`name:port` or `[v6]:port` in its two parts; the port is empty when there is none."""
    if host.startswith("["):
        name, bracket, rest = host.partition("]")
        return (name + "]", rest[1:]) if bracket and rest[:1] in ("", ":") else ("", "")
    name, _, port = host.partition(":")
    return (name, port) if port.isdecimal() or not port else ("", "")


def is_loopback(host: str) -> bool:
    """127.0.0.0/8, ::1 and the name `localhost` (RFC 6761 section 6.3)."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    """Also in brackets, as in a URL."""
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _with_port(netloc: str, scheme: str) -> tuple[str, str]:
    name, port = split_port(netloc)
    return name, port or str(_PORTS[scheme])
