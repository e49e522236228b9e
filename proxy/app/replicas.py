"""Which replicas share the state store, and what each of them serves: for `GET /-/status` and `executor status`.

Every replica writes a small record now and then, which ends by itself: one that died is gone from the list soon after.
What it serves is told at once after a reload. Without a shared store a process sees itself only.

What the list does not know it says (`trouble`): whoever waits for all replicas must not take a part for the whole.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from typing import Final

from integrations.base import JsonObject
from proxy.state import Entry, StateError
from proxy.state.base import Entries

KIND: Final = "replica"
# All replicas are one server: the records belong to no workspace.
_WORKSPACE: Final = "-"
EVERY_SECONDS: Final = 5.0
_LIVES_SECONDS: Final = 4 * EVERY_SECONDS
MOST: Final = 500


class ReplicaWatch:
    """`config` says what this replica serves (the status of its reloads)."""

    def __init__(
        self, entries: Entries, config: Callable[[], JsonObject], clock: Callable[[], float] = time.time
    ) -> None:
        self._entries, self._config, self._clock = entries, config, clock
        self.id = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"
        self._started = clock()
        self._entry: Entry | None = None
        self._others: list[JsonObject] = []
        self._news = asyncio.Event()
        self.trouble: str | None = "the state store was not asked yet"

    def replicas(self) -> list[JsonObject]:
        """This one as it is now, and the others as they were seen last, by id."""
        own = {**self._own(), "self": True}
        return sorted(
            [own, *({**one, "self": False} for one in self._others)], key=lambda one: str(one["id"])
        )

    def _own(self) -> JsonObject:
        config = self._config()
        return {
            "id": self.id,
            "version": metadata.version("executor-proxy"),
            "generation": config["generation"],
            "sha256": config["sha256"],
            "in_sync": config["in_sync"],
            "rejected": config["rejected"],
            "started_at": self._started,
            "seen_at": self._clock(),
        }

    def announce(self) -> None:
        """This replica serves something else by now, or was told to and refused: tell the others soon."""
        self._news.set()

    async def look(self) -> None:
        """Tell of this one, and read what the others tell."""
        try:
            await self._write()
            found = await self._entries.list_entries(KIND, _WORKSPACE, MOST)
        except StateError as error:
            self.trouble = str(error)
            return
        self.trouble = f"there may be more: {MOST} are listed at most" if len(found) >= MOST else None
        said = [json.loads(one.value) for one in found if one.key != self.id]
        self._others = [one for one in said if isinstance(one, dict) and "id" in one]

    async def _write(self) -> None:
        version = self._entry.version if self._entry is not None else 0
        value = json.dumps(self._own()).encode()
        entry = Entry(KIND, _WORKSPACE, self.id, value, version, self._clock() + _LIVES_SECONDS)
        try:
            self._entry = await self._entries.write_entry(entry)
        except StateError:
            # It ended meanwhile, or a write that seemed to fail was done: begin anew.
            self._entry = await self._entries.read_entry(KIND, _WORKSPACE, self.id)
            raise

    async def run(self) -> None:
        """Until it is cancelled; then the record goes."""
        try:
            while True:
                self._news.clear()
                await self.look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(EVERY_SECONDS):
                        await self._news.wait()
        finally:
            await self._forget()

    async def _forget(self) -> None:
        if self._entry is not None:
            try:
                await self._entries.drop_entry(self._entry)
            except StateError as error:
                self.trouble = str(error)
