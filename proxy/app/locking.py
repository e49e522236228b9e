"""From the config's `lock` to the state of a generation, and the errors of a lock file that cannot be used."""

from __future__ import annotations

from pathlib import Path

from proxy.app.problems import problem_at
from proxy.config import Diagnostic, LoadedConfig
from proxy.config.model import LockConfig
from proxy.config.source import shown_path
from proxy.connections import Opened
from proxy.lock.compare import SourceDrift, compare
from proxy.lock.file import HINT, LockError, LockFile, read_lock
from proxy.lock.records import Records
from proxy.lock.state import LockState
from proxy.lock.vendored import VendoredCatalog, catalog_path


class LockProblem(Exception):
    """The lock file is missing or cannot be used; `diagnostic` says where."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def lock_file(loaded: LoadedConfig) -> LockFile | None:
    """What the config wants tools to be compared with; None where it does not. Blocks. Raises `LockProblem`."""
    config = lock_config(loaded)
    if config is None:
        return None
    path = Path(config.file)
    try:
        return read_lock(path)
    except LockError as error:
        raise LockProblem(_diagnostic(loaded, path, error)) from None


def vendored_catalogs(loaded: LoadedConfig, file: LockFile | None) -> dict[str, VendoredCatalog]:
    """The vendored catalog of each connection that has one, by the lock that `lock_file` has read."""
    config = lock_config(loaded)
    if config is None or file is None or loaded.config is None or not file.catalogs:
        return {}
    found: dict[str, VendoredCatalog] = {}
    for prefix in loaded.config.connections:
        source = file.of(prefix)
        if source is not None and source.catalog:
            path = catalog_path(Path(config.file), file.key_of(prefix))
            found[prefix] = VendoredCatalog(path, source.catalog)
    return found


def lock_config(loaded: LoadedConfig) -> LockConfig | None:
    """The `lock` section where it asks for anything."""
    assert loaded.config is not None, "only a valid config is built"
    config = loaded.config.lock
    return config if config is not None and config.mode != "off" else None


def lock_state(
    loaded: LoadedConfig, file: LockFile | None, opened: Opened, records: Records
) -> LockState | None:
    """The state for what is open now. Blocks, for seconds where large documents are new."""
    config = lock_config(loaded)
    if config is None or file is None or config.mode == "off":
        return None
    drifts: dict[str, SourceDrift] = {}
    for prefix, source in opened.sources.items():
        if source.toolset is not None:
            now = records.of(opened.connections[prefix].kind, source.toolset)
            drifts[prefix] = compare(file.of(prefix), now)
    return LockState(Path(config.file), config.mode, file, drifts)


def _diagnostic(loaded: LoadedConfig, path: Path, error: LockError) -> Diagnostic:
    if error.missing:
        return problem_at(loaded, "lock", "E702", f"there is no {shown_path(path)}", HINT)
    return unusable_lock(path, error)


def unusable_lock(path: Path, error: LockError) -> Diagnostic:
    """What is wrong in a lock file that is there."""
    return Diagnostic(
        "E206",
        "error",
        f"{path.name}: {error}",
        HINT,
        path="lock.file",
        file=shown_path(path),
        line=error.line,
    )
