"""`executor executions ls|show|cancel`: what a running server runs, has run, and holds."""

from __future__ import annotations

import argparse
from typing import Any, get_args

from integrations.base import JsonObject
from proxy.commands.common import (
    EXIT_OK,
    add_json_option,
    add_listing,
    print_json,
)
from proxy.commands.remote import Remote, add_server_options, execution_path, inert, run_remotely
from proxy.commands.terminal import print_table
from proxy.state.records import ExecutionStatus

EXIT_CODES = "Exit codes: 0 fine, 1 nothing of this id, or it is over, 2 could not run."


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "executions",
        help="list, show and cancel executions of a running server",
        description="Executions that paused, changed something or were begun over REST; they are kept for "
        "`state.execution_ttl`.",
        epilog=EXIT_CODES,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = add_listing(actions, "ls", "list", "newest first")
    listing.add_argument("--status", choices=get_args(ExecutionStatus))
    listing.add_argument("--limit", type=int, default=50, metavar="N", help="1 to 200, default 50")
    listing.add_argument("--cursor", metavar="ID", help="go on after this one")
    show = actions.add_parser("show", help="one execution as JSON: what waits, its calls, its result")
    cancel = actions.add_parser("cancel", help="end one; calls that were sent stay sent")
    for one in (show, cancel):
        one.add_argument("execution", metavar="ID")
    for one in (listing, show, cancel):
        add_server_options(one)
        add_json_option(one)
        one.epilog = EXIT_CODES


def run(args: argparse.Namespace) -> int:
    return run_remotely(args, _run)


def _run(args: argparse.Namespace, remote: Remote) -> int:
    if args.action == "ls":
        return _list(args, remote)
    if args.action == "show":
        print_json(remote.get(execution_path(args.execution)))
        return EXIT_OK
    answer = remote.post(f"{execution_path(args.execution)}/cancel", {})
    if args.json:
        print_json(answer)
    else:
        print(f"canceled {inert(answer['executionId'])}")
    return EXIT_OK


def _list(args: argparse.Namespace, remote: Remote) -> int:
    given = {"status": args.status, "limit": args.limit, "cursor": args.cursor}
    page = remote.get(
        "/api/executions", **{name: value for name, value in given.items() if value is not None}
    )
    if args.json:
        print_json(page)
        return EXIT_OK
    print_table([*map(_row, page["items"])], ["EXECUTION", "STATUS", "BY", "CREATED", "CALLS", "WAITING"])
    if page.get("nextCursor"):
        print(f"more: --cursor {inert(page['nextCursor'])}")
    return EXIT_OK


def _row(item: JsonObject) -> list[str]:
    shown = [item["executionId"], item["status"], item["accountId"], item["createdAt"]]
    return [*map(inert, shown), str(len(item["calls"])), str(len(item["interactions"]))]
