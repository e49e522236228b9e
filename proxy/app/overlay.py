"""Servers that were registered at run time, beside the config that serves: read from the store, judged, opened.

Rules
- The files are judged first and alone. A registration that does not fit them is left out, with a reason; it never
  keeps the files from being applied.
- A change in the store is seen within half a second, on Redis at once. It is served by building the same generation
  again around what is loaded, as for a document that changed.
- Nothing waits for a registered server that is slow: it is opened in the background.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

from integrations.base import JsonObject
from proxy.app.workspace_overlay import OpenedOverlay, WorkspaceOverlay
from proxy.config import Config, LoadedConfig
from proxy.connections import Connections
from proxy.overlay import (
    InvalidRegistration,
    OverlaySnapshot,
    OverlayStore,
    RegisteredConfig,
    RegisteredServer,
    allowed_command,
    configured,
    read_snapshot,
)
from proxy.overlay.entries import TOPIC, OverlayState
from proxy.principal import DEFAULT_WORKSPACE
from proxy.state import StateError
from proxy.telemetry import Logger

LOOK_SECONDS: Final = 0.5
_SERVED_SECONDS: Final = 30.0
# What could not be served (a document is wrong just now) is tried again.
_AGAIN_SECONDS: Final = 5.0


class Overlay:
    """`values` receives what the references of registered servers stand for; whoever resolves secrets reads it. Nothing
    is taken away again: a session that is just being opened, or still used, may ask for it."""

    def __init__(self, state: OverlayState, values: MutableMapping[str, str]) -> None:
        self.store = OverlayStore(state)
        self._state = state
        self._values = values
        self._snapshot = OverlaySnapshot()
        self._mark = b""
        self._number = 0
        self._known: dict[tuple[object, ...], RegisteredConfig | str] = {}
        self._served = OpenedOverlay()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._log = Logger("overlay")

    # ---- building ---------------------------------------------------------------------------------------------------
    async def open(self, loaded: LoadedConfig, connections: Connections) -> OpenedOverlay:
        """What the store says now beside this config; what it said last when it cannot be asked."""
        config = loaded.config
        assert config is not None
        self._number += 1
        number = self._number
        await self._read(config)
        judged = await asyncio.to_thread(self._judged, loaded, config)
        opened: dict[str, WorkspaceOverlay] = {}
        try:
            for workspace, (one, whole) in judged.items():
                if whole is not None:
                    one = replace(one, opened=await connections.open(whole, scope=workspace))
                opened[workspace] = one
        except BaseException:
            connections.release(OpenedOverlay(opened).keys)
            raise
        return OpenedOverlay(opened, self._mark, number)

    async def _read(self, config: Config) -> None:
        try:
            mark = await self.store.mark()
            workspaces = tuple(config.workspaces) or (DEFAULT_WORKSPACE,)
            on = config.api.registration == "overlay"
            self._snapshot = await read_snapshot(self.store, workspaces, registrations=on)
            self._mark = mark
        except StateError as error:
            self._log.warning("registrations not read", error=str(error))

    def _judged(
        self, loaded: LoadedConfig, config: Config
    ) -> dict[str, tuple[WorkspaceOverlay, Config | None]]:
        """By workspace; with the config of all its registrations that are served."""
        snapshot = self._snapshot
        found: dict[str, tuple[WorkspaceOverlay, Config | None]] = {}
        known: dict[tuple[object, ...], RegisteredConfig | str] = {}
        for workspace in snapshot.servers.keys() | snapshot.disconnected.keys():
            servers = {one.registration.integration: one for one in snapshot.servers.get(workspace, ())}
            shadowed = {name: place for name in servers if (place := declared_at(loaded, config, name))}
            refused = {name: f"shadowed by {place}" for name, place in shadowed.items()}
            good: dict[str, RegisteredConfig] = {}
            for name, one in servers.items():
                if name in shadowed:
                    continue
                key = (workspace, name, one.version, one.off, config.api)
                judged = known[key] = self._known.get(key) or _judge(one, config)
                if isinstance(judged, str):
                    refused[name] = judged
                else:
                    good[name] = judged
                    self._values.update(judged.values)
            origin = {name: f"registered by {servers[name].by}" for name in good}
            off = snapshot.disconnected.get(workspace, frozenset())
            overlay = WorkspaceOverlay(
                servers, integrations=origin, disconnected=off, refused=refused, shadowed=shadowed
            )
            found[workspace] = (overlay, _united(good))
        self._known = known
        return found

    # ---- serving ----------------------------------------------------------------------------------------------------
    async def run(self, changed: Callable[[], None]) -> None:
        """Look for changes of other replicas; never returns."""
        told, told_at = b"", 0.0
        async with self._state.subscribe(TOPIC) as messages:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await messages.receive()
                mark = self._served.mark
                with suppress(StateError):
                    mark = await self.store.mark()
                now = asyncio.get_running_loop().time()
                if mark != self._served.mark and (mark != told or now - told_at > _AGAIN_SECONDS):
                    told, told_at = mark, now
                    changed()

    def adopt(self, served: OpenedOverlay) -> None:
        """This serves from now on; say what it leaves out, once."""
        before = self._served
        self._served = served
        for number, done in self._waiting:
            if served.number > number and not done.done():
                done.set_result(None)
        for workspace, one in served.workspaces.items():
            for name, why in one.refused.items():
                if before.of(workspace).refused.get(name) != why:
                    self._log.warning("registration not served", workspace=workspace, server=name, reason=why)

    def rows(self) -> list[JsonObject]:
        """What is registered now, for operators: never a value of a header or a variable."""
        return [
            {
                "workspace": workspace,
                "server": one.registration.name,
                "registeredBy": one.by,
                **({"notServed": why} if (why := overlay.refused.get(name)) else {}),
            }
            for workspace, overlay in sorted(self._served.workspaces.items())
            for name, one in overlay.servers.items()
        ]

    @property
    def number(self) -> int:
        """Of the reading that began last."""
        return self._number

    @property
    def served(self) -> OpenedOverlay:
        return self._served

    async def served_after(self, number: int) -> bool:
        """Wait until something serves that was read later than `number`; False when that takes too long."""
        if self._served.number > number:
            return True
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((number, done))
        try:
            async with asyncio.timeout(_SERVED_SECONDS):
                await done
        except TimeoutError:
            return False
        finally:
            self._waiting.remove((number, done))
        return True


def declared_at(loaded: LoadedConfig, config: Config, integration: str) -> str | None:
    """Where the files name this integration, as `file:line`; None when they do not."""
    if integration not in config.integrations:
        return None
    place = loaded.location(f"integrations.{integration}")
    return f"{place.file}:{place.line}"


def _judge(one: RegisteredServer, config: Config) -> RegisteredConfig | str:
    """The config of a registration, or why it is not served."""
    registration = one.registration
    if registration.is_local:
        refusal = allowed_command(registration.config, config.api.allow_local_commands)
        if refusal is not None:
            return refusal
    try:
        return configured(registration, one.workspace, off=one.off, allow=config.api.egress.allow)
    except InvalidRegistration as error:
        return str(error)


def _united(good: Mapping[str, RegisteredConfig]) -> Config | None:
    """One config of all registrations of a workspace."""
    if not good:
        return None
    first = next(iter(good.values())).config
    integrations = {name: value for one in good.values() for name, value in one.config.integrations.items()}
    connections = {name: value for one in good.values() for name, value in one.config.connections.items()}
    return first.model_copy(update={"integrations": integrations, "connections": connections})
