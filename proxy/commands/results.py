"""The result of an execution on a server, as text for people."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from integrations.base import JsonObject
from proxy.commands.common import EXIT_APPROVAL, EXIT_FOUND, EXIT_OK, print_json
from proxy.commands.remote import inert

WAITING: Final = frozenset({"waiting_for_interaction", "user_approval_required"})


def print_result(result: JsonObject, *, as_json: bool, server: str | None = None) -> int:
    """Print the result on stdout, errors and what waits on stderr; returns the exit code.

    Takes what execute and resume answer. `server` is the value of `--server`, for the commands
    that are shown.
    """
    status = result["status"]
    if as_json:
        print_json(result)
    elif status in WAITING:
        print_waiting(result, server)
    elif status == "completed":
        if "result" in result:
            value = result["result"]
            print(inert(value)) if isinstance(value, str) else print_json(value)
    else:
        print(inert(f"{status}: {result.get('error', '')}"), file=sys.stderr)
    if not as_json and result.get("note"):
        print(inert(result["note"]), file=sys.stderr)
    if status in WAITING:
        return EXIT_APPROVAL
    return EXIT_OK if status == "completed" else EXIT_FOUND


def print_waiting(result: JsonObject, server: str | None) -> None:
    """What waits, and the commands that decide it."""
    execution = result["executionId"]
    questions = result.get("interactions", [])
    for question in questions:
        print(f"{inert(question['message'])}\n", file=sys.stderr)
    person = result["status"] == "user_approval_required"
    page = (
        f" A person decides at {inert(result['approvalUrl'])}," if person and "approvalUrl" in result else ""
    )
    who = "or another account with" if page else "Decide with"
    print(f"Waiting for approval until {result.get('expiresAt', '')}.{page} {who} one of:", file=sys.stderr)
    for command in decisions(execution, questions, person=person):
        print(f"  {command}{f' --server {server}' if server else ''}", file=sys.stderr)


def decisions(execution_id: str, questions: Sequence[JsonObject], *, person: bool = False) -> list[str]:
    """Commands to paste. Where a person has to decide, or a rule demands another one, they use `executor approvals`."""
    if person or any(question.get("approver") == "human" for question in questions):
        return [f"executor approvals approve {execution_id}", f"executor approvals deny {execution_id}"]
    return [f"executor resume {execution_id} --action {action}" for action in ("accept", "decline")]
