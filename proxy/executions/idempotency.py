"""One key, one execution: `Idempotency-Key` of clients, for a day."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from proxy.executions.outcome import ExecutionRequest
from proxy.principal import Principal
from proxy.state import Conflict, Entry, State

_SPACE: Final = "execution-key"
_SECONDS: Final = 86_400


class Keys:
    """Keys belong to one account of one workspace, and to one code."""

    def __init__(self, store: State, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def first(
        self, key: str, execution_id: str, request: ExecutionRequest, principal: Principal
    ) -> str | None:
        """The id of the execution that the key stands for, ours if it was free; None: it was used with other code."""
        name = hashlib.sha256(f"{principal.account_id}\n{key}".encode()).hexdigest()
        code = hashlib.sha256(request.code.encode()).hexdigest()
        while True:
            known = await self._store.read_entry(_SPACE, principal.workspace_id, name)
            if known is not None:
                first, _, its_code = known.value.decode().partition(" ")
                return first if its_code == code else None
            value = f"{execution_id} {code}".encode()
            expires = self._clock() / 1000 + _SECONDS
            try:
                await self._store.write_entry(Entry(_SPACE, principal.workspace_id, name, value, 0, expires))
            except Conflict:
                continue
            return execution_id
