"""The code of an execution, as whoever may see the execution reads it: by line, with the line that asks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# A page with a megabyte of code helps nobody to decide; all of it is in the answer of the REST API.
LONGEST_SHOWN: Final = 100_000
_PREFIX_PARTS: Final = 3
_TAB: Final = 4


@dataclass(frozen=True, slots=True)
class CodeLine:
    """`asks`: this line makes a call that somebody decides about."""

    number: int
    text: str
    asks: bool = False


@dataclass(frozen=True, slots=True)
class CodeListing:
    """`left_out` is how many characters are not in `lines`."""

    lines: tuple[CodeLine, ...] = ()
    left_out: int = 0


def asking_line(code: str, address: str) -> int | None:
    """The number of the only line that calls this tool; None when none does by its name, or several do: which of them
    asks is not known then."""
    name = r"\s*\.\s*".join(map(re.escape, address.split(".")[_PREFIX_PARTS:]))
    if not name:
        return None
    found = {code.count("\n", 0, match.end()) + 1 for match in re.finditer(rf"\.{name}\s*\(", code)}
    return found.pop() if len(found) == 1 else None


def asking_lines(code: str, addresses: Mapping[str, str]) -> dict[str, int]:
    """By question, the line that asks it, where that is known. `addresses`: the tool of each question."""
    found = {question: asking_line(code, address) for question, address in addresses.items()}
    return {question: line for question, line in found.items() if line is not None}


def listing(code: str, asking: frozenset[int] = frozenset()) -> CodeListing:
    """The lines of the code, at most `LONGEST_SHOWN` characters of it. A line break at its end begins no line."""
    shown = code[:LONGEST_SHOWN]
    rows = shown.expandtabs(_TAB).removesuffix("\n").split("\n") if shown else []
    lines = tuple(CodeLine(at, text.removesuffix("\r"), at in asking) for at, text in enumerate(rows, 1))
    return CodeListing(lines, len(code) - len(shown))
