"""Secrets from variables and files, read when they are used.

SecretMissing   the variable is not set, the file is missing or empty: never an empty string instead
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from integrations.base import Secret
from integrations.fields import SecretRef
from integrations.fields.settings import UNKNOWN

__all__ = [
    "UNKNOWN",
    "Resolver",
    "SecretMissing",
    "clean_secret",
    "encryption_keys",
    "read_secret_file",
    "repeats_scheme",
]

MIN_ENCRYPTION_KEY_CHARACTERS = 16
LARGEST_SECRET_BYTES = 1024 * 1024


class SecretMissing(Exception):
    """A secret that is not there. `name` is the variable or path, `why` a half sentence."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} {why}")
        self.name = name
        self.why = why


@dataclass(frozen=True, slots=True)
class _Read:
    """A file's content and what it looked like when it was read."""

    stamp: tuple[int, int, int]
    text: str


class Resolver:
    """References to secrets. `directory` is what relative paths are relative to.

    A file is read again when its inode, size or modification time changed. White space around a secret never belongs
    to it (see `clean_secret`). `NAME_FILE` is honoured for `{env: NAME}`, as container images do.
    """

    def __init__(self, environment: Mapping[str, str], directory: Path | None = None) -> None:
        self._environment = environment
        self._directory = directory or Path()
        self._files: dict[Path, _Read] = {}

    def resolve(self, ref: SecretRef) -> Secret:
        """The secret. Raises `SecretMissing`."""
        if ref.file is not None:
            return Secret(self._file(ref.file))
        assert ref.env is not None
        value = self._environment.get(ref.env)
        if value:
            text, why = clean_secret(value)
            if why:
                raise SecretMissing(ref.env, why)
            return Secret(text)
        by_file = self._environment.get(f"{ref.env}_FILE")
        if by_file:
            return Secret(self._file(by_file))
        raise SecretMissing(ref.env, "is empty" if value == "" else "is not set")

    def _file(self, name: str) -> str:
        path = self._directory / name
        try:
            status = path.stat()
        except OSError:
            self._files.pop(path, None)
            raise SecretMissing(name, "does not exist or cannot be read") from None
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        held = self._files.get(path)
        if held is not None and held.stamp == stamp:
            return held.text
        text, why = read_secret_file(path)
        if why:
            raise SecretMissing(name, why.removeprefix("which "))
        self._files[path] = _Read(stamp, text)
        return text


def clean_secret(text: str) -> tuple[str, str]:
    """A secret without the white space around it, which editors, `echo` and copying leave there, and why it cannot be
    used ("is empty")."""
    if text.startswith("\ufeff"):
        return "", "begins with a byte order mark (U+FEFF): store it without one"
    stripped = text.strip()
    return (stripped, "") if stripped else ("", "is empty")


def encryption_keys(text: str) -> tuple[str, ...]:
    """The keys of `state.encryption_key`: one a line, the first one seals."""
    return tuple(line for line in map(str.strip, text.splitlines()) if line)


def repeats_scheme(text: str) -> str:
    """Why a bearer token is none, or nothing: whoever copied the whole header would send `Bearer Bearer ...`."""
    if text[:7].lower() == "bearer ":
        return 'begins with "Bearer ", which is added by itself: store the token alone'
    return ""


def read_secret_file(path: Path) -> tuple[str, str]:
    """The secret, and why there is none ("which does not exist")."""
    try:
        if path.stat().st_size > LARGEST_SECRET_BYTES:
            return "", "which is larger than 1 MiB"
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return "", "which does not exist"
    except UnicodeDecodeError:
        return "", "which is not UTF-8"
    except OSError:
        return "", "which is a directory" if path.is_dir() else "which cannot be read"
    stripped, why = clean_secret(text)
    return stripped, f"which {why}" if why else ""
