"""Standard streams that a command can rely on, whatever it was started with.

Rules
- A stream that was closed (`<&-`, some supervisors) is /dev/null: else the next file that is opened would take its
  number, and what is printed would end up in it.
- A character that the terminal's encoding lacks is printed as `\\uXXXX`, which JSON takes as well; nothing that is
  printed ends a command.
- What can no longer be printed is dropped once that was said: the interpreter would try again at its end.
"""

from __future__ import annotations

import codecs
import os
import sys
from contextlib import suppress
from typing import Final, TextIO

_ESCAPED: Final = "executor.escaped"
_NAMES: Final = ("stdin", "stdout", "stderr")


def open_streams() -> None:
    """Before anything else is opened."""
    codecs.register_error(_ESCAPED, _escaped)
    for number, name in enumerate(_NAMES):
        _open_closed(number)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        # Tests and embedding programs put other objects there.
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors=_ESCAPED)


def drop_output(stream: TextIO) -> None:
    """Nothing more reaches whoever listened: what is still buffered goes nowhere."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, stream.fileno())
        os.close(null)


def _open_closed(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        # The lowest free number is taken, and those below it are open by now.
        os.open(os.devnull, os.O_RDWR)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs), error.end
