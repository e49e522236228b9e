"""The lock file: one line a tool, sorted, nothing that depends on time or machine, so that git merges it.

    {
    "version": 1,
    "integrations": {
    "files": {"kind": "mcp", "tools": {
    "read_file": {"sha256": "...", "risk": "read", "arguments": "path", "request": "...", ...},
    "write_file": {...}
    }},
    ...
    }}

A key is an integration, or a connection (`files.org.other`) whose tools differ from those of its integration's first
connection. What is invisible, or would change how the line reads, is written as an escape.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from integrations.files import DOCUMENT, READER
from proxy.lock.definition import RISKS, ToolRecord
from proxy.lock.unseen import is_unseen

VERSION: Final = 1
HINT: Final = "run `executor lock`, review what it shows, and commit the file"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DECODER: Final = json.JSONDecoder()
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7})", re.MULTILINE)
_NONE: Mapping[str, Any] = MappingProxyType({})


class LockError(Exception):
    """A lock file that cannot be used. `line` is where; `missing`: there is none."""

    def __init__(self, message: str, line: int = 1, *, missing: bool = False) -> None:
        super().__init__(message)
        self.line = line
        self.missing = missing


@dataclass(frozen=True, slots=True)
class LockedSource:
    """What was reviewed of one integration, or of one connection of it. `catalog` is the SHA-256 of its vendored
    catalog; empty where there is none."""

    kind: str
    title: str = ""
    servers: tuple[str, ...] = ()
    tools: Mapping[str, ToolRecord] = field(default_factory=lambda: _NONE)
    catalog: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class LockFile:
    """The reviewed sources by key. `lines`: where each key and each tool (`key tool`) stands."""

    sources: Mapping[str, LockedSource] = field(default_factory=lambda: _NONE)
    lines: Mapping[str, int] = field(default_factory=lambda: _NONE, compare=False, repr=False)

    def of(self, prefix: str) -> LockedSource | None:
        """What counts for a connection (`files.org.main`); None where nothing was reviewed."""
        return self.sources.get(prefix) or self.sources.get(prefix.partition(".")[0])

    def key_of(self, prefix: str) -> str:
        return prefix if prefix in self.sources else prefix.partition(".")[0]

    def line_of(self, prefix: str, tool: str = "") -> int:
        """Where it stands in the file; the first line for what does not."""
        key = self.key_of(prefix)
        return self.lines.get(f"{key} {tool}") or self.lines.get(key) or 1

    @property
    def catalogs(self) -> dict[str, str]:
        """The digest of each vendored catalog, by key."""
        return {key: one.catalog for key, one in self.sources.items() if one.catalog}

    def belonging_to(self, integration: str) -> dict[str, LockedSource]:
        """The sources of an integration and of its connections."""
        return {key: one for key, one in self.sources.items() if key.partition(".")[0] == integration}


def read_lock(path: Path) -> LockFile:
    """Raises `LockError`."""
    try:
        text = READER.read(path, DOCUMENT).decode("utf-8")
    except FileNotFoundError:
        raise LockError(f"there is no {path.name}; {HINT}", missing=True) from None
    except UnicodeDecodeError:
        raise LockError("not UTF-8") from None
    except OSError as error:
        raise LockError(f"cannot be read: {error.strerror or error}") from None
    return parse_lock(text)


def parse_lock(text: str) -> LockFile:
    """Raises `LockError` with the line."""
    if conflict := _CONFLICT.search(text):
        line = text.count("\n", 0, conflict.start()) + 1
        raise LockError(
            "merge conflict: take either side, then run `executor lock` to bring it up to date", line
        )
    try:
        data = json.loads(text, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError as error:
        raise LockError(f"no JSON: {error.msg}", error.lineno) from None
    except (_Twice, RecursionError) as error:
        raise LockError(str(error), _line_of_second(text, str(error))) from None
    if not isinstance(data, dict) or data.get("version") != VERSION:
        found = data.get("version") if isinstance(data, dict) else None
        raise LockError(f"this executor understands version {VERSION}, not {json.dumps(found)}")
    integrations = data.get("integrations")
    if not isinstance(integrations, dict) or set(data) != {"version", "integrations"}:
        raise LockError("expected `version` and `integrations`, and nothing else")
    lines = _lines(text)
    return LockFile({key: _source(key, one, lines) for key, one in integrations.items()}, lines)


def render_lock(lock: LockFile) -> str:
    """The text of a lock file: equal locks have equal texts."""
    sources = ",\n".join(_source_text(key, lock.sources[key]) for key in sorted(lock.sources))
    return f'{{\n"version": {VERSION},\n"integrations": {{\n{sources}\n}}}}\n'


def write_lock(path: Path, lock: LockFile) -> None:
    """All of it or nothing: whoever reads meanwhile gets the old file. Raises OSError."""
    target = Path(os.path.realpath(path))
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask()
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as fresh:
        fresh.write(render_lock(lock).encode())
        os.fchmod(fresh.fileno(), mode)
    os.replace(fresh.name, target)


def _umask() -> int:
    """It can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _source_text(key: str, source: LockedSource) -> str:
    head: dict[str, Any] = {"kind": source.kind}
    if source.title:
        head["title"] = source.title
    if source.servers:
        head["servers"] = list(source.servers)
    if source.catalog:
        head["catalog"] = source.catalog
    tools = ",\n".join(f"{_json(name)}: {_json(_line(source.tools[name]))}" for name in sorted(source.tools))
    return f'{_json(key)}: {_json(head)[:-1]}, "tools": {{\n{tools}\n}}}}'


def _line(record: ToolRecord) -> dict[str, Any]:
    out: dict[str, Any] = {"sha256": record.sha256, "risk": record.risk}
    if record.runs_code:
        out["runs_code"] = True
    if record.arguments is not None:
        out["arguments"] = record.arguments
    return out | {"request": record.request, "parts": record.parts, "summary": record.summary}


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return "".join(_escaped(char) if is_unseen(char) else char for char in text)


def _escaped(char: str) -> str:
    return json.dumps(char)[1:-1]


class _Twice(ValueError):
    """The same key twice in one object: which of them counts, readers do not agree on."""


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Twice(f"{_json(twice)} stands here twice")
    return out


def _line_of_second(text: str, message: str) -> int:
    key = message.partition(" stands")[0]
    places = [number for number, line in enumerate(text.splitlines(), 1) if line.startswith(key + ":")]
    return places[1] if len(places) > 1 else 1


def _lines(text: str) -> dict[str, int]:
    """By the form in which the file is written. A file written otherwise has no lines to name."""
    out: dict[str, int] = {}
    key = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith('"'):
            continue
        name, end = _DECODER.raw_decode(line)
        rest = line[end:].lstrip(": ")
        if rest.startswith('{"kind"'):
            key = name
            out[key] = number
        elif rest.startswith('{"sha256"'):
            out[f"{key} {name}"] = number
    return out


def _source(key: str, data: Any, lines: Mapping[str, int]) -> LockedSource:
    line = lines.get(key, 1)
    tools = data.get("tools") if isinstance(data, dict) else None
    if not isinstance(tools, dict) or set(data) - {"kind", "title", "servers", "catalog", "tools"}:
        raise LockError(f"`{key}`: expected kind, title, servers and tools", line)
    servers, kind, title = data.get("servers", []), data.get("kind"), data.get("title", "")
    if not isinstance(kind, str) or not isinstance(title, str) or not _texts(servers):
        raise LockError(f"`{key}`: `kind` and `title` are texts, `servers` is a list of texts", line)
    catalog = data.get("catalog", "")
    if catalog != "" and not (isinstance(catalog, str) and _SHA256.fullmatch(catalog)):
        raise LockError(f"`{key}`: `catalog` is a SHA-256 of 64 hex digits", line)
    records = {name: _record(key, name, one, lines) for name, one in tools.items()}
    return LockedSource(kind, title, tuple(servers), records, catalog)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _record(key: str, name: str, data: Any, lines: Mapping[str, int]) -> ToolRecord:
    texts = ("sha256", "risk", "request", "parts", "summary")
    fits = (
        isinstance(data, dict)
        and set(data) <= {*texts, "runs_code", "arguments"}
        and all(isinstance(data.get(one), str) for one in texts)
        and _SHA256.fullmatch(data["sha256"]) is not None
        and data["risk"] in RISKS
        and isinstance(data.get("runs_code", False), bool)
        and isinstance(data.get("arguments", ""), str)
    )
    if not fits:
        line = lines.get(f"{key} {name}", 1)
        raise LockError(f"`{key}`: the line of `{name}` was not written by `executor lock`", line)
    return ToolRecord(
        data["sha256"],
        data["risk"],
        data["request"],
        data["summary"],
        data["parts"],
        data.get("runs_code", False),
        data.get("arguments"),
    )
