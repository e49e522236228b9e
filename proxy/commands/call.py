"""`executor call ADDRESS [JSON]`: one tool, under the same policies as agents."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import Any

from proxy.commands.caller import add_caller_option, resolve_caller
from proxy.commands.common import (
    EXIT_APPROVAL,
    EXIT_BLOCKED,
    EXIT_FOUND,
    EXIT_OK,
    CannotRun,
    add_config_option,
    cannot_run,
    print_json,
)
from proxy.commands.documents import read_object
from proxy.commands.local import run_locally
from proxy.config import Loaded
from proxy.live import Live

_EXITS = {"approval_required": EXIT_APPROVAL, "tool_blocked": EXIT_BLOCKED}


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "call",
        help="call one tool under the same policies as agents",
        description="Calls one tool and prints its data. Needs no server: config and credentials are read here.",
        epilog="Exit codes: 0 the call went well, 1 it did not, 2 could not run, 3 needs approval, 4 blocked.",
    )
    parser.add_argument("address", metavar="ADDRESS", help="for example github.org.main.repos.get")
    parser.add_argument(
        "arguments", nargs="?", default="{}", metavar="JSON", help="arguments: JSON, @FILE or -"
    )
    add_caller_option(parser)
    add_config_option(parser)


def run(args: argparse.Namespace) -> int:
    try:
        arguments = read_object(args.arguments)
    except CannotRun as error:
        return cannot_run(error)
    return run_locally(args, partial(_call, arguments), secrets=True)


async def _call(arguments: dict[str, Any], args: argparse.Namespace, loaded: Loaded, live: Live) -> int:
    # Late: the calls package is not needed to refuse wrong arguments.
    from proxy.calls import CallContext, Calls, ToolDefect, WrongArgument
    from proxy.state.memory import MemoryState

    principal, _ = resolve_caller(args.caller, live.current)
    calls = Calls(live, MemoryState())
    try:
        answer = await calls.call(live.current, principal, args.address, arguments, CallContext("cli"))
    except (ToolDefect, WrongArgument) as error:
        print(f"executor: {error}", file=sys.stderr)
        return EXIT_FOUND
    return _print(answer)


def _print(answer: Any) -> int:
    """Data and error bodies go to stdout, the sentence about a failure to stderr."""
    if not isinstance(answer, dict) or "ok" not in answer:
        print_json(answer)
        return EXIT_OK
    if answer["ok"]:
        print_json(answer["data"])
        return EXIT_OK
    error = answer["error"]
    print(f"{error['code']}: {error['message']}", file=sys.stderr)
    if error.get("details"):
        print_json(error["details"])
    return _EXITS.get(error["code"], EXIT_FOUND)
