"""Executions: a list with filters, and one of them with its timeline, code, logs, result and audit lines.

Everybody sees their own; approvers and operators all of their workspace. Which rule decided a call, and the lines of
the audit trail, are for operators, because they name places in files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from quart import Response

from integrations.base import Failure, JsonObject
from integrations.json_text import write_json
from proxy.executions.code import CodeListing, listing
from proxy.executions.result import WAITING
from proxy.history.executions import STATE_NAMED, STATES, ExecutionFilter, PastExecution, lines_of
from proxy.history.timeline import WIDTH
from proxy.serving.console.frame import ConsolePage, ConsoleRoute, Visit
from proxy.serving.console.run_code import EXECUTIONS_PATH, RUN_PATH, execution_path
from proxy.serving.pages.guard import PageProblem, not_found
from proxy.serving.pages.presenting import path_of
from proxy.serving.pages.rendering import HEADERS

PAGE_SIZE: Final = 25
SHOWN_CHARACTERS: Final = 8_000
SHOWN_LOGS: Final = 200
SHOWN_CALLS: Final = 200
_EXECUTION: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, slots=True)
class ShownText:
    """A text cut to what a page shows; `left_out` characters are not there."""

    text: str
    left_out: int = 0


def shown_text(text: str, most: int = SHOWN_CHARACTERS) -> ShownText:
    return ShownText(text[:most], max(0, len(text) - most))


def sees_everything(visit: Visit) -> bool:
    """Whether this person may look at executions of others."""
    return visit.is_operator or visit.gateway.is_approver(visit.principal)


# ---- the list ------------------------------------------------------------------------------------------------------
async def show_list(visit: Visit) -> Response:
    """A page of what this person may see, newest first."""
    query = {name: visit.query.get(name, "").strip()[:200] for name in ("state", "account", "tool")}
    state = STATE_NAMED.get(query["state"])
    wanted = ExecutionFilter(state, query["account"], query["tool"])
    everything = sees_everything(visit)
    try:
        found = await visit.gateway.history.executions.page(
            visit.principal,
            wanted,
            everything=everything,
            cursor=visit.query.get("cursor") or None,
            limit=PAGE_SIZE,
        )
    except ValueError:
        text = "This address is not one that an earlier page gave you. Begin at the first page."
        raise PageProblem(400, "No such page", text) from None
    kept = {name: value for name, value in query.items() if value}
    following = urlencode({**kept, "cursor": found.cursor}) if found.cursor is not None else ""
    return visit.page(
        "executions.html",
        rows=found.items,
        cut=found.cut,
        wanted=query,
        filtered=bool(kept),
        later="cursor" in visit.query,
        states=STATES,
        everything=everything,
        more=f"{EXECUTIONS_PATH}?{following}" if following else None,
        execution_path=execution_path,
    )


# ---- one of them ---------------------------------------------------------------------------------------------------
async def show_one(visit: Visit, execution_id: str) -> Response:
    """One execution, as far as anybody knows it."""
    one = await _find(visit, execution_id)
    result = one.result or {}
    logs = list(lines_of(result.get("logs", ())))
    drawn = visit.gateway.history.executions.timeline(one)
    details = result.get("errorDetails") or {}
    audit = await visit.gateway.history.audit(one.id) if visit.is_operator else None
    return visit.page(
        "past_execution.html",
        one=one,
        result=result,
        value=_value(result),
        error=details,
        failed_line=details.get("line"),
        code=_code(one, details.get("line")),
        logs=logs[:SHOWN_LOGS],
        more_logs=max(0, len(logs) - SHOWN_LOGS),
        drawn=drawn,
        calls=drawn.calls[:SHOWN_CALLS],
        more_calls=max(0, len(drawn.calls) - SHOWN_CALLS) + drawn.left_out,
        axis=WIDTH,
        own=one.account_id == visit.principal.account_id,
        decide_path=path_of(one.id, one.session_id) if one.status in WAITING else None,
        again=f"{RUN_PATH}?execution={one.id}" if one.code else None,
        download=f"{execution_path(one.id)}/result" if result else None,
        cancel_path=f"{execution_path(one.id)}/cancel" if _may_cancel(visit, one) else None,
        audit=audit,
        audit_lines=[json.dumps(record, ensure_ascii=False) for record in audit.records] if audit else [],
    )


async def download(visit: Visit, execution_id: str) -> Response:
    """The structured result as a file, with the whole value where it was too large to be shown and is still stored."""
    one = await _find(visit, execution_id)
    result = one.result
    if result is None:
        raise not_found()
    whole = await _whole_value(visit, one, result)
    headers = {
        **HEADERS,
        "content-security-policy": "sandbox; default-src 'none'",
        "content-disposition": f'attachment; filename="{one.id}.json"',
    }
    return Response(write_json({**result, **whole}), 200, headers, content_type="application/json")


async def cancel(visit: Visit, execution_id: str) -> Response:
    """End it. What was sent already is not undone."""
    one = await _find(visit, execution_id)
    if not await visit.gateway.cancel(one.id, visit.principal):
        text = "It is over, another replica runs it at this moment, or it is not yours to end. Nothing was cancelled."
        raise PageProblem(409, "Not cancelled", text)
    return visit.redirect(execution_path(one.id))


async def _whole_value(visit: Visit, one: PastExecution, result: JsonObject) -> JsonObject:
    """Only its own account can read a stored value; everybody else gets the preview that is in the result."""
    value = result.get("result")
    ref = value.get("resultRef") if isinstance(value, dict) and value.get("$truncated") else None
    if not isinstance(ref, str) or one.account_id != visit.principal.account_id:
        return {}
    found = await visit.gateway.look_up("executor.results.read", {"ref": ref}, visit.principal)
    return {} if isinstance(found, Failure) else {"result": found.value["value"]}


async def _find(visit: Visit, execution_id: str) -> PastExecution:
    """Raises `PageProblem` (404) also for one that this person may not see."""
    if not _EXECUTION.fullmatch(execution_id):
        raise not_found()
    found = await visit.gateway.history.executions.find(
        execution_id, visit.principal, everything=sees_everything(visit)
    )
    if found is None:
        raise not_found()
    return found


def _may_cancel(visit: Visit, one: PastExecution) -> bool:
    """As the API has it: the account that runs it, or an approver; also an operator only by one of these."""
    own = one.account_id == visit.principal.account_id
    return one.state in ("running", "paused") and (own or visit.gateway.is_approver(visit.principal))


def _value(result: JsonObject) -> ShownText | None:
    """The returned value as text; None when there is none."""
    if "result" not in result:
        return None
    value: Any = result["result"]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return shown_text(text)


def _code(one: PastExecution, failed_line: int | None) -> CodeListing:
    asking: Sequence[int] = tuple(one.view.asking.values()) if one.view is not None else ()
    return listing(one.code, frozenset(asking) if failed_line is None else frozenset())


PAGE: Final = ConsolePage(
    "executions",
    (
        ConsoleRoute("GET", EXECUTIONS_PATH, show_list),
        ConsoleRoute("GET", f"{EXECUTIONS_PATH}/<execution_id>", show_one),
        ConsoleRoute("GET", f"{EXECUTIONS_PATH}/<execution_id>/result", download),
        ConsoleRoute("POST", f"{EXECUTIONS_PATH}/<execution_id>/cancel", cancel),
    ),
)
