"""Code that a person runs from the console: as the account that is signed in, through the gate of `execute`.

Rules:
- Nothing here knows a way around policies, limits or approvals: it is the same call that agents make. What needs a
  decision pauses, the person decides on the approval page, and it goes on by itself.
- Code is only run by a form of ours, never by a link.
- The execution goes on when the browser does not wait for it; its page is found in the list.
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import quote

from quart import Response

from proxy.executions import SILENT, ExecutionRequest, ExecutionResult
from proxy.executions.result import NOT_BEGUN
from proxy.serving.console.frame import ConsolePage, ConsoleRoute, Visit
from proxy.serving.pages.guard import PageProblem, first_value, not_found, unavailable

RUN_PATH: Final = "/console/run"
EXECUTIONS_PATH: Final = "/console/executions"
WAIT_SECONDS: Final = 20.0
LONGEST_CODE: Final = 30_000
"""In characters. A form has at most 32 KiB."""


def execution_path(execution_id: str) -> str:
    """The page of one execution."""
    return f"{EXECUTIONS_PATH}/{quote(execution_id, safe='')}"


async def run_code(visit: Visit, code: str) -> Response:
    """Run it, and go to its page; to the list when it takes long."""
    source = {"source": "console"}
    request = ExecutionRequest(code, mode="browser", keep=True, unattended=True, metadata=source)
    work = visit.gateway.execute(request, visit.principal, SILENT)
    try:
        result: ExecutionResult = await asyncio.wait_for(visit.detached.run(work), WAIT_SECONDS)
    except TimeoutError:
        return visit.redirect(f"{EXECUTIONS_PATH}?state=running")
    error = result.error
    if error is not None and error.name in NOT_BEGUN:
        raise unavailable(f"{error.message} Nothing was run.")
    return visit.redirect(execution_path(result.execution_id))


async def show_editor(visit: Visit) -> Response:
    """An empty field for code, or the code of an execution that this person may see."""
    execution_id = visit.query.get("execution", "")
    code = ""
    if execution_id:
        everything = visit.is_operator or visit.gateway.is_approver(visit.principal)
        found = await visit.gateway.history.executions.find(
            execution_id[:100], visit.principal, everything=everything
        )
        if found is None:
            raise not_found()
        code = found.code
    return visit.page("run.html", code=code, again=execution_id, longest=LONGEST_CODE)


async def run(visit: Visit) -> Response:
    """The code of the form."""
    code = first_value(visit.form, "code").replace("\r\n", "\n")
    if not code.strip():
        raise PageProblem(400, "Nothing to run", "The field for the code is empty.")
    if len(code) > LONGEST_CODE:
        raise PageProblem(
            413, "Too long", f"Code of more than {LONGEST_CODE:,} characters is run with `execute`."
        )
    return await run_code(visit, code)


PAGE: Final = ConsolePage(
    "run", (ConsoleRoute("GET", RUN_PATH, show_editor), ConsoleRoute("POST", RUN_PATH, run))
)
