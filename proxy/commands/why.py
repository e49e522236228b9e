"""`executor why`: what was decided about past calls, by which rule as it stood then, and what would happen today."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from policies.explain import split_source
from proxy.app.locking import LockProblem
from proxy.app.offline import open_offline
from proxy.app.past_configs import PastConfig, PastConfigs
from proxy.audit import AuditFilter, AuditLine, ChainVerdict, find, verify
from proxy.commands.audit import moment_option, read_lines
from proxy.commands.common import (
    EXIT_CONFIG,
    EXIT_FOUND,
    EXIT_OK,
    CannotRun,
    add_config_option,
    add_json_option,
    cannot_run,
    config_paths,
    load_valid,
    print_json,
)
from proxy.commands.terminal import in_color, painted
from proxy.config import LoadedConfig
from proxy.config.model import AuditFile
from proxy.config.report import Summary, render
from proxy.config.report_text import counted
from proxy.connections.opening import WrongSource
from proxy.policy_tests.replay import PastCallNow, decided_now
from proxy.telemetry.logs import escaped

_MOST = 50
_HIDDEN_ARGUMENTS = "not in the trail (audit.arguments)"
# Codes of calls that were refused before their arguments were looked at.
_REFUSED_UNSEEN = frozenset({"tool_blocked", "tool_definition_changed", "tool_gone", "tool_not_found"})
_NOT_LOOKED_AT = "not in the trail: refused whatever they are (or audit.arguments)"


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "why",
        help="say why past calls were let through or not, from the audit trail, and what would happen today",
        description="Reads the audit trail that the config names. Prints each call of an execution, or of a tool: what "
        "was decided, by which rule at which file:line, that rule as it stood in the config of then (looked for in the "
        "files here and in git), and what would be decided today. Needs no server, no network and no secrets.",
        epilog="Exit codes: 0 explained, 1 nothing was found, or the trail is not whole, 2 could not run, 78 invalid "
        "config.",
    )
    parser.add_argument("execution", nargs="?", metavar="EXECUTION_ID", help="every call of this execution")
    parser.add_argument("--tool", metavar="PATTERN", help="every call of these tools; `*` for any characters")
    parser.add_argument(
        "--since",
        metavar="TIME",
        type=moment_option,
        help="not before this RFC 3339 time, date (UTC), or so long ago: 30m, 24h, 7d",
    )
    parser.add_argument("--until", metavar="TIME", type=moment_option, help="before this time")
    parser.add_argument(
        "--audit",
        action="append",
        type=Path,
        metavar="FILE",
        help="file of the trail; repeatable, rotated ones first (default: audit.sink of the config)",
    )
    parser.add_argument(
        "--limit", type=int, default=_MOST, metavar="N", help=f"last N calls (default: {_MOST})"
    )
    add_config_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    try:
        if bool(args.execution) == bool(args.tool):
            raise CannotRun("name an EXECUTION_ID, or tools with --tool PATTERN")
        paths = config_paths(args.config)
        loaded = load_valid(paths, secrets=False)
        if loaded is None:
            return EXIT_CONFIG
        files = args.audit or [_audit_file(loaded)]
        trail = _trail(files, _wanted(args))
        answers = asyncio.run(_answers(trail.calls[-args.limit :] if args.limit > 0 else [], paths, loaded))
        return _print_json(args, trail, answers) if args.json else _print(args, trail, answers)
    except CannotRun as error:
        return cannot_run(error)
    except LockProblem as problem:
        summary = Summary(1, 0, 0, 0, 0)
        print(render("text", [problem.diagnostic], summary, color=in_color(sys.stderr)), file=sys.stderr)
        return EXIT_CONFIG
    except WrongSource as error:
        return cannot_run(CannotRun(f"integrations.{error.integration}: {error}"))


def _wanted(args: argparse.Namespace) -> AuditFilter:
    return AuditFilter(execution=args.execution, tool=args.tool, since=args.since, until=args.until)


def _audit_file(loaded: LoadedConfig) -> Path:
    """Where the config has its trail written. Raises `CannotRun`."""
    assert loaded.config is not None
    sink = loaded.config.audit.sink
    if not isinstance(sink, AuditFile):
        why = "writes no audit trail (audit.sink is off)" if sink == "off" else "sends audit lines to stdout"
        raise CannotRun(f"the config {why}; name a file that lines were kept in with --audit FILE")
    if not Path(sink.file).exists():
        raise CannotRun(f"there is no audit trail yet at {sink.file}; name another file with --audit FILE")
    return Path(sink.file)


# ---- the trail ----------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class _Trail:
    """What was asked for, and whether the files are one whole chain. `times`: of the first and the last line."""

    files: Sequence[Path]
    calls: list[AuditLine] = field(default_factory=list)
    others: list[AuditLine] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    verdict: ChainVerdict = field(default_factory=lambda: verify(()))

    @property
    def fault(self) -> str | None:
        """Why the trail cannot be believed. A last line that is just being written is no reason."""
        verdict = self.verdict
        if verdict.fault is None or verdict.unfinished:
            return None
        return f"line {verdict.fault_line}: {verdict.fault}"

    @property
    def named(self) -> str:
        span = f", {self.times[0]} to {self.times[-1]}" if self.times else ""
        return f"{', '.join(map(str, self.files))} ({counted(self.verdict.lines, 'line')}{span})"

    @property
    def earlier(self) -> str:
        """What to do about lines that are not here; nothing where the trail begins with its first one."""
        if not self.verdict.begins or self.fault:
            return ""
        return (
            f"the trail begins with line number {self.verdict.begins} here: earlier ones are in a rotated file, "
            f"name it first, with --audit OLDER --audit {self.files[0]}"
        )


def _trail(files: Sequence[Path], wanted: AuditFilter) -> _Trail:
    trail = _Trail(files)
    trail.verdict = verify(_kept(read_lines(list(files)), trail, wanted))
    return trail


def _kept(lines: Iterable[bytes], trail: _Trail, wanted: AuditFilter) -> Iterator[bytes]:
    for line in lines:
        for found in find([line], AuditFilter()):
            trail.times[1:] = [str(found.record.get("time"))]
            if wanted.matches(found.record):
                (trail.calls if found.record.get("event") == "call" else trail.others).append(found)
        yield line


# ---- then and now -------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Answer:
    """One call: the line, the config of then if it is still known, and what would be decided today (None where nothing
    was decided)."""

    record: Mapping[str, Any]
    config: PastConfig | None
    lost: str
    today: PastCallNow | None

    @property
    def decision(self) -> Mapping[str, Any] | None:
        decision = self.record.get("decision")
        return decision if isinstance(decision, dict) else None

    @property
    def rule_then(self) -> str | None:
        return self.config.rule_text(str((self.decision or {}).get("rule"))) if self.config else None


async def _answers(calls: Sequence[AuditLine], paths: Sequence[Path], loaded: LoadedConfig) -> list[_Answer]:
    past = PastConfigs(paths, loaded)
    async with open_offline(loaded, os.environ) as view:
        answers = []
        for line in calls:
            record = line.record
            config = await asyncio.to_thread(past.find, str(record.get("config")))
            decided = isinstance(record.get("decision"), dict) and record.get("address")
            today = decided_now(record, view.generation, view.absent) if decided else None
            answers.append(_Answer(record, config, "" if config else past.looked, today))
        return answers


# ---- for people ---------------------------------------------------------------------------------------------------
def _print(args: argparse.Namespace, trail: _Trail, answers: Sequence[_Answer]) -> int:
    for one in trail.others:
        if one.record.get("event") in ("execution", "approval"):
            print(escaped(_event_line(one.record)))
    for answer in answers:
        print("\n".join(map(escaped, _lines(answer))))
    left = len(trail.calls) - len(answers)
    if left:
        print(f"{counted(left, 'earlier call')} not shown: --limit {len(trail.calls)}")
    if not trail.calls:
        print(_nothing(args, trail), file=sys.stderr)
    if trail.fault:
        say = painted("not whole:", "bad", sys.stderr)
        print(f"{say} {trail.fault}; what is said above may not be what happened", file=sys.stderr)
    return EXIT_OK if trail.calls and not trail.fault else EXIT_FOUND


def _nothing(args: argparse.Namespace, trail: _Trail) -> str:
    if trail.others:
        what = f"execution `{args.execution}` made no call that the trail has"
    elif args.execution:
        what = f"no execution `{args.execution}`"
    else:
        what = f"no call of `{args.tool}`{' in that time' if args.since or args.until else ''}"
    return f"{what} in {trail.named}{f'; {trail.earlier}' if trail.earlier else ''}"


def _event_line(record: Mapping[str, Any]) -> str:
    who = (record.get("who") or {}).get("account")
    said = record.get("status") or f"{record.get('action')} by {who}, by {record.get('via')}"
    refused = f", refused: {record['refused']}" if record.get("refused") else ""
    address = f" of {record['address']}" if record.get("address") else ""
    return (
        f"{record.get('time')}  {record.get('event')} {record.get('executionId')}{address}: {said}{refused}"
    )


def _lines(answer: _Answer) -> Iterator[str]:
    record, decision = answer.record, answer.decision
    who = record.get("who") or {}
    groups = f" ({', '.join(who['groups'])})" if who.get("groups") else ""
    yield (
        f"{record.get('time')}  {record.get('executionId')}  {who.get('account')}{groups} in {who.get('workspace')}"
    )
    how = "ok" if record.get("ok") else record.get("code")
    name = record.get("address") or record.get("path")
    if decision is None:
        yield f"  {name}: {how}"
        yield "  nothing was decided: a tool of Executor itself, or none that there was for this caller"
        return
    yield f"  {name}: {decision.get('action')}  (the call: {how})"
    yield f"    rule       {decision.get('rule')} ({decision.get('source')})"
    if rule := answer.rule_then:
        yield f"    as it was  {rule}"
    sha256 = str(record.get("config"))[:8]
    found = answer.config.where if answer.config else f"no longer known: {answer.lost}"
    yield f"    config     {sha256}, {found}"
    if decision.get("reason") or decision.get("error"):
        yield f"    because    {decision.get('error') or decision.get('reason')}"
    yield f"    arguments  {_arguments(record)}"
    yield f"    today      {_today(answer)}"


def _arguments(record: Mapping[str, Any]) -> str:
    arguments = record.get("arguments") or {}
    if "value" in arguments:
        return json.dumps(arguments["value"], ensure_ascii=False)
    digest = f", sha256 {str(arguments['sha256'])[:12]}" if "sha256" in arguments else ""
    if not digest and record.get("code") in _REFUSED_UNSEEN:
        return _NOT_LOOKED_AT
    return f"{_HIDDEN_ARGUMENTS}{digest}"


def _today(answer: _Answer) -> str:
    now, was = answer.today, answer.decision or {}
    if now is None or now.decision is None:
        return now.why if now is not None else ""
    decided = now.decision
    where = f"{decided.rule_id} ({decided.rule_source})"
    if not now.clear:
        return f"depends on the arguments: {now.why}; at best or worst {decided.action}, {where}"
    if decided.action != was.get("action"):
        return f"{decided.action}, otherwise than then: {where}"
    same = (decided.rule_id, decided.rule_source) == (was.get("rule"), was.get("source"))
    return f"{decided.action}, by the same rule" if same else f"{decided.action}, by {where}"


# ---- for machines -------------------------------------------------------------------------------------------------
def _print_json(args: argparse.Namespace, trail: _Trail, answers: Sequence[_Answer]) -> int:
    verdict = trail.verdict
    print_json(
        {
            "format_version": "1",
            "trail": {
                "files": [str(file) for file in trail.files],
                "lines": verdict.lines,
                "begins": verdict.begins,
                "whole": trail.fault is None,
                "fault": trail.fault,
            },
            "calls": [_call_json(one) for one in answers],
            "events": [one.record for one in trail.others],
            "not_shown": len(trail.calls) - len(answers),
            "problem": None if trail.calls else _nothing(args, trail),
        }
    )
    return EXIT_OK if trail.calls and not trail.fault else EXIT_FOUND


def _call_json(answer: _Answer) -> dict[str, Any]:
    decision, config = answer.decision, answer.config
    file, line = split_source(str((decision or {}).get("source") or ""))
    then = None if decision is None else {**decision, "file": file, "line": line}
    return {
        **{key: answer.record.get(key) for key in ("time", "executionId", "call", "address", "path", "who")},
        **{key: answer.record.get(key) for key in ("ok", "code", "arguments")},
        "then": then,
        "rule_then": json.loads(answer.rule_then) if answer.rule_then else None,
        "config": {
            "sha256": answer.record.get("config"),
            "known": config is not None,
            "where": config.where if config is not None else answer.lost,
        },
        "today": _today_json(answer),
    }


def _today_json(answer: _Answer) -> dict[str, Any] | None:
    now = answer.today
    if now is None:
        return None
    if now.decision is None:
        return {"action": None, "rule": None, "clear": now.clear, "same": False, "why": now.why}
    file, line = split_source(now.decision.rule_source)
    action = now.decision.action
    return {
        "action": action,
        "rule": now.decision.rule_id,
        "file": file,
        "line": line,
        "clear": now.clear,
        "same": now.clear and action == (answer.decision or {}).get("action"),
        "why": now.why or None,
    }
