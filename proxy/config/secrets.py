"""Secrets from variables and files, read when they are used.

SecretMissing   the variable is not set, the file is missing or empty: never an empty string instead
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from integrations.base import Secret
from integrations.fields import SecretRef
from integrations.fields.settings import UNKNOWN
from integrations.files import READER, SECRET, UnreadableFile
from integrations.held_files import HeldFile, HeldFiles

__all__ = [
    "UNKNOWN",
    "Resolver",
    "SecretMissing",
    "clean_secret",
    "encryption_keys",
    "is_wordlike",
    "read_secret_file",
    "repeats_scheme",
]

MIN_ENCRYPTION_KEY_CHARACTERS = 16
_SHORTEST_WORD, _LONGEST_WORD = 4, 12


class SecretMissing(Exception):
    """A secret that is not there. `name` is the variable or path, `why` a half sentence."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} {why}")
        self.name = name
        self.why = why


class Resolver:
    """References to secrets. `directory` is what relative paths are relative to.

    A file is read again when its inode, size or modification time changed; one that does not answer keeps the secret
    that was read last. White space around a secret never belongs to it (see `clean_secret`). `NAME_FILE` is honoured
    for `{env: NAME}`, as container images do.
    """

    def __init__(self, environment: Mapping[str, str], directory: Path | None = None) -> None:
        self._environment = environment
        self._directory = directory or Path()
        self._files = HeldFiles(SECRET)
        self._texts: dict[Path, tuple[HeldFile, str, str]] = {}

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
            held = self._files.get(path)
        except UnreadableFile as error:
            raise SecretMissing(name, str(error.strerror)) from None
        except OSError:
            raise SecretMissing(name, "does not exist or cannot be read") from None
        known = self._texts.get(path)
        if known is None or known[0] is not held:
            text, why = secret_text(held.content)
            known = self._texts[path] = (held, text, why)
        _, text, why = known
        if why:
            raise SecretMissing(name, why)
        return text


def clean_secret(text: str) -> tuple[str, str]:
    """A secret without the white space around it, which editors, `echo` and copying leave there, and why it cannot be
    used ("is empty")."""
    if text.startswith("\ufeff"):
        return "", "begins with a byte order mark (U+FEFF): store it without one"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "", "is not UTF-8"
    stripped = text.strip()
    return (stripped, "") if stripped else ("", "is empty")


def is_wordlike(secret: str) -> bool:
    """Whether it can be guessed, and redacting it will hit text that has nothing to do with it: `main`, `admin`."""
    return _SHORTEST_WORD <= len(secret) <= _LONGEST_WORD and secret.isalpha()


def encryption_keys(text: str) -> tuple[str, ...]:
    """The keys of `state.encryption_key`: one a line, the first one seals."""
    return tuple(line for line in map(str.strip, text.splitlines()) if line)


def repeats_scheme(text: str) -> str:
    """Why a bearer token is none, or nothing: whoever copied the whole header would send `Bearer Bearer ...`, and a
    second line in the file is no part of it."""
    if text[:7].lower() == "bearer ":
        return 'begins with "Bearer ", which is added by itself: store the token alone'
    if not text.isprintable():
        return "holds a line break or another control character, which no header can: store the token alone"
    return ""


def read_secret_file(path: Path) -> tuple[str, str]:
    """The secret, and why there is none ("which does not exist")."""
    try:
        text, why = secret_text(READER.read(path, SECRET))
    except FileNotFoundError:
        return "", "which does not exist"
    except UnreadableFile as error:
        return "", f"which {error.strerror}"
    except OSError:
        return "", "which cannot be read"
    return text, f"which {why}" if why else ""


def secret_text(content: bytes) -> tuple[str, str]:
    """The secret in a file, and why there is none ("is empty")."""
    try:
        return clean_secret(content.decode())
    except UnicodeDecodeError:
        return "", "is not UTF-8"
