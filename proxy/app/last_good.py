"""`server.reload.last_good`: the config that was applied last, for a start at which the files are invalid.

Rules:
- What is kept is what the files said, with references and absolute paths: no secret, nothing resolved. It is a config
  file itself (JSON is YAML), so everything that reads configs reads it.
- A file that cannot even be parsed names no path: the state directory remembers it, for each set of config paths.
- Keeping it fails loudly and stops nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from proxy.app.paths import state_dir
from proxy.config import LoadedConfig, load_config
from proxy.config.load import with_absolute_paths
from proxy.telemetry import Logger


def find_last_good(paths: Sequence[Path], env: Mapping[str, str]) -> Path | None:
    """A kept config that is valid here and now, for files that are not; None without one."""
    loaded = load_config(paths, env=env, advice=False)
    named = _named(loaded) or _remembered(paths, env)
    if named is None or not named.is_file():
        return None
    return named if load_config([named], env=env, advice=False).config is not None else None


def _named(loaded: LoadedConfig) -> Path | None:
    """What the files say, though they are invalid, relative to the file that says it."""
    if loaded.view is None:
        return None
    value: Any = loaded.view.data
    for key in ("server", "reload", "last_good"):
        value = value.get(key) if isinstance(value, dict) else None
    place = Path(loaded.location("server.reload.last_good").file).parent
    return place.absolute() / value if isinstance(value, str) else None


def _remembered(paths: Sequence[Path], env: Mapping[str, str]) -> Path | None:
    try:
        return Path(_pointer(paths, env).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def _pointer(paths: Sequence[Path], env: Mapping[str, str]) -> Path:
    names = "\0".join(str(path.absolute()) for path in paths)
    return state_dir(env) / f"last-good-{hashlib.sha256(names.encode()).hexdigest()[:12]}"


class LastGood:
    """Keeps what serves. `current` is None before anything does."""

    def __init__(
        self, paths: Sequence[Path], env: Mapping[str, str], current: Callable[[], LoadedConfig | None]
    ) -> None:
        self._paths, self._env, self._current = paths, env, current
        self._applied = asyncio.Event()
        self._log = Logger("config")

    def applied(self, outcome: object) -> None:
        """A reload has ended; whether it changed anything is looked at later."""
        self._applied.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._applied.wait()
            self._applied.clear()
            loaded = self._current()
            if loaded is not None and loaded.config is not None:
                await asyncio.to_thread(self.keep, loaded)

    def keep(self, loaded: LoadedConfig) -> None:
        """Write it down, whole or not at all. Blocks."""
        assert loaded.config is not None, "only a valid config serves"
        assert loaded.view is not None, "a valid config has a view"
        named = loaded.config.server.reload.last_good
        if named is None or loaded.files[0].path == named:
            return
        data = with_absolute_paths(dict(loaded.view.data), loaded.view.root)
        try:
            _write(Path(named), json.dumps(data, indent=1))
            _write(_pointer(self._paths, self._env), named)
        except OSError as error:
            self._log.error(
                "the last good config cannot be kept", file=named, detail=error.strerror or str(error)
            )


def _write(file: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(prefix=".last-good-", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.replace(name, file)
    finally:
        Path(name).unlink(missing_ok=True)
