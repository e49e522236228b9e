"""The connections that clients hold: how many there may be, whose they are, and which end when there are too many.

Rules:
- At most `connections` are open, fewer when the process may not have that many descriptors (`proxy.descriptors`); of
  one address at most `per_address`. Addresses of trusted proxies are not counted: what they pass on counts for the
  address that they name, while it is under way.
- An account holds as many connections as it may have requests under way. Whose a connection is, its last request says;
  when there are too many, the one ends that has been idle or slow for longest. Those of trusted proxies are nobody's.
- Where there is no room for a new connection, the one ends that has been idle or slow for longest: no request, an
  incomplete one, a client that has left, an answer that is not read. Connections whose requests run are not touched.
- Where none of these can end, a few connections more are taken for the `essential` paths (health, status, reload), and
  beyond these the newest is refused.
- An answer that is not read ends with its connection: after `write_seconds` without progress, and as soon as more
  than `unread_bytes` wait for the client (more than `unread_account_bytes` for its account) after `STALLED_SECONDS`.

No I/O and no clock of its own: what has to end is ended by the callback that came with the connection.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from proxy.limits.addresses import address_group

STATE_KEY: Final = "executor.connection"
"""Where the ASGI `state` of a request holds its `HeldConnection`."""
RESERVED: Final = 32
"""Connections beyond the limit, for the essential paths."""
STALLED_SECONDS: Final = 2.0
HEAD_SECONDS: Final = 15.0
BODY_SECONDS: Final = 60.0
ACCOUNTS_UNREAD: Final = 4
"""How many accounts may hold unread bytes to their bound before the oldest unread answers end, whosever they are."""

ConnectionPhase = Literal["idle", "head", "body", "request", "left", "closing"]
EndReason = Literal["displaced", "refused", "slow_head", "slow_body", "unread", "lingering"]
END_REASONS: Final[tuple[EndReason, ...]] = (
    "displaced",
    "refused",
    "slow_head",
    "slow_body",
    "unread",
    "lingering",
)
_ENDABLE: Final = frozenset({"idle", "head", "body", "left", "closing"})


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """`server.limits` of the config, and what the process may open at all."""

    connections: int = 1024
    per_address: int = 512
    per_account: int = 512
    write_seconds: float = 30.0
    unread_bytes: int = 8 * 1024 * 1024
    unread_account_bytes: int = 32 * 1024 * 1024


@dataclass(slots=True, eq=False)
class HeldConnection:
    """One connection. `waiting_since` is set while bytes wait for the client, from their last progress on; `unread` is
    the size of the piece of the answer that they belong to. `account` and `client` are those of
    the request that is under way; `last_account` is that of the request before, too."""

    address: str
    counted: bool
    end: Callable[[], None]
    since: float
    reserved: bool = False
    phase: ConnectionPhase = "idle"
    account: str | None = None
    client: str | None = None
    last_account: str | None = None
    waiting_since: float | None = None
    unread: int = 0
    ended: EndReason | None = None
    holder: HeldConnections | None = field(default=None, repr=False)

    def enter(self, phase: ConnectionPhase, now: float) -> None:
        if self.phase != phase:
            self.phase, self.since = phase, now

    def serves(self, path: str) -> bool:
        return self.holder is None or self.holder.serves(self, path)

    def belongs_to(self, account: str) -> str | None:
        """Count the request under way for this account, or say why there are too many."""
        return self.holder.claim(self, account) if self.holder is not None else None

    def comes_from(self, client: str) -> str | None:
        """The same for the address that a trusted proxy names."""
        return self.holder.claim_client(self, client) if self.holder is not None else None

    def endable_since(self, now: float) -> float | None:
        """Since when it could have ended without harm to anybody who keeps to HTTP; None when it must not."""
        if self.waiting_since is not None and now - self.waiting_since >= STALLED_SECONDS:
            return self.waiting_since
        return self.since if self.phase in _ENDABLE else None


class HeldConnections:
    """All connections of this process's listeners. `limits` is asked each time: a reload may change them.

    `most` is how many connections the descriptors of this process allow; `told` hears why one was ended or refused.
    """

    def __init__(
        self,
        limits: Callable[[], ConnectionLimits] = ConnectionLimits,
        *,
        is_proxy: Callable[[str], bool] = lambda address: False,
        essential: Callable[[str], bool] = lambda path: False,
        most: Callable[[], int | None] = lambda: None,
        told: Callable[[EndReason], None] = lambda reason: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits
        self.essential = essential
        self._is_proxy = is_proxy
        self._most = most
        self._told = told
        self._clock = clock
        self._open: dict[HeldConnection, None] = {}
        self._addresses: Counter[str] = Counter()
        self._accounts: Counter[str] = Counter()
        self._held_by: Counter[str] = Counter()
        self._reserved = 0

    def __len__(self) -> int:
        return len(self._open)

    def most(self) -> int:
        possible = self._most()
        wanted = self.limits().connections
        return wanted if possible is None else min(wanted, possible)

    def admit(self, peer: str, end: Callable[[], None], *, scarce: bool = False) -> HeldConnection | None:
        """Take a new connection, or None when it is to be refused. `scarce`: few descriptors are left."""
        address = address_group(peer)
        held = HeldConnection(address, not self._is_proxy(peer), end, self._clock(), holder=self)
        if held.counted and self._addresses[address] >= self.limits().per_address:
            held.reserved = not self._displace(lambda one: one.counted and one.address == address)
        if not held.reserved and (scarce or self._ordinary() >= self.most()):
            held.reserved = not self._displace(lambda one: not one.reserved)
        if held.reserved and self._reserved >= RESERVED and not self._displace(lambda one: one.reserved):
            self._told("refused")
            return None
        self._open[held] = None
        self._reserved += held.reserved
        if held.counted:
            self._addresses[address] += 1
        return held

    def serves(self, held: HeldConnection, path: str) -> bool:
        """Whether this connection may ask for this path now."""
        if held.reserved and self._ordinary() < self.most() and self._fits_its_address(held):
            held.reserved = False
            self._reserved -= 1
        return not held.reserved or self.essential(path)

    def _fits_its_address(self, held: HeldConnection) -> bool:
        return not held.counted or self._addresses[held.address] <= self.limits().per_address

    def gone(self, held: HeldConnection) -> None:
        """It is closed. Also called again for one that was ended."""
        if held not in self._open:
            return
        del self._open[held]
        self.answered(held)
        self._belongs(held, None)
        self._reserved -= held.reserved
        if held.counted:
            _less(self._addresses, held.address)

    def answered(self, held: HeldConnection) -> None:
        """Its request is over."""
        if held.account is not None:
            _less(self._accounts, held.account)
        if held.client is not None:
            _less(self._addresses, held.client)
        held.account = held.client = None

    def under_way(self, account: str) -> int:
        """How many requests of the account are being served."""
        return self._accounts[account]

    def claim(self, held: HeldConnection, account: str) -> str | None:
        most = self.limits().per_account
        # A connection that is gone has been given back all that it held, and gets nothing any more.
        if held.account is None and held in self._open:
            if self._accounts[account] >= most:
                return f"This account has {most} requests under way, as many as one may have"
            self._accounts[account] += 1
            held.account = account
            if held.counted:
                self._belongs(held, account)
                if self._held_by[account] > most:
                    self._displace(lambda one: one.last_account == account)
        return None

    def _belongs(self, held: HeldConnection, account: str | None) -> None:
        if held.last_account is not None:
            _less(self._held_by, held.last_account)
        if account is not None:
            self._held_by[account] += 1
        held.last_account = account

    def claim_client(self, held: HeldConnection, client: str) -> str | None:
        most, group = self.limits().per_address, address_group(client)
        if held.client is None and not held.counted and held in self._open:
            if self._addresses[group] >= most:
                return f"This address has {most} requests under way, as many as one may have"
            self._addresses[group] += 1
            held.client = group
        return None

    def sweep(self) -> None:
        """End what is too slow. Called once a second or so."""
        now, limits = self._clock(), self.limits()
        for held in list(self._open):
            reason = _overdue(held, now, limits)
            if reason is not None:
                self._end(held, reason)
        for account, unread in self._unread_by_account().items():
            self._shrink(account, unread - limits.unread_account_bytes, now)
        total = sum(held.unread for held in self._open)
        self._shrink(None, total - ACCOUNTS_UNREAD * limits.unread_account_bytes, now)

    def relieve(self, count: int) -> int:
        """End up to `count` idle or slow ones, because descriptors run out. How many ended."""
        return sum(self._displace(lambda one: not one.reserved) for _ in range(count))

    def use(self) -> dict[str, int]:
        """For the status page."""
        phases = Counter(held.phase for held in self._open)
        return {
            "open": len(self._open),
            "most": self.most(),
            "idle": phases["idle"],
            "slow": phases["head"] + phases["body"],
            "requests": phases["request"],
            "left": phases["left"] + phases["closing"],
            "reserved": self._reserved,
            "addresses": len(self._addresses),
            "accounts": len(self._accounts),
            "unread_bytes": sum(held.unread for held in self._open),
        }

    def _ordinary(self) -> int:
        return len(self._open) - self._reserved

    def _displace(self, fits: Callable[[HeldConnection], bool]) -> bool:
        now = self._clock()
        found = min(_endable(filter(fits, self._open), now), key=lambda pair: pair[0], default=None)
        if found is None:
            return False
        self._end(found[1], "displaced")
        return True

    def _unread_by_account(self) -> dict[str, int]:
        """Answers to nobody we know count for their address."""
        unread: Counter[str] = Counter()
        for held in self._open:
            if held.unread:
                unread[held.account or held.address] += held.unread
        return unread

    def _shrink(self, account: str | None, too_many: int, now: float) -> None:
        if too_many <= 0:
            return
        stalled = [
            held
            for held in self._open
            if held.unread
            and account in (None, held.account or held.address)
            and held.waiting_since is not None
            and now - held.waiting_since >= STALLED_SECONDS
        ]
        for held in sorted(stalled, key=lambda one: one.waiting_since or now):
            if too_many <= 0:
                return
            too_many -= held.unread
            self._end(held, "unread")

    def _end(self, held: HeldConnection, reason: EndReason) -> None:
        held.ended = reason
        self.gone(held)
        self._told(reason)
        held.end()


def _endable(connections: Iterator[HeldConnection], now: float) -> Iterator[tuple[float, HeldConnection]]:
    for held in connections:
        since = held.endable_since(now)
        if since is not None:
            yield since, held


def _overdue(held: HeldConnection, now: float, limits: ConnectionLimits) -> EndReason | None:
    if held.waiting_since is not None:
        waits = now - held.waiting_since
        if waits >= limits.write_seconds or (held.unread > limits.unread_bytes and waits >= STALLED_SECONDS):
            return "unread"
    lasts = now - held.since
    if held.phase == "head" and lasts >= HEAD_SECONDS:
        return "slow_head"
    if held.phase == "body" and lasts >= BODY_SECONDS:
        return "slow_body"
    return "lingering" if held.phase == "closing" and lasts >= limits.write_seconds else None


def _less(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
