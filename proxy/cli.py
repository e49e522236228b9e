"""The `executor` command: one table of commands; only the chosen one is imported.

Exit codes, all commands: 0 fine, 1 found problems, 2 could not run (usage, no such file). Commands that need a
valid config end with 78 (sysexits EX_CONFIG) without one; `call` with 3 (approval needed; `resume` too) or 4
(blocked). Every --help lists them.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Protocol, cast

from proxy.commands.help_text import Help, Parser, Version
from proxy.commands.streams import drop_output, open_streams


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command, the module that implements it (`add_parser`, `run`), and its line in the overview."""

    name: str
    module: str
    help: str


class CommandModule(Protocol):
    """What a module of `proxy.commands` offers."""

    def add_parser(self, subparsers: Any) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


COMMANDS = (
    CommandEntry("serve", "serve", "serve the MCP endpoint over HTTP"),
    CommandEntry("mcp", "stdio", "serve MCP over stdio, for clients that start their servers"),
    CommandEntry("validate", "validate", "check config files: every error with file, line and remedy"),
    CommandEntry("lock", "lock", "review what tools have become, and write executor.lock; --check for CI"),
    CommandEntry("test", "test", "run the tests of the policies (*.test.yaml)"),
    CommandEntry("init", "init", "write a first executor.yaml, or add an integration to it"),
    CommandEntry("import", "import_config", "make an executor.yaml of another program's config"),
    CommandEntry("explain", "explain", "say what would happen to a call of one tool, and which rule decides"),
    CommandEntry(
        "diff", "diff", "compare two configs: what becomes allowed, what does not, what else changes"
    ),
    CommandEntry("why", "why", "say why past calls were let through or not, from the audit trail"),
    CommandEntry("tools", "tools", "list, search and describe the tools that the config gives agents"),
    CommandEntry("call", "call", "call one tool under the same policies as agents"),
    CommandEntry("approvals", "approvals", "list, show, approve and deny the calls that wait for a person"),
    CommandEntry("resume", "resume", "go on with a paused execution, and print its next result"),
    CommandEntry("executions", "executions", "list, show and cancel executions of a running server"),
    CommandEntry("auth", "auth", "sign in to connections, see who is signed in, and forget tokens"),
    CommandEntry("export", "export", "print what was registered at run time as YAML to commit"),
    CommandEntry("status", "status", "one screen about a running server"),
    CommandEntry("wait", "wait", "wait until a running server serves a certain config"),
    CommandEntry("keys", "keys", "create and verify API keys"),
    CommandEntry("schema", "schema", "print the JSON Schema of executor.yaml, for editors"),
    CommandEntry("doctor", "doctor", "check this machine, the sandbox, the config and its upstreams"),
    CommandEntry(
        "support-bundle",
        "support_bundle",
        "collect config, status, metrics and versions of a running server in one file",
    ),
    CommandEntry("audit", "audit", "verify the audit trail, and find out what happened"),
    CommandEntry("demo", "demo", "run the little inventory API that the quickstart uses"),
    CommandEntry("completion", "completion", "print the completion script for bash, zsh or fish"),
    CommandEntry("help", "topics", "explain a command, a code such as E402, or a config key"),
)


# So many objects are made before the youngest are looked at for garbage.
_YOUNG = 500_000
# What may be the only program of a container, and then is its first process.
SERVERS = frozenset({"serve", "mcp"})
_USAGE = 2
EXIT_CODES = "Exit codes: 0 fine, 1 found problems, 2 could not run."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    open_streams()
    if words[:2] == ["doctor", "--live"] and (code := _health_check(words)) is not None:
        return code
    return _ended(lambda: _parsed_and_run(words, own_process=argv is None))


def _parsed_and_run(words: Sequence[str], *, own_process: bool) -> int:
    with _no_garbage():
        command = next((w for w in words if not w.startswith("-")), "")
        parser, modules = build_parser(command)
        with _usage_code(modules.get(command)):
            args, unknown = parser.parse_known_args(words)
            if unknown:
                # The usage of the command that was meant, not that of all.
                cast(argparse.ArgumentParser, getattr(args, "meant", parser)).error(
                    f"unrecognized arguments: {' '.join(unknown)}"
                )
    if args.command is None:
        parser.print_help()
        return 2
    logging.lastResort = _Lines()
    if own_process and args.command not in SERVERS:
        _seldom_garbage()
    try:
        return _run(modules[args.command], args)
    finally:
        if own_process:
            gc.freeze()  # The interpreter, as it ends, would look through all of it for garbage.


@contextmanager
def _usage_code(module: CommandModule | None) -> Iterator[None]:
    """Wrong usage exits with 2, and where 2 is an answer of the command with its `EXIT_USAGE`."""
    try:
        yield
    except SystemExit as ended:
        if ended.code == _USAGE and module is not None:
            raise SystemExit(getattr(module, "EXIT_USAGE", _USAGE)) from None
        raise


class _Lines(logging.Handler):
    """Commands that serve nothing set up no logs. The first line that something logs all the same does it for them, so
    that it is more than the name of an event.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            from proxy.telemetry import configure_logging

            configure_logging("warning", "text")
            logging.getLogger(record.name).handle(record)


def _run(module: CommandModule, args: argparse.Namespace) -> int:
    if args.command in SERVERS and os.getpid() == 1:
        from proxy.commands.first_process import run_below

        return run_below(lambda: module.run(args))
    return module.run(args)


def _ended(command: Callable[[], int]) -> int:
    """The exit code of a command that may be interrupted, or lose what it stands on: its reader, the disk that it
    prints to, its working directory."""
    try:
        try:
            return command()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        drop_output(sys.stdout)
        return 141
    except OSError as error:
        from proxy.commands.common import cannot_run

        drop_output(sys.stdout)
        return cannot_run(error)


@contextmanager
def _no_garbage() -> Iterator[None]:
    """What is imported stays: to look for garbage in it, over and over, takes a seventh of the time to start."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _seldom_garbage() -> None:
    """For a process that ends soon: what it loads is needed to its end, and going over all of it takes a tenth of its
    time. Servers look after their garbage themselves (`proxy.app.garbage`)."""
    gc.freeze()
    gc.set_threshold(_YOUNG)


def _health_check(words: Sequence[str]) -> int | None:
    """What the health check of a container runs every few seconds needs no parser; None: it asks for more than that."""
    from proxy.commands.live import COLUMNS, ask, live_url
    from proxy.commands.terminal import print_table

    if (url := live_url(words)) is None:
        return None
    good, seen = ask(url)
    print_table([["ok" if good else "bad", "server", seen]], COLUMNS)
    return 0 if good else 1


def whole_parser() -> argparse.ArgumentParser:
    """The parser with the arguments of every command. It imports them all."""
    return build_parser(None)[0]


def build_parser(chosen: str | None) -> tuple[argparse.ArgumentParser, dict[str, CommandModule]]:
    """The parser with every command's name, and the arguments of the chosen one; None: of all."""
    parser = Parser(
        prog="executor",
        formatter_class=Help,
        description="One MCP endpoint in front of every API you use, configured by YAML files in git.",
        epilog="`executor COMMAND --help` explains one command. No command is started by --help.",
    )
    parser.add_argument("--version", action=Version, version=f"executor {metadata.version('executor-proxy')}")
    # For the commands that are about the others.
    parser.set_defaults(everything=whole_parser)
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    modules: dict[str, CommandModule] = {}
    for command in COMMANDS:
        if chosen in (None, command.name):
            module = cast(CommandModule, importlib.import_module(f"proxy.commands.{command.module}"))
            module.add_parser(subparsers)
            modules[command.name] = module
            _finish(subparsers.choices[command.name], EXIT_CODES)
        else:
            subparsers.add_parser(command.name, help=command.help)
    return parser, modules


def _finish(parser: argparse.ArgumentParser, inherited: str) -> None:
    """Every help ends with exit codes: its own, or those of the command that it belongs to. Allowed values stand in the
    text of an option, which can be wrapped, not in the usage, which would be wider than a terminal."""
    parser.epilog = parser.epilog or inherited
    parser.formatter_class = Help
    parser.set_defaults(meant=parser)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                _finish(one, parser.epilog)
        elif action.choices is not None and action.metavar is None and action.option_strings:
            action.metavar = action.dest.upper()
            action.help = f"{action.help or 'one of'}: {' | '.join(action.choices)}"
