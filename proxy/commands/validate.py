"""`executor validate`: every error of a config in one run, without network, without starting anything of it, and
without secrets. Documents in files are read: patterns of policies are compared with the tools in them."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxy.commands.terminal import in_color, print_table

if TYPE_CHECKING:
    from proxy.config import Diagnostic, LoadedConfig

FORMATS = ("text", "concise", "json", "github", "sarif", "gitlab")
DEFAULT_NAMES = ("executor.yaml", "executor.yml")


class _CannotRun(Exception):
    """Exit code 2: the words say what is missing."""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "validate",
        help="check config files",
        description="Check config files: YAML, schema, references, environment, safety. Exit code 0: fine, "
        "1: problems found, 2: could not run.",
    )
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="file, directory or - for stdin (default: executor.yaml)"
    )
    parser.add_argument(
        "--config", action="append", default=[], metavar="PATH", help="the same, as other commands say it"
    )
    parser.add_argument(
        "--offline", action="store_true", help="no network, nothing of the config is started (the default)"
    )
    parser.add_argument(
        "--online",
        action="store_true",
        help="also ask every source and authorization server, 10 s each, and compare with the lock; starts local MCP "
        "servers, calls no tool",
    )
    parser.add_argument(
        "--no-env", action="store_true", help="do not judge variables and secret files (CI without secrets)"
    )
    parser.add_argument(
        "--env-file", metavar="FILE", help="judge the variable names in FILE instead of the environment"
    )
    parser.add_argument(
        "--list-env", action="store_true", help="list what the config needs from its environment"
    )
    parser.add_argument(
        "--part",
        action="store_true",
        help="the file is a part of a config: what the rest has to say is a note (by itself where the rest stands "
        "beside it)",
    )
    parser.add_argument("--strict", action="store_true", help="warnings fail too")
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    parser.add_argument(
        "--json", dest="format", action="store_const", const="json", help="the same as --format json"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Findings on stdout, failures to run on stderr."""
    try:
        if args.online and (args.offline or args.list_env):
            raise _CannotRun("--online goes with neither --offline nor --list-env")
        paths = _paths([*args.paths, *args.config])
        environment = _environment(args)
        stdin = sys.stdin.buffer.read() if "-" in paths else None
    except _CannotRun as error:
        print(f"executor: {error}", file=sys.stderr)
        return 2
    return (
        _list(args, paths, environment, stdin)
        if args.list_env
        else _validate(args, paths, environment, stdin)
    )


def _paths(given: Sequence[str]) -> list[str]:
    paths = list(given) or [name for name in DEFAULT_NAMES if Path(name).is_file()][:1]
    if not paths:
        raise _CannotRun(f"no {DEFAULT_NAMES[0]} here; name a file or a directory")
    for path in paths:
        if path != "-" and not Path(path).exists():
            raise _CannotRun(f"{path}: no such file or directory")
    return paths


def _environment(args: argparse.Namespace) -> Mapping[str, str] | None:
    if args.env_file is None:
        return None if args.no_env else dict(os.environ)
    from proxy.config.environment import read_env_file

    try:
        return read_env_file(Path(args.env_file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise _CannotRun(f"{args.env_file}: {getattr(error, 'strerror', None) or error}") from None


def _validate(
    args: argparse.Namespace, paths: Sequence[str], environment: Mapping[str, str] | None, stdin: bytes | None
) -> int:
    started = time.perf_counter()
    from proxy.config import load_config
    from proxy.config.report import CI_FORMATS, Summary, errors_in, render
    from proxy.config.repository import relative_to_repository

    loaded = load_config(paths, env=environment, stdin=stdin)
    config = loaded.config
    own = _own(args, paths, loaded, environment)
    shown, unchecked = _asked(loaded, args.format) if args.online else _with_sources(loaded)
    diagnostics: Sequence[Diagnostic] = (*own, *shown)
    if args.format in CI_FORMATS:
        diagnostics = [relative_to_repository(one, os.environ) for one in diagnostics]
    summary = Summary(
        files=len(loaded.files),
        integrations=len(config.integrations) if config else 0,
        connections=len(config.connections) if config else 0,
        policies=len(config.policies) if config else 0,
        elapsed_ms=round((time.perf_counter() - started) * 1000),
        not_checked=unchecked,
        sha256=loaded.sha256,
    )
    sys.stdout.write(render(args.format, diagnostics, summary, color=in_color(sys.stdout)))
    warned = args.strict and any(one.severity == "warning" for one in diagnostics)
    return 1 if errors_in(diagnostics) or warned else 0


def _own(
    args: argparse.Namespace,
    paths: Sequence[str],
    loaded: LoadedConfig,
    environment: Mapping[str, str] | None,
) -> Sequence[Diagnostic]:
    """What the files say. One file may be a part of a config."""
    if len(paths) != 1 or paths[0] == "-" or Path(paths[0]).is_dir():
        return loaded.diagnostics
    from proxy.config.parts import checked_alone

    return checked_alone(loaded, Path(paths[0]), environment, part=args.part)


def _asked(loaded: LoadedConfig, fmt: str) -> tuple[Sequence[Diagnostic], Mapping[str, str]]:
    """What all sources say. People see a line for each as well."""
    if loaded.config is None:
        return (), {}
    import asyncio

    from proxy.app.online_check import check_online

    found = asyncio.run(check_online(loaded, os.environ))
    if fmt in ("text", "concise"):
        print_table([(row.name, row.status, row.detail) for row in found.rows], ("ASKED", "STATUS", "DETAIL"))
        print()
    # Wrong local documents are named with their place by what reads them without network.
    local, _ = _with_sources(loaded)
    known = {(one.code, one.path, one.message) for one in found.diagnostics}
    wrong = [
        one for one in local if one.severity == "error" and (one.code, one.path, one.message) not in known
    ]
    return (*wrong, *found.diagnostics), found.unchecked


def _with_sources(loaded: LoadedConfig) -> tuple[Sequence[Diagnostic], Mapping[str, str]]:
    """What the documents show. Only where there are any are the parts imported that read them: that takes half a
    second."""
    from proxy.config.semantics.tools import is_readable, nothing_known
    from proxy.config.tool_report import tool_report

    if loaded.config is None:
        return (), {}
    wrong = _of_the_lock(loaded)
    # A lock names tools, too.
    locked = loaded.config.lock is not None and loaded.lock_path.exists()
    if not locked and not any(map(is_readable, loaded.config.integrations.values())):
        report = tool_report(loaded, nothing_known(loaded.config))
        return (*wrong, *report.diagnostics), report.unchecked
    import asyncio

    from proxy.app.source_check import check_sources

    found = asyncio.run(check_sources(loaded, os.environ))
    # Both read the lock.
    return (*(one for one in wrong if one not in found.diagnostics), *found.diagnostics), found.unchecked


def _of_the_lock(loaded: LoadedConfig) -> Sequence[Diagnostic]:
    """What is wrong about the lock file, where the config wants one."""
    if loaded.config is None or loaded.config.lock is None:
        return ()
    # A file called `*.example` is a template: its lock belongs to whoever copies it.
    if loaded.location("lock").file.endswith(".example") and not Path(loaded.config.lock.file).exists():
        return ()
    from proxy.app.locking import LockProblem, lock_file

    try:
        lock_file(loaded)
    except LockProblem as problem:
        return (problem.diagnostic,)
    return ()


def _list(
    args: argparse.Namespace, paths: Sequence[str], environment: Mapping[str, str] | None, stdin: bytes | None
) -> int:
    """Variables that are not set are the point of the list, so they are no errors here."""
    from proxy.config import load_config
    from proxy.config.environment import uses
    from proxy.config.report import Summary, render

    loaded = load_config(paths, env=None, stdin=stdin)
    if loaded.config is None:
        summary = Summary(len(loaded.files), 0, 0, 0, 0)
        sys.stdout.write(render(args.format, loaded.diagnostics, summary, color=False))
        return 1
    found = uses(loaded, environment or {})
    if args.format == "json":
        print(json.dumps([use.as_json() for use in found], indent=2))
        return 0
    rows = [(u.name, u.kind, u.state, u.used_by, f"{u.file}:{u.line}" if u.file else "-") for u in found]
    print_table(rows, ("NAME", "KIND", "STATE", "USED BY", "PLACE"))
    return 0
