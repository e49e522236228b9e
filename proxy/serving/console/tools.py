"""Tools: the agents' own search, and one tool with its types, what is decided about it, and a form that calls it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from quart import Response

from integrations.base import Failure, JsonObject
from proxy.catalog import CatalogTool
from proxy.history.rules import explained
from proxy.principal import Principal
from proxy.serving.console.callers import HELP, chosen_caller
from proxy.serving.console.frame import ConsolePage, ConsoleRoute, Visit
from proxy.serving.console.run_code import run_code
from proxy.serving.console.tool_form import ToolForm, code_for, read_tool_form, tool_form
from proxy.serving.pages.guard import Form, PageProblem, first_value
from proxy.workspace import Workspace

TOOLS_PATH: Final = "/console/tools"
PAGE_SIZE: Final = 25
FIELD_PREFIX: Final = "argument."
_LAST_OFFSET: Final = 100_000


def tool_path(address: str, caller: str = "") -> str:
    """The page of one tool."""
    return f"{TOOLS_PATH}/{quote(address, safe='')}{_query(caller=caller)}"


def _query(**values: Any) -> str:
    given = {("as" if name == "caller" else name): value for name, value in values.items() if value}
    return f"?{urlencode(given)}" if given else ""


# ---- the list ------------------------------------------------------------------------------------------------------
async def show_list(visit: Visit) -> Response:
    """What `tools.search` finds for the caller, or everything in order."""
    words, space = visit.query.get("q", "").strip()[:500], visit.query.get("namespace", "").strip()[:200]
    who = visit.query.get("as", "").strip()[:500]
    caller = chosen_caller(visit, who)
    found = await _look_up(
        visit,
        "catalog.tools",
        {"query": words, "namespace": space, "limit": PAGE_SIZE, "offset": _offset(visit)},
        caller,
    )
    spaces = await _look_up(visit, "catalog.namespaces", {}, caller)
    rows = [_row(visit, caller, one) for one in found["items"]]
    following = found.get("nextOffset")
    more = _query(q=words, namespace=space, caller=who, offset=following) if following else ""
    return visit.page(
        "tools.html",
        rows=rows,
        found=found,
        words=words,
        namespace=space,
        namespaces=[one["namespace"] for one in spaces],
        who=who,
        caller_help=HELP,
        more=f"{TOOLS_PATH}{more}" if more else None,
        tool_path=tool_path,
        first=_offset(visit) + 1,
    )


async def _look_up(visit: Visit, name: str, arguments: JsonObject, caller: Principal) -> Any:
    found = await visit.gateway.look_up(name, arguments, caller)
    if isinstance(found, Failure):
        raise PageProblem(404, "Not found", found.message)
    return found.value


def _offset(visit: Visit) -> int:
    text = visit.query.get("offset", "0")
    return min(int(text[:6]), _LAST_OFFSET) if text.isascii() and text.isdecimal() else 0


def _row(visit: Visit, caller: Principal, item: JsonObject) -> JsonObject:
    found = visit.gateway.history.tool(caller, item["path"])
    decided = None
    if not isinstance(found, Failure):
        workspace, tool = found
        decided = workspace.decide(tool, caller.caller(), None)
    return {**item, "decision": decided}


# ---- one tool ------------------------------------------------------------------------------------------------------
async def show_tool(visit: Visit, address: str) -> Response:
    """A tool as agents see it, with the decision about it and the form."""
    return await _tool_page(visit, address)


async def try_tool(visit: Visit, address: str) -> Response:
    """The code that the form makes; `action` run: run it as the one who is signed in, through the same gate."""
    found = _find(visit, visit.principal, address)
    form = tool_form(_schema(found[1]))
    arguments, shown = read_tool_form(form, _posted(visit.form))
    if shown.has_errors:
        return await _tool_page(
            visit, address, shown, status=422, note="Please look at the fields that are marked."
        )
    code = code_for(found[1].address, arguments)
    if first_value(visit.form, "action") == "run":
        return await run_code(visit, code)
    return await _tool_page(visit, address, shown, code=code, arguments=arguments)


def _posted(form: Form) -> Mapping[str, tuple[str, ...]]:
    return {
        name.removeprefix(FIELD_PREFIX): values
        for name, values in form.items()
        if name.startswith(FIELD_PREFIX)
    }


def _find(visit: Visit, caller: Principal, address: str) -> tuple[Workspace, CatalogTool]:
    found = visit.gateway.history.tool(caller, address[:500], hidden=visit.is_operator)
    if isinstance(found, Failure):
        suggested = found.details.get("suggestions", ())
        more = f" Did you mean {' or '.join(map(str, suggested[:3]))}?" if suggested else ""
        raise PageProblem(404, "No such tool", f"There is no tool of this name that you may see.{more}")
    return found


def _schema(tool: CatalogTool) -> JsonObject:
    return tool.toolset.schemas(tool.name).input


async def _tool_page(
    visit: Visit,
    address: str,
    form: ToolForm | None = None,
    *,
    status: int = 200,
    note: str = "",
    code: str = "",
    arguments: JsonObject | None = None,
) -> Response:
    who = visit.query.get("as", "").strip()[:500]
    caller = chosen_caller(visit, who)
    workspace, tool = _find(visit, caller, address)
    described = workspace.catalog.describe(tool, {}, TYPES_BYTES)
    visible = workspace.visible_for(visit.principal.caller())(tool)
    return visit.page(
        "tool.html",
        status,
        tool=tool,
        described=described,
        explained=explained(workspace, tool, caller.caller(), arguments),
        hidden=not workspace.visible_for(caller.caller())(tool),
        form=(form or tool_form(_schema(tool))) if visible else None,
        prefix=FIELD_PREFIX,
        who=who,
        caller_help=HELP,
        note=note,
        code=code,
        path=tool_path(tool.address, who),
    )


TYPES_BYTES: Final = 24_000
"""How much of the types of one tool a page shows."""

PAGE: Final = ConsolePage(
    "tools",
    (
        ConsoleRoute("GET", TOOLS_PATH, show_list),
        ConsoleRoute("GET", f"{TOOLS_PATH}/<address>", show_tool),
        ConsoleRoute("POST", f"{TOOLS_PATH}/<address>", try_tool),
    ),
)
