"""`executor call ADDRESS [JSON]`: one tool, under the same policies as agents.

Without a server the call is made here, and approvals are asked for at the terminal. With `--server` the call is
an execution on that server, which can wait for somebody else's approval.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from integrations.json_text import write_json
from proxy.commands.caller import add_caller_option, resolve_caller
from proxy.commands.common import (
    EXIT_APPROVAL,
    EXIT_BLOCKED,
    EXIT_FOUND,
    EXIT_OK,
    CannotRun,
    cannot_run,
    print_json,
)
from proxy.commands.json_input import read_object
from proxy.commands.local import run_locally
from proxy.commands.remote import Refused, Remote, add_server_options, execution_path, inert, open_remote
from proxy.commands.results import WAITING, print_result
from proxy.config import LoadedConfig
from proxy.live import Live
from proxy.principal import Principal

if TYPE_CHECKING:
    # The calls package is not needed to refuse wrong arguments.
    from proxy.calls import ApprovalNeeded, Calls

_HOW = (
    "Run it at a terminal to be asked, or with --server URL: there it waits, and `executor resume` decides."
)
_EXITS = {"approval_required": EXIT_APPROVAL, "tool_blocked": EXIT_BLOCKED}


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "call",
        help="call one tool under the same policies as agents",
        description="Calls one tool and prints its data. Needs no server: config and credentials are read here. With "
        "--server it is called there, with the agents' token of this machine or EXECUTOR_TOKEN.",
        epilog="Exit codes: 0 the call went well, 1 it did not, 2 could not run, 3 needs approval, 4 blocked.",
    )
    parser.add_argument("address", metavar="ADDRESS", help="for example github.org.main.repos.get")
    parser.add_argument(
        "arguments", nargs="?", default="{}", metavar="JSON", help="arguments: JSON, @FILE or -"
    )
    parser.add_argument(
        "--json", action="store_true", help="as everywhere; what a call returns is JSON anyway"
    )
    add_caller_option(parser)
    add_server_options(parser, "call it on a running server")


def run(args: argparse.Namespace) -> int:
    try:
        arguments = read_object(args.arguments)
        if args.server:
            return _call_on_server(args, arguments)
    except Refused as refused:
        print(f"executor: {refused}", file=sys.stderr)
        return EXIT_FOUND
    except (CannotRun, OSError) as error:
        return cannot_run(error)
    return run_locally(args, partial(_call, arguments), secrets=True)


def _call_on_server(args: argparse.Namespace, arguments: dict[str, Any]) -> int:
    """As an execution of one call. Raises `CannotRun`, `Refused`."""
    if args.caller:
        raise CannotRun("--as judges a local call; the server knows you by your token")
    with open_remote(args, "agent") as remote:
        result = remote.post("/api/executions", {"code": code_of(args.address, arguments)})
        if result["status"] in WAITING and at_terminal():
            result = _decided_on_server(args, remote, result)
        if result["status"] == "completed" and "result" in result:
            return _print(result["result"])
        return print_result(result, as_json=False, server=args.server)


def _decided_on_server(args: argparse.Namespace, remote: Remote, result: dict[str, Any]) -> dict[str, Any]:
    """The person at this terminal answers with the approver's token, if it is here; then the call goes on."""
    path = execution_path(result["executionId"])
    for question in result["interactions"]:
        action = "accept" if agrees(inert(question["message"])) else "decline"
        try:
            with open_remote(args, "approver") as person:
                person.post(f"{path}/decide", {"action": action, "interactionId": question["id"]})
        except Refused as refused:
            print(refused, file=sys.stderr)
            return result
    return remote.post(f"{path}/resume", {})


def code_of(address: str, arguments: dict[str, Any]) -> str:
    """The program that makes one call. Raises `CannotRun` for what is no address."""

    parts = address.removeprefix("tools.").split(".")
    if not all(parts):
        raise CannotRun(f"{address}: expected an address such as github.org.main.repos.get")
    path = "".join(f"[{write_json(part).decode()}]" for part in parts)
    return f"return await tools{path}({write_json(arguments).decode()})"


async def _call(arguments: dict[str, Any], args: argparse.Namespace, loaded: LoadedConfig, live: Live) -> int:
    from proxy.calls import Calls, ToolDefect, WrongArgument
    from proxy.state.memory import MemoryState

    principal, _ = resolve_caller(args.caller, live.current)
    calls = Calls(live, MemoryState())
    try:
        answer = await _answer(calls, live, principal, args.address, arguments)
    except (ToolDefect, WrongArgument) as error:
        print(f"executor: {error}", file=sys.stderr)
        return EXIT_FOUND
    return _print(answer)


async def _answer(
    calls: Calls, live: Live, principal: Principal, address: str, arguments: dict[str, Any]
) -> Any:
    """The envelope. At a terminal the person there is asked first. Raises `ToolDefect`, `WrongArgument`."""
    from proxy.calls import Approval, ApprovalNeeded, CallContext, Ready, Settlement

    context = CallContext("cli")
    if at_terminal():
        verdict = calls.judge(live.current, principal, address, arguments, context)
        if (
            isinstance(verdict, ApprovalNeeded)
            and verdict.decision.approver == "model"
            and agrees(_question(verdict))
        ):
            approval = Approval(verdict.binding, (time.time() + 60) * 1000)
            verdict = calls.judge(live.current, principal, address, arguments, context, approval)
            if isinstance(verdict, Ready):
                settlement = await calls.send(verdict)
                assert isinstance(settlement, Settlement), "only who can be asked is asked"
                return json.loads(settlement.body)
    return await calls.call(live.current, principal, address, arguments, context)


def _question(needed: ApprovalNeeded) -> str:
    from proxy.executions.rendering import render

    reason = f": {inert(needed.decision.reason)}" if needed.decision.reason else ""
    return (
        f"{inert(needed.summary)}\n{needed.address} {render(needed.arguments)}\n"
        f"asked by rule {needed.decision.rule_id} ({needed.decision.rule_source}){reason}"
    )


def at_terminal() -> bool:
    """Whether a person can be asked. In a script nobody can: exit code 3 says that approval is needed."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agrees(question: str) -> bool:
    """Show the question and read the answer; anything but yes is no."""
    print(question, file=sys.stderr)
    print("Approve? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


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
    if error["code"] == "approval_required":
        print(_HOW, file=sys.stderr)
    if error.get("details"):
        print_json(error["details"])
    return _EXITS.get(error["code"], EXIT_FOUND)
