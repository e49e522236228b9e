"""What operators see and do: readiness, status, effective config, reload. Reads the live state, keeps none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from importlib import metadata
from typing import Any

from integrations.base import JsonObject
from proxy.app import drift
from proxy.app.clients import Clients
from proxy.app.last_hour import LastHour
from proxy.app.listing import connection_place, connection_rows, limit_place, never_probed, nowhere
from proxy.app.pending import ApprovalsWatch
from proxy.app.replicas import ReplicaWatch
from proxy.config import LoadedConfig
from proxy.connections import HealthReport, OpenConnection
from proxy.live import Live
from proxy.reload import Reloader, ReloadOutcome
from proxy.sandbox import Pool
from proxy.serving.gateway import ReloadReport
from proxy.telemetry import MetricsRegistry
from proxy.workspace import Generation


class Operations:
    """The operations half of the gateway."""

    def __init__(
        self,
        live: Live,
        reloader: Callable[[], Reloader[Any, Any]],
        pool: Callable[[], Pool],
        metrics: MetricsRegistry,
        health: Callable[[str], HealthReport | None] = never_probed,
        store_trouble: Callable[[], str | None] = lambda: None,
        running: Callable[[], int] = lambda: 0,
        clients: Clients | None = None,
        pending: ApprovalsWatch | None = None,
        registered: Callable[[], list[JsonObject]] = list,
        replicas: ReplicaWatch | None = None,
        last_hour: LastHour | None = None,
        loaded: Callable[[], LoadedConfig | None] = lambda: None,
    ) -> None:
        self._live = live
        self._reloader = reloader
        self._pool = pool
        self._metrics = metrics
        self._health = health
        self._store_trouble = store_trouble
        self._running = running
        self._clients = clients
        self._pending = pending
        self._registered = registered
        self._replicas = replicas
        self._last_hour = last_hour
        self._loaded = loaded

    def ready(self, latest: bool) -> tuple[bool, str]:
        """Stays ready on a bad reload (else one typo takes every replica out), unless `latest` is asked for.

        Not ready while the state store is away: nothing could pause, and no session could be found.
        """
        if not self._live.serving:
            return False, "no configuration is active"
        trouble = self._store_trouble()
        if trouble is not None:
            return False, trouble
        if latest and not self._reloader().in_sync:
            return False, "the newest configuration on disk was rejected; see /-/status"
        return True, ""

    def status(self) -> JsonObject:
        stats = self._pool().stats()
        hardening = self._pool().hardening
        return {
            "version": metadata.version("executor-proxy"),
            "config": self._reloader().status(),
            "connections": self._connections(),
            "overlay": self._registered(),
            "lock": drift.status(self._live.current.lock) if self._live.serving else None,
            "rules": self._live.current.report.as_json() if self._live.serving else None,
            "sandbox": {
                "warm": stats.warm,
                "busy": stats.busy,
                "hardening": hardening.line(),
                "missing": list(hardening.missing),
                "typescript": self._pool().typescript,
            },
            "leases": self._live.leases(),
            "approvals": self._approvals(),
            "replicas": self._replicas.replicas() if self._replicas is not None else [],
            "replicas_trouble": self._replicas.trouble if self._replicas is not None else None,
            "last_hour": self._hour(),
            **(self._clients.status() if self._clients is not None else {}),
        }

    def _connections(self) -> list[JsonObject]:
        if not self._live.serving:
            return []
        loaded = self._loaded()
        place = partial(connection_place, loaded) if loaded is not None else nowhere
        return connection_rows(self._live.current, self._health, place)

    def _hour(self) -> JsonObject | None:
        if self._last_hour is None:
            return None
        shown, loaded = self._last_hour.as_json(), self._loaded()
        for limit in shown["limits"]:
            limit["declared_at"] = limit_place(loaded, limit["name"]) if loaded is not None else None
        return shown

    def _approvals(self) -> JsonObject | None:
        if self._pending is None or not self._live.serving:
            return None
        return self._pending.as_json(self._live.current.config)

    def config(self) -> tuple[JsonObject, str]:
        """The effective config, without what even a hash would tell of keys."""
        generation = self._live.current
        shown = generation.config.model_dump(mode="json", by_alias=True, exclude_none=True)
        keys = (shown.get("auth", {}).get("api_keys") or {}).get("keys", {})
        for key in keys.values():
            if "hash" in key:
                key["hash"] = "***"
        return shown, generation.sha256

    def metrics(self) -> bytes:
        stats = self._pool().stats()
        self._metrics.set("executor_sandbox_workers", stats.warm, state="warm")
        self._metrics.set("executor_sandbox_workers", stats.busy, state="busy")
        self._metrics.set("executor_executions_waiting", stats.waiting)
        self._metrics.set("executor_executions_running", self._running())
        self._metrics.set("executor_event_loop_tasks", len(asyncio.all_tasks()))
        if self._clients is not None:
            self._clients.measure()
        if self._live.serving:
            self._measure(self._live.current)
        return self._metrics.render()[0]

    def _measure(self, generation: Generation) -> None:
        """The gauges of what the config names: they are set anew before each rendering."""
        drift.measure(self._metrics, generation.lock)
        if self._pending is not None:
            self._pending.measure(generation.config)
        for name in (
            "connection_healthy",
            "token_expiry_timestamp_seconds",
            "api_key_expiry_timestamp_seconds",
        ):
            self._metrics.clear(f"executor_{name}")
        for one in generation.connections:
            self._connection(one)
        section = generation.config.auth.api_keys if generation.config.auth is not None else None
        for name, key in section.keys.items() if section is not None else ():
            if key.expires is not None:
                self._metrics.set(
                    "executor_api_key_expiry_timestamp_seconds", key.expires.timestamp(), key=name
                )

    def _connection(self, one: OpenConnection) -> None:
        prefix = one.label
        self._metrics.only(
            "executor_connection_status",
            1,
            within={"connection": prefix},
            connection=prefix,
            status=str(one.status["status"]),
        )
        report = self._health(prefix)
        if report is not None and report.healthy is not None:
            self._metrics.set("executor_connection_healthy", report.healthy, connection=prefix)
        ends = one.oauth.expiry if one.oauth is not None else None
        if ends is not None:
            renewable = "true" if ends.renewable else "false"
            self._metrics.set(
                "executor_token_expiry_timestamp_seconds", ends.at, connection=prefix, renewable=renewable
            )

    async def reload(self) -> ReloadReport:
        outcome: ReloadOutcome = await self._reloader().reload("http")
        return ReloadReport(outcome.result, outcome.as_json())
