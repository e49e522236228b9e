"""Registered servers in the state store: one sealed entry each, and a mark that says when to look again.

- A mark (`OverlayStore.mark`) is written after every change, and published: replicas that share the store look at it
  twice a second, those on Redis are told at once.
- Servers that files declare are disconnected by a mark of their own: one workspace's, whatever else uses them.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from integrations.base import JsonObject
from integrations.json_text import read_json, write_json
from proxy.overlay.registration import ServerRegistration
from proxy.state import Conflict, Entry
from proxy.state.base import Entries, Publications

TOPIC: Final = "overlay"
MOST_SERVERS: Final = 100
"""In one workspace."""
_SERVERS: Final = "overlay"
_OFF: Final = "disconnected"
_MARK: Final = "overlay_mark"
_ALL: Final = "*"
_RETRIES: Final = 5


class OverlayState(Entries, Publications, Protocol):
    """What is used of the state store."""


@dataclass(frozen=True, slots=True)
class RegisteredServer:
    """One registration. `off`: somebody has disconnected it. `version` is the stored entry's."""

    workspace: str
    registration: ServerRegistration
    off: bool
    by: str
    at: float
    version: int = 0

    def to_bytes(self) -> bytes:
        one = self.registration
        stored = {"name": one.name, "config": one.config, "off": self.off, "by": self.by, "at": self.at}
        return write_json(stored)


class OverlayStore:
    """Every method may raise `StateError`."""

    def __init__(self, state: OverlayState) -> None:
        self._state = state

    async def servers(self, workspace: str) -> tuple[RegisteredServer, ...]:
        """By the names that they have in addresses of tools."""
        return tuple(map(_read, await self._state.list_entries(_SERVERS, workspace)))

    async def add(self, workspace: str, one: ServerRegistration, by: str) -> RegisteredServer:
        """Raises `Conflict` when there is one of this name."""
        made = RegisteredServer(workspace, one, not one.enabled, by, round(time.time(), 3))
        stored = await self._state.write_entry(_entry(made))
        await self._mark()
        return replace(made, version=stored.version)

    async def switch(self, workspace: str, integration: str, off: bool) -> bool:
        """Whether there is a registered server of this name."""
        for _ in range(_RETRIES):
            entry = await self._state.read_entry(_SERVERS, workspace, integration)
            if entry is None:
                return False
            found = _read(entry)
            if found.off == off:
                return True
            try:
                await self._state.write_entry(_entry(replace(found, off=off)))
            except Conflict:
                continue
            await self._mark()
            return True
        raise Conflict(f"The registration `{integration}` changes all the time.")

    async def drop(self, workspace: str, integration: str) -> bool:
        entry = await self._state.read_entry(_SERVERS, workspace, integration)
        if entry is None or not await self._state.drop_entry(entry):
            return False
        await self._mark()
        return True

    # Servers of the files
    async def disconnected(self, workspace: str) -> frozenset[str]:
        """Connections of the files that this workspace has disconnected."""
        return frozenset(entry.key for entry in await self._state.list_entries(_OFF, workspace))

    async def disconnect(self, workspace: str, prefixes: Iterable[str], off: bool) -> None:
        changed = False
        for prefix in prefixes:
            entry = await self._state.read_entry(_OFF, workspace, prefix)
            if off and entry is None:
                changed = True
                try:
                    await self._state.write_entry(Entry(_OFF, workspace, prefix, b"off"))
                except Conflict:
                    continue
            elif not off and entry is not None:
                changed |= await self._state.drop_entry(entry)
        if changed:
            await self._mark()

    # Changes
    async def mark(self) -> bytes:
        """Another one after every change."""
        entry = await self._state.read_entry(_MARK, _ALL, _ALL)
        return entry.value if entry is not None else b""

    async def _mark(self) -> None:
        for _ in range(_RETRIES):
            entry = await self._state.read_entry(_MARK, _ALL, _ALL)
            version = entry.version if entry is not None else 0
            try:
                await self._state.write_entry(
                    Entry(_MARK, _ALL, _ALL, secrets.token_hex(8).encode(), version)
                )
            except Conflict:
                # Somebody else has just written another one, after our change as well.
                continue
            break
        await self._state.publish(TOPIC, b"changed")


def _entry(one: RegisteredServer) -> Entry:
    return Entry(_SERVERS, one.workspace, one.registration.integration, one.to_bytes(), one.version)


def _read(entry: Entry) -> RegisteredServer:
    stored: JsonObject = read_json(entry.value)
    registration = ServerRegistration(stored["name"], entry.key, stored["config"])
    return RegisteredServer(
        entry.workspace_id, registration, stored["off"], stored["by"], stored["at"], entry.version
    )
