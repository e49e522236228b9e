"""`executor completion SHELL`: the script that completes commands and options in a shell."""

from __future__ import annotations

import argparse
import sys
from typing import Any

SHELLS = ("bash", "zsh", "fish")
DESCRIPTION = (
    "Prints a script that completes commands, options and file names. bash: `executor completion bash > "
    "~/.local/share/bash-completion/completions/executor`; zsh: `executor completion zsh > DIR/_executor`, with DIR in "
    "$fpath; fish: `executor completion fish > ~/.config/fish/completions/executor.fish`."
)
_FILES = ("PATH", "FILE")


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "completion",
        help="print the completion script for bash, zsh or fish",
        description=DESCRIPTION,
        epilog="Exit codes: 0 printed, 2 no such shell.",
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=" | ".join(SHELLS))


def run(args: argparse.Namespace) -> int:
    # Late: no other command needs it.
    import shtab

    parser: argparse.ArgumentParser = args.everything()
    _complete_files(parser, shtab.FILE)
    _describe(parser)
    sys.stdout.write(shtab.complete(parser, args.shell))
    return 0


def _complete_files(parser: argparse.ArgumentParser, how: Any) -> None:
    """Options and arguments that name files are completed with the names of files."""
    for action in parser._actions:
        if action.metavar in _FILES:
            action.complete = how  # type: ignore[attr-defined]
    for one in actions_of(parser).values():
        _complete_files(one, how)


def _describe(parser: argparse.ArgumentParser) -> None:
    """A shell shows one line beside each command: that of the overview, not its description."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            lines = {one.dest: one.help for one in action._get_subactions()}
            for name, one in action.choices.items():
                one.description = lines.get(name) or lines.get(name.partition(" ")[0]) or one.description
                _describe(one)


def actions_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of its subcommands, by name."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found |= action.choices
    return found
