"""Policies: every rule in order with its hits, and what each of them says to one call. For operators."""

from __future__ import annotations

from typing import Final

from quart import Response

from integrations.base import Failure, JsonObject
from integrations.json_text import is_too_deep, read_json
from proxy.history.rules import Explanation
from proxy.serving.console.callers import HELP, chosen_caller
from proxy.serving.console.frame import ConsolePage, ConsoleRoute, Visit
from proxy.serving.pages.guard import PageProblem, first_value

POLICIES_PATH: Final = "/console/policies"


async def show(visit: Visit) -> Response:
    """The rules; with `tool` in the query the form is filled."""
    given = {name: visit.query.get(name, "")[:500] for name in ("tool", "as")}
    return _page(visit, tool=given["tool"], who=given["as"])


async def explain(visit: Visit) -> Response:
    """Judge one call, and change nothing. Sent as a form, because arguments do not belong into an address."""
    tool = first_value(visit.form, "tool").strip()[:500]
    text, who = first_value(visit.form, "arguments").strip(), first_value(visit.form, "as").strip()
    wrong = ""
    arguments: JsonObject | None = None
    explained: Explanation | None = None
    if not tool:
        wrong = "Please name a tool."
    if text and not wrong:
        arguments, wrong = _arguments(text)
    if not wrong:
        explained, wrong = _explained(visit, who, tool, arguments)
    return _page(visit, 422 if wrong else 200, tool, who, text, explained, wrong)


def _explained(
    visit: Visit, who: str, tool: str, arguments: JsonObject | None
) -> tuple[Explanation | None, str]:
    try:
        caller = chosen_caller(visit, who)
    except PageProblem as problem:
        return None, problem.text
    found = visit.gateway.history.explain(caller, tool, arguments)
    if not isinstance(found, Failure):
        return found, ""
    meant = found.details.get("suggestions") or found.details.get("addresses") or ()
    return (
        None,
        f"There is no tool `{tool}`.{' Did you mean ' + ' or '.join(meant[:3]) + '?' if meant else ''}",
    )


def _arguments(text: str) -> tuple[JsonObject | None, str]:
    try:
        value = read_json(text)
    except ValueError:
        value = None
    if not isinstance(value, dict) or is_too_deep(value):
        return None, 'The arguments must be a JSON object, such as {"id": "1"}.'
    return value, ""


def _page(
    visit: Visit,
    status: int = 200,
    tool: str = "",
    who: str = "",
    arguments: str = "",
    explained: Explanation | None = None,
    wrong: str = "",
) -> Response:
    layers = visit.gateway.history.rule_layers(visit.principal.workspace_id)
    rows = [row for layer in layers for row in layer.rows if not row.default]
    return visit.page(
        "policies.html",
        status,
        layers=layers,
        rules=len(rows),
        unused=sum(row.unused for row in rows),
        shadowed=sum(bool(row.shadowed_by) for row in rows),
        tool=tool,
        who=who,
        arguments=arguments,
        explained=explained,
        wrong=wrong,
        caller_help=HELP,
    )


PAGE: Final = ConsolePage(
    "policies",
    (ConsoleRoute("GET", POLICIES_PATH, show), ConsoleRoute("POST", POLICIES_PATH, explain)),
    operators=True,
)
