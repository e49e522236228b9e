"""One diagnostic for people: the source line with a caret under what is wrong, and its one-line form.

Everything printed here may come from a hostile file: control characters and line separators are replaced
one for one, so that an excerpt can neither move the cursor nor forge a line, and carets stay in their column.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from proxy.config.diagnostic import Diagnostic

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
# An excerpt shows at most this many characters of a source line; the marked part stays visible.
WIDEST: Final = 160
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_STYLES: Final = {"error": "1;31", "warning": "1;33", "note": "1;36", "frame": "1;34", "help": "36"}


def counted(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def printable(text: str) -> str:
    """`text` with control, format, surrogate and separator characters (but tab) replaced, one for one."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        REPLACEMENT if unicodedata.category(char) in _UNPRINTABLE and char != "\t" else char for char in text
    )


def one_line(diagnostic: Diagnostic) -> str:
    """`executor.yaml:42:7 E201 unknown key ... (did you mean ...)`; also what log lines carry."""
    place = f"{diagnostic.file}:{diagnostic.line}:{diagnostic.column}"
    hint = f" ({diagnostic.help})" if diagnostic.help else ""
    return printable(f"{place} {diagnostic.code} {diagnostic.message}{hint}".replace("\n", " "))


def excerpt(diagnostic: Diagnostic, color: bool) -> str:
    """The rustc-like block, without a final line break."""
    margin = " " * len(str(diagnostic.line))
    frame = _painter("frame", color)
    place = f"{diagnostic.file}:{diagnostic.line}:{diagnostic.column}"
    head = _painter(diagnostic.severity, color)(f"{diagnostic.severity}[{diagnostic.code}]")
    lines = [f"{head}: {printable(diagnostic.message)}", f"{margin}{frame('-->')} {printable(place)}"]
    if diagnostic.excerpt:
        source, carets = _marked(diagnostic)
        lines += [
            f"{margin} {frame('|')}",
            f"{frame(f'{diagnostic.line} |')} {source}",
            f"{margin} {frame('|')} {_painter(diagnostic.severity, color)(carets)}",
        ]
    lines += (f"{margin} {frame('=')} {note}" for note in _notes(diagnostic, color))
    return "\n".join(line.rstrip() for line in lines)


def _notes(diagnostic: Diagnostic, color: bool) -> list[str]:
    notes = [
        printable(f"note: {other.file}:{other.line}:{other.column}: {other.message}")
        for other in diagnostic.related
    ]
    if diagnostic.help:
        notes.append(f"{_painter('help', color)('help')}: {printable(diagnostic.help)}")
    return notes


def _marked(diagnostic: Diagnostic) -> tuple[str, str]:
    """The source line, cropped to `WIDEST`, and the line of carets below it."""
    line = printable(diagnostic.excerpt.split("\n", 1)[0])
    start = min(diagnostic.column - 1, len(line))
    end = diagnostic.end_column - 1 if diagnostic.end_line == diagnostic.line else len(line)
    end = max(start + 1, min(end, len(line)))
    cut = _first_shown(line, start)
    shown = line[cut : cut + WIDEST]
    before = "\N{HORIZONTAL ELLIPSIS}" if cut else ""
    after = "\N{HORIZONTAL ELLIPSIS}" if cut + WIDEST < len(line) else ""
    marked = line[start : min(end, cut + WIDEST)]
    return before + shown + after, _blank(before + line[cut:start]) + "^" * max(1, _columns(marked))


def _first_shown(line: str, start: int) -> int:
    """Where a cropped line begins: a third of the window is kept as context in front of the mark."""
    if len(line) <= WIDEST or start < WIDEST // 2:
        return 0
    return start - WIDEST // 3


def _blank(text: str) -> str:
    """White space as wide as `text`; tabs stay tabs, since only the terminal knows their width."""
    return "".join("\t" if char == "\t" else " " * _columns(char) for char in text)


def _columns(text: str) -> int:
    """Terminal columns: wide East Asian characters take two, combining marks none (UAX #11)."""
    return sum(_column(char) for char in text)


def _column(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


class _painter:
    """Wraps text in one SGR sequence, or leaves it alone."""

    __slots__ = ("_end", "_start")

    def __init__(self, style: str, color: bool) -> None:
        self._start = f"\x1b[{_STYLES[style]}m" if color else ""
        self._end = "\x1b[0m" if color else ""

    def __call__(self, text: str) -> str:
        return f"{self._start}{text}{self._end}"
