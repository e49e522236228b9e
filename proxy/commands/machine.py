"""What `doctor` looks at on this machine for the config's state: places, space, the key, the version of the file."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from integrations.files import CERTIFICATES, READER
from proxy.app.paths import NoDirectory, cache_dir, state_dir
from proxy.app.store import FILE_NAME, KEY_NAME
from proxy.config import Config
from proxy.config.secrets import Resolver, SecretMissing
from proxy.config.tls_files import expires_at
from proxy.file_modes import OpenToOthers, refuse_open_to_others, replaceable_by_others
from proxy.state.sqlite.schema import STEPS

Level = Literal["ok", "warn", "bad"]
_MIB: Final = 1024 * 1024
LITTLE_BYTES: Final = 256 * _MIB
FEW_DAYS: Final = 7
TOO_LITTLE_BYTES: Final = 16 * _MIB
_NO_CACHE: Final = "documents are compiled at each start"
_NO_HOME: Final = f"no HOME and no EXECUTOR_STATE_DIR: {_NO_CACHE}"


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, how it is, and what to do about it."""

    name: str
    level: Level
    detail: str


def directory(name: str, path: Path, remedy: str = "set EXECUTOR_STATE_DIR to a directory that can") -> Check:
    """Whether it can be written, or made, and how much space is left there."""
    nearest = next(p for p in (path, *path.absolute().parents) if p.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        return Check(name, "bad", f"{path} cannot be written; {remedy}")
    free = shutil.disk_usage(nearest).free
    if free < LITTLE_BYTES:
        level: Level = "bad" if free < TOO_LITTLE_BYTES else "warn"
        return Check(name, level, f"{path} has {free // _MIB} MiB left: free some space")
    if shared := replaceable_by_others(path):
        return Check(name, "warn", shared)
    return Check(name, "ok", str(path))


def cache(env: Mapping[str, str]) -> Check:
    """What cannot be kept costs time, and no service."""
    path = cache_dir(env)
    seen = directory("cache", path) if path is not None else Check("cache", "warn", _NO_HOME)
    return (
        replace(seen, level="warn", detail=f"{seen.detail}; until then {_NO_CACHE}")
        if seen.level == "bad"
        else seen
    )


def temporary() -> Check:
    """Where SQLite and the libraries put what does not fit into memory."""
    try:
        return directory("/tmp", Path(tempfile.gettempdir()), "mount a directory there, or set TMPDIR")  # noqa: S108
    except FileNotFoundError as error:
        return Check("/tmp", "warn", f"{error.strerror}; mount a directory there, or set TMPDIR")  # noqa: S108


def certificate_checks(config: Config, now: datetime) -> Iterator[Check]:
    """The certificate of `server.tls` and how long it is good for."""
    tls = config.server.tls
    if tls is None:
        return
    try:
        until = expires_at(READER.read(Path(tls.cert.file), CERTIFICATES))
    except OSError as error:
        yield Check("certificate", "bad", f"{tls.cert.file}: {error.strerror}")
        return
    if until is not None:
        yield certificate(tls.cert.file, datetime.fromtimestamp(until, UTC), now)


def certificate(name: str, until: datetime, now: datetime) -> Check:
    """One line about a certificate that ends then."""
    left = until - now
    if left.total_seconds() < 0:
        return Check("certificate", "bad", f"{name} expired on {until:%Y-%m-%d}: renew it")
    detail = f"{name} until {until:%Y-%m-%d}, {left.days} days"
    return Check("certificate", "warn" if left.days < FEW_DAYS else "ok", detail)


def uses_state_dir(config: Config | None) -> bool:
    """A store in memory with callers of its own keeps nothing there: no file and no minted token."""
    if config is None:
        return True
    in_file = config.state.backend == "sqlite" and not config.state.path
    return in_file or config.auth is None


def state_checks(config: Config, env: Mapping[str, str]) -> Iterator[Check]:
    """The store of SQLite: its directory, its key, the version of its file. Others are asked by a server."""
    if config.state.backend != "sqlite":
        return
    try:
        path = Path(config.state.path) if config.state.path else state_dir(env) / FILE_NAME
    except NoDirectory:
        return  # The line of the state directory says so.
    if config.state.path:
        yield directory("state file", path.parent, "change `state.path` to a place that can")
    yield _key(config, path.with_name(KEY_NAME), env)
    yield _version(path)


def _key(config: Config, minted: Path, env: Mapping[str, str]) -> Check:
    reference = config.state.encryption_key
    try:
        if reference is not None:
            Resolver(env).resolve(reference)
            return Check("state key", "ok", "state.encryption_key is set")
        if not minted.exists():
            return Check("state key", "ok", f"{minted} is made at the first start")
        refuse_open_to_others(minted, minted.stat(), "chmod 600 it")
        minted.read_bytes()
    except SecretMissing as error:
        return Check("state key", "bad", str(error))
    except OpenToOthers as error:
        return Check("state key", "bad", str(error.strerror))
    except OSError as error:
        return Check("state key", "bad", f"{minted}: {error.strerror}")
    return Check("state key", "ok", str(minted))


def _version(path: Path) -> Check:
    """Read only: a server may be using the file."""
    if not path.exists():
        return Check("state version", "ok", f"{path} is made at the first start")
    try:
        db = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=2.0)
        try:
            seen = int(db.execute("PRAGMA user_version").fetchone()[0])
        finally:
            db.close()
    except sqlite3.Error as error:
        return Check("state version", "bad", f"{path} cannot be read: {error}")
    if seen > len(STEPS):
        why = f"{path} was written by a newer version ({seen}, this one knows {len(STEPS)}): use that one"
        return Check("state version", "bad", why)
    later = "" if seen == len(STEPS) else f", which a start brings to {len(STEPS)}"
    return Check("state version", "ok", f"{seen}{later}; SQLite {sqlite3.sqlite_version}")
