"""Keys by hash: what a caller presents is hashed and compared with every key's digest, in constant time.

A key has 256 random bits, so a plain SHA-256 is enough: there is nothing to guess that a slow hash would
protect.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

LONGEST_CREDENTIAL: Final = 8192
"""Characters. Longer ones match nothing and are not hashed."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One key of the config. `sha256` is 64 lower-case hex digits, never the key.

    `workspace` None: the only workspace there is. `expires` is the first instant (UTC) at which it no longer
    works. `source` is `file:line`.
    """

    name: str
    sha256: str
    workspace: str | None
    groups: frozenset[str] = frozenset()
    expires: datetime | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Expired:
    """A known key that has expired."""

    record: KeyRecord


def hash_key(key: str) -> str:
    """64 hex digits, as `auth.api_keys.keys.*.hash` has them after `sha256:`."""
    return hashlib.sha256(_bytes(key)).hexdigest()


class Keyring:
    """All keys of one config. `clock` gives the present time in UTC."""

    __slots__ = ("_clock", "_digests")

    def __init__(
        self, records: Sequence[KeyRecord], clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Raises ValueError for a digest that is not hex."""
        self._clock = clock
        self._digests = tuple((bytes.fromhex(record.sha256), record) for record in records)

    def match(self, presented: str) -> KeyRecord | Expired | None:
        """Whose key this is. Compares with every digest, also after a match, so that time tells nothing."""
        if not presented or len(presented) > LONGEST_CREDENTIAL:
            return None
        digest = hashlib.sha256(_bytes(presented)).digest()
        found: KeyRecord | None = None
        for known, record in self._digests:
            if hmac.compare_digest(known, digest):
                found = record
        if found is None:
            return None
        return Expired(found) if found.expires is not None and found.expires <= self._clock() else found

    def named(self, name: str) -> KeyRecord | None:
        """The key of this name, unless it has expired."""
        for _, record in self._digests:
            if record.name == name:
                return record if record.expires is None or record.expires > self._clock() else None
        return None

    def __len__(self) -> int:
        return len(self._digests)


def _bytes(text: str) -> bytes:
    """Any text, also one with lone surrogates, without an error that would tell it apart."""
    return text.encode("utf-8", "surrogatepass")
