"""Single-use decisions in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from proxy.state.records import DecisionRecord, Lease, Owner
from proxy.state.sqlite import executions, journals
from proxy.state.sqlite.database import Tx
from proxy.state.sqlite.part import Part, Row, check_lease

_COLUMNS: Final = "execution_id, interaction_id, workspace_id, account_id, binding, expires_at, body, used"
_ADD: Final = f"INSERT OR REPLACE INTO decisions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, 0)"  # noqa: S608
_OF: Final = f"""SELECT {_COLUMNS} FROM decisions
    WHERE execution_id = ? AND workspace_id = ? AND account_id = ? AND expires_at > ?"""  # noqa: S608
_USE: Final = """UPDATE decisions SET used = 1 WHERE execution_id = ? AND interaction_id = ? AND workspace_id = ?
    AND account_id = ? AND binding = ? AND expires_at > ? AND used = 0"""


class SqliteDecisions(Part):
    """Implements `DecisionRecords`."""

    async def decide(self, decision: DecisionRecord) -> DecisionRecord | None:
        sealed = self._cipher.seal(decision.body, *_names(decision))

        def work(tx: Tx) -> Row | None:
            if not _is_awaited(tx, decision):
                return None
            return _in_force(tx, decision) or _added(tx, decision, sealed)

        row = await self._database.run(work, sync=True)
        return self._decision(row) if row is not None else None

    async def decisions(self, execution_id: str, owner: Owner) -> tuple[DecisionRecord, ...]:
        arguments = (execution_id, owner.workspace_id, owner.account_id)
        rows = await self._database.run(lambda tx: tx.db.execute(_OF, (*arguments, tx.now)).fetchall())
        return tuple(map(self._decision, rows))

    async def use_decision(
        self, decision: DecisionRecord, *, records: Sequence[bytes] = (), lease: Lease | None = None
    ) -> bool:
        execution_id, owner = decision.execution_id, decision.owner
        with self._held.writing(execution_id, owner) as held:

            def work(tx: Tx) -> bool:
                check_lease(tx, lease)
                usable = _is_usable(tx, decision)
                # What was held back belongs to the journal either way.
                written = (*held, *records) if usable else held
                journals.append(tx, execution_id, owner, written, self._cipher, self._caps)
                return usable and _use(tx, decision)

            return await self._database.run(work, sync=True)

    def _decision(self, row: Row) -> DecisionRecord:
        execution_id, interaction_id, workspace_id, account_id, binding, expires_at, body, used = row
        owner = Owner(workspace_id, account_id)
        found = DecisionRecord(execution_id, interaction_id, owner, binding, expires_at, b"", bool(used))
        return replace(found, body=self._cipher.open(body, *_names(found)))


def _is_awaited(tx: Tx, decision: DecisionRecord) -> bool:
    row = executions.find(tx, decision.execution_id)
    return row is not None and Owner(row[1], row[2]) == decision.owner and row[3] != "settled"


def _in_force(tx: Tx, decision: DecisionRecord) -> Row | None:
    arguments = (decision.execution_id, decision.owner.workspace_id, decision.owner.account_id, tx.now)
    row: Row | None = tx.db.execute(
        f"{_OF} AND interaction_id = ?", (*arguments, decision.interaction_id)
    ).fetchone()
    return row


def _added(tx: Tx, decision: DecisionRecord, sealed: bytes) -> Row:
    owner = decision.owner
    row = (decision.execution_id, decision.interaction_id, owner.workspace_id, owner.account_id)
    row_ = (*row, decision.binding, decision.expires_at, sealed)
    tx.db.execute(_ADD, row_)
    return (*row_, 0)


def _is_usable(tx: Tx, decision: DecisionRecord) -> bool:
    row = _in_force(tx, decision)
    return row is not None and row[4] == decision.binding and not row[7]


def _use(tx: Tx, decision: DecisionRecord) -> bool:
    owner = decision.owner
    names = (decision.execution_id, decision.interaction_id, owner.workspace_id, owner.account_id)
    return tx.db.execute(_USE, (*names, decision.binding, tx.now)).rowcount == 1


def _names(decision: DecisionRecord) -> tuple[str, ...]:
    """The binding and the end are part of what was decided: neither can be changed in the file."""
    owner = decision.owner
    names = (decision.execution_id, decision.interaction_id, owner.workspace_id, owner.account_id)
    return ("decision", *names, decision.binding, repr(decision.expires_at))
