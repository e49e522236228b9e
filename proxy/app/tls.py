"""The certificate that the listener shows now, and what is told of it."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from integrations.files import CERTIFICATES, READER
from proxy.config.model import ServerTls
from proxy.config.tls_files import TlsPair, certificates, expires_at, tls_context
from proxy.serving.http.origins import is_loopback
from proxy.telemetry import Logger, MetricsRegistry

_TOLD_EVERY_SECONDS: Final = 60.0
_log = Logger("tls")


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """What a listener shows: made by a reload, and used for connections from then on."""

    context: ssl.SSLContext
    pair: TlsPair
    file: Path

    def name_for(self, host: str, near: bool) -> str:
        """A name of this machine that the certificate is for, else `host`: what is printed should work as it is. Where
        the listener is on loopback, other names are not answered."""
        names = _names(self.pair.cert)
        if host in names:
            return host
        return next((name for name in names if not near or is_loopback(name)), host)

    @property
    def is_self_signed(self) -> bool:
        """Whether whoever is to trust it has to be given it."""
        leaf = certificates(self.pair.cert)[0]
        return leaf.issuer == leaf.subject

    @property
    def expires_at(self) -> float:
        """In seconds since 1970."""
        return expires_at(self.pair.cert) or 0.0


def _names(cert: bytes) -> list[str]:
    """Addresses and names without a wildcard, as the certificate lists them."""
    from cryptography.x509 import DNSName, ExtensionNotFound, IPAddress, SubjectAlternativeName

    leaf = certificates(cert)[0]
    try:
        found = leaf.extensions.get_extension_for_class(SubjectAlternativeName).value
    except ExtensionNotFound:
        return []
    addresses = [str(one) for one in found.get_values_for_type(IPAddress)]
    return [*addresses, *(one for one in found.get_values_for_type(DNSName) if "*" not in one)]


def read_identity(tls: ServerTls | None) -> TlsIdentity | None:
    """Blocks while it reads. Raises `OSError`, also for what cannot be used (`ssl.SSLError`)."""
    if tls is None:
        return None
    content = {part: READER.read(Path(held.file), CERTIFICATES) for part, held in tls.files().items()}
    pair = TlsPair(**content)
    return TlsIdentity(tls_context(pair), pair, Path(tls.cert.file))


class ServedTls:
    """What the HTTP listener asks for each connection. Without an identity it speaks plain HTTP."""

    def __init__(self, metrics: MetricsRegistry) -> None:
        self._metrics = metrics
        self._failed = 0
        self._told_at: float | None = None
        self.identity: TlsIdentity | None = None

    def url(self, host: str, port: int, *, near: bool) -> str:
        """Where a listener there is reached now; `near` if it listens on loopback."""
        scheme, name = "http", host
        if self.identity is not None:
            scheme, name = "https", self.identity.name_for(host, near)
        return f"{scheme}://{f'[{name}]' if ':' in name else name}:{port}"

    def adopt(self, identity: TlsIdentity | None) -> None:
        """New connections get this one; those that are open keep theirs."""
        before, self.identity = self.identity, identity
        self._metrics.clear("executor_tls_certificate_expiry_timestamp_seconds")
        if identity is None:
            return
        self._metrics.set(
            "executor_tls_certificate_expiry_timestamp_seconds", identity.expires_at, file=str(identity.file)
        )
        if before is None or before.pair.cert != identity.pair.cert:
            leaf = certificates(identity.pair.cert)[0]
            until = leaf.not_valid_after_utc.isoformat()
            _log.info(
                "certificate served", file=str(identity.file), until=until, serial=f"{leaf.serial_number:x}"
            )

    def status(self) -> Mapping[str, Any]:
        """For `GET /-/status`."""
        if self.identity is None:
            return {}
        leaf = certificates(self.identity.pair.cert)[0]
        return {
            "tls": {
                "certificate": str(self.identity.file),
                "subject": leaf.subject.rfc4514_string(),
                "serial": f"{leaf.serial_number:x}",
                "expires": leaf.not_valid_after_utc.isoformat(),
                "client_certificates": self.identity.pair.client_ca is not None,
            }
        }

    def context(self) -> ssl.SSLContext | None:
        return self.identity.context if self.identity is not None else None

    def failed(self, client: str, error: OSError) -> None:
        """Counted each, logged once a minute: whoever scans must not fill the log."""
        self._metrics.count("executor_tls_handshake_failures_total")
        self._failed += 1
        now = time.monotonic()
        if self._told_at is None or now - self._told_at >= _TOLD_EVERY_SECONDS:
            why = getattr(error, "reason", None) or str(error) or type(error).__name__
            _log.warning("tls_handshake_failed", count=self._failed, client=client, reason=str(why))
            self._failed, self._told_at = 0, now
