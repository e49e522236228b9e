"""`executor approvals ls|show|approve|deny`: the inbox of the person who decides."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from integrations.base import JsonObject
from proxy.commands.common import (
    EXIT_FOUND,
    EXIT_OK,
    add_json_option,
    add_listing,
    print_json,
)
from proxy.commands.json_input import read_object
from proxy.commands.remote import Refused, Remote, add_server_options, execution_path, inert, run_remotely
from proxy.commands.terminal import print_table

_ACTIONS = {"approve": "accept", "deny": "decline"}
_DONE = {"approve": "approved", "deny": "denied"}
EXIT_CODES = "Exit codes: 0 fine, 1 nothing of this id, or it was refused, 2 could not run."


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "approvals",
        help="list, show, approve and deny the calls that wait for a person",
        description="Asks a running server. On its machine the approver's minted token is used; elsewhere set "
        "EXECUTOR_TOKEN to a key with the approver role.",
        epilog=EXIT_CODES,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = add_listing(actions, "ls", "list", "everything that waits")
    show = actions.add_parser(
        "show", help="one execution: every call that waits, with its arguments, and the code that asks"
    )
    approve = actions.add_parser("approve", help="let the waiting calls run")
    deny = actions.add_parser("deny", help="refuse the waiting calls; the code goes on without them")
    for one in (show, approve, deny):
        one.add_argument("execution", metavar="ID", help="the execution, as `ls` shows it")
    for one in (approve, deny):
        one.add_argument(
            "--interaction", action="append", metavar="ID", help="only this call; repeatable (default: all)"
        )
        one.add_argument("--content", metavar="JSON", help="an answer to what is asked: JSON, @FILE or -")
    for one in (listing, show, approve, deny):
        add_server_options(one)
        add_json_option(one)
        one.epilog = EXIT_CODES


def run(args: argparse.Namespace) -> int:
    return run_remotely(args, {"ls": _list, "show": _show}.get(args.action, _decide))


def _list(args: argparse.Namespace, remote: Remote) -> int:
    items = remote.get("/api/approvals")["items"]
    if args.json:
        print_json(items)
    elif not items:
        print("nothing waits for approval")
    else:
        print_table([*map(_row, items)], ["EXECUTION", "CALL", "TOOL", "ASKED BY", "EXPIRES", ""])
    return EXIT_OK


def _row(item: JsonObject) -> list[str]:
    question = item["interaction"]
    shown = [
        item["executionId"],
        question["id"],
        question["address"],
        item["accountId"],
        question["expiresAt"],
    ]
    person = question.get("approver") == "human"
    who = "another person must approve" if person else "decide on the approval page"
    return [*map(inert, shown), "" if item["mayApprove"] else who]


def _show(args: argparse.Namespace, remote: Remote) -> int:
    found = remote.get(execution_path(args.execution))
    if args.json:
        print_json(found)
        return EXIT_OK
    for name in ("executionId", "status", "accountId", "workspaceId", "createdAt", "codeSha256"):
        print(f"{name:<12} {inert(found[name])}")
    for question in found["interactions"]:
        print(f"\n[{question['id']}] {inert(question['message'])}\nExpires {question['expiresAt']}")
    for name, action in found["decided"].items():
        print(f"\n[{name}] decided: {action}")
    if found.get("metadata"):
        print(
            f"\nMetadata of the caller\n{inert(json.dumps(found['metadata'], ensure_ascii=False, indent=2))}"
        )
    _print_code(found)
    return EXIT_OK


def _print_code(found: JsonObject) -> None:
    """With line numbers; `>` marks the line that asks, where that is known."""
    code = found.get("code")
    if code is None:
        print("\nThe code was not kept: an earlier version of the server stored this execution.")
        return
    asking = set(found.get("askedAtLine", {}).values())
    print("\nCode")
    for number, line in enumerate(code.expandtabs(4).split("\n"), 1):
        print(f"{'>' if number in asking else ' '}{number:>4}  {inert(line.removesuffix(chr(13)))}")


def _decide(args: argparse.Namespace, remote: Remote) -> int:
    """Decides each call by its id, as listed now: calls that come later are not decided along with it."""
    found = remote.get(execution_path(args.execution))
    waiting = {one["id"]: one for one in found["interactions"] if one["id"] not in found["decided"]}
    wanted = args.interaction or list(waiting)
    if not wanted:
        stands = "everything is decided" if found["interactions"] else f"it is {found['status']}"
        print(f"executor: nothing waits in {inert(args.execution)}: {stands}", file=sys.stderr)
        return EXIT_FOUND
    body: JsonObject = {"action": _ACTIONS[args.action]}
    if args.content is not None:
        body["content"] = read_object(args.content)
    outcomes = [_decided(remote, args.execution, {**body, "interactionId": name}) for name in wanted]
    if args.json:
        print_json(outcomes)
        return EXIT_FOUND if any("refused" in one for one in outcomes) else EXIT_OK
    for name, outcome in zip(wanted, outcomes, strict=True):
        address = inert(waiting.get(name, {}).get("address", ""))
        if "refused" in outcome:
            print(f"{inert(name)} {address}: {outcome['refused']['message']}".strip(), file=sys.stderr)
        else:
            print(f"{_DONE[args.action]} {inert(name)} {address}".rstrip())
    return EXIT_FOUND if any("refused" in one for one in outcomes) else EXIT_OK


def _decided(remote: Remote, execution_id: str, body: JsonObject) -> JsonObject:
    shown = {"executionId": execution_id, "interactionId": body["interactionId"]}
    try:
        answer = remote.post(f"{execution_path(execution_id)}/decide", body)
    except Refused as refused:
        return {**shown, "refused": {"code": refused.code, "message": str(refused)}}
    return {**shown, "action": body["action"], "status": answer["status"]}
