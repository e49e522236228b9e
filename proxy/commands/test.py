"""`executor test`: run the tests of the policies, or decide the calls of an audit trail again."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

from policies import split_source
from proxy.app.checkout import NoRevision, checked_out
from proxy.app.locking import LockProblem
from proxy.app.offline import OfflineView, open_offline
from proxy.audit import AuditFilter, find
from proxy.commands.audit import read_lines
from proxy.commands.common import (
    EXIT_CANNOT_RUN,
    EXIT_FOUND,
    EXIT_OK,
    CannotRun,
    cannot_run,
    config_paths,
    print_json,
)
from proxy.config import LoadedConfig, load_config
from proxy.config.report import CI_FORMATS, Summary, render
from proxy.config.repository import repository_path
from proxy.connections.opening import WrongSource
from proxy.policy_tests.judging import TestJudge, rule_ids
from proxy.policy_tests.reading import PlacedTest, read_tests, test_files
from proxy.policy_tests.replay import ChangedCall, Replay, replay
from proxy.policy_tests.report import REPORTS, TestResults

EXIT_CODES = (
    "Exit codes: 0 all passed, 1 a test failed, coverage is too low, or a past call would be decided otherwise, "
    "2 no test, an invalid config, or could not run."
)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "test",
        help="run the tests of the policies (*.test.yaml)",
        description="Each test is one call and what must become of it: tests: [{name: ..., tool: ..., arguments: "
        "{...}, as: {key, user, groups, workspace}, expect: {action, rule}}]. Needs no network, no secrets, no server. "
        "A test of something that does not exist fails, so does one without the arguments that its rule depends on.",
        epilog=EXIT_CODES,
    )
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="files of tests, or the folder of a config (default: here)",
    )
    parser.add_argument(
        "--config", action="append", metavar="PATH", help="the config, where it is not beside the tests"
    )
    parser.add_argument(
        "-k", dest="only", default="", metavar="TEXT", help="only tests with this in their name"
    )
    parser.add_argument(
        "--coverage-min",
        type=float,
        default=0.0,
        metavar="PERCENT",
        help="exit 1 if fewer rules decided a test",
    )
    parser.add_argument("--online", action="store_true", help="ask sources too that are not in local files")
    parser.add_argument(
        "--replay",
        action="append",
        type=Path,
        metavar="FILE",
        help="decide the calls of an audit trail again",
    )
    parser.add_argument(
        "--against", metavar="REV", help="with --replay: by the rules of this revision of git"
    )
    parser.add_argument("--format", choices=tuple(REPORTS), default="text", help="default: text")
    parser.add_argument(
        "--json", dest="format", action="store_const", const="json", help="the same as --format json"
    )


def run(args: argparse.Namespace) -> int:
    try:
        if args.replay:
            return _replay(args)
        if args.against:
            raise CannotRun("--against goes with --replay")
        return _test(args)
    except (CannotRun, NoRevision) as error:
        return cannot_run(error)
    except WrongSource as error:
        return cannot_run(CannotRun(f"integrations.{error.integration}: {error}"))
    except LockProblem as problem:
        return _invalid(args, [problem.diagnostic], 1)
    except OSError as error:
        return cannot_run(CannotRun(f"{error.filename}: {(error.strerror or 'cannot be read').lower()}"))


# ---- tests --------------------------------------------------------------------------------------------------------
def _test(args: argparse.Namespace) -> int:
    configs, files = _places(args)
    tests, wrong = read_tests(files)
    if wrong:
        return _invalid(args, wrong, len(files))
    chosen = [one for one in tests if args.only.lower() in one.test.name.lower()]
    if not chosen:
        raise CannotRun(_no_tests(args, configs, files))
    loaded = load_config(configs, env=None)
    if loaded.config is None:
        return _invalid(args, loaded.diagnostics, len(loaded.files))
    results = asyncio.run(_results(loaded, chosen, online=args.online))
    shown = results if args.format not in CI_FORMATS else _in_repository(results)
    sys.stdout.write(REPORTS[args.format](shown))
    low = results.coverage < args.coverage_min
    if low:
        print(f"coverage {results.coverage:.0f}% is below {args.coverage_min:g}%", file=sys.stderr)
    return EXIT_FOUND if results.failed or low else EXIT_OK


def _places(args: argparse.Namespace) -> tuple[list[Path], list[Path]]:
    """The config, and the files of tests: those named, else those beside the config."""
    folders = [path for path in args.files if path.is_dir()]
    named = [path for path in args.files if not path.is_dir()]
    for path in named:
        if not path.exists():
            raise CannotRun(f"{path}: no such file or directory")
    if args.config:
        configs = config_paths(args.config)
    elif folders:
        configs = folders
    else:
        beside = named[0].parent if named else None
        configs = config_paths(None, beside if beside is not None and _has_config(beside) else None)
    beside_configs = dict.fromkeys(path if path.is_dir() else path.parent for path in configs)
    files = [*named, *(file for folder in folders for file in test_files(folder))]
    return configs, files or [file for folder in beside_configs for file in test_files(folder)]


def _has_config(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("executor.yaml", "executor.yml"))


def _no_tests(args: argparse.Namespace, configs: Sequence[Path], files: Sequence[Path]) -> str:
    if files:
        return f"no test has `{args.only}` in its name"
    places = ", ".join(str(path if path.is_dir() else path.parent) for path in configs)
    return f"no test was found: there is no *.test.yaml in {places} (docs/testing.md)"


def _invalid(args: argparse.Namespace, wrong: Sequence[Any], files: int) -> int:
    """Diagnostics are what `validate` prints, in its words; nothing was tested."""
    fmt = args.format if args.format in ("json", "github") else "text"
    stream = sys.stdout if fmt != "text" else sys.stderr
    stream.write(render(fmt, list(wrong), Summary(files, 0, 0, 0, 0), color=False))
    return EXIT_CANNOT_RUN


async def _results(loaded: LoadedConfig, tests: Sequence[PlacedTest], *, online: bool) -> TestResults:
    assert loaded.config is not None
    async with open_offline(loaded, os.environ, online=online) as view:
        judge = TestJudge(view.generation, view.absent)
        cases = tuple((one, judge.judge(one.test)) for one in tests)
    return TestResults(cases, tuple(rule_ids(loaded.config)))


def _in_repository(results: TestResults) -> TestResults:
    cases = tuple(
        (changed(placed, file=repository_path(placed.file, os.environ)), verdict)
        for placed, verdict in results.cases
    )
    return changed(results, cases=cases)


# ---- replay -------------------------------------------------------------------------------------------------------
def _replay(args: argparse.Namespace) -> int:
    configs = config_paths(args.config or [str(one) for one in args.files] or None)
    if args.against is None:
        return _replay_with(args, configs, str)
    with checked_out(args.against, configs) as copies:
        copy = os.path.realpath(copies[0] if copies[0].is_dir() else copies[0].parent)
        return _replay_with(args, copies, lambda file: os.path.relpath(os.path.realpath(file), copy))


def _replay_with(args: argparse.Namespace, configs: Sequence[Path], named: Callable[[str], str]) -> int:
    """`named` says what a file of `configs` is called: copies of a revision are named from the config's folder."""
    loaded = load_config(configs, env=None)
    if loaded.config is None:
        wrong = [changed(one, file=named(one.file)) for one in loaded.diagnostics]
        return _invalid(args, wrong, len(loaded.files))
    found = asyncio.run(_replayed(args, loaded))
    found.changed = [_placed(one, named) for one in found.changed]
    if not found.calls:
        raise CannotRun("there is no call in the trail that something was decided about")
    if args.format == "json":
        print_json(
            {
                "format_version": "1",
                "calls": found.calls,
                "changed": [one.as_json() for one in found.changed],
                "unclear": found.unclear,
            }
        )
    else:
        _print_replay(found)
    return EXIT_FOUND if found.changed else EXIT_OK


def _placed(one: ChangedCall, named: Callable[[str], str]) -> ChangedCall:
    file, line = split_source(one.now.rule_source) if one.now is not None else (None, None)
    if one.now is None or not file or line is None:
        return one
    return changed(one, now=changed(one.now, rule_source=f"{named(file)}:{line}"))


async def _replayed(args: argparse.Namespace, loaded: LoadedConfig) -> Replay:
    async with open_offline(loaded, os.environ, online=args.online) as view:
        return _replay_lines(args, view)


def _replay_lines(args: argparse.Namespace, view: OfflineView) -> Replay:
    lines = find(read_lines(args.replay), AuditFilter(event="call"))
    return replay(lines, view.generation, view.absent)


def _print_replay(found: Replay) -> None:
    for one in found.changed:
        print(_changed_line(one))
    for why, count in found.unclear.items():
        print(f"not judged: {count} ({why})")
    print(f"{len(found.changed)} of {found.calls} calls would be decided otherwise")


def _changed_line(one: ChangedCall) -> str:
    record, who = one.record, one.record.get("who") or {}
    becomes = f"{one.now.action} ({one.now.rule_id}, {one.now.rule_source})" if one.now else one.why
    said = f"{record.get('time')}  {record.get('executionId')}  {who.get('account')}  {record.get('address')}"
    return f"{said}: {one.was.get('action')} ({one.was.get('rule')}) -> {becomes}"
