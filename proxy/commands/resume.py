"""`executor resume ID`: decide what an execution waits for, let it go on, and print its next result."""

from __future__ import annotations

import argparse
from typing import Any, get_args

from integrations.conversation import ElicitAction
from proxy.commands.common import CannotRun, add_json_option, cannot_run
from proxy.commands.json_input import read_object
from proxy.commands.remote import Remote, add_server_options, execution_path, run_remotely
from proxy.commands.results import print_result

LONGEST_WAIT = 240


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "resume",
        help="go on with a paused execution, and print its next result",
        description="Asks a running server. Without --action nothing is decided: it prints the result if there is one.",
        epilog="Exit codes: 0 completed, 1 it failed or was refused, 2 could not run, 3 it waits for approval.",
    )
    parser.add_argument("execution", metavar="ID")
    parser.add_argument("--action", choices=get_args(ElicitAction))
    parser.add_argument("--interaction", metavar="ID", help="decide only this call (default: all that wait)")
    parser.add_argument("--content", metavar="JSON", help="an answer to what is asked: JSON, @FILE or -")
    parser.add_argument(
        "--wait",
        type=int,
        default=0,
        metavar="SECONDS",
        help=f"how long to wait for somebody's decision (at most {LONGEST_WAIT})",
    )
    add_server_options(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    try:
        body = _body(args)
    except (CannotRun, OSError) as error:
        return cannot_run(error)

    def resume(args: argparse.Namespace, remote: Remote) -> int:
        result = remote.post(f"{execution_path(args.execution)}/resume", body)
        return print_result(result, as_json=args.json, server=args.server)

    return run_remotely(args, resume)


def _body(args: argparse.Namespace) -> dict[str, Any]:
    """Raises `CannotRun`."""
    if args.action is None and (args.content is not None or args.interaction is not None):
        raise CannotRun("--content and --interaction need --action accept, decline or cancel")
    if not 0 <= args.wait <= LONGEST_WAIT:
        raise CannotRun(f"--wait {args.wait}: expected 0 to {LONGEST_WAIT} seconds")
    given = {"action": args.action, "interactionId": args.interaction, "waitMs": args.wait * 1000 or None}
    body = {name: value for name, value in given.items() if value is not None}
    return body if args.content is None else {**body, "content": read_object(args.content)}
