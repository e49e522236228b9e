"""`executor explain TOOL`: what would happen to a call, and which line of which file decides."""

from __future__ import annotations

import argparse
import sys
from typing import Any, get_args

from policies import Action, Decision, explain_json, explain_text
from proxy.catalog import Ambiguous, CatalogTool, Missing
from proxy.commands.caller import add_caller_option, resolve_caller
from proxy.commands.common import (
    EXIT_FOUND,
    EXIT_OK,
    add_config_option,
    add_json_option,
    print_json,
)
from proxy.commands.json_input import read_object
from proxy.commands.local import run_locally
from proxy.config import LoadedConfig
from proxy.connections import OpenConnection
from proxy.history.rules import lock_state
from proxy.limits import applying
from proxy.live import Live
from proxy.policy_tests.judging import sent_arguments
from proxy.workspace import Workspace


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "explain",
        help="say what would happen to a call of one tool, and which rule decides",
        description="Prints every rule that matches the tool, why it was skipped or applied, and what decides.",
        epilog="Exit codes: 0 fine, 1 no such tool or not the expected action, 2 could not run, 78 invalid config.",
    )
    parser.add_argument("tool", metavar="TOOL", help="address, for example github.org.main.repos.update")
    parser.add_argument(
        "--arguments", metavar="JSON", help="judge a call with these arguments (JSON, @FILE or -)"
    )
    parser.add_argument("--expect", choices=get_args(Action), help="exit 1 if it is another action")
    add_caller_option(parser)
    add_config_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    return run_locally(args, _explain, secrets=False, asks_vendored=False)


async def _explain(args: argparse.Namespace, loaded: LoadedConfig, live: Live) -> int:
    arguments = read_object(args.arguments) if args.arguments else None
    principal, workspace = resolve_caller(args.caller, live.current)
    tool = find_tool(workspace, args.tool)
    if isinstance(tool, str):
        print(f"executor: {tool}", file=sys.stderr)
        return EXIT_FOUND
    sent = None if arguments is None else sent_arguments(workspace, tool, arguments)
    if isinstance(sent, str):
        print(f"{tool.address}: {sent}")
        return EXIT_FOUND
    decision = workspace.decide(tool, principal.caller(), sent)
    _print(args, tool, workspace, decision, loaded)
    return EXIT_FOUND if args.expect and decision.action != args.expect else EXIT_OK


def _print(
    args: argparse.Namespace,
    tool: CatalogTool,
    workspace: Workspace,
    decision: Decision,
    loaded: LoadedConfig,
) -> None:
    connection = workspace.connections[tool.prefix]
    assert loaded.config is not None
    auth = loaded.config.connections[tool.prefix].auth.kind
    limits = applying(loaded.config.rate_limits, tool.address)
    if args.json:
        print_json(
            {
                **explain_json(workspace.facts(tool), decision),
                "limits": limits,
                "auth": auth,
                "connection": connection.status,
                "lock": lock_state(workspace, tool) or None,
            }
        )
        return
    print(explain_text(workspace.facts(tool), decision).rstrip())
    for limit in limits:
        print(f"  limit             {limit['name']}: {limit['limit']} per {limit['per']}")
    print(f"  connection        {tool.prefix}: {_state(connection)}, auth {auth}")
    if workspace.lock is not None:
        print(f"  lock              {lock_state(workspace, tool)}")
    if args.expect and decision.action != args.expect:
        print(f"expected {args.expect}, got {decision.action}")


def _state(connection: OpenConnection) -> str:
    """Of what is vendored nobody was asked, so nothing is known of how it is."""
    return "not asked, by its vendored catalog" if connection.vendored else str(connection.status["status"])


def find_tool(workspace: Workspace, address: str) -> CatalogTool | str:
    """The tool, or the sentence that says why there is none."""
    found = workspace.catalog.find(address)
    if isinstance(found, Ambiguous):
        return f"`{address}` is ambiguous: {', '.join(found.addresses)}"
    if isinstance(found, Missing):
        return f"no tool `{address}`: {_why_missing(workspace, address, found)}"
    return found


def _why_missing(workspace: Workspace, address: str, missing: Missing) -> str:
    connection = workspace.connections.get(".".join(address.removeprefix("tools.").split(".")[:3]))
    if connection is not None and connection.upstream is None:
        return f"{connection.prefix} is {connection.status['status']}: {connection.status.get('error', '')}"
    return f"did you mean `{missing.suggestions[0]}`?" if missing.suggestions else "see `executor tools list`"
