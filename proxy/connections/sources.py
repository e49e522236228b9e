"""Loaded sources: one integration's tools and search index, shared by its connections and over generations.

A source that is asked for over the network may be down: it is then `failed`, retried with growing pauses by the task
that owns it, and `changed` is called when it loads. A source from a file or inline text cannot be down; if it is wrong
the config is.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from integrations.base import IntegrationError, SourceError, Toolset
from proxy.catalog import ToolIndex, build_index
from proxy.config.secrets import SecretMissing
from proxy.telemetry import Logger, Millis

log = Logger("connections")
LoadToolset = Callable[[Path | None], Awaitable[Toolset]]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a start waits for one remote document, and the pauses between later tries, in seconds."""

    first_load_seconds: float = 10.0
    first_retry_seconds: float = 1.0
    last_retry_seconds: float = 300.0


USUAL_PATIENCE: Final = Patience()


class CannotCompile(SourceError):
    """This machine has no means to compile a document now: no process, no descriptor. The document may be right."""


@dataclass(frozen=True, slots=True)
class LoadedSource:
    """`toolset` and `index` are both set, or `error` says why not. `vendored`: they come from the vendored catalog,
    because the source itself has not answered yet."""

    key: str
    toolset: Toolset | None = None
    index: ToolIndex | None = None
    error: str | None = None
    vendored: bool = False

    @property
    def digest(self) -> str:
        return self.toolset.digest if self.toolset is not None else f"failed:{self.error}"


class Source:
    """Loads one document, and keeps loading it while it is down or has a refresh interval. Owns no task itself.

    `load` gets the cache directory (None: do without) and raises `SourceError`, or `SecretMissing` where it needs a
    credential; so does `vendored`, which asks nobody. `remote` is the URL that is asked, None for a local document.
    `connection` is the first that asked for it, for the log.
    """

    def __init__(
        self,
        key: str,
        load: LoadToolset,
        remote: str | None,
        cache: Path | None,
        patience: Patience = USUAL_PATIENCE,
        connection: str = "",
        vendored: LoadToolset | None = None,
    ) -> None:
        self.key = key
        self._vendored = vendored
        self._connection = connection
        self.remote = remote
        self._load = load
        self._cache = cache
        self._patience = patience
        self._failing = False
        self.loaded = LoadedSource(key, error="not loaded yet")

    async def load_vendored(self) -> bool:
        """Load the vendored catalog, if there is one. Raises `SourceError`."""
        if self._vendored is None:
            return False
        try:
            toolset = await self._toolset(self._vendored)
        except IntegrationError as error:
            raise SourceError(f"its vendored catalog: {error}") from error
        index = await asyncio.to_thread(build_index, toolset)
        self.loaded = LoadedSource(self.key, toolset, index, vendored=True)
        log.info("vendored_catalog", **self.named(), tools=len(toolset.tools))
        return True

    async def load(self) -> LoadedSource:
        """Load once. Raises `SourceError` for a local document that is wrong."""
        began = time.perf_counter()
        try:
            toolset = await self._toolset(self._load)
            index = await asyncio.to_thread(build_index, toolset)
        except (IntegrationError, SecretMissing) as error:
            if self.remote is None:
                raise error if isinstance(error, CannotCompile) else SourceError(str(error)) from error
            if self.loaded.toolset is None:
                self.loaded = LoadedSource(self.key, error=str(error))
            self._failing = True
            log.warning("source_failed", **self.named(), serves=self._serves(), error=str(error))
        else:
            tell = log.info if self._failing else log.debug
            took = Millis((time.perf_counter() - began) * 1000)
            tell("source_loaded", **self.named(), tools=len(toolset.tools), **{"in": took})
            self._failing = False
            self.loaded = LoadedSource(self.key, toolset, index)
        return self.loaded

    def named(self) -> dict[str, str]:
        """What log lines name it by. A query may hold a key."""
        return {"connection": self._connection, "document": (self.remote or "").split("?")[0]}

    def _serves(self) -> str:
        if self.loaded.vendored:
            return "the vendored catalog"
        return "nothing" if self.loaded.toolset is None else "the tools it had"

    async def _toolset(self, load: LoadToolset) -> Toolset:
        try:
            return await load(self._cache)
        except OSError as error:
            # A read-only or full cache costs time at every start, but no service.
            log.warning("cache_not_used", **self.named(), path=self._cache, error=str(error))
        try:
            return await load(None)
        except OSError as error:
            raise CannotCompile(f"cannot compile a document here: {error}") from None

    async def keep(self, refresh_seconds: float | None, changed: Callable[[], None]) -> None:
        """Retry until loaded, then refresh; ends only for a source that needs neither."""
        pause = self._patience.first_retry_seconds
        while True:
            if self.loaded.toolset is None or self.loaded.vendored:
                await asyncio.sleep(pause * (0.8 + 0.4 * random.random()))  # noqa: S311 - jitter, not a secret
                pause = min(pause * 2, self._patience.last_retry_seconds)
            elif refresh_seconds is None:
                return
            else:
                await asyncio.sleep(refresh_seconds)
            before = self.loaded
            await self.load()
            if (self.loaded.digest, self.loaded.vendored) != (before.digest, before.vendored):
                changed()
