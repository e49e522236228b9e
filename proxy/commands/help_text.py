"""How `--help` is laid out: never wider than the terminal, however narrow."""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Iterable
from typing import Any, Final

_INDENT: Final = "    "
_TIE: Final = "\N{NO-BREAK SPACE}"


class Help(argparse.HelpFormatter):
    """argparse puts options under each other behind the name of the command, and lets them stand out where there is no
    room. Then the usage is wrapped as text."""

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[argparse._MutuallyExclusiveGroup],
        prefix: str | None = None,
    ) -> None:
        if usage is argparse.SUPPRESS:
            return
        given = list(actions), list(groups)

        def fitting() -> str:
            text = self._format_usage(usage, *given, prefix)
            return text if _fits(text, self._width) else f"{wrapped(text, self._width)}\n\n"

        self._add_item(fitting, [])


class Parser(argparse.ArgumentParser):
    """argparse keeps to itself that a help could not be printed."""

    def print_help(self, file: Any = None) -> None:
        (file or sys.stdout).write(self.format_help())


class Version(argparse.Action):
    """Prints the version and ends, like argparse's own; what cannot be printed is an error."""

    def __init__(self, option_strings: list[str], dest: str, version: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show program's version number and exit")
        self._version = version

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        sys.stdout.write(f"{self._version}\n")
        parser.exit()


def wrapped(text: str, width: int) -> str:
    """The words of a usage in lines of this width; an option and its value stay together where they fit into one."""
    words = re.sub(r"\[[^\[\]]*\]", lambda found: _tied(found[0], width), " ".join(text.split()))
    lines = textwrap.fill(words, width, subsequent_indent=_INDENT, break_on_hyphens=False)
    return lines.replace(_TIE, " ")


def _tied(option: str, width: int) -> str:
    return option.replace(" ", _TIE) if len(_INDENT) + len(option) <= width else option


def _fits(text: str, width: int) -> bool:
    return all(len(line) <= width for line in text.splitlines())
