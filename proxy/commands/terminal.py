"""What commands print for people: tables with headers, and colours where somebody looks at them.

Colours are for terminals only, never with NO_COLOR (https://no-color.org: set, and not empty) or TERM=dumb. They repeat
what the words say, so nothing is lost without them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Final, Literal

Style = Literal["good", "warning", "bad", "header"]
_CODES: Final[Mapping[Style, str]] = {"good": "32", "warning": "33", "bad": "31", "header": "1"}
# Words of our own that stand alone in a cell.
_WORDS: Final[Mapping[str, Style]] = {
    **dict.fromkeys(("ok", "connected", "healthy", "approve", "completed", "set"), "good"),
    **dict.fromkeys(("warn", "require_approval", "needs_secret", "waiting_for_interaction"), "warning"),
    **dict.fromkeys(("bad", "block", "failed", "unhealthy", "unset"), "bad"),
}


def in_color(stream: IO[str]) -> bool:
    """Whether what is written there may be coloured."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(text: str, style: Style, stream: IO[str]) -> str:
    """The text in the colour of its style, where `stream` takes colours."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if in_color(stream) else text


def print_table(rows: Sequence[Sequence[str]], header: Sequence[str] | None = None) -> None:
    """Columns as wide as their widest cell, two spaces apart; the last one is not padded. Without rows, no header."""
    if not rows:
        return
    lines = [header, *rows] if header is not None else rows
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        style: Style | None = "header" if line is header else None
        cells = [_cell(cell, width, style) for cell, width in zip(line[:-1], widths[:-1], strict=True)]
        print("  ".join([*cells, _cell(line[-1], 0, style)]).rstrip())


def _cell(text: str, width: int, style: Style | None) -> str:
    style = style or _WORDS.get(text)
    # Padding stands outside of the colour: an escape sequence takes no columns.
    return (painted(text, style, sys.stdout) if style and text else text) + " " * (width - len(text))
