"""Checks that the prose of all Markdown files is wrapped at 100 columns, so that a diff shows what changed.

Tables, code blocks, headings and what cannot be broken (an address, a code span) may be longer. `--fix` wraps the
paragraphs and list items that have a long line, and leaves the others alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

COLUMNS = 100
PLACES = ("docs", "examples", "bench", "integrations", "proxy", "policies", "tests", "tools")

_FENCE = re.compile(r"^\s*(```|~~~)")
_ITEM = re.compile(r"^(\s*)([-*+]|\d+[.)]) +")
_TOKEN = re.compile(r"(?:`[^`]*`|\S)+")
_STARTS_SOMETHING = re.compile(r"^([-*+#>|]|\d+[.)]$|#+$|```)")


def markdown_files(root: Path) -> Iterator[Path]:
    yield from sorted(
        [*root.glob("*.md"), *(file for place in PLACES for file in (root / place).rglob("*.md"))]
    )


def blocks(text: str) -> Iterator[list[str]]:
    """The lines of a file in pieces that are wrapped on their own, or kept: `is_prose` tells which."""
    block: list[str] = []
    fenced = False
    for line in text.splitlines():
        if _FENCE.match(line):
            if not fenced and block:
                yield block
                block = []
            fenced = not fenced
            block.append(line)
        elif fenced:
            block.append(line)
        else:
            if block and (_is_alone(line) or _is_alone(block[-1]) or _ITEM.match(line)):
                yield block
                block = []
            block.append(line)
    if block:
        yield block


def _is_alone(line: str) -> bool:
    """Blank lines, headings, rows of tables and fences are no part of a paragraph."""
    return not line.strip() or line.lstrip().startswith(("#", "|", "```", "~~~", "<"))


def is_prose(block: list[str]) -> bool:
    return not _is_alone(block[0])


def wrap(block: list[str]) -> list[str]:
    """A paragraph or list item, filled up to the limit. The lines of an item hang below its text."""
    item = _ITEM.match(block[0])
    indent = len(block[0]) - len(block[0].lstrip())
    hanging = " " * (item.end() if item else indent)
    first = item[0] if item else hanging
    tokens = _TOKEN.findall(" ".join([block[0][len(first) :], *(line.strip() for line in block[1:])]))
    lines = [first + tokens[0]] if tokens else [first.rstrip()]
    for token in tokens[1:]:
        # A line must not begin with what Markdown takes for an item, a heading or a table.
        if len(lines[-1]) + 1 + len(token) > COLUMNS and not _STARTS_SOMETHING.match(token):
            lines.append(hanging + token)
        else:
            lines[-1] += " " + token
    return lines


def wrapped(text: str) -> str:
    """The text with every paragraph wrapped that has a line over the limit."""
    out: list[str] = []
    for block in blocks(text):
        long = is_prose(block) and any(len(line) > COLUMNS for line in block)
        out += wrap(block) if long else block
    return "".join(line + "\n" for line in out)


def long_lines(text: str) -> Iterator[int]:
    """Numbers of the lines that wrapping would shorten."""
    number = 1
    for block in blocks(text):
        if is_prose(block) and wrap(block) != block:
            yield from (number + at for at, line in enumerate(block) if len(line) > COLUMNS)
        number += len(block)


def main(root: Path, fix: bool) -> int:
    problems = []
    for file in markdown_files(root):
        text = file.read_text(encoding="utf-8")
        if fix and wrapped(text) != text:
            file.write_text(wrapped(text), encoding="utf-8")
        elif not fix:
            problems += [f"{file.relative_to(root)}:{number}" for number in long_lines(text)]
    for name, lines in groupby(problems, key=lambda problem: problem.rpartition(":")[0]):
        numbers = ", ".join(line.rpartition(":")[2] for line in lines)
        print(f"{name}: prose over {COLUMNS} columns in {numbers}; run tools/check_prose.py --fix")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent, "--fix" in sys.argv[1:]))
