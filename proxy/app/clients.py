"""The connections that clients hold: their limits as the config has them now, and what is told of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from proxy import descriptors
from proxy.app.tls import ServedTls
from proxy.config.model import Server
from proxy.serving.http.held import ConnectionLimits, EndReason, HeldConnections
from proxy.serving.http.origins import Networks
from proxy.serving.http.prefix import path_prefix, without_prefix
from proxy.serving.rest.operations import ESSENTIAL_PATHS
from proxy.telemetry import Logger, MetricsRegistry

_TOLD_EVERY_SECONDS: Final = 60.0
_STATES: Final = ("idle", "slow", "requests", "left")
_log = Logger("serve")


class Clients:
    """`server` is asked each time: a reload changes limits and trusted proxies at once."""

    def __init__(
        self, server: Callable[[], Server], metrics: MetricsRegistry, tls: ServedTls | None = None
    ) -> None:
        self._tls = tls
        self._server = server
        self._metrics = metrics
        self._ended = 0
        self._told_at: float | None = None
        self._made: tuple[Server, ConnectionLimits, Networks] | None = None
        self.held = HeldConnections(
            lambda: self._current()[1],
            is_proxy=lambda address: self._current()[2].have(address),
            essential=self._is_essential,
            most=descriptors.for_clients,
            told=self._tell,
        )

    def status(self) -> dict[str, Any]:
        """For `GET /-/status`: connections of clients, the certificate they see, and descriptors of the process."""
        return {
            "clients": self.held.use(),
            "descriptors": {"used": descriptors.used(), "limit": descriptors.limit()},
            **(self._tls.status() if self._tls is not None else {}),
        }

    def measure(self) -> None:
        """Sets the gauges, before they are rendered."""
        use = self.held.use()
        for state in _STATES:
            self._metrics.set("executor_http_connections", use[state], state=state)
        self._metrics.set("executor_http_unread_bytes", use["unread_bytes"])
        self._metrics.set("executor_descriptors", descriptors.used() or 0, kind="used")
        self._metrics.set("executor_descriptors", descriptors.limit(), kind="limit")

    def _current(self) -> tuple[Server, ConnectionLimits, Networks]:
        server = self._server()
        if self._made is None or self._made[0] is not server:
            own = server.limits
            limits = ConnectionLimits(
                own.connections,
                own.connections_per_address,
                own.requests_per_account,
                own.write_timeout,
                own.unread,
                own.unread_per_account,
            )
            self._made = (server, limits, Networks.of(server.trusted_proxies))
        return self._made

    def _is_essential(self, path: str) -> bool:
        return without_prefix(path, path_prefix(self._server().public_url)) in ESSENTIAL_PATHS

    def _tell(self, reason: EndReason) -> None:
        """Counted each, logged once a minute: an attack must not fill the log."""
        self._metrics.count("executor_http_connections_ended_total", reason=reason)
        self._ended += 1
        now = time.monotonic()
        if self._told_at is None or now - self._told_at >= _TOLD_EVERY_SECONDS:
            _log.warning("connections_ended", count=self._ended, newest=reason, **self.held.use())
            self._ended, self._told_at = 0, now
