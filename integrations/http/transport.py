"""How one integration's connections are made: through which proxy, with which trusted and which own certificates.

Rules
- `ca_bundle` is trusted beside the system's certificates.
- Through a proxy only the proxy is dialled, and its address is one the configuration spells out. The proxy looks
  names up, so the target is judged by its name: addresses in any spelling that resolvers take (RFC 6943 section
  3.1.1: `2130706433`, `0x7f.1`), `localhost` and names of metadata services are refused unless a rule names them.
- The client key goes from memory to the TLS library without touching a disk.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpcore2

from integrations.base import Secret
from integrations.held_files import PEM_FILES, pem_file
from integrations.http.backend import PinnedBackend, ResolveHost
from integrations.http.egress import Address, EgressRules, HttpTarget, origin_of, parse_address, permits
from integrations.http.errors import EgressDenied, Unreachable

_MAX_IDLE = 32
_MAX_IDLE_SECONDS = 20.0
_LEGACY_ADDRESS = re.compile(r"[0-9a-fx.]+")
_LOOPBACK = ipaddress.IPv4Address("127.0.0.1")
_METADATA = ipaddress.IPv4Address("169.254.169.254")
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "instance-data"})


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """`proxy` is an http(s) URL without user information; the files are PEM; `client_key` is the key itself."""

    proxy: str | None = None
    ca_bundle: Path | None = None
    client_cert: Path | None = None
    client_key: Secret | None = None

    def stamps(self) -> tuple[tuple[int, int, int] | None, ...]:
        """What tells that a file was replaced: connections made with the old one are not used again."""
        return tuple(_stamp(file) for file in (self.ca_bundle, self.client_cert) if file is not None)


DIRECT = TransportOptions()
ChooseTransport = Callable[[], TransportOptions]
"""Asked before each request, so that a renewed key is used at once. May raise an `HttpError`."""


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        return PEM_FILES.get(file).stamp
    except OSError:
        return None


def check_proxied(target: HttpTarget, rules: EgressRules) -> None:
    """May a proxy be asked for this target? Raises `EgressDenied`."""
    address = _address_of(target.host)
    if address is not None and not permits(address, target.host, target.port, rules):
        raise EgressDenied(
            f"{target.host} is private, local or a metadata service: refused through the proxy too"
            " unless the integration's egress.allow names it"
        )


def _address_of(host: str) -> Address | None:
    """The address that a host certainly means; None for names that only the proxy can look up."""
    if host == "localhost" or host.endswith(".localhost"):
        return _LOOPBACK
    if host in _METADATA_NAMES:
        return _METADATA
    found = parse_address(host)
    if found is None and _LEGACY_ADDRESS.fullmatch(host):
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    return found


def open_pool(
    rules: EgressRules,
    resolve: ResolveHost,
    transport: TransportOptions,
    context: ssl.SSLContext,
    max_connections: int,
) -> httpcore2.AsyncConnectionPool:
    """A pool that dials as `transport` says and nowhere else; `context` is the `tls_context` of `transport`."""
    if transport.proxy is None:
        return httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=max_connections,
            max_keepalive_connections=_MAX_IDLE,
            keepalive_expiry=_MAX_IDLE_SECONDS,
            network_backend=PinnedBackend(rules, resolve),
        )
    # Only the proxy is ever dialled, so only its origin may be.
    spelled = EgressRules(rules.allow, frozenset({origin_of(transport.proxy)}))
    secure = transport.proxy.startswith("https:")
    return httpcore2.AsyncHTTPProxy(
        transport.proxy,
        ssl_context=context,
        proxy_ssl_context=tls_context(TransportOptions(ca_bundle=transport.ca_bundle)) if secure else None,
        max_connections=max_connections,
        max_keepalive_connections=_MAX_IDLE,
        keepalive_expiry=_MAX_IDLE_SECONDS,
        network_backend=PinnedBackend(spelled, resolve),
    )


def tls_context(transport: TransportOptions) -> ssl.SSLContext:
    """Verifies names and certificates, always. Raises `Unreachable` naming the file that cannot be used."""
    context = httpcore2.default_ssl_context()
    if transport.ca_bundle is not None:
        with _naming("ca_bundle", transport.ca_bundle), _pem(transport.ca_bundle) as bundle:
            context.load_verify_locations(bundle)
    if transport.client_cert is not None and transport.client_key is not None:
        with _naming("client_cert", transport.client_cert), _pem(transport.client_cert) as cert:
            with pem_file(transport.client_key.reveal().encode()) as key:
                context.load_cert_chain(cert, key, password=_no_password)
    return context


def plain_context() -> ssl.SSLContext:
    """For pools of plain http only: it trusts no certificate, so none have to be read."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _no_password() -> str:
    """An encrypted key would otherwise be asked for on the terminal."""
    raise ssl.SSLError("the key is encrypted; give it without a passphrase")


@contextmanager
def _naming(what: str, file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or getattr(error, "reason", None) or str(error)
        raise Unreachable(f"{what} {file.name} cannot be used: {reason}") from None


def _pem(file: Path) -> AbstractContextManager[str]:
    """OpenSSL does not read the file itself: it would wait for one that does not answer."""
    return pem_file(PEM_FILES.get(file).content)
