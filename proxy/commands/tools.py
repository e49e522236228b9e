"""`executor tools`: what the config gives agents. Local: from config and documents, no server needed."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from policies import PatternError, parse_pattern
from proxy.app.listing import connection_rows
from proxy.catalog import CatalogTool
from proxy.commands.caller import add_caller_option, resolve_caller
from proxy.commands.common import (
    EXIT_FOUND,
    EXIT_OK,
    CannotRun,
    add_json_option,
    add_listing,
    print_json,
)
from proxy.commands.explain import find_tool
from proxy.commands.local import run_locally
from proxy.commands.remote import add_server_options
from proxy.commands.terminal import print_table
from proxy.commands.tools_remote import run_on_server
from proxy.config import LoadedConfig
from proxy.connections import probe_all, targets_of
from proxy.live import Live
from proxy.principal import Principal
from proxy.workspace import Workspace

SEARCH_LIMIT = 12
EXIT_CODES = "Exit codes: 0 fine, 1 nothing found, 2 could not run, 78 invalid config."


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "tools",
        help="list, search and describe the tools that the config gives agents",
        description="Works from config and documents; blocked tools are listed with their rule, but not searched.",
        epilog=EXIT_CODES,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = add_listing(actions, "list", "ls", "every tool, and what would happen to a call of it")
    listing.add_argument(
        "pattern", nargs="?", default="*", metavar="PATTERN", help="as in policies; default *"
    )
    listing.add_argument(
        "--schemas", action="store_true", help="with --json: input and output as JSON Schema 2020-12"
    )
    search = actions.add_parser("search", help="the same ranking as tools.search in agent code")
    search.add_argument("query", nargs="+", metavar="QUERY")
    search.add_argument(
        "--limit", type=int, default=SEARCH_LIMIT, metavar="N", help=f"default {SEARCH_LIMIT}"
    )
    describe = actions.add_parser("describe", help="one tool: description, TypeScript types, policy")
    describe.add_argument("address", metavar="ADDRESS")
    sources = actions.add_parser("sources", help="every connection, its status and number of tools")
    sources.add_argument(
        "--health",
        action="store_true",
        help="probe every connection that has `health` once; exit 1 if one fails",
    )
    for action in (listing, search, describe, sources):
        add_caller_option(action)
        add_server_options(action, "ask a running server instead: what you may use there")
        add_json_option(action)
        action.epilog = EXIT_CODES


def run(args: argparse.Namespace) -> int:
    return (
        run_on_server(args)
        if args.server
        else run_locally(args, _run, secrets=False, asks_vendored=args.action == "sources")
    )


async def _run(args: argparse.Namespace, loaded: LoadedConfig, live: Live) -> int:
    if args.action == "sources":
        return await _sources(args, live)
    principal, workspace = resolve_caller(args.caller, live.current)
    if args.action == "list":
        return _list(args, principal, workspace)
    if args.action == "search":
        return _search(args, principal, workspace)
    return _describe(args, principal, workspace)


async def _sources(args: argparse.Namespace, live: Live) -> int:
    generation = live.current
    connections = {one.prefix: one for one in generation.connections}
    reports = await probe_all(targets_of(connections, generation.config)) if args.health else {}
    rows = connection_rows(generation, reports.get)
    if args.json:
        print_json(rows)
    else:
        health = ["HEALTH"] if args.health else []
        header = ["CONNECTION", "KIND", "TOOLS", *health, "STATUS"]
        print_table([_source(row, args.health) for row in rows], header)
        for row in rows:
            for warning in row["warnings"]:
                print(f"warning: {row['connection']}: {warning}")
        for prefix, why in generation.report.unchecked.items():
            print(f"not checked: patterns that may match {prefix} ({why})")
    return EXIT_FOUND if any(not one.healthy for one in reports.values()) else EXIT_OK


def _source(row: dict[str, Any], with_health: bool) -> list[str]:
    status = f"{row['status']} {row.get('error', '')}".rstrip()
    shown = [row["connection"], row["kind"], str(row["tools"])]
    return [*shown, _health(row.get("health")), status] if with_health else [*shown, status]


def _health(report: dict[str, Any] | None) -> str:
    if report is None:
        return "-"
    if report["healthy"]:
        return " ".join(["healthy", *filter(None, [report.get("identity")])])
    return f"{'unhealthy' if report['healthy'] is False else 'not probed'}: {report['error']}"


def _list(args: argparse.Namespace, principal: Principal, workspace: Workspace) -> int:
    try:
        pattern = parse_pattern(args.pattern)
    except PatternError as error:
        raise CannotRun(f"{args.pattern}: {error}") from None
    tools = [tool for tool in workspace.catalog.all() if pattern.matches(tool.address)]
    rows = [_row(tool, principal, workspace) for tool in tools]
    if args.json:
        if args.schemas:
            for tool, row in zip(tools, rows, strict=True):
                schemas = tool.toolset.schemas(tool.definition.name)
                row |= {"input": schemas.input, "output": schemas.output}
        print_json(rows)
    else:
        print_table(
            [[row["address"], row["action"], row["rule"]] for row in rows], ["TOOL", "ACTION", "RULE"]
        )
        if not rows:
            print(_why_nothing(workspace, "no tool fits; `executor tools list` shows all"))
    return EXIT_OK


def _why_nothing(workspace: Workspace, otherwise: str) -> str:
    """Connections without tools say why; else there are tools, and `otherwise` is the reason."""
    if not workspace.connections:
        return "there are no tools: the config has no `connections`"
    absent = [one for one in workspace.connections.values() if one.upstream is None]
    if not absent:
        return otherwise
    said = [(one.prefix, one.status) for one in absent]
    return "\n".join(f"{prefix} is {how['status']}: {how.get('error', '')}" for prefix, how in said)


def _row(tool: CatalogTool, principal: Principal, workspace: Workspace) -> dict[str, Any]:
    definition = tool.definition
    decision = workspace.decide(tool, principal.caller(), None)
    file, _, line = decision.rule_source.rpartition(":")
    return {
        "address": tool.address,
        "integration": tool.integration,
        "owner": tool.owner,
        "connection": tool.connection,
        "name": definition.name,
        "method": definition.method or None,
        "path": definition.path or None,
        "operationId": definition.operation_id,
        "risk": definition.risk,
        "deprecated": definition.deprecated,
        "action": decision.action,
        "rule": decision.rule_id,
        "file": file or None,
        "line": int(line) if line.isdigit() else None,
    }


def _search(args: argparse.Namespace, principal: Principal, workspace: Workspace) -> int:
    visible = workspace.visible_for(principal.caller())
    page = workspace.catalog.search_json(" ".join(args.query), "", args.limit, 0, visible)
    if args.json:
        print_json(page)
    else:
        found = [[item["path"], item["description"].partition("\n")[0][:80]] for item in page["items"]]
        print_table(found, ["TOOL", "DESCRIPTION"])
        if not page["items"]:
            print(_why_nothing(workspace, "nothing found; try other words, or `executor tools list`"))
    return EXIT_OK if page["items"] else EXIT_FOUND


def _describe(args: argparse.Namespace, principal: Principal, workspace: Workspace) -> int:
    tool = find_tool(workspace, args.address)
    if isinstance(tool, str):
        print(f"executor: {tool}", file=sys.stderr)
        return EXIT_FOUND
    decision = workspace.decide(tool, principal.caller(), None)
    policy = {"action": decision.action, "rule": decision.rule_id, "source": decision.rule_source}
    described = workspace.catalog.describe(tool, policy, 16 * 1024)
    if args.json:
        print_json(described)
        return EXIT_OK
    print(f"{described['path']}: {decision.action} ({decision.rule_id} {decision.rule_source})".rstrip())
    print(f"\n{described['description']}\n")
    print(f"input   {described['inputTypeScript']}\noutput  {described['outputTypeScript']}")
    if described["typeScriptDefinitions"]:
        print(f"\n{described['typeScriptDefinitions']}")
    return EXIT_OK
