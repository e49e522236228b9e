"""`executor audit verify|query`: is the audit trail whole, and what happened?"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proxy.audit import AuditFilter, AuditLine, find, verify
from proxy.audit.chain import digest_of
from proxy.audit.reading import moment
from proxy.commands.common import EXIT_FOUND, EXIT_OK, CannotRun, add_json_option, cannot_run
from proxy.telemetry.logs import escaped

_EVENTS = ("execution", "call", "approval", "reload", "server", "auth_failure", "audit_gap")

_FILES = "of `audit.sink`, in their order; - is standard input"


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "audit",
        help="verify the audit trail, and find out what happened",
        description="Reads files that `audit: {sink: {file: ...}}` writes. Rotated ones are named in their order.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    whole = actions.add_parser(
        "verify",
        help="say whether no line was changed, removed or put in",
        description="Every line carries the digest of the line before it. Prints the digest of the last line: keep "
        "it elsewhere, and `--includes` it later to see that the end was not cut off.",
        epilog="Exit codes: 0 one chain, 1 a line does not follow from the one before, 2 could not run.",
    )
    whole.add_argument("files", nargs="+", type=Path, metavar="FILE", help=_FILES)
    whole.add_argument("--includes", metavar="DIGEST", help="a line with this digest must be there")
    add_json_option(whole)
    query = actions.add_parser(
        "query",
        help="print the lines that match",
        description="All conditions must hold. Times are RFC 3339, dates (UTC), or so long ago: 30m, 24h, 7d.",
        epilog="Exit codes: 0 something was found, 1 nothing was, 2 could not run.",
    )
    query.add_argument("files", nargs="+", type=Path, metavar="FILE", help=_FILES)
    query.add_argument("--event", choices=_EVENTS)
    query.add_argument("--account", metavar="NAME")
    query.add_argument("--workspace", metavar="WS")
    query.add_argument("--execution", metavar="ID")
    query.add_argument("--tool", metavar="PATTERN", help="address, with `*` for any characters")
    query.add_argument("--code", metavar="CODE", help="how a call failed, such as tool_blocked")
    query.add_argument("--since", metavar="TIME", type=moment_option)
    query.add_argument("--until", metavar="TIME", type=moment_option)
    add_json_option(query)


def run(args: argparse.Namespace) -> int:
    try:
        return _verify(args) if args.action == "verify" else _query(args)
    except CannotRun as error:
        return cannot_run(error)


def moment_option(text: str) -> float:
    """The value of an option that is a time."""
    try:
        return moment(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time, such as 2026-11-21, 2026-11-21T08:00:00Z or 24h"
        ) from None


def read_lines(files: list[Path]) -> Iterator[bytes]:
    """The lines of the files, in their order; `-` is standard input. Raises `CannotRun`."""
    for file in files:
        try:
            with file.open("rb") if str(file) != "-" else os.fdopen(os.dup(0), "rb") as source:
                for line in source:
                    yield line.rstrip(b"\n")
        except OSError as error:
            raise CannotRun(f"{file}: {error.strerror}") from None


def _verify(args: argparse.Namespace) -> int:
    seen = False

    def watched() -> Iterator[bytes]:
        nonlocal seen
        for line in read_lines(args.files):
            seen = seen or digest_of(line) == args.includes
            yield line

    verdict = verify(watched())
    fault = verdict.fault
    if fault is None and args.includes is not None and not seen:
        fault = f"no line has the digest {args.includes}: lines were cut off, or it is another trail"
    if args.json:
        facts = {"lines": verdict.lines, "begins": verdict.begins, "last": verdict.last, "torn": verdict.torn}
        print(
            json.dumps({"whole": fault is None, **facts, "fault": fault, "line": verdict.fault_line or None})
        )
    elif fault is not None:
        place = f"line {verdict.fault_line}: " if verdict.fault_line else ""
        print(f"not whole: {place}{fault}")
    else:
        torn = f", {verdict.torn} cut short by a crash" if verdict.torn else ""
        start = f", from number {verdict.begins} on: earlier lines are elsewhere" if verdict.begins else ""
        print(f"whole: {verdict.lines} lines{start}{torn}\nlast: {verdict.last}")
    return EXIT_OK if fault is None else EXIT_FOUND


def _query(args: argparse.Namespace) -> int:
    wanted = AuditFilter(
        args.event, args.account, args.workspace, args.execution, args.tool, args.code, args.since, args.until
    )
    found = False
    for line in find(read_lines(args.files), wanted):
        found = True
        print(json.dumps(line.record) if args.json else _as_text(line))
    if not found:
        print("nothing matches", file=sys.stderr)
    return EXIT_OK if found else EXIT_FOUND


def _as_text(line: AuditLine) -> str:
    """One line for people: when, who, what, how it went, and by which rule."""
    record = line.record
    who = record.get("who") or {}
    decision = record.get("decision") or {}
    rule = f"by {decision['rule']} ({decision.get('source', '')})" if decision.get("rule") else None
    shown = (record.get("arguments") or {}).get("value")
    parts = (
        record.get("time"),
        record.get("event"),
        who.get("account"),
        record.get("address") or record.get("path") or record.get("executionId") or record.get("message"),
        json.dumps(shown) if shown is not None else None,
        record.get("status") or record.get("outcome") or record.get("action"),
        record.get("refused") or record.get("code") or ("ok" if record.get("ok") else None),
        rule,
        record.get("executionId") if record.get("address") or record.get("path") else None,
    )
    return escaped("  ".join(str(part) for part in parts if part not in (None, "")))
