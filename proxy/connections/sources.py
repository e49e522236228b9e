"""Loaded sources: one integration's tools and search index, shared by its connections and over generations.

A source that comes from a URL may be down: it is then `failed`, retried with growing pauses by the task that owns it,
and `changed` is called when it loads. A source from a file or inline text cannot be down; if it is wrong the config is.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from integrations.base import SourceError, Toolset
from integrations.http import HttpClient
from integrations.openapi import OpenApiOptions, SpecSource, load_toolset
from integrations.openapi.config import OpenApi
from proxy.catalog import ToolIndex, build_index

log = logging.getLogger("executor.connections")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a start waits for one remote document, and the pauses between later tries, in seconds."""

    first_load_seconds: float = 10.0
    first_retry_seconds: float = 1.0
    last_retry_seconds: float = 300.0


USUAL_PATIENCE: Final = Patience()


@dataclass(frozen=True, slots=True)
class LoadedSource:
    """`toolset` and `index` are both set, or `error` says why not."""

    key: str
    toolset: Toolset | None = None
    index: ToolIndex | None = None
    error: str | None = None

    @property
    def digest(self) -> str:
        return self.toolset.digest if self.toolset is not None else f"failed:{self.error}"


def source_key(integration: OpenApi, spec: SpecSource) -> str:
    """Equal keys are loaded once: the place of the document, its file's identity, and what is done to it."""
    seen: list[object] = [
        spec.url,
        spec.inline,
        integration.include,
        integration.exclude,
        integration.overrides,
        integration.egress.allow,
    ]
    if spec.file is not None:
        seen += [str(spec.file), *_file_identity(spec.file)]
    return hashlib.sha256(orjson.dumps(seen, default=str, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _file_identity(path: Path) -> tuple[int, ...]:
    try:
        stat = path.stat()
    except OSError:
        return ()
    return (stat.st_ino, stat.st_mtime_ns, stat.st_size)


class Source:
    """Loads one document, and keeps loading it while it is down or has a refresh interval. Owns no task itself."""

    def __init__(
        self,
        key: str,
        spec: SpecSource,
        options: OpenApiOptions,
        http: HttpClient,
        cache: Path | None,
        patience: Patience = USUAL_PATIENCE,
    ) -> None:
        self.key = key
        self._spec = spec
        self._options = options
        self._http = http
        self._cache = cache
        self._patience = patience
        self.loaded = LoadedSource(key, error="not loaded yet")

    @property
    def remote(self) -> bool:
        return self._spec.url is not None

    async def load(self) -> LoadedSource:
        """Load once. Raises `SourceError` for a local document that is wrong."""
        try:
            toolset = await self._toolset()
            index = await asyncio.to_thread(build_index, toolset)
        except SourceError as error:
            if not self.remote:
                raise
            if self.loaded.toolset is None:
                self.loaded = LoadedSource(self.key, error=str(error))
            log.warning("source not loaded url=%s error=%s", self._spec.url, error)
        else:
            self.loaded = LoadedSource(self.key, toolset, index)
        return self.loaded

    async def _toolset(self) -> Toolset:
        try:
            return await load_toolset(self._spec, self._options, self._http, self._cache)
        except OSError as error:
            # A read-only or full cache costs time at every start, but no service.
            log.warning("cache cannot be used path=%s error=%s", self._cache, error)
        try:
            return await load_toolset(self._spec, self._options, self._http, None)
        except OSError as error:
            raise SourceError(f"no place to compile the document: {error}") from None

    async def keep(self, refresh_seconds: float | None, changed: Callable[[], None]) -> None:
        """Retry until loaded, then refresh; ends only for a source that needs neither."""
        pause = self._patience.first_retry_seconds
        while True:
            if self.loaded.toolset is None:
                await asyncio.sleep(pause * (0.8 + 0.4 * random.random()))  # noqa: S311 - jitter, not a secret
                pause = min(pause * 2, self._patience.last_retry_seconds)
            elif refresh_seconds is None:
                return
            else:
                await asyncio.sleep(refresh_seconds)
            before = self.loaded.digest
            await self.load()
            if self.loaded.digest != before:
                changed()
