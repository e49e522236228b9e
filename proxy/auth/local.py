"""The two bearer tokens of a server without an `auth` section: made once, kept in the state directory.

    local-token      for agents: everything but answering questions that demand another person
    approver.token   for the person: the same account never asks and approves (T12), so this is another one

Both files are readable by their owner only. Whoever can run programs as that user can read both: an agent
with a shell must run as another user where `approver: human` has to hold against it.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final

from integrations.base import Secret
from proxy.file_modes import OpenToOthers, refuse_open_to_others

FILE_NAME: Final = "local-token"
APPROVER_FILE_NAME: Final = "approver.token"
LOCAL_ACCOUNT: Final = "local"
APPROVER_ACCOUNT: Final = "local-approver"
TOKEN_BYTES: Final = 32
_NEEDED: Final = (
    "without an `auth` section agents show a token that is kept there: set EXECUTOR_STATE_DIR to a directory that can "
    "be written, or write `auth`"
)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43,}")


class LocalTokenError(Exception):
    """The token file cannot be trusted or written; the text says what to do."""


def local_token(state_dir: Path) -> Secret:
    """The agents' token, minted when there is none yet (32 random bytes, base64url, file mode 0600).

    Raises `LocalTokenError`. Processes that start at the same time agree on one token.
    """
    return _minted(state_dir / FILE_NAME)


def approver_token(state_dir: Path) -> Secret:
    """The approver's token, minted in the same way. Raises `LocalTokenError`."""
    return _minted(state_dir / APPROVER_FILE_NAME)


def read_token(path: Path) -> Secret | None:
    """The token of a file that a server has minted; None when there is none. Raises `LocalTokenError`."""
    try:
        return Secret(_read(path)) if _exists(path) else None
    except OSError as error:
        raise LocalTokenError(f"{path}: {error.strerror or error}") from error


def _minted(path: Path) -> Secret:
    try:
        if not _exists(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path)
        return Secret(_read(path))
    except OSError as error:
        raise LocalTokenError(f"{path}: {error.strerror or error}; {_NEEDED}") from error


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _write(path: Path) -> None:
    """Write beside it and link: the name appears with its content, or another process took it first."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)


def _read(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        _check(path, os.fstat(descriptor))
        text = os.read(descriptor, 1024).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)
    if not _TOKEN.fullmatch(text):
        raise LocalTokenError(f"{path} holds no token: delete it, a new one is made at the next start")
    return text


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise LocalTokenError(f"{path} is not a regular file: remove it")
    if status.st_uid != os.geteuid():
        raise LocalTokenError(f"{path} belongs to another user: delete it, or use another state directory")
    try:
        refuse_open_to_others(path, status, "delete it, or chmod 600 it")
    except OpenToOthers as error:
        raise LocalTokenError(error.strerror) from None
