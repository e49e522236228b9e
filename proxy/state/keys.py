"""Encryption of what is stored: AES-256-GCM under a ring of keys.

A sealed value is `version (1 byte) | key id (4) | nonce (12) | ciphertext and tag`. The associated data are the kind of
the record and the names it is stored under (NIST SP 800-38D), so a value copied to another name or owner does not open.

Rules:
- The first key seals, all keys open. To rotate: put the new key first, and keep the old one until what it sealed has
  expired (`state.execution_ttl`) or was written again.
- Keys come from secrets through HKDF-SHA256 (RFC 5869); a secret shorter than 16 characters is refused.
- Nonces are random. One key seals at most 2**32 values (SP 800-38D, section 8.3); at 100 writes a second that is a
  rotation every 16 months.
"""

from __future__ import annotations

import errno
import os
import secrets
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from integrations.base import Secret
from integrations.files import READER, SECRET
from proxy.config.secrets import MIN_ENCRYPTION_KEY_CHARACTERS, encryption_keys, secret_text
from proxy.file_modes import OpenToOthers, refuse_open_to_others
from proxy.state.records import StateUnreadable

_VERSION: Final = b"\x01"
_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12
_HEADER_BYTES: Final = 1 + _ID_BYTES + _NONCE_BYTES
_SALT: Final = b"executor state v1"
_COUNT: Final = struct.Struct(">I")


class Cipher(Protocol):
    """Seals and opens values. `names` say what the value is: its kind first, then where it is stored."""

    def seal(self, plain: bytes, *names: str) -> bytes: ...

    def open(self, sealed: bytes, *names: str) -> bytes:
        """Raises `StateUnreadable`."""
        ...


class Plain:
    """No encryption: for a store that never leaves this process's memory."""

    def seal(self, plain: bytes, *names: str) -> bytes:
        return plain

    def open(self, sealed: bytes, *names: str) -> bytes:
        return sealed


class KeyRing:
    """The keys of one deployment, newest first. Raises `ValueError` for no key, or one too short to be a secret."""

    def __init__(self, keys: Sequence[Secret]) -> None:
        if not keys:
            raise ValueError("an encryption key is needed")
        derived = [_derived(key) for key in keys]
        self._first, self._sealing = derived[0]
        # Of two secrets with the same id (one chance in 2**32, or the same secret twice) the first one counts.
        self._by_id = dict(reversed(derived))

    @property
    def first_id(self) -> bytes:
        """The id of the key that seals."""
        return self._first

    def seal(self, plain: bytes, *names: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return b"".join(
            (_VERSION, self._first, nonce, self._sealing.encrypt(nonce, plain, _associated(names)))
        )

    def open(self, sealed: bytes, *names: str) -> bytes:
        if len(sealed) <= _HEADER_BYTES or sealed[:1] != _VERSION:
            raise StateUnreadable(f"The stored {names[0]} is not in a format that this version writes.")
        key = self._by_id.get(key_id(sealed))
        if key is None:
            raise StateUnreadable(
                f"The stored {names[0]} was encrypted with key {key_id(sealed).hex()}, which is not configured. "
                "Add the old key as a further line after the new one in `state.encryption_key`."
            )
        nonce = sealed[1 + _ID_BYTES : _HEADER_BYTES]
        try:
            return key.decrypt(nonce, sealed[_HEADER_BYTES:], _associated(names))
        except InvalidTag:
            raise StateUnreadable(
                f"The stored {names[0]} was changed or moved by something else than this program."
            ) from None


def key_id(sealed: bytes) -> bytes:
    """Which key sealed this."""
    return sealed[1 : 1 + _ID_BYTES]


def split_keys(secret: Secret) -> tuple[Secret, ...]:
    """The keys in one secret: one a line, the first one seals."""
    return tuple(map(Secret, encryption_keys(secret.reveal())))


class UnusableKey(OSError):
    """The file of the key holds none. `strerror` is the whole sentence, with the remedy."""

    def __init__(self, path: Path, why: str) -> None:
        remedy = "put back the one that the store was made with, or move both away: they are made anew"
        super().__init__(errno.EINVAL, f"{path}, the key of the store, {_half(why)}; {remedy}")


def _half(why: str) -> str:
    """What the system says of a file ("Permission denied") as the rest of a sentence."""
    return f"cannot be read: {why.lower()}" if why[:1].isupper() else why


def minted_key(path: Path) -> Secret:
    """The key in this file (mode 0600), made at first use. For stores beside it on one machine. Raises `OSError`.

    It guards copies of the store that were made without it, such as backups; not against who reads the directory.
    Raises `OpenToOthers`, an `OSError`, when other users can read it, and `UnusableKey`, another, for what is no key.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link fails where the file exists, so of two processes that start at once both read the same key.
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return _kept_key(path)


def _kept_key(path: Path) -> Secret:
    """The key of a file that is there. Raises `UnusableKey`, `OpenToOthers`."""
    try:
        READER.check(path)
        remedy = "chmod 600 it. If somebody may have read it, move it away together with the store: both are made anew"
        refuse_open_to_others(path, path.stat(), remedy)
        text, why = secret_text(READER.read(path, SECRET))
    except OpenToOthers:
        raise
    except OSError as error:
        raise UnusableKey(path, str(error.strerror or error)) from error
    if not why and len(text) < MIN_ENCRYPTION_KEY_CHARACTERS:
        why = (
            f"holds a key of {len(text)} characters, and at least {MIN_ENCRYPTION_KEY_CHARACTERS} are needed"
        )
    if why:
        raise UnusableKey(path, why)
    return Secret(text)


def _derived(secret: Secret) -> tuple[bytes, AESGCM]:
    text = secret.reveal()
    if len(text) < MIN_ENCRYPTION_KEY_CHARACTERS:
        raise ValueError(f"an encryption key has at least {MIN_ENCRYPTION_KEY_CHARACTERS} characters")
    return _expand(text, b"key id", _ID_BYTES), AESGCM(_expand(text, b"aes-256-gcm", 32))


def _expand(text: str, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=_SALT, info=purpose).derive(text.encode())


def _associated(names: tuple[str, ...]) -> bytes:
    """Each name with its length before it: no two lists of names give the same bytes."""
    encoded = [name.encode("utf-8", "surrogatepass") for name in names]
    return b"".join(part for name in encoded for part in (_COUNT.pack(len(name)), name))
