"""Records that need not be durable yet: kept here until a durable write of the same journal takes them along.

A write that failed or was cancelled leaves its journal in doubt: it may have happened. Then nothing is appended from
this process (`Conflict`) until the journal is read again or dropped, so that nothing is written twice or left out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from proxy.state.records import Conflict, Owner, StateError, StateUnavailable

MAX_HELD_BYTES: Final = 8 * 1024 * 1024
"""Over all journals of this process. Beyond it nothing is held back."""
_MAX_OVERFLOWED: Final = 10_000


@dataclass(slots=True)
class _Pile:
    records: list[bytes] = field(default_factory=list)
    size: int = 0
    in_doubt: bool = False


class Held:
    """The piles of one process, by journal. `drop` forgets one; whoever drives an execution drops its journal."""

    def __init__(self, max_bytes: int = MAX_HELD_BYTES) -> None:
        self._max_bytes = max_bytes
        self._piles: dict[tuple[str, Owner], _Pile] = {}
        self._size = 0
        # Journals that had to be written although nobody asked for it, and so have to be dropped from the store.
        self._overflowed: OrderedDict[tuple[str, Owner], None] = OrderedDict()

    def add(self, execution_id: str, owner: Owner, records: Sequence[bytes]) -> bool:
        """Keep them; False when there is no room, and they have to be written now. Raises `Conflict`."""
        self._check(execution_id, owner)
        size = sum(map(len, records))
        if self._size + size > self._max_bytes:
            self._overflowed[execution_id, owner] = None
            if len(self._overflowed) > _MAX_OVERFLOWED:
                # Its journal then stays in the store until its time is over.
                self._overflowed.popitem(last=False)
            return False
        pile = self._piles.setdefault((execution_id, owner), _Pile())
        pile.records.extend(records)
        pile.size += size
        self._size += size
        return True

    def of(self, execution_id: str, owner: Owner) -> tuple[bytes, ...]:
        """What is held for this journal, oldest first."""
        pile = self._piles.get((execution_id, owner))
        return tuple(pile.records) if pile is not None else ()

    @contextmanager
    def writing(self, execution_id: str, owner: Owner) -> Iterator[tuple[bytes, ...]]:
        """Everything held for a journal that is written to now. Raises `Conflict` when the journal is in doubt.

        They are kept when the body raises a refusal, which wrote nothing. After anything else that it raises, the
        journal is in doubt.
        """
        self._check(execution_id, owner)
        pile = self._piles.pop((execution_id, owner), None) or _Pile()
        self._size -= pile.size
        try:
            yield tuple(pile.records)
        except BaseException as error:
            refused = isinstance(error, StateError) and not isinstance(error, StateUnavailable)
            self._restore(execution_id, owner, pile if refused else _Pile(in_doubt=True))
            raise

    def drop(self, execution_id: str, owner: Owner) -> bool:
        """They are not needed any more, and nothing is in doubt. Whether some did not fit, and were written."""
        pile = self._piles.pop((execution_id, owner), None)
        if pile is not None:
            self._size -= pile.size
        overflowed = (execution_id, owner) in self._overflowed
        self._overflowed.pop((execution_id, owner), None)
        return overflowed

    def settled(self, execution_id: str, owner: Owner) -> None:
        """The journal is being read again: what the store says is what holds."""
        pile = self._piles.get((execution_id, owner))
        if pile is not None and pile.in_doubt:
            del self._piles[execution_id, owner]

    def _restore(self, execution_id: str, owner: Owner, pile: _Pile) -> None:
        if pile.records or pile.in_doubt:
            self._piles[execution_id, owner] = pile
            self._size += pile.size

    def _check(self, execution_id: str, owner: Owner) -> None:
        pile = self._piles.get((execution_id, owner))
        if pile is not None and pile.in_doubt:
            raise Conflict(
                "An earlier write of this journal may or may not have happened. Read the journal first."
            )

    @property
    def bytes(self) -> int:
        """How much is held back, over all journals."""
        return self._size
