"""Executions over REST: run code without MCP, look at executions, end them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, get_args

from proxy.executions import SILENT, ExecutionRequest, ExecutionResult
from proxy.executions.result import NOT_BEGUN
from proxy.principal import Principal
from proxy.serving.detached import DetachedTasks
from proxy.serving.drain import RETRY_AFTER_SECONDS
from proxy.serving.gateway import Gateway
from proxy.serving.mcp.tools import BadArgument, read_execute
from proxy.serving.rest.approvals import find_execution
from proxy.serving.rest.request import ApiProblem, ApiRequest, ApiResponse, invalid_argument, not_found
from proxy.state.records import ExecutionStatus

STATUSES: Final[tuple[ExecutionStatus, ...]] = get_args(ExecutionStatus)
RUNTIMES: Final = ("quickjs",)
LONGEST_KEY: Final = 255


class ExecuteHandler:
    """`POST /api/executions`. With an `Idempotency-Key` the execution goes on when its caller disconnects: the key is
    there so that the same caller can come back for the result."""

    def __init__(self, detached: DetachedTasks) -> None:
        self._detached = detached

    async def __call__(self, gateway: Gateway, request: ApiRequest) -> ApiResponse:
        """Run code and answer its result."""
        request.check_query()
        key = _idempotency_key(request.idempotency_key)
        try:
            wanted = replace(read_execute(request.body, RUNTIMES, None), keep=True)
        except BadArgument as error:
            raise invalid_argument(str(error)) from None
        if gateway.elicitation(request.principal).mode != "model":
            # Over REST no client can be asked: the person decides on the page.
            wanted = replace(wanted, mode="browser")
        running = _execute(gateway, wanted, request.principal, key)
        result = await (running if key is None else self._detached.run(running))
        return _response(result)


async def _execute(
    gateway: Gateway, wanted: ExecutionRequest, principal: Principal, key: str | None
) -> ExecutionResult:
    return await gateway.execute(wanted, principal, SILENT, idempotency_key=key)


def _idempotency_key(given: str | None) -> str | None:
    if given is None:
        return None
    if not 0 < len(given) <= LONGEST_KEY or not given.isprintable():
        raise invalid_argument(f"`Idempotency-Key` must have 1 to {LONGEST_KEY} printable characters.")
    return given


def _response(result: ExecutionResult) -> ApiResponse:
    """Code that failed is a result with status 200; when the code could not be run at all, that is an error."""
    name = result.error.name if result.error is not None else ""
    message = result.error.message if result.error is not None else ""
    if name == "IdempotencyError":
        raise ApiProblem(422, "idempotency_key_reused", message)
    if name in NOT_BEGUN:
        raise ApiProblem(503, "unavailable", message, {"retry-after": str(RETRY_AFTER_SECONDS)})
    return ApiResponse(result.structured())


async def executions(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """Newest first: the caller's own, or all of the workspace for approvers."""
    request.check_query("status", "limit", "cursor")
    cursor = request.query.get("cursor")
    if cursor is not None and await gateway.show(cursor, request.principal) is None:
        raise invalid_argument("`cursor` is not one that an earlier page gave you, or it has expired.")
    page = await gateway.list(
        request.principal,
        status=request.one_of("status", STATUSES),
        limit=request.integer("limit", 50, 1, 200),
        cursor=cursor,
    )
    more = {"nextCursor": page.cursor} if page.cursor is not None else {}
    return ApiResponse({"items": [one.as_json() for one in page.items]} | more)


async def execution(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """One execution: its code, what waits, what was decided, the calls it made, its result."""
    request.check_query()
    return ApiResponse((await find_execution(gateway, request)).whole_json())


async def cancel(gateway: Gateway, request: ApiRequest) -> ApiResponse:
    """End an execution. Calls that were already sent are not undone."""
    request.check_query()
    execution_id = request.path["executionId"]
    known = await gateway.show(execution_id, request.principal)
    if not await gateway.cancel(execution_id, request.principal):
        if known is None:
            raise not_found()
        raise ApiProblem(409, "not_cancellable", "It is over, or another replica runs it at this moment.")
    return ApiResponse({"executionId": execution_id, "status": "canceled"})
