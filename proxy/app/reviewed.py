"""What tools said when they were last reviewed, whole, so that `executor lock` can show a change word by word.

The lock has digests. The texts stand in vendored catalogs, and are kept in the cache directory by whoever writes the
lock. Only what has the digest that the lock names is believed: a stale or foreign file shows less, and nothing wrong.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import tempfile
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from integrations.base import JsonObject, Toolset
from integrations.files import DOCUMENT, READER
from integrations.json_text import read_json, write_json
from proxy.app.local import open_sources
from proxy.app.paths import cache_dir
from proxy.config import LoadedConfig
from proxy.connections.opening import WrongSource
from proxy.lock.definition import definition_of, recorded
from proxy.lock.file import LockedSource, LockFile
from proxy.lock.review import Definition

log = logging.getLogger("executor.lock")
_FOLDER: Final = "reviewed"


@asynccontextmanager
async def reviewed_definitions(
    loaded: LoadedConfig, env: Mapping[str, str], lock: LockFile, keys: Sequence[str]
) -> AsyncIterator[dict[str, Definition]]:
    """The definitions of these keys of the lock as they were reviewed, as far as they are here. Asks nobody."""
    async with _vendored(loaded, env, lock, [key for key in keys if lock.sources[key].catalog]) as vendored:
        yield {
            key: partial(_as_reviewed, lock.sources[key], _kept(env, lock.sources[key]), vendored.get(key))
            for key in keys
        }


def keep_definitions(env: Mapping[str, str], source: LockedSource, toolset: Toolset) -> None:
    """For the next review on this machine. What cannot be written is logged: that review then shows less. Blocks."""
    file = _file(env, source)
    if file is None or (file.exists() and source.tools.keys() <= _kept(env, source).keys()):
        return
    tools = {tool.name: tool for tool in reversed(toolset.tools)}
    definitions = {name: definition_of(toolset, tool) for name, tool in tools.items() if name in source.tools}
    try:
        os.makedirs(file.parent, mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as fresh:
            fresh.write(gzip.compress(write_json(definitions), compresslevel=1, mtime=0))
        os.replace(fresh.name, file)
    except OSError as error:
        log.warning("definitions cannot be kept path=%s error=%s", file, error)


def _file(env: Mapping[str, str], source: LockedSource) -> Path | None:
    """One for each state of a source: what it is called says what is in it. None where there is no cache."""
    cache = cache_dir(env)
    if cache is None:
        return None
    text = "\n".join(f"{name} {source.tools[name].sha256}" for name in sorted(source.tools))
    return cache / _FOLDER / f"{hashlib.sha256(text.encode()).hexdigest()}.json.gz"


def _kept(env: Mapping[str, str], source: LockedSource) -> Mapping[str, JsonObject]:
    file = _file(env, source)
    if file is None:
        return {}
    try:
        found = read_json(gzip.decompress(READER.read(file, DOCUMENT)))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, EOFError, zlib.error) as error:
        log.warning("kept definitions cannot be read path=%s error=%s", file, error)
        return {}
    return found if isinstance(found, dict) else {}


def _as_reviewed(
    source: LockedSource, kept: Mapping[str, JsonObject], vendored: Toolset | None, name: str
) -> JsonObject | None:
    was = source.tools.get(name)
    found = kept.get(name) or _definition(vendored, name)
    if was is None or found is None or recorded(found, was.risk).sha256 != was.sha256:
        return None
    return found


def _definition(toolset: Toolset | None, name: str) -> JsonObject | None:
    tools = toolset.tools if toolset is not None else ()
    found = next((tool for tool in tools if tool.name == name), None)
    return None if toolset is None or found is None else definition_of(toolset, found)


@asynccontextmanager
async def _vendored(
    loaded: LoadedConfig, env: Mapping[str, str], lock: LockFile, keys: Sequence[str]
) -> AsyncIterator[dict[str, Toolset]]:
    """By key, the tools of vendored catalogs. One that is not what the lock names has none."""
    assert loaded.config is not None
    prefixes = {key: one for one in loaded.config.connections if (key := lock.key_of(one)) in keys}
    connections = {one: loaded.config.connections[one] for one in prefixes.values()}
    part = replace(loaded, config=loaded.config.model_copy(update={"connections": connections}))
    if not prefixes:
        yield {}
        return
    try:
        async with open_sources(part, env, lock, asks_vendored=False) as (opened, _):
            found = {key: opened.sources[one] for key, one in prefixes.items()}
            yield {key: one.toolset for key, one in found.items() if one.vendored and one.toolset is not None}
    except WrongSource as error:
        log.warning("vendored catalogs cannot be opened error=%s", error)
        yield {}
