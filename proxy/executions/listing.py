"""Executions and questions as their owners and approvers may list them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from proxy.executions.approvals import Interaction, Page, Pending
from proxy.executions.deciding import Desk
from proxy.executions.records import body_of, view
from proxy.principal import Principal
from proxy.state import ExecutionQuery, ExecutionRecord, State

_LARGEST_PAGE: Final = 200
_MOST_PENDING: Final = 500


class Listing:
    """What a caller may see: its own, or all of the workspace for approvers."""

    def __init__(self, store: State, desk: Desk, clock: Callable[[], float]) -> None:
        self._store = store
        self._desk = desk
        self._clock = clock

    async def page(self, principal: Principal, status: str | None, limit: int, cursor: str | None) -> Page:
        """Newest first. `status`: running, paused or settled; `cursor`: the last one of the page before."""
        query = ExecutionQuery(
            workspace_id=principal.workspace_id,
            account_id=self._account(principal),
            status=status if status in ("running", "paused", "settled") else None,  # type: ignore[arg-type]
            before=await self._desk.find(cursor, principal) if cursor is not None else None,
            limit=max(1, min(limit, _LARGEST_PAGE)),
        )
        found = await self._store.list_executions(query)
        more = found[-1].execution_id if len(found) == query.limit else None
        return Page(tuple(view(one) for one in found), more)

    async def pending(self, principal: Principal) -> tuple[Pending, ...]:
        """Every question that nobody has answered, oldest first."""
        query = ExecutionQuery(
            principal.workspace_id, self._account(principal), status="paused", limit=_MOST_PENDING
        )
        now = self._clock()
        found: list[Pending] = []
        for record in await self._store.list_executions(query):
            answered = await self._desk.answers(record)
            found += [
                _pending(record, one)
                for one in body_of(record).asked()
                if one.expires_at > now and one.id not in answered
            ]
        return tuple(sorted(found, key=lambda one: one.created))

    def _account(self, principal: Principal) -> str | None:
        return None if self._desk.everything(principal) else principal.account_id


def _pending(record: ExecutionRecord, question: Interaction) -> Pending:
    owner = record.owner
    created = record.created_at * 1000
    return Pending(
        record.execution_id, owner.account_id, owner.workspace_id, record.session_id, created, question
    )
