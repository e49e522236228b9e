"""Which pause a caller has seen, so that a repeated decision does not decide about newer questions.

`resume` without an interaction means the questions that its caller has seen. The protocol does not say which those are:
a request that is sent again, because its answer did not arrive, looks like one about the pause that came after. So:

- the first pause of an execution may be decided about by whoever knows the execution's id;
- any later one only by an account that was given it as a result, here or on another replica. Until then a decision
  without an interaction counts as a repetition, and is answered with the pause as it stands.

What cannot be told: whether an answer that this server has sent did arrive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from proxy.executions.outcome import ExecutionResult
from proxy.executions.records import body_of
from proxy.principal import Principal
from proxy.state import Conflict, Entry, ExecutionRecord, State, StateUnavailable

_SPACE: Final = "pause-seen"
_SECONDS: Final = 86_400


class Seen:
    """Kept in the state store for a day."""

    def __init__(self, store: State, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def note(self, result: ExecutionResult, principal: Principal) -> None:
        """This caller is about to be given this result."""
        if not result.waiting or result.pause <= 1:
            return
        name = _name(result.execution_id, result.pause, principal)
        expires = self._clock() / 1000 + _SECONDS
        try:
            await self._store.write_entry(Entry(_SPACE, principal.workspace_id, name, b"", 0, expires))
        except Conflict:
            return  # noted before
        except StateUnavailable:
            return  # the result counts more: a decision without an interaction is then asked for once more

    async def has(self, record: ExecutionRecord, principal: Principal) -> bool:
        """Whether a decision of this caller that names no question is about the pause where the execution stands."""
        if record.status != "paused":
            return True
        pause = body_of(record).pauses
        if pause <= 1:
            return True
        name = _name(record.execution_id, pause, principal)
        return await self._store.read_entry(_SPACE, principal.workspace_id, name) is not None


def _name(execution_id: str, pause: int, principal: Principal) -> str:
    text = f"{principal.account_id}\n{execution_id}\n{pause}"
    return hashlib.sha256(text.encode()).hexdigest()
