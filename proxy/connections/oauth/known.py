"""What one process knows of the token that a holder has, and whether a read of the store still counts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from proxy.connections.oauth.records import TokenRecord
from proxy.connections.oauth.storage import StoredToken
from proxy.state import Entry

NOBODY: Final = "nobody has signed in"


@dataclass(slots=True)
class KnownToken:
    """What this process knows of one holder's token. `entry` is what a new one replaces, be it of use or not.
    `asked`: the generation that this process itself got from the server last."""

    stored: StoredToken | None = None
    entry: Entry | None = None
    read_at: float = float("-inf")
    why: str = NOBODY
    renewal: asyncio.Future[TokenRecord] | None = None
    asked: int | None = None
    _turn: int = 0
    _newest: int = 0

    def begins(self) -> int:
        """The turn of a read that begins now."""
        self._turn += 1
        return self._turn

    def is_newest(self, turn: int) -> bool:
        """Whether what the read of this turn saw counts: neither a later read nor a write of this process has ended
        since it began."""
        if turn < self._newest:
            return False
        self._newest = turn
        return True

    def wrote(self) -> None:
        """Something was stored or dropped: reads under way may have seen what was there before."""
        self._newest = self.begins()


@dataclass(frozen=True, slots=True)
class TokenExpiry:
    """`at` in seconds since 1970. `renewable`: the next call gets a new one without a person."""

    at: float
    renewable: bool
