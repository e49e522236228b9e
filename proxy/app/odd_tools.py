"""Tools whose texts should be looked at twice (T1), told by `executor validate` until they have been reviewed (W616).

Reading every text of a large document takes seconds, so what was found in one is kept beside the compiled documents.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from integrations.base import Toolset
from integrations.files import DOCUMENT, READER
from integrations.json_text import read_json, write_json
from proxy.app.problems import problem_at
from proxy.config import Diagnostic, LoadedConfig
from proxy.connections import Opened
from proxy.lock.definition import definition_of
from proxy.lock.state import LockState
from proxy.lock.suspicion import suspicions

_FOLDER: Final = "suspicions"
_NAMED: Final = 3


def odd_tools(
    loaded: LoadedConfig, opened: Opened, lock: LockState | None, cache: Path | None
) -> Iterator[Diagnostic]:
    """One warning for each integration with such tools. What stands in the lock as it is was reviewed. Blocks."""
    found: dict[str, dict[str, list[str]]] = {}
    for prefix, source in opened.sources.items():
        if source.toolset is None:
            continue
        for name, reasons in _kept(source.toolset, cache).items():
            if lock is None or lock.drift(prefix, name) is not None:
                found.setdefault(prefix.partition(".")[0], {})[name] = reasons
    for integration, tools in found.items():
        first = "; ".join(f"`{name}`: {', '.join(tools[name])}" for name in list(tools)[:_NAMED])
        more = f"; and {len(tools) - _NAMED} more tools" if len(tools) > _NAMED else ""
        help = "read them; `executor lock` shows all of it, and what it has written down counts as reviewed"
        message = f"texts of `{integration}` for the model are odd: {first}{more}"
        one = problem_at(loaded, f"integrations.{integration}", "W616", message, help, severity="warning")
        yield one


def _kept(toolset: Toolset, cache: Path | None) -> Mapping[str, list[str]]:
    file = cache / _FOLDER / f"{toolset.digest}.json" if cache is not None else None
    known = _read(file) if file is not None else None
    if known is None:
        known = _looked_at(toolset)
        if file is not None:
            _write(file, known)
    return known


def _looked_at(toolset: Toolset) -> dict[str, list[str]]:
    odd = ((tool.name, suspicions(definition_of(toolset, tool))) for tool in toolset.tools)
    return {name: reasons for name, reasons in odd if reasons}


def _read(file: Path) -> dict[str, list[str]] | None:
    """None for what is not there, or another version of this program has written: it may know other signs."""
    try:
        content: Any = read_json(READER.read(file, DOCUMENT))
        return dict(content["tools"]) if content["program"] == _program() else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write(file: Path, found: Mapping[str, list[str]]) -> None:
    """A cache that cannot be written costs time at the next run, and nothing else."""
    try:
        os.makedirs(file.parent, mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as fresh:
            fresh.write(write_json({"program": _program(), "tools": dict(found)}))
        os.replace(fresh.name, file)
    except OSError:
        return


def _program() -> str:
    return metadata.version("executor-proxy")
