"""A file of a team, checked alone: what only the rest of the config can answer becomes a note.

The rest are the other config files of its directory. Files with other top-level keys (a compose file) are none of them,
and files that say the same twice are several configs, not one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from proxy.config.diagnostic import Diagnostic
from proxy.config.footprint import config_files
from proxy.config.load import LoadedConfig, load_config
from proxy.config.model import Config
from proxy.config.parse import parse
from proxy.config.source import read_text

# Names, sections and connections that another file may declare; the lint that counts what is there.
_ASKS_THE_REST: Final = frozenset({"E301", "E302", "E501", "W601", "W607", "W608", "W611", "W614", "W615"})


def checked_alone(
    loaded: LoadedConfig, file: Path, env: Mapping[str, str] | None, *, part: bool
) -> tuple[Diagnostic, ...]:
    """The diagnostics of one file. `part`: somebody says that it is one, whatever stands beside it."""
    if not any(map(_asks_the_rest, loaded.diagnostics)):
        return loaded.diagnostics
    beside = _beside(file)
    whole = load_config([file, *beside], env=env) if beside else None
    if whole is not None and not any(one.code == "E103" for one in whole.diagnostics):
        return tuple(_judged(loaded, whole, file))
    if part:
        help = "the rest of the config has to say it; `executor validate DIRECTORY` checks the whole"
        return tuple(_noted(one, help) if _asks_the_rest(one) else one for one in loaded.diagnostics)
    return loaded.diagnostics


def _asks_the_rest(found: Diagnostic) -> bool:
    missing_version = found.code == "E202" and "`version`" in found.message and "." not in found.path
    return found.code in _ASKS_THE_REST or missing_version


def _beside(file: Path) -> list[Path]:
    return [one for one in config_files(file.parent) if one.name != file.name and _is_ours(one)]


def _is_ours(file: Path) -> bool:
    """Whether it says nothing but sections of a config."""
    try:
        source, flaw = read_text(str(file), file.read_bytes())
    except OSError:
        return False
    data = parse(source).data if flaw is None else None
    known = set(Config.model_fields)
    return isinstance(data, dict) and bool(data) and all(key in known or key.startswith("x-") for key in data)


def _judged(alone: LoadedConfig, whole: LoadedConfig, file: Path) -> Sequence[Diagnostic]:
    """What the whole says about this file, and notes of what it says only where it stands alone."""
    own = [one for one in whole.diagnostics if one.file == str(file)]
    known = {(one.code, one.line, one.column, one.message) for one in own}
    help = f"the other files in {file.parent} say it; `executor validate {file.parent}` checks the whole"
    notes = [
        _noted(one, help)
        for one in alone.diagnostics
        if (one.code, one.line, one.column, one.message) not in known and _asks_the_rest(one)
    ]
    others = [
        one
        for one in alone.diagnostics
        if (one.code, one.line, one.column, one.message) not in known and not _asks_the_rest(one)
    ]
    return sorted([*own, *others, *notes], key=lambda one: (one.line, one.column, one.code))


def _noted(found: Diagnostic, help: str) -> Diagnostic:
    return replace(found, severity="note", help=help)
