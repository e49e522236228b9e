"""What a store keeps, as values, and how a store fails.

All times are seconds since 1970. Bodies are bytes: what they mean is their writer's business.

    StateError
    |-- StateUnavailable   the store cannot be reached, is locked, full or damaged; the text says which, and the way out
    |-- StateUnreadable    a record is there, but no key of the ring opens it, or it was tampered with
    |-- LeaseLost          somebody else drives this now, or the lease ran out: stop, and touch nothing
    |-- Conflict           the record is not in the version that the writer had read; read again and decide anew
    |-- JournalFull        one journal, or all together, are larger than the store may keep
    |-- PendingFull        this owner has as many undecided approvals as it may have
    `-- SessionsFull       as many sessions are open as there may be
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ExecutionStatus = Literal["running", "paused", "settled"]


class StateError(Exception):
    """Any failure of a store."""


class StateUnavailable(StateError):
    """Whether a write happened is not known. The same call may be made again; a journal is read first (`Conflict`)."""


class StateUnreadable(StateError):
    """A record that cannot be decrypted. It is kept: with its key back in the ring it can be read again."""


class LeaseLost(StateError):
    """Nothing was written."""


class Conflict(StateError):
    """Nothing was written."""


class JournalFull(StateError):
    """Nothing was written."""


class PendingFull(StateError):
    """Nothing was written."""


class SessionsFull(StateError):
    """Nothing was written."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who may read an entry again: the principal, not its token or session."""

    workspace_id: str
    account_id: str


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one `holder` to do one thing until `expires_at`.

    `token` grows with every lease that the store hands out, whatever its name: of two leases the larger is the newer.
    """

    name: str
    holder: str
    token: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class ExecutionRecord:
    """One execution in the index. `version` is 0 before the first save and grows by one with each.

    `due_at`: when a paused execution stops waiting. Set for paused ones only. After it the execution no longer
    counts as pending, and `unattended` names it. `expires_at`: when the record itself is forgotten.
    `pending`: how many decisions it waits for.
    """

    execution_id: str
    owner: Owner
    status: ExecutionStatus
    created_at: float
    expires_at: float
    body: bytes
    session_id: str | None = None
    due_at: float | None = None
    pending: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class ExecutionQuery:
    """Which executions of one workspace. `before` is the last record of the page before this one."""

    workspace_id: str
    account_id: str | None = None
    session_id: str | None = None
    status: ExecutionStatus | None = None
    before: ExecutionRecord | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class PausedSummary:
    """The paused executions of all workspaces that are not yet due; when the first of them will be, and whose it is."""

    executions: int
    next_due_at: float | None
    next_workspace_id: str | None


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """What somebody decided about one interaction of one execution. `owner` is the execution's.

    `binding` names what exactly was decided on (a digest over principal, address, arguments, tool definition): a
    decision serves only the one who asks with the same binding. Who decided, and how, stands in `body`.
    """

    execution_id: str
    interaction_id: str
    owner: Owner
    binding: str
    expires_at: float
    body: bytes
    used: bool = False


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A handshake-era session. `seen_at` lags behind by at most a sixteenth of its time to live."""

    session_id: str
    owner: Owner
    body: bytes
    created_at: float
    seen_at: float


@dataclass(frozen=True, slots=True)
class Entry:
    """Anything else that is kept under a name: a token, an idempotency key, an overlay.

    `version` is 0 before the first write. `expires_at` None: kept until dropped.
    """

    kind: str
    workspace_id: str
    key: str
    value: bytes
    version: int = 0
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Caps:
    """Bytes and seconds. `journal_bytes` is for one journal, `journals_bytes` for all (None: whatever fits).

    `owner_result_bytes` is the share of one owner in `result_bytes`.
    """

    journal_bytes: int = 64 * 1024 * 1024
    journals_bytes: int | None = None
    journal_ttl_seconds: float = 86_400.0
    result_bytes: int = 256 * 1024 * 1024
    owner_result_bytes: int = 32 * 1024 * 1024
