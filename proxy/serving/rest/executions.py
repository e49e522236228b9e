"""Executions over REST: run code without MCP, look at executions, end them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Final, TypeVar

from proxy.executions import ExecutionRequest, ExecutionResult
from proxy.principal import Principal
from proxy.serving.drain import RETRY_AFTER_SECONDS
from proxy.serving.gateway import Gateway
from proxy.serving.observer import Silence
from proxy.serving.rest.approvals import find
from proxy.serving.rest.request import Answer, Call, Problem, not_found, wrong
from proxy.serving.tools import BadArgument, read_execute

STATUSES: Final = ("running", "paused", "settled")
RUNTIMES: Final = ("quickjs",)
LONGEST_KEY: Final = 255
_UNAVAILABLE: Final = frozenset({"NotServing", "StateError"})
T = TypeVar("T")


class Outliving:
    """Owns its tasks until they end. They end with what they run: drain ends every execution."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Its result; when the caller is cancelled meanwhile, the work is not."""
        task = asyncio.ensure_future(work)  # noqa: TID251 - owned by this object until it ends
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Looked at, so that nothing is logged about an error that nobody waits for any more.
            task.exception()


class Executing:
    """`POST /api/executions`. What was begun with an `Idempotency-Key` goes on when its caller leaves: the key is
    there so that the same caller can come back for the result."""

    def __init__(self, outliving: Outliving) -> None:
        self._outliving = outliving

    async def __call__(self, gateway: Gateway, call: Call) -> Answer:
        """Run code and answer its result."""
        call.only()
        key = _key(call.key)
        try:
            request = replace(read_execute(call.body, RUNTIMES, None), keep=True)
        except BadArgument as error:
            raise wrong(str(error)) from None
        running = _executed(gateway, request, call.principal, key)
        result = await (running if key is None else self._outliving.run(running))
        return _answer(result)


async def _executed(
    gateway: Gateway, request: ExecutionRequest, principal: Principal, key: str | None
) -> ExecutionResult:
    return await gateway.execute(request, principal, Silence(), idempotency_key=key)


def _key(given: str | None) -> str | None:
    if given is None:
        return None
    if not 0 < len(given) <= LONGEST_KEY or not given.isprintable():
        raise wrong(f"`Idempotency-Key` must have 1 to {LONGEST_KEY} printable characters.")
    return given


def _answer(result: ExecutionResult) -> Answer:
    """A program that failed is an answer; that nothing could be run is an error."""
    name = result.error.name if result.error is not None else ""
    message = result.error.message if result.error is not None else ""
    if name == "IdempotencyError":
        raise Problem(422, "idempotency_key_reused", message)
    if name in _UNAVAILABLE:
        raise Problem(503, "unavailable", message, {"retry-after": str(RETRY_AFTER_SECONDS)})
    return Answer(result.structured())


async def executions(gateway: Gateway, call: Call) -> Answer:
    """Newest first: the caller's own, or all of the workspace for approvers."""
    call.only("status", "limit", "cursor")
    cursor = call.query.get("cursor")
    if cursor is not None and await gateway.show(cursor, call.principal) is None:
        raise wrong("`cursor` is not one that an earlier page gave you, or it has expired.")
    page = await gateway.list(
        call.principal,
        status=call.chosen("status", STATUSES),
        limit=call.number("limit", 50, 1, 200),
        cursor=cursor,
    )
    more = {"nextCursor": page.cursor} if page.cursor is not None else {}
    return Answer({"items": [one.as_json() for one in page.items]} | more)


async def execution(gateway: Gateway, call: Call) -> Answer:
    """One execution: what waits, what was decided, the calls it made, its result."""
    call.only()
    return Answer((await find(gateway, call)).as_json())


async def cancel(gateway: Gateway, call: Call) -> Answer:
    """End it. Calls that were sent already stay sent."""
    call.only()
    execution_id = call.path["executionId"]
    known = await gateway.show(execution_id, call.principal)
    if not await gateway.cancel(execution_id, call.principal):
        if known is None:
            raise not_found()
        raise Problem(409, "not_cancellable", "It is over, or another replica runs it at this moment.")
    return Answer({"executionId": execution_id, "status": "canceled"})
