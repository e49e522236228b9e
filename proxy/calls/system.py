"""The system tools: always against the live snapshot, never a secret, never anything the caller may not see.

They answer plain values, not envelopes. A wrong argument type throws, because it is a mistake in the code that no
retry or branch repairs. They work in the catalog's thread, in steps, within the budget of their execution: rates of
inner calls count them like any other call, under `system.<tool>`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from integrations.base import Failure, JsonObject
from integrations.json_text import read_json
from integrations.lossless import boolean_from, integer_from, object_from, text_from, typescript
from policies import explain_json
from proxy.calls.catalog_thread import BUDGET_UNITS, BudgetUsedUp, CatalogThread, WorkBudget
from proxy.calls.nearby import nearby_tools
from proxy.calls.outcome import PlainValue, WrongArgument, not_found, not_ready
from proxy.catalog import SEARCH_UNITS, TYPES_UNITS, CatalogSteps, CatalogTool, Missing, Visible
from proxy.live import Live
from proxy.principal import Principal
from proxy.state import Owner, State
from proxy.workspace import Workspace

SYSTEM: Final = "system"
"""What stands for an integration where a call is no connection's."""
_LARGEST_PAGE: Final = 200
_MOST_ITEMS: Final = 10_000
_BYTES_A_UNIT: Final = 64 * 1024
_USED_UP: Final = Failure(
    "call_limit_exceeded",
    f"The system tools of this execution have used up their budget of {BUDGET_UNITS:,} units of work: a search costs "
    f"{SEARCH_UNITS}, the types of a tool {TYPES_UNITS}. Ask for less (a smaller `limit`, no `includeSchemas`), or "
    "split the work over several executions.",
)
READ_RESULT: Final = "executor.results.read"
_LARGEST_COUNT: Final = 2**31


@dataclass(frozen=True, slots=True)
class SystemParameter:
    """One argument of a system tool. `default` also says its type: text, whole number, yes or no, an object."""

    name: str
    default: str | int | bool | JsonObject
    required: bool = False
    most: int = _LARGEST_COUNT


def _page(limit: int) -> tuple[SystemParameter, ...]:
    return (SystemParameter("limit", limit, most=_LARGEST_PAGE), SystemParameter("offset", 0))


PARAMETERS: Final[Mapping[str, tuple[SystemParameter, ...]]] = {
    "search": (SystemParameter("query", ""), SystemParameter("namespace", ""), *_page(12)),
    "describe.tool": (SystemParameter("path", "", required=True),),
    "catalog.namespaces": (),
    "catalog.tools": (
        SystemParameter("namespace", ""),
        SystemParameter("query", ""),
        *_page(50),
        SystemParameter("includeSchemas", False),
    ),
    "discover": (
        SystemParameter("query", "", required=True),
        SystemParameter("limit", 12, most=_LARGEST_PAGE),
        SystemParameter("compact", True),
        SystemParameter("includeSchemas", False),
    ),
    "executor.integrations.list": (SystemParameter("query", ""), *_page(50)),
    "executor.connections.list": (SystemParameter("integration", ""),),
    "executor.paginate": (
        SystemParameter("path", "", required=True),
        SystemParameter("args", {}),
        SystemParameter("max", 1000, most=_MOST_ITEMS),
    ),
    "executor.results.read": (
        SystemParameter("ref", "", required=True),
        SystemParameter("offset", 0),
        SystemParameter("limit", _LARGEST_COUNT),
    ),
}
"""Every system tool and what it takes; docs are tested against this table. `executor.paginate` makes calls itself:
`Calls` runs it."""

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _SystemCall:
    """One call: who asks, the live workspace, what is visible there, and the checked arguments."""

    principal: Principal
    workspace: Workspace
    visible: Visible
    values: Values


class SystemTools:
    """`run` answers `PlainValue` or a `Failure`; raises `WrongArgument`."""

    def __init__(self, live: Live, state: State) -> None:
        self._live = live
        self._state = state
        self._thread = CatalogThread()
        self._tools: Mapping[str, Callable[[_SystemCall], CatalogSteps[PlainValue | Failure]]] = {
            "search": self._search,
            "describe.tool": self._describe,
            "catalog.namespaces": self._namespaces,
            "catalog.tools": self._catalog,
            "discover": self._discover,
            "executor.integrations.list": self._integrations,
            "executor.connections.list": self._connections,
        }

    def __contains__(self, name: str) -> bool:
        return name in self._tools or name == READ_RESULT

    async def run(
        self, name: str, arguments: JsonObject, principal: Principal, budget: WorkBudget | None = None
    ) -> PlainValue | Failure:
        """`budget` is that of the execution that calls; without one the call has its own. Raises `WrongArgument`."""
        values = read_arguments(name, arguments)
        workspace = self._live.current.workspace(principal.workspace_id)
        if workspace is None:
            return Failure("connection_removed", "This workspace is no longer configured.")
        visible = workspace.visible_for(principal.caller())
        call = _SystemCall(principal, workspace, visible, values)
        steps = await self._read_result(call) if name == READ_RESULT else self._tools[name](call)
        try:
            return await self._thread.run(principal.account, steps, budget or WorkBudget())
        except BudgetUsedUp:
            return _USED_UP

    async def suggest(
        self, suggest: Callable[[], tuple[str, ...]], principal: Principal, budget: WorkBudget
    ) -> tuple[str, ...]:
        """What may have been meant; nothing once the budget is used up."""
        try:
            return await self._thread.run(principal.account, _suggested(suggest), budget)
        except BudgetUsedUp:
            return ()

    def _search(self, call: _SystemCall) -> CatalogSteps[PlainValue]:
        yield SEARCH_UNITS
        v = call.values
        found = call.workspace.catalog.search_json(
            v["query"], v["namespace"], v["limit"], v["offset"], call.visible
        )
        return PlainValue(found)

    def _describe(self, call: _SystemCall) -> CatalogSteps[PlainValue | Failure]:
        yield TYPES_UNITS
        path, catalog = call.values["path"], call.workspace.catalog
        tool = catalog.find(path, call.visible, suggest=False)
        if isinstance(tool, Missing) and tool.connection is not None:
            here = call.workspace.connections[tool.connection]
            note = here.note_for(call.principal) or here.note
            return not_ready(tool.connection, here.status_for(call.principal), note)
        if not isinstance(tool, CatalogTool) or not call.visible(tool):
            yield SEARCH_UNITS
            meant = catalog.suggestions(path, call.visible)
            return not_found(path, nearby_tools(path, meant, PARAMETERS))
        budget = self._live.current.config.execute.describe_bytes
        return PlainValue(catalog.describe(tool, self._policy(call, tool), budget))

    def _policy(self, call: _SystemCall, tool: CatalogTool) -> JsonObject:
        """The decision as far as it is known without arguments; the whole list of rules stays with operators."""
        facts = call.workspace.facts(tool)
        decision = call.workspace.decide(tool, call.principal.caller(), None)
        shown = explain_json(facts, decision)
        kept = ("action", "rule", "default", "reason", "approver", "conditional")
        return {name: shown[name] for name in kept if shown[name] is not None and shown[name] is not False}

    def _namespaces(self, call: _SystemCall) -> CatalogSteps[PlainValue]:
        yield TYPES_UNITS
        return PlainValue(call.workspace.catalog.namespaces(call.visible))

    def _catalog(self, call: _SystemCall) -> CatalogSteps[PlainValue]:
        v = call.values
        found = yield from call.workspace.catalog.tools(
            v["namespace"],
            v["query"],
            v["limit"],
            v["offset"],
            call.visible,
            include_schemas=v["includeSchemas"],
        )
        return PlainValue(found)

    def _discover(self, call: _SystemCall) -> CatalogSteps[PlainValue]:
        v = call.values
        found = yield from call.workspace.catalog.discover(
            v["query"],
            v["limit"],
            call.visible,
            compact=v["compact"],
            include_schemas=v["includeSchemas"],
        )
        return PlainValue(found)

    def _integrations(self, call: _SystemCall) -> CatalogSteps[PlainValue]:
        yield TYPES_UNITS
        grouped: dict[str, JsonObject] = {}
        for row in _connection_rows(call):
            seen = grouped.setdefault(
                row["integration"],
                {
                    "integration": row["integration"],
                    "kind": row["kind"],
                    "title": row["title"],
                    "toolCount": 0,
                }
                | {"connections": []},
            )
            seen["toolCount"] += row["toolCount"]
            seen["connections"].append({"connection": row["connection"], "status": row["status"]})
        words = call.values["query"].lower().split()
        rows = [row for row in grouped.values() if _mentions(row, words)]
        return PlainValue(_paged(rows, call.values["limit"], call.values["offset"]))

    def _connections(self, call: _SystemCall) -> CatalogSteps[PlainValue]:
        yield TYPES_UNITS
        wanted = call.values["integration"]
        return PlainValue([row for row in _connection_rows(call) if wanted in ("", row["integration"])])

    async def _read_result(self, call: _SystemCall) -> CatalogSteps[PlainValue | Failure]:
        ref, offset, limit = (call.values[name] for name in ("ref", "offset", "limit"))
        owner = Owner(call.principal.workspace_id, call.principal.account_id)
        stored = await self._state.get_result(owner, ref)
        return _part_of(ref, stored, offset, limit)


def _part_of(ref: str, stored: bytes | None, offset: int, limit: int) -> CatalogSteps[PlainValue | Failure]:
    if stored is None:
        yield TYPES_UNITS
        message = f"There is no result `{ref[:64]}`, or it has expired. Run the code that made it again."
        return Failure("result_not_found", message)
    yield TYPES_UNITS * (1 + len(stored) // _BYTES_A_UNIT)
    return PlainValue({"ref": ref, "bytes": len(stored)} | slice_of(read_json(stored), offset, limit))


def _suggested(suggest: Callable[[], tuple[str, ...]]) -> CatalogSteps[tuple[str, ...]]:
    yield SEARCH_UNITS
    return suggest()


def slice_of(value: Any, offset: int, limit: int) -> JsonObject:
    """A part of a stored value: items of an array, characters of a string; anything else comes whole."""
    if not isinstance(value, list | str):
        return {"kind": "object" if isinstance(value, dict) else "value", "value": value, "hasMore": False}
    end = min(offset + limit, len(value))
    return {
        "kind": "array" if isinstance(value, list) else "string",
        "value": value[offset:end],
        "offset": offset,
        "total": len(value),
        "hasMore": end < len(value),
        "nextOffset": end if end < len(value) else None,
    }


def read_arguments(name: str, arguments: JsonObject) -> Values:
    """Every parameter of the tool with its value. Raises `WrongArgument`."""
    parameters = PARAMETERS[name]
    known = ", ".join(one.name if one.required else f"{one.name}?" for one in parameters)
    takes = f"it takes {{{known}}}" if known else "it takes no arguments"
    unknown = sorted(arguments.keys() - {one.name for one in parameters})
    if unknown:
        raise WrongArgument(f"tools.{name}: unknown argument `{unknown[0][:64]}`; {takes}")
    return {one.name: _value(name, one, arguments.get(one.name), takes) for one in parameters}


def _value(tool: str, parameter: SystemParameter, given: Any, takes: str) -> Any:
    """What loses nothing is read as what it means: `"12"` as 12. Anything else throws."""
    if given is None:
        if parameter.required:
            raise WrongArgument(f"tools.{tool}: `{parameter.name}` is required; {takes}")
        return parameter.default
    read, what = _READERS[type(parameter.default)]
    value = read(given)
    if value is None or (isinstance(parameter.default, int) and value < 0):
        left = "" if parameter.required else "; leave it out for the default"
        raise WrongArgument(
            f"tools.{tool}: `{parameter.name}` must be {what}, not {typescript(given)}{left}; {takes}"
        )
    return min(value, parameter.most) if what is _WHOLE else value


_WHOLE: Final = "a whole number from 0"
_READERS: Final[Mapping[type, tuple[Callable[[Any], Any], str]]] = {
    bool: (boolean_from, "true or false"),
    int: (integer_from, _WHOLE),
    str: (text_from, "a string"),
    dict: (object_from, "an object"),
}


def _connection_rows(call: _SystemCall) -> list[JsonObject]:
    """Inventory with the status of this moment: a secret may have gone missing since the snapshot was made."""
    rows: list[JsonObject] = []
    for space in call.workspace.catalog.namespaces(call.visible):
        here = call.workspace.connections[space["namespace"]]
        live = here.status_for(call.principal)
        note = here.note_for(call.principal) if live["status"] == "needs_auth" else None
        more = {"source": "overlay" if here.scope else None, "note": note}
        kept = {key: space[key] for key in ("integration", "owner", "kind", "title", "toolCount")}
        said = {name: value for name, value in more.items() if value}
        rows.append({"connection": space["namespace"], **kept, **live, **said})
    return rows


def _mentions(row: JsonObject, words: list[str]) -> bool:
    text = f"{row['integration']} {row['title']} {row['kind']}".lower()
    return all(word in text for word in words)


def _paged(rows: list[JsonObject], limit: int, offset: int) -> JsonObject:
    end = offset + limit
    more = end < len(rows)
    return {
        "items": rows[offset:end],
        "total": len(rows),
        "hasMore": more,
        "nextOffset": end if more else None,
    }
