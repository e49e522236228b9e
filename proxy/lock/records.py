"""The records of whole sources, remembered: hashing every schema of a large document takes seconds.

A toolset's digest names its source and options, so what was computed once holds for every generation, and, for
documents, on disk for the next start. What MCP servers offer is small and is computed anew by each process.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from threading import Lock
from typing import Any, Final

from integrations.base import Toolset
from integrations.files import DOCUMENT, READER
from integrations.json_text import read_json, write_json
from proxy.lock.definition import Offered, ToolRecord, offered

log = logging.getLogger("executor.lock")
_REMEMBERED: Final = 512
_FOLDER: Final = "definitions"


class Records:
    """May be used from several threads. `cache` None: nothing is kept on disk."""

    def __init__(self, cache: Path | None) -> None:
        self._cache = cache
        self._lock = Lock()
        self._known: OrderedDict[tuple[str, str], Offered] = OrderedDict()

    def of(self, kind: str, toolset: Toolset) -> Offered:
        """What the toolset offers. Blocks."""
        with self._lock:
            return self._of(kind, toolset)

    def _of(self, kind: str, toolset: Toolset) -> Offered:
        key = (kind, toolset.digest)
        known = self._known.get(key)
        if known is None:
            known = self._read(*key) or self._made(kind, toolset)
            self._known[key] = known
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return known

    def _made(self, kind: str, toolset: Toolset) -> Offered:
        found = offered(kind, toolset)
        if self._cache is not None and kind != "mcp":
            self._write(self._cache / _FOLDER / f"{toolset.digest}.json", found)
        return found

    def _read(self, kind: str, digest: str) -> Offered | None:
        if self._cache is None or kind == "mcp":
            return None
        file = self._cache / _FOLDER / f"{digest}.json"
        try:
            return _offered_in(kind, read_json(READER.read(file, DOCUMENT)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning("kept definitions cannot be read path=%s error=%s", file, error)
            return None

    def _write(self, file: Path, found: Offered) -> None:
        content = {
            "program": _program(),
            "title": found.title,
            "servers": found.servers,
            "tools": found.tools,
        }
        try:
            os.makedirs(file.parent, mode=0o700, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as fresh:
                fresh.write(write_json(content))
            os.replace(fresh.name, file)
        except OSError as error:
            log.warning("definitions cannot be kept path=%s error=%s", file, error)


def _offered_in(kind: str, content: Any) -> Offered | None:
    """None for what another version of this program has written: it may make other schemas of the same document, or
    knew less of them."""
    if content["program"] != _program():
        return None
    servers: Sequence[str] = content["servers"]
    tools = {name: ToolRecord(**one) for name, one in content["tools"].items()}
    if any(one.arguments is None for one in tools.values()):
        return None
    return Offered(kind, str(content["title"]), tuple(servers), tools)


def _program() -> str:
    return metadata.version("executor-proxy")
